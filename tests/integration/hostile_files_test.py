#!/usr/bin/env python3
"""Hostile DAG folders: each bad file is one precise import error, in bounded time and memory, and harms no neighbour."""
import json
import os
import pathlib
import pty
import resource
import shutil
import signal
import socket
import stat
import subprocess
import threading
import unittest
import urllib.request

from etesian import BINARY, ApiError, InstallationTest, wait_until, write_project

HEALTHY = "dag: healthy\ntasks:\n  say: {run: echo healthy}\n"
MIB = 1 << 20
CHECK_SECONDS = 30
REFUSED_MEMORY = 160 * MIB
LARGE_MEMORY = 600 * MIB
MESSAGE_MAX = 20_000
NOBODY = 65534


def check(folder, **options):
    """`etesian check FOLDER`: exit code, standard output, the most memory it had."""
    process = subprocess.Popen([BINARY, "check", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=dict(os.environ, NO_COLOR="1"), **options)
    alarm = threading.Timer(CHECK_SECONDS, process.kill)
    alarm.start()
    with process.stdout:
        output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    alarm.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode == -signal.SIGKILL:
        raise AssertionError(f"etesian check took more than {CHECK_SECONDS} s")
    return process.returncode, output, usage.ru_maxrss * 1024


def on_terminal(*words, environment=None):
    """What a command shows on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BINARY, [BINARY, *map(str, words)], dict(os.environ, NO_COLOR="1", **(environment or {})))
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    os.waitpid(pid, 0)
    return shown


def most_memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no memory figures of pid {pid}")


class Hostile(InstallationTest):
    """One server for each class, with a healthy DAG."""
    maxDiff = 3000
    DAGS = {"healthy": HEALTHY}

    def known_dags(self):
        return [dag["dag_id"] for dag in self.etesian.all("/api/v2/dags", "dags")]

    def errors_of(self, file):
        errors = self.etesian.all("/api/v2/importErrors", "import_errors")
        return [error["stack_trace"] for error in errors if error["filename"] == file]

    def assert_healthy(self, memory=REFUSED_MEMORY):
        run_id = self.etesian.trigger("healthy")
        self.assertEqual(self.etesian.wait_run("healthy", run_id), "success")
        self.assertEqual(self.etesian.log("healthy", run_id, "say"), [("stdout", "healthy")])
        self.assertLess(most_memory(self.etesian.process.pid), memory)

    def alone(self, content):
        """A project with this DAG file alone."""
        project = self.folder / "alone"
        shutil.rmtree(project, ignore_errors=True)
        write_project(project, {"bad": ""})
        (project / "dags" / "bad" / "dag.yaml").write_bytes(content)
        return project

    def add(self, content):
        """Puts the file, complete at once, into the folder that the server watches."""
        made = self.alone(content) / "dags" / "bad"
        made.rename(self.project / "dags" / "bad")

    def remove(self):
        shutil.rmtree(self.project / "dags" / "bad")
        wait_until(lambda: not self.errors_of("dags/bad/dag.yaml"), 30, "the error to go with its file")
        wait_until(lambda: "bad" not in self.known_dags(), 30, "the DAG to go with its file")

    def assert_check_refuses(self, content, place, message):
        code, output, memory = check(self.alone(content))
        text = output.decode()
        self.assertEqual(code, 1, text[:2000])
        self.assertIn(place, text)
        self.assertIn(message, text)
        self.assertLess(len(text), MESSAGE_MAX)
        self.assertLess(memory, REFUSED_MEMORY)

    def assert_server_refuses(self, content, place, message):
        self.add(content)
        try:
            wait_until(lambda: self.errors_of("dags/bad/dag.yaml"), 10, "the import error")
            error, = self.errors_of("dags/bad/dag.yaml")
            self.assertTrue(error.startswith(place), error[:200])
            self.assertIn(message, error)
            self.assertLess(len(error), MESSAGE_MAX)
            self.assert_healthy()
        finally:
            self.remove()

    def refused(self, what, content, message, line=None):
        """The file is one error that begins with its name and line, by `check` and in the server."""
        content = content.encode() if isinstance(content, str) else content
        place = "dags/bad/dag.yaml:" + (f"{line}:" if line else "")
        with self.subTest(what, by="check"):
            self.assert_check_refuses(content, place, message)
        with self.subTest(what, by="server"):
            self.assert_server_refuses(content, place, message)


class Yaml(Hostile):
    def test_alias_bombs(self):
        lists = ["dag: bad", "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
        lists += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
        merges = ["dag: bad", "m0: &m0 {k: 1}"]
        merges += [f"m{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}], k{i}: *m{i - 1}}}" for i in range(1, 40)]
        wide = ["dag: bad", f"big: &big [{', '.join(['x'] * 40_000)}]", f"all: [{', '.join(['*big'] * 40_000)}]"]
        self.refused("lists of lists", "\n".join(lists), "more than 100000 values", 6)
        self.refused("merge keys", "\n".join(merges), "more than 100000 values", 16)
        self.refused("one large value, often", "\n".join(wide), "more than 100000 values", 3)
        self.refused("a value in itself", "dag: bad\ntasks: &t\n  a: *t\n", "a value cannot hold itself", 3)
        self.refused("in a default", "dag: bad\nx: &x [1]\nparams: {p: {default: [*x, *y]}}\n", "'*y' has no anchor", 3)

    def test_size(self):
        self.refused("a comment of 10 MB", "dag: bad\n#" + "x" * 10_000_000, "larger than 1048576 bytes")
        self.refused("a text of 10 MB", "dag: bad\ndescription: '" + "x" * 10_000_000 + "'\n", "larger than 1048576 bytes")
        self.refused("10 MB without a newline", b"\0" * 10_000_000, "larger than 1048576 bytes")
        tasks = "tasks:\n" + "".join(f" t{i:x}:\n" for i in range(100_000))
        self.refused("100,000 tasks", tasks, "more than 100000 values", 50_000)

    def test_nesting(self):
        deep = "nested deeper than 64 levels"
        self.refused("lists", "dag: bad\ntasks: " + "[" * 10_000 + "]" * 10_000, deep, 2)
        self.refused("lists that never end", "dag: bad\ntasks: " + "[" * 10_000, deep, 2)
        self.refused("mappings", "dag: bad\ntasks: " + "{a: " * 10_000 + "1" + "}" * 10_000, deep, 2)
        self.refused("blocks", "dag: bad\ntasks:\n  " + "- " * 10_000 + "x\n", deep, 3)
        steps = "".join(" " * i + f"g{i}:\n" for i in range(1, 1000))
        self.refused("indentation", "dag: bad\ntasks:\n" + steps, deep, 66)

    def test_text_that_is_no_plain_yaml(self):
        tasks = "tasks:\n  a: {}\n"
        self.refused("a repeated key", "dag: bad\ntasks:\n  a: {}\n  a: {}\n", "key 'a' is repeated", 4)
        self.refused("tab", "dag: bad\ntasks:\n\ta: {}\n", "a tab cannot indent YAML", 3)
        self.refused("byte order mark", "\ufeffdag: bad\n" + tasks, "byte order mark", 1)
        self.refused("UTF-16", ("dag: bad\n" + tasks).encode("utf-16"), "UTF-16", 1)
        self.refused("NUL", "dag: bad\ntasks:\n  a\0: {}\n", "control character U+0000", 3)
        self.refused("NUL as an escape", 'dag: bad\ntasks:\n  "a\\0": {}\n', "NUL", 3)
        self.refused("invalid UTF-8", b"dag: bad\ntasks:\n  \xc3\x28: {}\n", "not valid UTF-8", 3)
        self.refused("a lone surrogate", b"dag: bad\ntasks:\n  a: {run: \xed\xa0\x80}\n", "not valid UTF-8", 3)
        self.refused("overlong UTF-8", b"dag: bad\ntasks:\n  a: {run: \xc0\xaf}\n", "not valid UTF-8", 3)
        self.refused("a Python tag", "dag: bad\ntasks:\n  a: {run: !!python/object/apply:os.system ['id']}\n",
                     "tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed", 3)
        self.refused("a tag directive", "%TAG ! tag:x,2000:\n---\ndag: bad\n" + tasks, "tags are not allowed", 1)
        self.refused("two documents", "dag: bad\n" + tasks + "---\ndag: worse\n" + tasks, "a second document", 4)

    def test_characters_that_hide_what_is_written(self):
        def described(text):
            return f"dag: bad\ndescription: a{text}b\ntasks:\n  a: {{}}\n"
        self.refused("escape", described("\x1b[2J"), "control character U+001B", 2)
        self.refused("delete", described("\x7f"), "control character U+007F", 2)
        self.refused("an 8-bit escape", described("\x9b2J"), "control character", 2)
        self.refused("right-to-left override", described("\u202e"), "U+202E changes the direction of text", 2)
        self.refused("right-to-left mark", described("\u200f"), "U+200F changes the direction of text", 2)
        self.refused("isolate", described("\u2067"), "U+2067 changes the direction of text", 2)
        self.refused("Arabic letter mark", described("\u061c"), "U+061C changes the direction of text", 2)

    def test_ids(self):
        tasks = "tasks:\n  a: {}\n"
        self.refused("a path", "dag: ../../etc\n" + tasks, "bad dag id: '/'", 1)
        self.refused("a path as a task", "dag: bad\ntasks:\n  '../a': {}\n", "'../a'", 3)
        self.refused("a slash", "dag: bad\ntasks:\n  'a/b': {}\n", "bad task id: '/'", 3)
        self.refused("an escape", 'dag: "a\\e[2J"\n' + tasks, "bad dag id: U+001B", 1)
        self.refused("a direction", 'dag: bad\ntasks:\n  "a\\u202eb": {}\n', "bad task id: U+202E", 3)
        self.refused("a blank", "dag: bad\ntasks:\n  'a b': {}\n", "bad task id", 3)
        self.refused("10,000 characters", "dag: " + "a" * 10_000 + "\n" + tasks, "10000 bytes are more than 250", 1)
        self.refused("a task of 300", "dag: bad\ntasks:\n  " + "a" * 300 + ": {}\n", "300 bytes are more than 250", 3)
        self.refused("an unnamed group", "dag: bad\ntasks:\n  '': {tasks: {a: {}}}\n", "bad task id", 3)

    def test_an_id_that_only_a_path_would_understand_works_or_is_refused(self):
        self.add(b"dag: ..\ntasks:\n  a: {run: echo dots}\n")
        try:
            def is_settled():
                return self.errors_of("dags/bad/dag.yaml") or ".." in self.known_dags()
            wait_until(is_settled, 30, "the file to be read")
            if not self.errors_of("dags/bad/dag.yaml"):
                self.assertEqual(self.etesian.wait_run("..", self.etesian.trigger("..")), "success")
            self.assert_healthy()
        finally:
            self.remove()

    def test_order(self):
        self.refused("a circle", "dag: bad\ntasks:\n  a: {after: b}\n  b: {after: c}\n  c: {after: a}\n",
                     "tasks wait for each other: a -> c -> b -> a", 3)
        self.refused("itself", "dag: bad\ntasks:\n  a: {after: a}\n", "tasks wait for each other: a -> a", 3)
        ring = "".join(f" t{i}: {{after: t{(i - 1) % 20_000}}}\n" for i in range(20_000))
        self.refused("a ring of 20,000", "dag: bad\ntasks:\n" + ring, "tasks wait for each other: ", 3)

    def test_schedules_and_numbers(self):
        tasks = "tasks:\n  a: {}\n"
        self.refused("30 February", 'dag: bad\nwhen: {cron: "0 0 30 2 *"}\n' + tasks, "it never fires", 2)
        self.refused("31st of short months", 'dag: bad\nwhen: {cron: "0 0 31 2,4,6,9,11 *"}\n' + tasks, "it never fires", 2)
        self.refused("1,000 a second", "dag: bad\nwhen: {every: 1ms, start: 2000-01-01, catchup: true}\n" + tasks, "one second", 2)
        self.refused("retries", "dag: bad\nhow: {retries: 99999999999999999999}\n" + tasks, "'retries' must be", 2)
        self.refused("a pattern that backtracks", "dag: bad\nparams: {p: {type: string, pattern: '(((a*)*)*)*b', default: '"
                     + "a" * 5000 + "'}}\n" + tasks, "does not match the pattern", 2)
        self.refused("a pattern that unfolds", "dag: bad\nparams: {p: {type: string, pattern: '((((a{1000}){1000}){1000}){1000})'"
                     ", default: a}}\n" + tasks, "is not a pattern", 2)

    def test_templates_that_reach_out(self):
        def command(text):
            return f'dag: bad\ntasks:\n  a: {{run: "{text}"}}\n'
        self.refused("classes", command("{{ ''.__class__.__mro__[1].__subclasses__() }}"), "names that begin with '__'", 3)
        self.refused("globals", command("{{ dag.__init__.__globals__ }}"), "names that begin with '__'", 3)
        self.refused("attr", command("{{ ds|attr('__class__') }}"), "there is no filter 'attr'", 3)
        self.refused("include", command("{% include '/etc/passwd' %}"), "'include' blocks are not part", 3)
        self.refused("import", command("{% import 'os' as os %}"), "'import' blocks are not part", 3)
        self.refused("names of the host", command("{{ self._TemplateReference__context }}"), "self", 3)
        self.refused("parentheses", command("{{ " + "(" * 10_000 + "1" + ")" * 10_000 + " }}"), "nests more than 64", 3)
        self.refused("signs", command("{{ " + "-" * 100_000 + "1 }}"), "nests more than 64", 3)
        self.refused("members", command("{{ ds" + ".a" * 100_000 + " }}"), "a text has no member 'a'", 3)
        self.refused("blocks", command("{% if 1 %}" * 1000), "'if' is never closed", 3)


class HeavyRuns(Hostile):
    """Files that say something allowed which is too much only when it runs."""

    def run_of(self, content, memory=REFUSED_MEMORY):
        self.add(content.encode())
        def is_known():
            return "bad" in self.known_dags()
        wait_until(is_known, 60, "the DAG, or: " + str(self.errors_of("dags/bad/dag.yaml")))
        run_id = self.etesian.trigger("bad")
        self.assert_healthy(memory)
        return run_id

    def fails_alone(self, what, template):
        with self.subTest(what):
            try:
                run_id = self.run_of(f'dag: bad\ntasks:\n  a: {{run: "echo {template}"}}\n')
                self.assertEqual(self.etesian.wait_run("bad", run_id), "failed")
                (stream, words), = self.etesian.log("bad", run_id, "a")
                self.assertEqual(stream, "system")
                self.assertTrue(words.startswith("dags/bad/dag.yaml:3:"), words)
                self.assert_healthy()
            finally:
                self.remove()

    def test_templates_that_loop_or_allocate_fail_their_task_alone(self):
        self.fails_alone("a long range", "{{ range(1000000000000) }}")
        self.fails_alone("loops in loops", "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}")
        self.fails_alone("a text multiplied", "{{ 'x' * 10000000000 }}")
        self.fails_alone("doubled 60 times",
                         "{% set a = 'xxxxxxxxxxxxxxxx' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}")
        self.fails_alone("zeros", "{{ 'x'.zfill(99999999999) }}")
        self.fails_alone("a power", "{{ 9 ** 999999999999 }}")
        self.fails_alone("lists doubled", "{% set a = [1, 2, 3, 4] %}" + "{% set a = a + a %}" * 60 + "{{ a }}")
        self.fails_alone("a replacement", "{{ 'aaaaaaaaaa'" + ".replace('a', 'aaaaaaaaaa')" * 30 + " }}")

    def test_the_largest_file_loads_or_is_one_error(self):
        tasks = "dag: bad\ntasks:\n" + "".join(f" t{i:x}:\n" for i in range(49_000))
        code, output, memory = check(self.alone(tasks.encode()))
        self.assertIn(code, (0, 1))
        self.assertLess(len(output), MESSAGE_MAX)
        self.assertLess(memory, LARGE_MEMORY)
        self.add(tasks.encode())
        try:
            def is_settled():
                return "bad" in self.known_dags() or len(self.errors_of("dags/bad/dag.yaml")) == 1
            wait_until(is_settled, 60, "the file to be read")
            self.assert_healthy(LARGE_MEMORY)
        finally:
            self.remove()

    def test_a_map_of_a_million_million_instances_fails(self):
        names = ", ".join(f"a{i}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]" for i in range(12))
        try:
            run_id = self.run_of(f"dag: bad\ntasks:\n  a: {{run: 'true', map: {{{names}}}}}\n", LARGE_MEMORY)
            self.assertEqual(self.etesian.wait_run("bad", run_id), "failed")
            self.assert_healthy(LARGE_MEMORY)
        finally:
            self.remove()

    def test_a_chain_of_5_000_tasks_runs(self):
        chain = "dag: bad\ntasks:\n t0:\n" + "".join(f" t{i}: {{after: t{i - 1}}}\n" for i in range(1, 5000))
        try:
            run_id = self.run_of(chain, LARGE_MEMORY)
            self.assertEqual(self.etesian.wait_run("bad", run_id), "success")
            self.assert_healthy(LARGE_MEMORY)
        finally:
            self.remove()


class Endless(Hostile):
    """Files whose runs or tries never end, or number millions. The memory is bounded for the machine's sake."""

    @classmethod
    def popen(cls):
        return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))}

    def setUp(self):
        self.etesian.close()  # The test before may have left it stuck.
        self.etesian.start()

    def answers(self):
        return self.etesian.request("GET", "/api/v2/dags", timeout=10)

    def goes_on_beside(self, text):
        self.add(f"dag: bad\n{text}".encode())
        try:
            def is_known():
                return self.errors_of("dags/bad/dag.yaml") or any(dag["dag_id"] == "bad" for dag in self.answers()["dags"])
            wait_until(is_known, 10, "the file to be read")
            for _ in range(5):
                self.assert_healthy(LARGE_MEMORY)
            self.assertIsNone(self.etesian.process.poll())
            self.answers()
        except OSError as error:
            self.fail(f"the server does not answer: {error!r}")
        finally:
            shutil.rmtree(self.project / "dags" / "bad")

    def test_continuous_runs_that_end_at_once(self):
        self.goes_on_beside("when: '@continuous'\ntasks:\n  a: {}\n")

    def test_catching_up_with_a_run_each_second_since_1970(self):
        self.goes_on_beside("when: {cron: '* * * * * *', start: 1970-01-01, catchup: true}\ntasks:\n  a: {}\n")

    def test_catching_up_with_a_run_each_hour_since_2000(self):
        self.goes_on_beside("when: {cron: '@hourly', start: 2000-01-01, catchup: true}\ntasks:\n  a: {}\n")

    def test_catching_up_with_runs_that_have_work_to_do(self):
        self.goes_on_beside("when: {cron: '* * * * * *', start: 1970-01-01, catchup: true}\ntasks:\n  a: {run: 'true'}\n")

    def test_retries_for_ever_without_a_delay(self):
        self.goes_on_beside("when: '@continuous'\nretry: {times: forever, delay: 0s}\ntasks:\n"
                            "  a: {run: '{{ range(10000000) }}'}\n  b: {run: exit 1}\n")


