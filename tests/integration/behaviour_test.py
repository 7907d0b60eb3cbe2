#!/usr/bin/env python3
"""What a running Etesian promises: edits, kills, leftovers, logs, retries, a full disk, restarts, limits, history."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from etesian import BINARY, PASSWORD, ApiError, Etesian, wait_until, write_project

SECRET = "hunter2-very-secret-value"


class Behaviour(unittest.TestCase):
    """One installation for each class; `DAGS` maps a name to the text of its dag.yaml, EVIDENCE to a folder."""
    maxDiff = 3000
    DAGS = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="etesian-behaviour-"))
        cls.evidence = cls.folder / "evidence"
        cls.evidence.mkdir()
        dags = {name: text.replace("EVIDENCE", str(cls.evidence)) for name, text in cls.DAGS.items()}
        cls.project = write_project(cls.folder / "project", dags)
        cls.etesian = Etesian(cls.project, home=cls.folder / "home")
        cls.etesian.start()

    @classmethod
    def tearDownClass(cls):
        cls.etesian.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def wait_state(self, dag_id, run_id, task_id, state, seconds=60):
        wait_until(lambda: self.etesian.states(dag_id, run_id).get((task_id, -1)) == state, seconds,
                   f"{dag_id}/{run_id}/{task_id} to be {state}")

    def tries(self, dag_id, run_id):
        return {key[0]: row["try_number"] for key, row in self.etesian.tasks(dag_id, run_id).items()}

    def assert_complete(self, dag_id, run_id, task_id, try_number=1):
        verdict = self.etesian.verify_log(dag_id, run_id, task_id, try_number)
        self.assertTrue(verdict["complete"], verdict["message"])

    def numbers_in(self, name):
        return [int(line) for line in (self.evidence / name).read_text().split()]


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Editing(Behaviour):
    DAGS = {"note": "dag: note\ntasks:\n  say: {run: echo one}\n"}

    def said(self):
        run_id = self.etesian.trigger("note")
        self.assertEqual(self.etesian.wait_run("note", run_id), "success")
        return [text for _, text in self.etesian.log("note", run_id, "say")]

    def test_edits_are_seen_and_a_broken_one_keeps_the_last_good_version(self):
        file = self.project / "dags" / "note" / "dag.yaml"
        self.assertEqual(self.said(), ["one"])

        file.write_text("dag: note\ntasks:\n  say: {run: echo two}\n")
        wait_until(lambda: self.etesian.get("/api/v2/dags/note/dagVersions")["total_entries"] == 2, 20, "the second version")
        self.assertEqual(self.said(), ["two"])

        file.write_text("dag: note\ntasks:\n  say: {run: echo three, aftr: x}\n")
        wait_until(lambda: self.etesian.get("/api/v2/importErrors")["total_entries"] == 1, 20, "the import error")
        error, = self.etesian.get("/api/v2/importErrors")["import_errors"]
        self.assertEqual(error["filename"], "dags/note/dag.yaml")
        self.assertIn("dags/note/dag.yaml:3:26: error: unknown key 'aftr'", error["stack_trace"])
        listing = self.etesian.cli("dags", "list").stdout
        self.assertRegex(listing, r"(?m)^note +broken ")
        self.assertIn("did you mean 'after'?", listing)
        self.assertEqual(self.said(), ["two"])

        file.write_text("dag: note\ntasks:\n  say: {run: echo four}\n")
        wait_until(lambda: self.etesian.get("/api/v2/importErrors")["total_entries"] == 0, 20, "the error to go")
        self.assertEqual(self.said(), ["four"])

    def test_a_new_file_is_a_new_dag_and_a_removed_one_keeps_its_history(self):
        write_project(self.project, {"guest": "dag: guest\ntasks:\n  hi: {run: echo hi}\n"})
        def is_known():
            with contextlib.suppress(ApiError):
                return not self.etesian.get("/api/v2/dags/guest")["is_stale"]
        wait_until(is_known, 20, "the new DAG")
        run_id = self.etesian.trigger("guest")
        self.assertEqual(self.etesian.wait_run("guest", run_id), "success")
        shutil.rmtree(self.project / "dags" / "guest")
        wait_until(lambda: "guest" not in [dag["dag_id"] for dag in self.etesian.all("/api/v2/dags", "dags")], 20, "it to go")
        self.assertEqual(self.etesian.run("guest", run_id)["state"], "success")


class Processes(Behaviour):
    DAGS = {
        "tree": """dag: tree
