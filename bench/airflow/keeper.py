"""Keeps the processes of one service together, so that they can be counted and ended.

usage: keeper.py LOG_FOLDER    (the components on standard input, as JSON: {"NAME": {"command": [...], "env": {...}}})

Starts each component and prints its pid; every process that a component leaves behind becomes the keeper's child
(Linux: a subreaper), and its processor time is counted there. At the end of standard input all of them are ended.
"""
from __future__ import annotations

import ctypes
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

from processes import all_processes

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
GRACE_S = 15.0


def reap() -> bool:
    """Waits for the dead; whether a child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    except ChildProcessError:
        return False


def children() -> set[int]:
    """Not reaped yet, so that none of these pids can be another's."""
    return {process.pid for process in all_processes().values() if process.parent == os.getpid()}


def end_all(components: set[int]) -> None:
    """Asks the components to end; kills what is left then, and what the killed leave behind, until nobody is left."""
    for pid in components & children():
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while reap() and components & children() and time.monotonic() < deadline:
        time.sleep(0.02)
    while reap():
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def main() -> None:
    logs = pathlib.Path(sys.argv[1])
    wanted = json.loads(sys.stdin.readline())
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise SystemExit("this kernel has no subreaper")
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pids = {}
    for name, component in wanted.items():
        with open(logs / f"{name}.log", "ab") as log:
            process = subprocess.Popen(component["command"], env=component["env"], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        pids[name] = process.pid
    print(json.dumps(pids), flush=True)
    while sys.stdin not in select.select([sys.stdin, wake_read], [], [])[0]:
        os.read(wake_read, 4096)
        reap()
    end_all(set(pids.values()))


main()