class SpecialFiles(Hostile):
    """What is no plain file stands in the folder when the server starts."""
    EXPECTED = {
        "dags/fifo/dag.yaml": "not a regular file",
        "dags/fifo.yaml": "not a regular file",
        "dags/socket.yaml": "cannot be read",
        "dags/folder/dag.yaml": "not a regular file",
        "dags/circle.yaml": "in a circle",
        "dags/circle": "in a circle",
        "dags/itself/dag.yaml": "in a circle",
        "dags/zero/dag.yaml": "leads out of the project",
        "dags/passwd/dag.yaml": "leads out of the project",
        "dags/etc": "leads out of the project",
        "dags/descriptor.yaml": "leads out of the project",
    }

    @classmethod
    def prepare(cls):
        dags = cls.project / "dags"
        for name in ("fifo", "folder", "itself", "zero", "passwd", "ignore"):
            (dags / name).mkdir()
        for name in ("fifo/dag.yaml", "fifo.yaml", "healthy/pipe", "ignore/.etesianignore", "module.py", "archive.zip",
                     ".airflowignore"):
            os.mkfifo(dags / name)
        (dags / "ignore" / "dag.yaml").write_text(HEALTHY.replace("dag: healthy", "dag: ignore"))
        (dags / "folder" / "dag.yaml").mkdir()
        for name, target in {"circle.yaml": "circle.yaml", "circle": "circle", "itself/dag.yaml": "dag.yaml",
                             "zero/dag.yaml": "/dev/zero", "passwd/dag.yaml": "/etc/passwd", "etc": "/etc",
                             "descriptor.yaml": "/proc/self/fd/0", "healthy/self": ".", "healthy/up": ".."}.items():
            (dags / name).symlink_to(target)
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.getcwd()
            os.chdir(dags)
            listener.bind("socket.yaml")
            os.chdir(here)
        if os.geteuid() == 0:
            (dags / "device").mkdir()
            os.mknod(dags / "device" / "dag.yaml", stat.S_IFCHR | 0o666, os.makedev(1, 5))

    def expected(self):
        return dict(self.EXPECTED, **({"dags/device/dag.yaml": "not a regular file"} if os.geteuid() == 0 else {}))

    def test_none_blocks_the_start_and_each_is_one_error(self):
        errors = self.etesian.all("/api/v2/importErrors", "import_errors")
        self.assertEqual(sorted(error["filename"] for error in errors), sorted(self.expected()))
        for error in errors:
            self.assertTrue(error["stack_trace"].startswith(error["filename"] + ":"), error["stack_trace"])
            self.assertIn(self.expected()[error["filename"]], error["stack_trace"])
        self.assert_healthy()
        self.assertEqual(self.etesian.wait_run("ignore", self.etesian.trigger("ignore")), "success")

    def test_check_names_each(self):
        code, output, memory = check(self.project)
        self.assertEqual(code, 1)
        lines = output.decode().splitlines()
        for file, message in self.expected().items():
            found = [line for line in lines if line.startswith(file + ":") and "error: " in line]
            self.assertEqual(len(found), 1, (file, found))
            self.assertIn(message, found[0])
        self.assertLess(memory, REFUSED_MEMORY)

    def test_one_that_comes_later_does_not_block_the_scan(self):
        late = self.project / "dags" / "late"
        late.mkdir()
        os.mkfifo(late / "dag.yaml")
        wait_until(lambda: self.errors_of("dags/late/dag.yaml"), 30, "the error")
        (late / "dag.yaml").unlink()
        (late / "dag.yaml").write_text(HEALTHY.replace("dag: healthy", "dag: late"))
        def is_loaded():
            return "late" in self.known_dags()
        wait_until(is_loaded, 30, "the DAG")
        self.assertEqual(self.etesian.wait_run("late", self.etesian.trigger("late")), "success")
        shutil.rmtree(late)
        wait_until(lambda: not is_loaded(), 30, "the DAG to go")

    def test_settings_and_calendars_that_are_pipes_or_devices(self):
        for what in ("pipe", "device"):
            for file in ("etesian.yaml", "calendars/off.txt"):
                with self.subTest(what, file=file):
                    settings = "name: x\ncalendars: {off: calendars/off.txt}\n"
                    project = write_project(self.folder / f"special-{what}-{file[0]}", {"uses": (
                        "dag: uses\nwhen: {cron: '@daily', holidays: {calendar: off, do: exclude}}\ntasks: {a: {}}\n")}, settings)
                    (project / "calendars").mkdir()
                    (project / "calendars" / "off.txt").write_text("2024-01-01\n")
                    (project / file).unlink()
                    if what == "pipe":
                        os.mkfifo(project / file)
                    else:
                        (project / file).symlink_to("/dev/zero")
                    code, output, memory = check(project)
                    self.assertEqual(code, 1, output)
                    self.assertIn(file.encode(), output)
                    self.assertLess(memory, REFUSED_MEMORY)