tasks:
  grow:
    run: |
      sleep 301 & echo $! > EVIDENCE/child
      setsid sleep 302 & echo $! > EVIDENCE/own_session
      (sleep 303 & echo $! > EVIDENCE/orphan)
      echo grown; wait
    how: {kill_grace: 1s}
""",
        "deaf": "dag: deaf\ntasks:\n  ear: {run: \"trap '' TERM; echo deaf; while :; do sleep 0.1; done\", how: {kill_grace: 1s}}\n",
        "litter": """dag: litter
tasks:
  drop: {run: "setsid sleep 304 >/dev/null 2>&1 & echo $! > EVIDENCE/litter; echo done", how: {kill_grace: 1s}}
""",
        "slow": "dag: slow\ntasks:\n  late: {run: \"echo started; sleep 300\", how: {timeout: 1s, kill_grace: 1s}}\n",
    }

    def pids(self, *names):
        wait_until(lambda: all((self.evidence / n).exists() and (self.evidence / n).read_text().strip() for n in names), 30, "pids")
        return [self.numbers_in(name)[0] for name in names]

    def test_a_kill_ends_the_whole_tree(self):
        run_id = self.etesian.trigger("tree")
        pids = self.pids("child", "own_session", "orphan")
        self.assertTrue(all(map(is_alive, pids)))
        self.etesian.cli("tasks", "kill", f"tree/{run_id}/grow")
        self.assertEqual(self.etesian.wait_run("tree", run_id), "failed")
        self.assertEqual([pid for pid in pids if is_alive(pid)], [])
        self.assertIn("killed by admin", str(self.etesian.log("tree", run_id, "grow")))
        self.assert_complete("tree", run_id, "grow")

    def test_who_does_not_hear_TERM_is_killed_after_the_grace(self):
        run_id = self.etesian.trigger("deaf")
        wait_until(lambda: ("stdout", "deaf") in self.etesian.log("deaf", run_id, "ear") if
                   self.etesian.states("deaf", run_id)[("ear", -1)] == "running" else False, 30, "the first line")
        begun = time.monotonic()
        self.etesian.cli("tasks", "kill", f"deaf/{run_id}/ear")
        self.assertEqual(self.etesian.wait_run("deaf", run_id), "failed")
        self.assertGreater(time.monotonic() - begun, 0.8)

    def test_what_a_task_leaves_behind_is_ended_and_named(self):
        run_id = self.etesian.trigger("litter")
        self.assertEqual(self.etesian.wait_run("litter", run_id), "success")
        pid, = self.pids("litter")
        self.assertFalse(is_alive(pid))
        words = [text for stream, text in self.etesian.log("litter", run_id, "drop") if stream == "system"]
        self.assertRegex("\n".join(words), rf"left behind by the task.*pid {pid} sleep 304")

    def test_a_timeout_ends_the_try_and_says_so(self):
        run_id = self.etesian.trigger("slow")
        self.assertEqual(self.etesian.wait_run("slow", run_id), "failed")
        log = self.etesian.log("slow", run_id, "late")
        self.assertEqual(log[0], ("stdout", "started"))
        self.assertIn("timeout", str(log[1:]).lower().replace("timed out", "timeout"))


class Logs(Behaviour):
    DAGS = {
        "loud": """dag: loud
tasks:
  fast: {run: "seq 200000"}
  quiet: {run: "for i in 1 2 3 4 5; do echo quiet $i; sleep 0.2; done"}
""",
        "junk": """dag: junk
tasks:
  bytes: {run: "head -c 300000 /dev/urandom; printf 'a\\\\000b\\\\377c\\\\033[2J\\\\n'; echo; echo end"}
  long_line: {run: "head -c 3000000 /dev/zero | tr '\\\\0' x; echo; echo end"}
""",
        "whisper": """dag: whisper
tasks:
  say:
    run: [sh, -c, 'echo "value: $VALUE"; echo "twice: $VALUE$VALUE" >&2; printf "cut: ${VALUE%%t-value}"; sleep 0.1; echo t-value']
    how: {env: {VALUE: "{{ var.value.api_password }}"}}
