#!/usr/bin/env python3
"""Hostile clients: what no token opens, malformed and slow requests, too many connections, readers that do not read."""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import re
import resource
import socket
import sqlite3
import struct
import threading
import time
import unittest
import urllib.parse

from etesian import ROOT, ApiError, InstallationTest, wait_until

MIB = 1 << 20
SERVER_MEMORY = 400 * MIB
HEAD_SECONDS = 10  # docs/security.md: the time for a head.
MARGIN_SECONDS = 15
OPEN_ROUTES = (ROOT / "tests/golden/api/open_routes.txt").read_text().split("\n")
DAGS = {
    "quick": "dag: quick\ntasks:\n  say: {run: echo quick}\n",
    "wide": "dag: wide\ntasks:\n" + "".join(f"  t{i}: {{}}\n" for i in range(250)),
    "loud": "dag: loud\ntasks:\n  shout: {run: \"sleep 2; seq -f '%020.0f of a line that is long enough' 400000\"}\n",
}


def setUpModule():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536) if most != resource.RLIM_INFINITY else 65536, most))


def memory_of(pid, what):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", text)[1]) * 1024


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def json_web_token(algorithm, claims, key=b""):
    def encoded(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")
    signed = encoded(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()) + b"." + encoded(json.dumps(claims).encode())
    seal = hmac.new(key, signed, hashlib.sha256).digest() if algorithm == "HS256" else b""
    return (signed + b"." + encoded(seal)).decode()


class Network(InstallationTest):
    maxDiff = 3000
    DAGS = DAGS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.port = int(cls.etesian.url.rsplit(":", 1)[1])

    def tearDown(self):
        run_id = self.etesian.trigger("quick")
        self.assertEqual(self.etesian.wait_run("quick", run_id), "success")

    def assert_works(self):
        self.etesian.get("/healthz")
        run_id = self.etesian.trigger("quick")
        self.assertEqual(self.etesian.wait_run("quick", run_id), "success")
        self.assertLess(memory_of(self.etesian.process.pid, "VmHWM"), SERVER_MEMORY)

    def connect(self, timeout=30):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def until_closed(self, client):
        """All that comes until the server closes; AssertionError when it does not."""
        answer = b""
        try:
            while piece := client.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        except TimeoutError:
            raise AssertionError(f"not closed; so far {answer[:300]!r}") from None
        return answer

    def raw(self, data, shut=True, timeout=30):
        """Sends bytes, closes that side, and gives all that comes back."""
        with self.connect(timeout) as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(data)
                if shut:
                    client.shutdown(socket.SHUT_WR)
            return self.until_closed(client)

    def request_text(self, method, target, *headers, body=b"", token=True):
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
        if token:
            lines.append("Authorization: Bearer " + self.etesian.token)
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

    def ask(self, method, target, *headers, **options):
        """Status, headers and body of one exchange; the target goes out as it is."""
        answer = self.raw(self.request_text(method, target, *headers, **options))
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 "), answer[:300])
        fields = dict(line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
        return int(head.split()[1]), fields, body

    def status(self, *words, **options):
        return self.ask(*words, **options)[0]


class Tokens(Network):
    def routes(self):
        for path, methods in self.etesian.get("/openapi.json")["paths"].items():
            for method in methods:
                yield method.upper(), path

    @staticmethod
    def filled(path):
        return re.sub(r"\{[^}]+\}", "1", path)

    def test_nobody_opens_a_route_that_is_not_on_the_list(self):
        routes = list(self.routes())
        self.assertGreater(len(routes), 100)
        for method, path in routes:
            with self.subTest(method=method, path=path):
                status = self.status(method, self.filled(path), token=False)
                if f"{method} {path}" in OPEN_ROUTES:
                    self.assertNotIn(status, (401, 403, 404))
                else:
                    self.assertEqual(status, 401)

    def test_other_methods_open_nothing_either(self):
        for _, path in self.routes():
            if any(line.endswith(" " + path) for line in OPEN_ROUTES):
                continue
            for method in ("HEAD", "OPTIONS", "TRACE", "BREW"):
                with self.subTest(method=method, path=path):
                    self.assertEqual(self.status(method, self.filled(path), token=False), 401)

    def worker_routes(self):
        table = (ROOT / "src/task_api/task_api.cc").read_text()
        names = dict(re.findall(r'#define (\w+) "(/execution/[^"]+)"', table))
        for method, name, rest in re.findall(r'\{"([A-Z]+)",\s*(\w*)\s*(?:"([^"]*)")?,', table):
            path = (names[name] if name else "") + rest
            yield method, re.sub(r"\{[^}]+\}", "0190a3b4-0000-7000-8000-000000000001", path)

    def test_the_worker_routes_take_a_worker_token_alone(self):
        routes = list(self.worker_routes())
        self.assertGreater(len(routes), 30)
        for method, target in routes:
            with self.subTest(method=method, target=target):
                self.assertEqual(self.status(method, target, token=False), 401)
                self.assertEqual(self.status(method, target), 403)
        for what, token in self.forged():
            with self.subTest(what):
                self.assertEqual(self.status("GET", "/execution/variables/x", "Authorization: Bearer " + token, token=False), 403)

    def test_what_the_worker_routes_leave_open_is_documented(self):
        documented = (ROOT / "docs/security.md").read_text()
        for path in ("/execution/health", "/execution/health/ping"):
            self.assertEqual(self.status("GET", path, token=False), 200)
            self.assertIn("GET " + path + "\n", documented)

    def forged(self):
        real = self.etesian.token
        now = int(time.time())
        claims = {"sub": "admin", "iat": now, "exp": now + 3600, "aud": "apache-airflow", "iss": "airflow"}
        yield "nothing", "nothing"
        yield "cut", real[:-1]
        yield "longer", real + "0"
        yield "one digit changed", real[:-1] + ("0" if real[-1] != "0" else "1")
        yield "capitals", real.upper()
        yield "never given", "etesian_" + "0" * 64
        yield "its hash", "etesian_" + hashlib.sha256(real.encode()).hexdigest()
        yield "alg none", json_web_token("none", claims)
        yield "no seal", json_web_token("HS256", claims).rsplit(".", 1)[0] + "."
        yield "an empty key", json_web_token("HS256", claims)
        yield "another key", json_web_token("HS256", claims, b"another key")
        yield "expired", json_web_token("HS256", {**claims, "exp": now - 3600}, b"another key")
        yield "endless", json_web_token("HS256", {**claims, "exp": 1 << 62}, b"another key")
        yield "quotes", "' OR '1'='1"
        yield "percent", real[:8] + "%" + real[9:]

    def test_forged_tokens(self):
        for what, token in self.forged():
            for target in ("/api/v2/dags", "/api/v2/variables", "/api/v2/events", "/metrics"):
                with self.subTest(what, target=target):
                    self.assertEqual(self.status("GET", target, "Authorization: Bearer " + token, token=False), 401)

    def test_the_token_in_another_place_is_none(self):
        token = self.etesian.token
        for header in ("Authorization: " + token, "Authorization: Basic " + base64.b64encode(f"admin:{token}".encode()).decode(),
                       "Cookie: _token=" + token, "X-Auth-Token: " + token, "Authorization: Bearer"):
            with self.subTest(header.split(":")[0]):
                self.assertEqual(self.status("GET", "/api/v2/dags", header, token=False), 401)
        for name in ("token", "access_token", "jwt"):
            self.assertEqual(self.status("GET", f"/api/v2/dags?{name}={token}", token=False), 401)

    def test_a_token_ends_with_its_logout(self):
        used = self.etesian.token
        self.etesian.log_in()
        self.assertIn(self.status("POST", "/auth/logout", "Authorization: Bearer " + used, token=False), (200, 204))
        self.assertEqual(self.status("GET", "/api/v2/dags", "Authorization: Bearer " + used, token=False), 401)
        self.assertEqual(self.status("GET", "/api/v2/dags"), 200)

    def test_an_expired_token_opens_nothing(self):
        # Nobody can wait for its end, so that is set back in the store of a stopped server.
        self.etesian.stop_server()
        try:
            with contextlib.closing(sqlite3.connect(self.etesian.home / "etesian.db")) as store, store:
                tables = [row[0] for row in store.execute("select name from sqlite_master where type = 'table'")]
                table = next(name for name in tables if "token" in name or "session" in name)
                column = next(row[1] for row in store.execute(f"pragma table_info({table})") if "expire" in row[1])
                self.assertGreater(store.execute(f"update {table} set {column} = 1").rowcount, 0)
        finally:
            self.etesian.start()
            type(self).port = int(self.etesian.url.rsplit(":", 1)[1])
        try:
            self.assertEqual(self.status("GET", "/api/v2/dags"), 401)
        finally:
            self.etesian.log_in()


class Malformed(Network):
    SMUGGLED = b"GET /api/v2/version HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def refused(self, what, data, *statuses, **options):
        """One refusal, then the end: nothing behind it is taken for a request."""
        with self.subTest(what):
            answer = self.raw(data, **options)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer[:1000])
            self.assertIn(int(answer.split()[1]), statuses or (400,))
            self.assertIn(b"connection: close", answer.lower())

    def test_what_two_parsers_read_differently_is_refused(self):
        post = b"POST /auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        hidden = self.SMUGGLED
        self.refused("length and chunks", post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden)
        self.refused("chunks and length", post + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + hidden)
        self.refused("two lengths", post + b"Content-Length: 0\r\nContent-Length: 50\r\n\r\n" + hidden)
        self.refused("two equal lengths", post + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + hidden)
        for length in (b"0, 50", b"+0", b"-1", b"0x0", b"", b"1e1", b"0 0", b"99999999999999999999999"):
            self.refused(f"length {length}", post + b"Content-Length: " + length + b"\r\n\r\n" + hidden)
        for coding in (b"xchunked", b"chunked, identity", b"identity", b"gzip, chunked", b"\x0bchunked",
                       b"chunked\r\nTransfer-Encoding: chunked"):
            self.refused(f"coding {coding}", post + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n" + hidden)
        self.refused("a folded field", post + b"X-A: b\r\n Content-Length: 50\r\n\r\n" + hidden)
        self.refused("a folded coding", post + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + hidden)
        self.refused("a blank before the colon", post + b"Content-Length : 50\r\n\r\n" + hidden)
        self.refused("a bare LF", b"GET /healthz HTTP/1.1\nHost: localhost\n\n" + hidden)
        self.refused("a bare CR", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\rContent-Length: 50\r\n\r\n" + hidden)
        self.refused("NUL in a value", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n" + hidden)
        self.refused("NUL in a name", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX\0: a\r\n\r\n" + hidden)
        self.refused("two hosts", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: elsewhere\r\n\r\n" + hidden)
        self.refused("no host", b"GET /healthz HTTP/1.1\r\n\r\n" + hidden)
        self.refused("another host", b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421)

    def test_request_lines(self):
        tail = b"\r\nHost: localhost\r\n\r\n"
        for line in (b"GET http://localhost/healthz HTTP/1.1", b"CONNECT localhost:80 HTTP/1.1", b"GET  /healthz HTTP/1.1",
                     b"GET /healthz HTTP/2.0", b"GET /healthz", b"GET /health z HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET * HTTP/1.1",
                     b"PRI * HTTP/2.0", b"G\x1b[2JT / HTTP/1.1", b"GET /healthz#x HTTP/1.1", b"GET /healthz HTTP/1.1 ",
                     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b" GET / HTTP/1.1", b"\r\nGET / HTTP/9.9"):
            self.refused(line, line + tail)

    def test_too_large_a_head_or_body(self):
        begin = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
        self.refused("one field of 1 MiB", begin + b"X: " + b"a" * MIB + b"\r\n\r\n", 431)
        self.refused("50,000 fields", begin + b"X: a\r\n" * 50_000 + b"\r\n", 431)
        self.refused("a head that never ends", begin + b"X: " + b"a" * (8 * MIB), 431)
        self.refused("a long target", b"GET /" + b"a" * MIB + b" HTTP/1.1\r\n\r\n", 431)
        post = b"POST /auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self.refused("1 GiB announced", post + b"Content-Length: 1073741824\r\n\r\n{", 413)
        chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        self.refused("chunks without end", post + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 100, 413)

    def test_broken_chunks(self):
        post = (b"POST /auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n")
        for body in (b"x\r\n", b"-1\r\n", b"0x2\r\n{}\r\n", b"2\r\n{}XX0\r\n\r\n", b"2\n{}\n0\n\n", b"2 \r\n{}\r\n0\r\n\r\n",
                     b"ffffffffffffffffff\r\n", b"7fffffffffffffff\r\n{}\r\n", b"2;" + b"a" * 100_000 + b"\r\n{}\r\n"):
            self.refused(body[:30], post + body + self.SMUGGLED, 400, 413)

    def test_bodies_that_are_no_json(self):
        begin = "/api/v2/dags/quick/dagRuns"
        for body in (b"[" * 100_000, b'{"a":' * 100_000, b'{"logical_date": null, "logical_date": null}', b"\xff\xfe", b"nul",
                     b'{"conf": {"a": 1e999}}', b'{"conf": "\xed\xa0\x80"}', b"{" + b" " * 500_000, b'"' + b"\\" * 99_999):
            with self.subTest(body[:40]):
                status, _, answer = self.ask("POST", begin, "Content-Type: application/json", body=body)
                self.assertIn(status, (400, 422))
                json.loads(answer.decode())
                self.assertLess(len(answer), 10_000)

    def test_1_000_requests_in_one_go_are_answered_in_order(self):
        one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = self.raw(one * 999 + b"GET /api/v2/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 1000)
        self.assertIn(b"version", answer.rsplit(b"\r\n\r\n", 1)[1])

    def test_queries(self):
        many = "&".join(f"a{i}=b" for i in range(4000))
        self.assertEqual(self.status("GET", "/api/v2/dags?" + many[:30_000]), 200)
        self.assertEqual(self.status("GET", "/api/v2/dags?" + "a" * 40_000), 431)
        for query in ("limit=%zz", "%", "a=%f", "a=%"):
            self.assertEqual(self.status("GET", "/api/v2/dags?" + query), 400)
        for query in ("dag_id_pattern=%ff%fe", "limit=%ff", "order_by=%ff", "dag_run_state=%ff", "paused=%ff",
                      "dag_id_pattern=%00", "dag_id_pattern=%25%25%25", "limit=-1", "limit=1e99",
                      "limit=99999999999999999999", "offset=-5", "order_by=%27;drop%20table%20runs;--", "tags=%ff", "order_by=%00"):
            with self.subTest(query):
                status, _, body = self.ask("GET", "/api/v2/dags?" + query)
                self.assertIn(status, (200, 400, 422))
                json.loads(body.decode("utf-8"))

    def test_ids_that_are_paths_or_no_text(self):
        evil = ["..", "%2e%2e", "..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "..%5c..", "%252e%252e%252f", "%00", "quick%00",
                "~root", "a" * 5000, "%ff%fe", "%c0%ae%c0%ae", "%e2%80%ae", "%1b[2J", "quick%2f", "quick;x", "%0d%0aSet-Cookie:x",
                "${jndi:x}", "'--"]
        places = ["/api/v2/dags/{}", "/api/v2/dagSources/{}", "/api/v2/dags/{}/dagRuns", "/api/v2/dags/quick/dagRuns/{}",
                  "/api/v2/dags/quick/dagRuns/{}/taskInstances/say/logs/1", "/api/v2/dags/quick/dagRuns/x/taskInstances/{}/logs/1",
                  "/api/v2/dags/quick/dagRuns/x/taskInstances/say/logs/{}", "/api/v2/variables/{}", "/api/v2/connections/{}",
                  "/api/v2/pools/{}", "/api/v2/importErrors/{}", "/{}", "/api/{}", "//{}"]
        for place in places:
            for name in evil:
                with self.subTest(place=place, name=name[:40]):
                    status, fields, body = self.ask("GET", place.format(name))
                    self.assertIn(status, (400, 404, 405, 422))
                    self.assertNotIn(b"root:", body)
                    self.assertNotIn("set-cookie", fields)
                    body.decode("utf-8")

    def test_bad_escapes_in_a_path(self):
        for target in ("/api/v2/dags/%", "/api/v2/dags/%zz", "/api/v2/dags/%f"):
            self.assertEqual(self.status("GET", target), 400)

    def test_ids_in_bodies_name_no_file(self):
        before = sorted(str(path) for path in self.folder.rglob("*") if "home" not in path.parts)
        for name in ("../../../evil", "/tmp/evil", "..", "a/b", "a\0b", "a\x1b[2J", "a\u202eb", "a\nb", "a" * 5000):
            quoted = json.dumps(name).encode()
            for target, body in (("/api/v2/dags/quick/dagRuns", b'{"logical_date": null, "dag_run_id": %s}' % quoted),
                                 ("/api/v2/pools", b'{"name": %s, "slots": 1}' % quoted),
                                 ("/api/v2/connections", b'{"connection_id": %s, "conn_type": "http"}' % quoted)):
                with self.subTest(target=target, name=name[:40]):
                    status, _, answer = self.ask("POST", target, "Content-Type: application/json", body=body)
                    self.assertLess(status, 500)
                    json.loads(answer.decode("utf-8"))
                    self.assertEqual(self.delete(target, name) if status < 300 else 204, 204)
                    if "\0" in name or "\x1b" in name or "\n" in name or len(name) > 250:
                        self.assertIn(status, (400, 422))
        self.assertEqual(before, sorted(str(path) for path in self.folder.rglob("*") if "home" not in path.parts))

    def delete(self, target, name):
        status = self.status("DELETE", target + "/" + urllib.parse.quote(name, safe=""))
        return 204 if status == 200 else status

    def test_methods(self):
        status, _, body = self.ask("HEAD", "/healthz", token=False)
        self.assertEqual((status, body), (200, b""))
        status, _, body = self.ask("HEAD", "/api/v2/dags")
        self.assertEqual((status, body), (200, b""))
        status, fields, _ = self.ask("OPTIONS", "/api/v2/dags/quick")
        self.assertEqual(status, 204)
        self.assertIn("get, head, options, patch", fields["allow"])
        self.assertNotIn("access-control-allow-origin", fields)
        for method in ("TRACE", "BREW", "PROPFIND", "get", "GETT", "DELETE"):
            status, fields, _ = self.ask(method, "/api/v2/dags")
            self.assertEqual(status, 405, method)
            self.assertIn("get", fields["allow"])
        self.assertEqual(self.status("A" * 20_000, "/api/v2/dags"), 405)


class Crowds(Network):
    def test_dripping_heads_are_closed_in_time(self):
        clients = [self.connect() for _ in range(100)]
        begun = time.monotonic()
        open_clients = set(clients)
        drip = iter(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 10_000)
        while open_clients and time.monotonic() - begun < HEAD_SECONDS + MARGIN_SECONDS:
            byte = bytes([next(drip)])
            for client in list(open_clients):
                try:
                    client.send(byte)
                    client.setblocking(False)
                    if client.recv(4096) == b"":
                        open_clients.discard(client)
                except BlockingIOError:
                    pass
                except OSError:
                    open_clients.discard(client)
            self.etesian.get("/api/v2/version")
            time.sleep(0.3)
        for client in clients:
            client.close()
        self.assertEqual(len(open_clients), 0)
        self.assertGreater(time.monotonic() - begun, 2)

    def test_dripping_bodies_harm_nobody(self):
        head = self.request_text("POST", "/api/v2/dags/quick/dagRuns", "Content-Type: application/json", "Content-Length: 60000")
        clients = [self.connect() for _ in range(100)]
        for client in clients:
            client.sendall(head)
        for _ in range(10):
            for client in clients:
                client.send(b" ")
            self.assert_works()
        for client in clients:
            client.close()

    def test_resets_and_half_closed_connections(self):
        whole = self.request_text("GET", "/api/v2/dags")
        for data in (b"", b"GET", whole[:-2], whole, whole + whole[:20]):
            for _ in range(60):
                client = self.connect()
                client.sendall(data)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
        half = self.raw(whole, shut=True)
        self.assertTrue(half.startswith(b"HTTP/1.1 200"), half[:200])
        self.assertIn(self.raw(whole[:-2], shut=True)[:12], (b"", b"HTTP/1.1 400", b"HTTP/1.1 408"))

    def test_2_000_idle_connections(self):
        clients = []
        try:
            clients = [self.connect() for _ in range(2000)]
            for client in clients[::2]:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assert_works()
            for client in clients[::200]:
                self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))
        finally:
            for client in clients:
                client.close()
        descriptors = f"/proc/{self.etesian.process.pid}/fd"
        wait_until(lambda: len(os.listdir(descriptors)) < 200, 30, "the server to let go of closed connections")


class UnreadAnswers(Network):
    def test_3_000_large_answers_that_nobody_reads(self):
        clients = []
        try:
            for _ in range(3000):
                client = socket.socket()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(("127.0.0.1", self.port))
                client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5)
                clients.append(client)
            self.assert_works()
        finally:
            for client in clients:
                client.close()


class FewDescriptors(Network):
    """A server that may open 64 files."""
    LIMIT = 64

    @classmethod
    def popen(cls):
        return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (cls.LIMIT, cls.LIMIT))}

    def crowd(self, data):
        before = processor_seconds(self.etesian.process.pid)
        begun = time.monotonic()
        clients = [self.connect() for _ in range(200)]
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(data)
        time.sleep(3)
        used = processor_seconds(self.etesian.process.pid) - before
        self.assertLess(used, 0.6 * (time.monotonic() - begun), "it spins")
        self.assertIsNone(self.etesian.process.poll())
        for client in clients:
            client.close()

    def answers_again(self):
        def answers():
            with contextlib.suppress(ApiError, OSError):
                return self.etesian.get("/healthz") is not None
        wait_until(answers, 30, "the server to answer again")
        self.assert_works()

    def test_200_silent_connections(self):
        self.crowd(b"")
        self.answers_again()

    def test_200_half_requests(self):
        self.crowd(b"POST /auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        self.answers_again()

    def test_200_streams(self):
        self.crowd(self.request_text("GET", "/api/v2/events"))
        self.answers_again()


class Logins(Network):
    def test_64_wrong_logins_at_once_are_refused_in_bounded_memory(self):
        found = []
        def guess(name):
            body = json.dumps({"username": name, "password": "x" * 1000}).encode()
            found.append(self.status("POST", "/auth/token", "Content-Type: application/json", body=body, token=False))
        guesses = [threading.Thread(target=guess, args=(f"user{i}",)) for i in range(64)]
        for thread in guesses:
            thread.start()
        for thread in guesses:
            thread.join()
        self.assertEqual(len(found), 64)
        self.assertLessEqual(set(found), {401, 429, 503})
        self.assertIn(429, found)


class Streams(Network):
    def stream(self, target):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(("127.0.0.1", self.port))
        client.sendall(self.request_text("GET", target, "Accept: text/event-stream"))
        return client

    def changes(self):
        text = self.etesian.get("/metrics")
        return int(float(re.search(r"(?m)^etesian_changes_total\S* (\S+)$", text)[1]))

    def read_events(self, client, seen):
        text = b""
        with contextlib.suppress(OSError):
            while piece := client.recv(65536):
                text += piece
                lines = text.split(b"\n")
                text = lines.pop()
                seen += [int(line[3:]) for line in lines if line.startswith(b"id:")]

    def test_events_that_nobody_reads_cost_little_and_slow_nobody(self):
        unread = [self.stream("/api/v2/events") for _ in range(30)]
        reader, seen = self.stream("/api/v2/events?dag_id=wide"), []
        reading = threading.Thread(target=self.read_events, args=(reader, seen))
        reading.start()
        time.sleep(0.5)
        before, memory = self.changes(), memory_of(self.etesian.process.pid, "VmRSS")
        while self.changes() - before < 4000:
            self.assertEqual(self.etesian.wait_run("wide", self.etesian.trigger("wide")), "success")
        self.assertLess(memory_of(self.etesian.process.pid, "VmRSS") - memory, 120 * MIB)
        self.assert_works()
        wait_until(lambda: len(seen) >= 2000, 30, "the events to reach who reads them")
        reader.shutdown(socket.SHUT_RDWR)
        reading.join(30)
        self.assertEqual(seen, sorted(set(seen)))
        for client in (*unread, reader):
            client.close()

    def test_a_log_that_nobody_reads_costs_little(self):
        run_id = self.etesian.trigger("loud")
        wait_until(lambda: self.etesian.states("loud", run_id).get(("shout", -1)) == "running", 30, "the task to run")
        target = f"/api/v2/dags/loud/dagRuns/{urllib.parse.quote(run_id, safe='')}/taskInstances/shout/logs/1/stream"
        unread = [self.stream(target) for _ in range(20)]
        memory = memory_of(self.etesian.process.pid, "VmRSS")
        self.assertEqual(self.etesian.wait_run("loud", run_id, 80), "success")
        self.assertLess(memory_of(self.etesian.process.pid, "VmRSS") - memory, 120 * MIB)
        verdict = self.etesian.verify_log("loud", run_id, "shout")
        self.assertTrue(verdict["complete"], verdict["message"])
        for client in unread:
            client.close()

    def test_a_stream_ends_with_its_token(self):
        client = self.stream("/api/v2/events")
        self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))
        used = self.etesian.token
        self.etesian.log_in()
        self.ask("POST", "/auth/logout", "Authorization: Bearer " + used, token=False)
        self.assertEqual(self.etesian.wait_run("wide", self.etesian.trigger("wide")), "success")
        after = self.until_closed(client)
        self.assertNotIn(b'"success"', after)
        client.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