class HostileNames(Hostile):
    """Folder names that no DAG can have. Each holds a file with a mistake, so that its name is told."""
    NAMES = {"escape\x1b[2J": "U+001B", "turn\u202eed": "U+202E", "two\nlines": "U+000A", "blank name": "U+0020",
             "quote'\"`$(id)": "bad dag id"}

    @classmethod
    def prepare(cls):
        for name in cls.NAMES:
            (cls.project / "dags" / name).mkdir()
            (cls.project / "dags" / name / "dag.yaml").write_text("tasks:\n  a: {}\n")

    def test_each_is_one_error(self):
        errors = self.etesian.all("/api/v2/importErrors", "import_errors")
        self.assertEqual(sorted(error["filename"] for error in errors),
                         sorted(f"dags/{name}/dag.yaml" for name in self.NAMES))
        for error in errors:
            self.assertIn(self.NAMES[error["filename"].split("/")[1]], error["stack_trace"])
        self.assert_healthy()

    def assert_harmless(self, shown):
        for bad in (b"\x1b[2J", "\u202e".encode(), b"two\nlines", b"two\r\nlines"):
            self.assertNotIn(bad, shown)
        self.assertIn(rb"escape\x1b[2J", shown)

    def test_check_shows_escapes_on_a_terminal(self):
        self.assert_harmless(on_terminal("check", self.project))

    def test_check_shows_escapes_in_a_pipe(self):
        code, output, _ = check(self.project)
        self.assertEqual(code, 1)
        self.assert_harmless(output)

    def test_the_list_of_dags_shows_escapes_on_a_terminal(self):
        known = {"ETESIAN_URL": self.etesian.url, "ETESIAN_TOKEN": self.etesian.token}
        self.assert_harmless(on_terminal("dags", "list", environment=known))

    def test_check_as_json_is_json(self):
        done = subprocess.run([BINARY, "check", "-o", "json", str(self.project)], capture_output=True, timeout=CHECK_SECONDS)
        self.assertEqual(done.returncode, 1)
        self.assertEqual({found["file"] for found in json.loads(done.stdout)}, {f"dags/{name}/dag.yaml" for name in self.NAMES})


