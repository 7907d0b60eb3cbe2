"""The small pieces that everything stands on."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest
import uuid
from pathlib import Path

from support import PACKAGE_ROOT, framing

from etesian_airflow import parse, process, task


class FramingTest(unittest.TestCase):
    def test_frames_come_out_whole_however_they_are_cut(self) -> None:
        messages = [{"op": "a", "text": "ü" * 100}, {}, {"n": [1, 2]}]
        stream = b"".join(map(framing.encode, messages))
        for size in (1, 3, 7, len(stream)):
            reader = framing.FrameReader()
            bodies = [body for at in range(0, len(stream), size) for body in reader.feed(stream[at : at + size])]
            self.assertEqual([framing.decode(body) for body in bodies], messages)

    def test_a_frame_over_the_limit_is_refused_by_its_length_alone(self) -> None:
        with self.assertRaisesRegex(framing.FrameError, "more than"):
            list(framing.FrameReader().feed((framing.MAX_FRAME + 1).to_bytes(4, "big")))

    def test_what_is_no_object_is_refused(self) -> None:
        for body in (b"[]", b"1", b"{", b"\xff", b"[" * 100_000):
            with self.assertRaises(framing.FrameError):
                framing.decode(body)

    def test_text_that_is_no_unicode_does_not_spoil_its_message(self) -> None:
        self.assertEqual(framing.decode(framing.to_json({"text": "a\udc80b"})), {"text": "a?b"})

    def test_what_json_cannot_say_is_not_said(self) -> None:
        with self.assertRaises(ValueError):
            framing.encode({"x": float("nan")})


class DifferenceTest(unittest.TestCase):
    def result(self, **dag: object) -> dict:
        return {"dags": [{"__version": 3, "dag": {"dag_id": "d", **dag}}], "errors": []}

    def test_fields_are_named_by_their_path_and_tasks_by_their_name(self) -> None:
        def task_of(name: str, command: str) -> dict:
            return {"__type": "operator", "__var": {"task_id": name, "command": command}}

        before = self.result(tags=["a", "b"], tasks=[task_of("x", "1"), task_of("y", "1")], same=1)
        after = self.result(tags=["a", "c"], tasks=[task_of("y", "2")], same=1, new=2)
        self.assertEqual(
            parse.find_differences(before, after),
            ["d: tags.1", "d: tasks.x", "d: tasks.y.command", "d: new"],
        )

    def test_the_order_of_tasks_counts(self) -> None:
        def tasks(*names: str) -> list:
            return [{"__type": "operator", "__var": {"task_id": name}} for name in names]

        before, after = self.result(tasks=tasks("x", "y")), self.result(tasks=tasks("y", "x"))
        self.assertEqual(parse.find_differences(before, after), ["d: tasks"])
        self.assertEqual(parse.find_differences(before, before), [])

    def test_dags_that_come_and_go_are_named(self) -> None:
        self.assertEqual(parse.find_differences(self.result(), {"dags": [], "errors": []}), ["d: dag_id"])


class WaitTest(unittest.TestCase):
    def test_the_wait_of_this_pythons_selector_is_found(self) -> None:
        """What removes the five second tail looks for one line of the standard library."""
        import selectors

        code = selectors.DefaultSelector.select.__code__
        self.assertEqual(len(task._lines_that_call(code, "poll")), 1)


# A supervisor that waits for a minute with nothing registered, and a child that ends when it does so.
WAITING = """
import os, selectors, sys, time
sys.path.insert(0, sys.argv[1])
from etesian_airflow import task

task._wake_when_children_end()
selector = selectors.DefaultSelector()
parent = os.getpid()
pid = os.fork()
if pid == 0:
    while open(f"/proc/{parent}/stat").read().rpartition(")")[2].split()[0] != "S":
        pass
    os._exit(0)
began = time.monotonic()
assert selector.select(60) == []
assert time.monotonic() - began < 30, "nothing woke the wait"
assert os.waitpid(pid, os.WNOHANG)[0] == pid
"""


class WakeTest(unittest.TestCase):
    def test_a_wait_with_nothing_registered_ends_with_the_child(self) -> None:
        subprocess.run([sys.executable, "-c", WAITING, str(PACKAGE_ROOT)], check=True)


class CgroupTest(unittest.TestCase):
    def test_a_process_follows_another_into_its_cgroup(self) -> None:
        controllers, path = next(((c, p) for c, p in process._cgroups("self").items() if c in ("", "memory")), ("", ""))
        group = Path(f"/sys/fs/cgroup/{controllers}{path}/etesian-test-{uuid.uuid4()}")
        if not os.access(group.parent / "cgroup.procs", os.W_OK):
            self.skipTest("no cgroup may be made here")
        group.mkdir()
        self.addCleanup(group.rmdir)
        with subprocess.Popen(["sleep", "600"]) as leader:
            self.addCleanup(leader.wait)
            (group / "cgroup.procs").write_text(str(leader.pid))
            script = (
                "import sys; sys.path.insert(0, sys.argv[1]); from etesian_airflow import process;"
                "process.join_cgroup_of(int(sys.argv[2])); print(open('/proc/self/cgroup').read())"
            )
            command = [sys.executable, "-c", script, str(PACKAGE_ROOT), str(leader.pid)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            leader.kill()
        self.assertIn(group.name, said)


if __name__ == "__main__":
    unittest.main()
