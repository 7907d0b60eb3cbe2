#!/usr/bin/env python3
"""Hostile tasks. Whatever one does, it ends as it should, and a task beside it succeeds with exactly its own lines."""
import contextlib
import datetime
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from etesian import BINARY, Etesian, quote, wait_until, write_project

MIB = 1 << 20
AGENT_MEMORY = 300 * MIB
SERVER_MEMORY = 300 * MIB
NEIGHBOUR = """dag: neighbour
tasks:
  count: {run: "for i in $(seq 1000); do echo neighbour $i; [ $((i % 50)) -ne 0 ] || sleep 0.06; done"}
"""
NEIGHBOUR_LINES = [("stdout", f"neighbour {i}") for i in range(1, 1001)]
JUNK = random.Random(7).randbytes(MIB).replace(b"\n", b"") + b"\nfirst\n\n\0\nlast\n"
ESCAPES = ("\x1b[2J\x1b]0;title\x07 \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 "
           "\x1b[31mred\x1b[0m back\x08\x08\x08 over\rwritten "
           "\x1bP+q\x1b\\ \x9b2J \u202eright to left\u2066 \u200f end").encode() + b" \x9b2J \xff\xfe raw\n"

NO_OUTPUT_YET = "import os\npath = os.environ['ETESIAN_OUTPUT']\nos.path.exists(path) and os.unlink(path)\n"