""",
    }

    def test_200_000_fast_lines_beside_a_quiet_task(self):
        run_id = self.etesian.trigger("loud")
        self.assertEqual(self.etesian.wait_run("loud", run_id, 120), "success")
        self.assertEqual(self.etesian.log("loud", run_id, "quiet"), [("stdout", f"quiet {i}") for i in range(1, 6)])
        self.assertEqual([text for _, text in self.etesian.log("loud", run_id, "fast")], [str(i) for i in range(1, 200_001)])
        self.assert_complete("loud", run_id, "fast")
        self.assert_complete("loud", run_id, "quiet")

    def test_binary_junk_and_endless_lines_harm_nothing(self):
        run_id = self.etesian.trigger("junk")
        self.assertEqual(self.etesian.wait_run("junk", run_id, 120), "success")
        self.assertEqual(self.etesian.log("junk", run_id, "bytes")[-1], ("stdout", "end"))
        line = self.etesian.log("junk", run_id, "long_line")
        self.assertEqual(line[-1][1], "end")
        self.assertEqual(sum(text.count("x") for _, text in line), 3_000_000)
        self.assert_complete("junk", run_id, "bytes")
        self.assert_complete("junk", run_id, "long_line")

    def test_a_secret_is_in_no_file_and_no_answer(self):
        self.etesian.post("/api/v2/variables", {"key": "api_password", "value": SECRET})
        run_id = self.etesian.trigger("whisper")
        self.assertEqual(self.etesian.wait_run("whisper", run_id), "success")
        log = self.etesian.log("whisper", run_id, "say")
        self.assertIn(("stdout", "value: ***"), log)
        self.assertIn(("stderr", "twice: ***"), log)
        self.assertIn(("stdout", "cut: ***"), log)
        self.assertNotIn(SECRET, json.dumps(self.etesian.tasks("whisper", run_id)[("say", -1)]))
        self.assertNotIn(SECRET, json.dumps(self.etesian.get("/api/v2/variables/api_password")))
        self.assertNotIn(SECRET, json.dumps(self.etesian.all("/api/v2/eventLogs", "event_logs")))
        for file in (self.folder / "home").rglob("*"):
            if file.is_file():
                self.assertNotIn(SECRET.encode(), file.read_bytes(), file)


class Retries(Behaviour):
    DAGS = {
        "exits": """dag: exits
retry: {times: 2, delay: 0s}
tasks:
  again: {run: "exit 75", retry: {on_exit: [75]}}
  other: {run: "exit 3", retry: {on_exit: [75]}}
  never: {run: "exit 2", retry: {not_on_exit: [2]}}
  reset: {run: "echo 'connection reset by peer'; exit 1", retry: {on_log: "connection reset"}}
  plain: {run: "echo 'disk on fire'; exit 1", retry: {on_log: "connection reset"}}
  third: {run: "[ {{ ti.try_number }} -eq 3 ]"}
  skips: {run: "exit 99"}