class HostileTexts(Hostile):
    """Texts for people, written with YAML's own escapes."""

    @classmethod
    def prepare(cls):
        write_project(cls.project, {"texts": r"""dag: texts
description: "a\u202eb\e[2Jc\nd"
owner: "\e[2J\u202e"
tags: ["t\e[2J"]
tasks:
  a: {run: echo, description: "\e[2J\u202e"}
"""})

    def test_no_command_lets_them_steer_a_terminal(self):
        known = {"ETESIAN_URL": self.etesian.url, "ETESIAN_TOKEN": self.etesian.token}
        show = ("dags", "show", "texts")
        for words in (("dags", "list"), show, ("-o", "json", *show), ("-o", "yaml", *show)):
            with self.subTest(" ".join(words)):
                shown = on_terminal(*words, environment=known)
                self.assertIn(b"texts", shown)
                self.assertNotIn(b"\x1b", shown)
                self.assertNotIn("\u202e".encode(), shown)


class NamesThatAreNoText(Hostile):
    """A folder whose name is not UTF-8."""

    @classmethod
    def prepare(cls):
        bad = os.fsencode(cls.project / "dags") + b"/bad\xff"
        os.mkdir(bad)
        with open(bad + b"/dag.yaml", "w") as file:
            file.write("tasks:\n  a: {}\n")

    def test_it_is_one_error_in_an_answer_that_is_json(self):
        request = urllib.request.Request(self.etesian.url + "/api/v2/importErrors")
        request.add_header("Authorization", "Bearer " + self.etesian.token)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode("utf-8")
        error, = json.loads(text)["import_errors"]
        self.assertIn("not valid UTF-8", error["stack_trace"])
        self.assert_healthy()

    def test_check_names_it_in_valid_text(self):
        code, output, _ = check(self.project)
        self.assertEqual(code, 1)
        self.assertIn("not valid UTF-8", output.decode("utf-8"))

    def test_check_as_json_is_json(self):
        done = subprocess.run([BINARY, "check", "-o", "json", str(self.project)], capture_output=True, timeout=CHECK_SECONDS)
        self.assertEqual(done.returncode, 1)
        json.loads(done.stdout.decode("utf-8"))