# Programs by the name of their DAG: (text, keys of `how`). EVIDENCE stands for a folder.
PROGRAMS = {
    "binary": ("import sys\nsys.stdout.buffer.write(open('EVIDENCE/junk', 'rb').read())\n", {}),
    "endless": ("import os\nfor _ in range(200):\n    piece = b'x' * (1 << 20)\n"
                "    while piece:\n        piece = piece[os.write(1, piece):]\n", {}),
    "chatty": ("import sys\nsys.stdout.write(''.join(f'{i}\\n' for i in range(1, 1000001)))\n", {}),
    "escapes": ("import sys\nsys.stdout.buffer.write(open('EVIDENCE/escapes', 'rb').read())\n", {}),
    "unfinished": ("import os\nos.write(1, b'no newline')\n", {}),
    "closed": ("import os, time\nos.write(1, b'before\\n')\nfor fd in range(3):\n    os.close(fd)\ntime.sleep(1)\n", {}),
    "copied": ("""import os, sys, time
for fd in range(3, 200):
    os.dup2(1, fd)
os.close(1)
for fd in range(3, 200):
    os.write(fd, b'copy %d\\n' % fd)
os.dup2(2, 1)
os.write(1, b'to stderr\\n')
os.close(2)
""", {}),
    "nonblocking": ("""import fcntl, os
fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)
fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 4096)
written = 0
while written < 3000000:
    try:
        written += os.write(1, (b'y' * 99 + b'\\n') * 30)
    except BlockingIOError:
        pass
""", {}),
    "daemon": ("""import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir('/')
        for fd in range(3):
            os.close(fd)
        open('EVIDENCE/daemon', 'w').write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
while not (os.path.exists('EVIDENCE/daemon') and open('EVIDENCE/daemon').read()):
    time.sleep(0.01)
print('started')
""", {"kill_grace": "1s"}),
    "hidden": ("""import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve(sys.executable, [sys.executable, '-c', 'import os, time\\nopen("EVIDENCE/hidden", "w").write(str(os.getpid()))\\n'
                  'for _ in range(100):\\n    os.write(1, b"intruder\\\\n")\\n    time.sleep(0.2)\\n'], {})
    os._exit(0)
os.wait()
while not (os.path.exists('EVIDENCE/hidden') and open('EVIDENCE/hidden').read()):
    time.sleep(0.01)
""", {"kill_grace": "1s"}),
    "stopped": ("import os, signal\nprint('stopping', flush=True)\nopen('EVIDENCE/stopped', 'w').write(str(os.getpid()))\n"
                "os.kill(os.getpid(), signal.SIGSTOP)\nprint('going on', flush=True)\n", {"timeout": "2s", "kill_grace": "1s"}),
    "parricide": ("import os, signal, time\nprint('before', flush=True)\nos.kill(os.getppid(), signal.SIGKILL)\n"
                  "time.sleep(1)\nprint('after', flush=True)\n", {}),
    "keeperless": ("""import os, signal, time
keeper = int(open(f'/proc/{os.getppid()}/stat').read().rsplit(')', 1)[1].split()[1])
print('before', flush=True)
os.kill(keeper, signal.SIGKILL)
time.sleep(1)
print('after', flush=True)
""", {}),
    "scratch": ("import os, shutil\nshutil.rmtree(os.getcwd())\nprint('gone', flush=True)\n", {"working_folder": "scratch"}),
    "homeless": ("import os, shutil, time\nshutil.rmtree(os.environ['ETESIAN_DAG_FOLDER'])\n"
                 "time.sleep(1)\nprint('gone', flush=True)\n", {}),
    "deaf": ("""import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCONT):
    signal.signal(number, signal.SIG_IGN)
open('EVIDENCE/deaf', 'w').write(str(os.getpid()))
print('deaf', flush=True)
time.sleep(600)
""", {"timeout": "1s", "kill_grace": "1s"}),
    "crowd": ("""import os, time
for i in range(200):
    if os.fork() == 0:
        if i % 2:
            os.setsid()
        open(f'EVIDENCE/crowd.{i}', 'w').write(str(os.getpid()))
        time.sleep(600)
        os._exit(0)
while sum(1 for name in os.listdir('EVIDENCE') if name.startswith('crowd.')) < 200:
    time.sleep(0.01)
""", {"kill_grace": "1s"}),
    "hydra": ("""import os, signal, time
heads = 0
def grow(*_):
    global heads
    heads += 1
    if heads <= 3 and os.fork() == 0:
        os.setsid()
signal.signal(signal.SIGTERM, grow)
for i in range(10):
    if os.fork() == 0:
        while True:
            time.sleep(600)
time.sleep(0.5)
""", {"kill_grace": "2s"}),
    "suicide": ("import os, signal\nprint('last words', flush=True)\nos.kill(0, signal.SIGKILL)\n", {}),
    "pipe_output": (NO_OUTPUT_YET + "os.mkfifo(path)\n", {}),
    "zero_output": (NO_OUTPUT_YET + "os.symlink('/dev/zero', path)\n", {}),
    "folder_output": (NO_OUTPUT_YET + "os.mkdir(path)\n", {}),
    "large_output": ("import os\nwith open(os.environ['ETESIAN_OUTPUT'], 'wb') as file:\n    file.truncate(1 << 36)\n", {}),
    "deep_output": ("import os\nwith open(os.environ['ETESIAN_OUTPUT'], 'w') as file:\n    file.write('[' * 100000)\n", {}),
}