""",
    }

    def test_exit_codes_and_log_lines_decide_on_a_retry(self):
        run_id = self.etesian.trigger("exits")
        self.assertEqual(self.etesian.wait_run("exits", run_id, 120), "failed")
        self.assertEqual(self.tries("exits", run_id),
                         {"again": 3, "other": 1, "never": 1, "reset": 3, "plain": 1, "third": 3, "skips": 1})
        states = {key[0]: state for key, state in self.etesian.states("exits", run_id).items()}
        self.assertEqual((states["third"], states["skips"], states["again"]), ("success", "skipped", "failed"))
        for number in (1, 2, 3):
            self.assertEqual(self.etesian.log("exits", run_id, "reset", number)[0][1], "connection reset by peer")


class Restarts(Behaviour):
    DAGS = {
        "steady": "dag: steady\ntasks:\n  count: {run: \"for i in $(seq 60); do echo $i; sleep 0.05; done\"}\n",
        "quick": "dag: quick\ntasks:\n  blink: {run: \"true\"}\n",
    }

    def test_a_running_task_is_adopted_after_a_stop_and_its_log_is_whole(self):
        run_id = self.etesian.trigger("steady")
        self.wait_state("steady", run_id, "count", "running")
        self.assertEqual(self.etesian.stop_server(), 0)
        time.sleep(0.5)
        self.etesian.start()
        self.assertEqual(self.etesian.wait_run("steady", run_id), "success")
        self.assertEqual(self.etesian.log("steady", run_id, "count"), [("stdout", str(i)) for i in range(1, 61)])
        self.assertEqual(self.tries("steady", run_id), {"count": 1})
        self.assert_complete("steady", run_id, "count")

    def test_a_task_that_ends_while_the_server_is_away_is_not_run_again(self):
        run_id = self.etesian.trigger("steady")
        self.wait_state("steady", run_id, "count", "running")
        self.etesian.kill_server()
        time.sleep(4)
        self.etesian.start()
        self.assertEqual(self.etesian.wait_run("steady", run_id), "success")
        self.assertEqual(self.tries("steady", run_id), {"count": 1})
        self.assert_complete("steady", run_id, "count")

    def test_a_task_outlives_agent_and_keeper(self):
        run_id = self.etesian.trigger("steady")
        self.wait_state("steady", run_id, "count", "running")
        self.etesian.kill_agent_and_keeper()
        self.assertIn(self.etesian.wait_run("steady", run_id), ("success", "failed"))
        log = [text for stream, text in self.etesian.log("steady", run_id, "count") if stream == "stdout"]
        self.assertEqual(log, [str(i) for i in range(1, 61)])

    def test_a_second_server_on_the_home_ends_at_once_and_names_the_first(self):
        begun = time.monotonic()
        second = subprocess.run([BINARY, "up", "--home", str(self.etesian.home), "--dags", str(self.project), "--port", "0"],
                                capture_output=True, text=True, timeout=30)
        self.assertNotEqual(second.returncode, 0)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertIn(f"held by pid {self.etesian.process.pid}", second.stderr)

    def test_events_resume_where_the_reader_was_cut(self):
        def events(count, last=None):
            request = urllib.request.Request(self.etesian.url + "/api/v2/events?dag_id=quick")
            request.add_header("Authorization", "Bearer " + self.etesian.token)
            request.add_header("Accept", "text/event-stream")
            if last is not None:
                request.add_header("Last-Event-ID", str(last))
            found = []
            with urllib.request.urlopen(request, timeout=30) as stream:
                ready.set()
                for line in stream:
                    if line.startswith(b"id:"):
                        found.append(int(line[3:]))
                        if len(found) == count:
                            return found
        ready = threading.Event()
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(events(3)))
        reader.start()
        ready.wait(30)
        self.etesian.wait_run("quick", self.etesian.trigger("quick"))
        reader.join(30)
        self.assertEqual(len(seen), 3)
        self.etesian.wait_run("quick", self.etesian.trigger("quick"))
        whole = events(6, seen[0])
        self.assertEqual(whole[:2], seen[1:])
        self.assertEqual(events(4, whole[1]), whole[2:])
        self.assertEqual(whole, sorted(set(whole)))


class Limits(Behaviour):
    DAGS = {
        "crowd": """dag: crowd
tasks:
  work:
    map: {i: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}
    run: "touch EVIDENCE/busy.{{ i }}; ls EVIDENCE | grep -c '^busy' >> EVIDENCE/most; sleep 0.2; rm EVIDENCE/busy.{{ i }}"
    how: {pool: narrow}
""",
        "early": """dag: early
when: {cron: "0 3 * * *", start: 2024-01-01, end: 2024-01-05}
tasks: {make: {run: "true"}}
""",
        "late": """dag: late
tasks:
  wait:
    run: "touch EVIDENCE/waited"
    needs: [{dag: early, covers: latest}]