class Unreadable(Hostile):
    """The server is a user who may not read everything."""

    @classmethod
    def popen(cls):
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}

    @classmethod
    def prepare(cls):
        dags = cls.project / "dags"
        for name in ("file", "folder"):
            (dags / name).mkdir()
            (dags / name / "dag.yaml").write_text(HEALTHY.replace("dag: healthy", f"dag: {name}"))
        (dags / "healthy" / "private").mkdir()
        (dags / "healthy" / "secret.txt").write_text("secret")
        (cls.folder / "home").mkdir()
        if os.geteuid() == 0:
            for path in (cls.folder, *cls.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        for path in ("file/dag.yaml", "folder", "healthy/private", "healthy/secret.txt"):
            (dags / path).chmod(0)

    @classmethod
    def tearDownClass(cls):
        for path in ("folder", "healthy/private"):
            (cls.project / "dags" / path).chmod(0o700)
        super().tearDownClass()

    def test_each_is_one_error_and_the_neighbour_runs(self):
        errors = self.etesian.all("/api/v2/importErrors", "import_errors")
        names = sorted(error["filename"] for error in errors)
        self.assertEqual(len(names), 2, errors)
        self.assertEqual(names[0], "dags/file/dag.yaml")
        self.assertTrue(names[1].startswith("dags/folder"), names)
        for error in errors:
            self.assertIn("denied", error["stack_trace"])
        self.assert_healthy()

    def test_a_dag_whose_folder_becomes_unreadable_keeps_its_last_good_version(self):
        folder = self.project / "dags" / "shut"
        folder.mkdir()
        (folder / "dag.yaml").write_text(HEALTHY.replace("dag: healthy", "dag: shut"))
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        wait_until(lambda: "shut" in self.known_dags(), 30, "the DAG")
        folder.chmod(0)
        try:
            (self.project / "dags" / "touch").mkdir()  # Something to be noticed.
            wait_until(lambda: [e for e in self.etesian.all("/api/v2/importErrors", "import_errors")
                                if e["filename"].startswith("dags/shut")], 10, "the import error")
            self.assertIn("shut", self.known_dags())
        finally:
            shutil.rmtree(folder)
            wait_until(lambda: len(self.etesian.all("/api/v2/importErrors", "import_errors")) == 2, 30,
                       "its error to go")

    def test_check_names_each(self):
        code, output, _ = check(self.project, **self.popen())
        self.assertEqual(code, 1)
        self.assertIn(b"dags/file/dag.yaml:", output)
        self.assertIn(b"dags/folder", output)
        self.assertNotIn(b"secret\n", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