def dag_text(name, how, program):
    options = ", ".join(f"{key}: {value}" for key, value in how.items())
    return f"dag: {name}\ntasks:\n  bad: {{run: ['{sys.executable}', '{program}'], how: {{{options}}}}}\n"


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def most_memory(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Hostile(unittest.TestCase):
    maxDiff = 3000
    NAMES = tuple(PROGRAMS)

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="etesian-tasks-"))
        cls.evidence = cls.folder / "evidence"
        cls.evidence.mkdir()
        (cls.evidence / "junk").write_bytes(JUNK)
        (cls.evidence / "escapes").write_bytes(ESCAPES)
        dags = cls.folder / "project" / "dags"
        texts = {name: dag_text(name, PROGRAMS[name][1], dags / name / "bad.py") for name in cls.NAMES}
        cls.project = write_project(cls.folder / "project", {"neighbour": NEIGHBOUR, **texts})
        for name in cls.NAMES:
            (dags / name / "scratch").mkdir()
            (dags / name / "bad.py").write_text(PROGRAMS[name][0].replace("EVIDENCE", str(cls.evidence)))
        cls.prepare()
        cls.etesian = Etesian(cls.project, home=cls.folder / "home")
        cls.addClassCleanup(cls.etesian.close)
        cls.etesian.start()

    @classmethod
    def prepare(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        cls.etesian.close()
        for file in cls.evidence.iterdir():
            with contextlib.suppress(ValueError, ProcessLookupError, UnicodeDecodeError):
                os.kill(int(file.read_text()), signal.SIGKILL)
        shutil.rmtree(cls.folder, ignore_errors=True)

    def run_beside(self, name, meanwhile=lambda: None, seconds=60):
        """Runs the task together with its neighbour; its run id and state once both have ended."""
        beside = self.etesian.trigger("neighbour")
        wait_until(lambda: self.etesian.states("neighbour", beside).get(("count", -1)) == "running", 30, "the neighbour to run")
        run_id = self.etesian.trigger(name)
        meanwhile()
        self.assert_neighbour(beside, seconds)
        state = self.etesian.wait_run(name, run_id, seconds)
        self.assert_both_ran(self.etesian.tasks("neighbour", beside)[("count", -1)], self.etesian.tasks(name, run_id)[("bad", -1)])
        for pid, _ in self.etesian.processes("agent"):
            self.assertLess(most_memory(pid), AGENT_MEMORY)
        self.assertLess(most_memory(self.etesian.process.pid), SERVER_MEMORY)
        return run_id, state

    def assert_neighbour(self, run_id, seconds):
        self.assertEqual(self.etesian.wait_run("neighbour", run_id, seconds), "success")
        self.assertEqual(self.etesian.tasks("neighbour", run_id)[("count", -1)]["try_number"], 1)
        lines = self.etesian.log("neighbour", run_id, "count")
        self.assertEqual(len(lines), 1000, lines[-3:])
        self.assertEqual(lines, NEIGHBOUR_LINES)
        verdict = self.etesian.verify_log("neighbour", run_id, "count")
        self.assertTrue(verdict["complete"], verdict["message"])

    def assert_both_ran(self, neighbour, bad):
        self.assertLess(instant(bad["start_date"]), instant(neighbour["end_date"]), "they did not run at the same time")

    def assert_complete(self, name, run_id):
        verdict = self.etesian.verify_log(name, run_id, "bad")
        self.assertTrue(verdict["complete"], verdict["message"])

    def words(self, name, run_id, stream="system"):
        return "\n".join(text for found, text in self.etesian.log(name, run_id, "bad") if found == stream)

    def pid_of(self, name):
        file = self.evidence / name
        wait_until(lambda: file.exists() and file.read_text(), 30, f"the pid of {name}")
        return int(file.read_text())

    def plain_log(self, name, run_id):
        """The bytes that the task wrote, by pages of text/plain."""
        path = f"/api/v2/dags/{name}/dagRuns/{quote(run_id)}/taskInstances/bad/logs/1"
        written, token = [], None
        while True:
            request = urllib.request.Request(self.etesian.url + path + (f"?token={quote(token)}" if token else ""))
            request.add_header("Authorization", "Bearer " + self.etesian.token)
            request.add_header("Accept", "text/plain")
            with urllib.request.urlopen(request, timeout=60) as answer:
                piece = answer.read()
                token = answer.headers.get("Airflow-Continuation-Token")
            written.append(piece)
            if not token or not piece:
                return b"".join(written)

    def client_environment(self):
        return dict(os.environ, ETESIAN_URL=self.etesian.url, ETESIAN_TOKEN=self.etesian.token, NO_COLOR="1")

    def in_pipe(self, *words):
        return subprocess.run([BINARY, *words], stdout=subprocess.PIPE, env=self.client_environment(), check=True,
                              timeout=60).stdout

    def on_terminal(self, *words):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(BINARY, [BINARY, *words], self.client_environment())
        shown = b""
        with contextlib.suppress(OSError):
            while piece := os.read(terminal, 65536):
                shown += piece
        os.close(terminal)
        os.waitpid(pid, 0)
        return shown


class Output(Hostile):
    NAMES = ("binary", "endless", "chatty", "escapes", "unfinished", "closed", "copied", "nonblocking")

    def test_binary_output_comes_back_byte_for_byte(self):
        run_id, state = self.run_beside("binary")
        self.assertEqual(state, "success")
        self.assert_complete("binary", run_id)
        self.assertTrue(self.plain_log("binary", run_id) == JUNK, "not what was written")

    def test_in_a_pipe_logs_writes_the_bytes_of_the_task(self):
        for name, expected in {"escapes": ESCAPES, "binary": JUNK, "endless": b"x" * (200 * MIB)}.items():
            with self.subTest(name):
                run_id = self.etesian.trigger(name)
                self.assertEqual(self.etesian.wait_run(name, run_id), "success")
                written = self.in_pipe("logs", f"{name}/{run_id}/bad")
                self.assertEqual(len(written.rstrip(b"\n")), len(expected.rstrip(b"\n")))
                self.assertTrue(written.rstrip(b"\n") == expected.rstrip(b"\n"), "not what was written")

    def test_200_MB_without_a_newline(self):
        run_id, state = self.run_beside("endless", seconds=80)
        self.assertEqual(state, "success")
        self.assert_complete("endless", run_id)
        path = f"/api/v2/dags/endless/dagRuns/{quote(run_id)}/taskInstances/bad/logs/1"
        first = self.etesian.get(path)["content"]
        self.assertEqual({line["event"].strip("x") for line in first}, {""})
        self.assertEqual(len(self.plain_log("endless", run_id).rstrip(b"\n")), 200 * MIB)

    def test_a_million_lines_at_once(self):
        run_id, state = self.run_beside("chatty", seconds=80)
        self.assertEqual(state, "success")
        self.assert_complete("chatty", run_id)
        self.assertTrue(self.plain_log("chatty", run_id) == b"".join(b"%d\n" % i for i in range(1, 1_000_001)))

    def test_escape_sequences_do_not_reach_a_terminal(self):
        run_id, state = self.run_beside("escapes")
        self.assertEqual(state, "success")
        for words in (("logs", f"escapes/{run_id}/bad"), ("logs", "-f", f"escapes/{run_id}/bad")):
            shown = self.on_terminal(*words).replace(b"\r\n", b"\n")
            self.assertFalse(re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", shown), shown)
            text = shown.decode("utf-8")
            self.assertFalse(re.search("[\x80-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text), text)
            self.assertIn(r"\x1b[2J", text)
            self.assertEqual(text.count("\n"), 1)

    def test_a_last_line_without_a_newline(self):
        run_id, state = self.run_beside("unfinished")
        self.assertEqual(state, "success")
        self.assertEqual(self.etesian.log("unfinished", run_id, "bad"), [("stdout", "no newline")])

    def test_closed_descriptors(self):
        run_id, state = self.run_beside("closed")
        self.assertEqual(state, "success")
        self.assertEqual(self.etesian.log("closed", run_id, "bad"), [("stdout", "before")])
        row = self.etesian.tasks("closed", run_id)[("bad", -1)]
        self.assertGreater((instant(row["end_date"]) - instant(row["start_date"])).total_seconds(), 0.9)

    def test_copied_descriptors(self):
        run_id, state = self.run_beside("copied")
        self.assertEqual(state, "success")
        log = self.etesian.log("copied", run_id, "bad")
        self.assertEqual([line for line in log if line[0] == "stdout"], [("stdout", f"copy {i}") for i in range(3, 200)])
        self.assertEqual([line for line in log if line[0] != "stdout"], [("stderr", "to stderr")])

    def test_a_pipe_made_small_and_nonblocking(self):
        run_id, state = self.run_beside("nonblocking")
        self.assertEqual(state, "success")
        self.assert_complete("nonblocking", run_id)
        self.assertGreaterEqual(len(self.plain_log("nonblocking", run_id)), 3_000_000)


class Processes(Hostile):
    NAMES = ("daemon", "hidden", "stopped", "parricide", "keeperless", "deaf", "crowd", "hydra", "suicide")

    def test_a_daemon_is_ended_and_named(self):
        run_id, state = self.run_beside("daemon")
        self.assertEqual(state, "success")
        pid = self.pid_of("daemon")
        self.assertFalse(is_alive(pid))
        self.assertRegex(self.words("daemon", run_id), rf"left behind by the task, ended now: pid {pid} ")
        self.assert_complete("daemon", run_id)

    def test_who_hides_cuts_its_own_log_and_writes_into_no_other(self):
        """docs/reliability.md: who leaves session, parent and environment can hide; its pipe tells of it."""
        run_id, state = self.run_beside("hidden")
        self.assertEqual(state, "success")
        pid = self.pid_of("hidden")
        if is_alive(pid):
            self.assertIn("a process that cannot be found holds its pipe open", self.words("hidden", run_id))
        later = self.etesian.trigger("neighbour")
        self.assert_neighbour(later, 60)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def test_a_task_that_stops_itself_is_ended_by_its_timeout(self):
        run_id, state = self.run_beside("stopped")
        self.assertEqual(state, "failed")
        self.assertFalse(is_alive(self.pid_of("stopped")))
        self.assertEqual(self.words("stopped", run_id, "stdout").split("\n")[0], "stopping")
        self.assertRegex(self.words("stopped", run_id), "(?i)timeout|timed out")
        self.assert_complete("stopped", run_id)

    def test_a_task_that_kills_the_agent_harms_neither_itself_nor_others(self):
        first = self.etesian.agent_pid()
        run_id, state = self.run_beside("parricide")
        self.assertEqual(state, "success")
        self.assertNotEqual(self.etesian.agent_pid(), first, "no agent was killed")
        self.assertEqual(self.words("parricide", run_id, "stdout"), "before\nafter")
        self.assertEqual(self.etesian.tasks("parricide", run_id)[("bad", -1)]["try_number"], 1)
        self.assert_complete("parricide", run_id)

    def test_a_task_that_does_not_hear_TERM_is_killed(self):
        run_id, state = self.run_beside("deaf")
        self.assertEqual(state, "failed")
        self.assertFalse(is_alive(self.pid_of("deaf")))
        self.assertIn("KILL", self.words("deaf", run_id))
        row = self.etesian.tasks("deaf", run_id)[("bad", -1)]
        self.assertGreater((instant(row["end_date"]) - instant(row["start_date"])).total_seconds(), 1.9)

    def test_200_children_are_ended(self):
        run_id, state = self.run_beside("crowd")
        self.assertEqual(state, "success")
        pids = [int(file.read_text()) for file in self.evidence.glob("crowd.*")]
        self.assertEqual(len(pids), 200)
        self.assertEqual([pid for pid in pids if is_alive(pid)], [])
        named = {int(pid) for pid in re.findall(r"ended now: pid (\d+)", self.words("crowd", run_id))}
        self.assertEqual(named, set(pids))

    def test_children_that_multiply_when_they_are_asked_to_end(self):
        run_id, state = self.run_beside("hydra")
        self.assertEqual(state, "success")
        self.assertIn("ended now", self.words("hydra", run_id))
        program = str(self.project / "dags" / "hydra" / "bad.py").encode()
        living = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if program in (folder / "cmdline").read_bytes() and is_alive(folder.name):
                    living.append(folder.name)
        self.assertEqual(living, [])

    def test_a_task_that_kills_its_own_group(self):
        run_id, state = self.run_beside("suicide")
        self.assertEqual(state, "failed")
        self.assertEqual(self.words("suicide", run_id, "stdout"), "last words")
        told = self.words("suicide", run_id) + self.etesian.cli("explain", f"suicide/{run_id}/bad").stdout
        self.assertIn("signal 9", told)


class NoKeeper(Hostile):
    NAMES = ("keeperless",)

    def test_a_task_that_kills_the_keeper_harms_neither_itself_nor_others(self):
        run_id, state = self.run_beside("keeperless")
        self.assertEqual(state, "success")
        self.assertEqual(self.words("keeperless", run_id, "stdout"), "before\nafter")
        again = self.etesian.trigger("neighbour")
        self.assert_neighbour(again, 60)


class Files(Hostile):
    NAMES = ("scratch", "homeless", "pipe_output", "zero_output", "folder_output", "large_output", "deep_output")

    def test_a_task_that_deletes_its_working_folder(self):
        run_id, state = self.run_beside("scratch")
        self.assertEqual(state, "success")
        self.assertEqual(self.etesian.log("scratch", run_id, "bad"), [("stdout", "gone")])

    def test_a_task_that_deletes_the_folder_of_its_dag(self):
        run_id, state = self.run_beside("homeless")
        self.assertEqual(state, "success")
        self.assertEqual(self.etesian.log("homeless", run_id, "bad"), [("stdout", "gone")])

    def assert_output_refused(self, name):
        run_id, state = self.run_beside(name)
        self.assertEqual(state, "failed")
        self.assertIsNotNone(self.etesian.agent_pid())
        return run_id

    def test_an_output_that_is_a_pipe(self):
        self.assert_output_refused("pipe_output")

    def test_an_output_that_is_a_device(self):
        self.assert_output_refused("zero_output")

    def test_an_output_that_is_a_folder(self):
        self.assert_output_refused("folder_output")

    def test_an_output_of_64_GiB(self):
        self.assert_output_refused("large_output")

    def test_an_output_too_deep(self):
        self.assert_output_refused("deep_output")


class FullLogDisk(Hostile):
    """The folder of the logs is a disk of its own, 16 MiB small. It needs the right to mount."""
    NAMES = ("endless",)

    @classmethod
    def prepare(cls):
        cls.mounted = cls.folder / "home" / "logs"
        cls.mounted.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", cls.mounted], check=True)
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.mounted], check=True)

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.mounted], check=True)

    def fill(self):
        """Runs that write until nothing is left: that of the neighbour and that of the endless line."""
        self.resize(shutil.disk_usage(self.mounted).used + 12 * MIB)
        runs = self.etesian.trigger("neighbour"), self.etesian.trigger("endless")
        wait_until(lambda: shutil.disk_usage(self.mounted).free < 256 << 10, 60, "the disk to be full")
        time.sleep(2)
        return runs

    def test_it_delays_and_loses_nothing(self):
        beside, run_id = self.fill()
        self.assertEqual(self.etesian.states("endless", run_id)[("bad", -1)], "running")
        self.assertNotIn(self.etesian.states("neighbour", beside)[("count", -1)], ("failed", "up_for_retry"))
        self.etesian.get("/healthz")
        self.resize("900m")
        self.assert_neighbour(beside, 60)
        self.assertEqual(self.etesian.wait_run("endless", run_id, 80), "success")
        self.assert_complete("endless", run_id)

    def test_a_task_is_killed_while_nothing_can_be_stored(self):
        beside, run_id = self.fill()
        pid = self.etesian.tasks("endless", run_id)[("bad", -1)]["pid"]
        self.assertTrue(is_alive(pid))
        self.etesian.cli("tasks", "kill", f"endless/{run_id}/bad")
        wait_until(lambda: not is_alive(pid), 30, "the process to end")
        self.resize("900m")
        self.assert_neighbour(beside, 60)
        self.assertEqual(self.etesian.wait_run("endless", run_id, 60), "failed")
        self.assertIn("killed by admin", self.words("endless", run_id))
        self.assert_complete("endless", run_id)


if __name__ == "__main__":
    unittest.main(verbosity=2)