""",
        "sleeper": "dag: sleeper\ntasks:\n  nap: {run: \"sleep 300\"}\n  after: {run: \"true\", after: nap}\n",
        "parked": "dag: parked\ntasks:\n  go: {run: \"true\"}\n",
    }

    def test_pool_slots_are_never_exceeded(self):
        self.etesian.post("/api/v2/pools", {"name": "narrow", "slots": 3})
        runs = [self.etesian.trigger("crowd") for _ in range(2)]
        for run_id in runs:
            self.assertEqual(self.etesian.wait_run("crowd", run_id, 120), "success")
        most = self.numbers_in("most")
        self.assertEqual(len(most), 24)
        self.assertLessEqual(max(most), 3)
        self.assertGreater(max(most), 1)

    def test_waiting_for_another_dag_costs_no_process(self):
        run_id = self.etesian.trigger("late")
        time.sleep(0.5)
        self.assertIn(self.etesian.states("late", run_id)[("wait", -1)], (None, "none"))
        self.assertFalse((self.evidence / "waited").exists())
        pool = self.etesian.get("/api/v2/pools/default_pool")
        self.assertEqual(pool["queued_slots"], 0)
        gate = self.etesian.get(f"/api/v2/dags/late/dagRuns/{urllib.request.quote(run_id, safe='')}/taskInstances/wait/explain")["gates"][0]
        self.assertIn("early", gate["sentence"])
        self.etesian.cli("backfill", "early", "--from", "2024-01-01", "--to", "2024-01-02")
        self.assertEqual(self.etesian.wait_run("late", run_id), "success")
        self.assertTrue((self.evidence / "waited").exists())

    def test_a_finished_run_is_cleared_and_tried_again(self):
        run_id = self.etesian.trigger("parked")
        self.assertEqual(self.etesian.wait_run("parked", run_id), "success")
        self.etesian.post("/api/v2/dags/parked/clearTaskInstances", {"dry_run": False, "dag_run_id": run_id, "only_failed": False})
        self.assertEqual(self.etesian.wait_run("parked", run_id), "success")
        wait_until(lambda: self.tries("parked", run_id) == {"go": 2}, 30, "the second try")
        self.assertEqual(self.etesian.wait_run("parked", run_id), "success")

    def test_a_running_task_marked_success_is_stopped_and_what_follows_runs(self):
        run_id = self.etesian.trigger("sleeper")
        self.wait_state("sleeper", run_id, "nap", "running")
        self.etesian.cli("tasks", "mark", f"sleeper/{run_id}/nap", "success")
        self.assertEqual(self.etesian.wait_run("sleeper", run_id), "success")
        self.assertEqual(self.etesian.states("sleeper", run_id), {("nap", -1): "success", ("after", -1): "success"})

    def test_a_paused_dag_starts_nothing_until_it_goes_on(self):
        self.etesian.patch("/api/v2/dags/parked", {"is_paused": True})
        run_id = self.etesian.trigger("parked")
        time.sleep(0.5)
        self.assertEqual(self.etesian.run("parked", run_id)["state"], "queued")
        self.etesian.patch("/api/v2/dags/parked", {"is_paused": False})
        self.assertEqual(self.etesian.wait_run("parked", run_id), "success")


@unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
class FullDisk(unittest.TestCase):
    DAG = """dag: writer
when: {max_active_runs: 2}
tasks:
  lines: {run: "for i in $(seq 2000); do echo line $i of a log that fills the disk; done"}
  last: {run: "echo last", after: lines}
"""

    def test_a_full_home_is_said_and_survived(self):
        with tempfile.TemporaryDirectory(prefix="etesian-full-") as folder:
            home = pathlib.Path(folder) / "home"
            home.mkdir()
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", home], capture_output=True, text=True)
            if mounted.returncode != 0:
                self.skipTest("mount: " + mounted.stderr.strip())
            try:
                self.fill_and_free(home, write_project(pathlib.Path(folder) / "project", {"writer": self.DAG}))
            finally:
                subprocess.run(["umount", "-l", home], check=True)

    def fill_and_free(self, home, project):
        with Etesian(project, home=home) as etesian:
            known = [etesian.trigger("writer")]
            etesian.wait_run("writer", known[0])
            filler = home / "filler"
            with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)

            def is_ready():
                try:
                    return urllib.request.urlopen(etesian.url + "/readyz", timeout=5).status == 200, ""
                except urllib.error.HTTPError as error:
                    return False, error.read().decode()

            def trigger_until_not_ready():
                def one():
                    with contextlib.suppress(ApiError, OSError):
                        known.append(etesian.request("POST", "/api/v2/dags/writer/dagRuns",
                                                     {"logical_date": None, "conf": {}}, timeout=2)["dag_run_id"])
                one()
                return not is_ready()[0]
            wait_until(trigger_until_not_ready, 60, "the server to say that it is not ready")
            self.assertIn("commits do not go through", is_ready()[1])
            filler.unlink()
            etesian.wait_ready()
            for run_id in known:
                self.assertEqual(etesian.wait_run("writer", run_id, 120), "success", run_id)
                lines = [text for stream, text in etesian.log("writer", run_id, "lines") if stream == "stdout"]
                self.assertEqual(lines, [f"line {i} of a log that fills the disk" for i in range(1, 2001)])
                verdict = etesian.verify_log("writer", run_id, "lines")
                self.assertTrue(verdict["complete"], verdict["message"])
            etesian.stop_server()
            self.assertEqual(etesian.cli("verify", "--home", home).stdout, "all invariants hold\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
