"""What a tree of processes costs: memory (proportional set size) and processor time, from /proc (Linux)."""
from __future__ import annotations

import os
import pathlib
import threading
import time
from dataclasses import dataclass
from typing import Callable

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    own_s: float  # processor time of its threads
    children_s: float  # of its children that ended and were waited for, and of theirs


def all_processes() -> dict[int, Process]:
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                words = file.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        user, system, child_user, child_system = (int(word) * TICK_S for word in words[11:15])  # proc(5)
        found[int(name)] = Process(int(name), int(words[1]), user + system, child_user + child_system)
    return found


def below(root: int) -> list[Process]:
    """The descendants of a process, without it."""
    processes = all_processes()
    children: dict[int, list[Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    found, queue = [], [root]
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child.pid)
    return found


def command(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def pss_mib(pid: int) -> float:
    """0 for a process that has just ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    except PermissionError:
        raise SystemExit("the memory of task processes can be read by root only (they are not dumpable): "
                         "run this benchmark as root, or leave the memory rows out with --only") from None
    return 0.0


def memory(root: int) -> tuple[float, int]:
    """MiB and number of the processes below `root`."""
    sizes = [size for process in below(root) if (size := pss_mib(process.pid))]
    return sum(sizes), len(sizes)


def cpu_s(keeper: int) -> float:
    """Processor time of all that the keeper started, the dead included."""
    processes = below(keeper)
    return all_processes()[keeper].children_s + sum(process.own_s + process.children_s for process in processes)


class Peak:
    """The largest memory below `root` while the block runs; looking takes at most 2 % of one processor."""

    def __init__(self, root: int):
        self.root, self.mib, self.count = root, 0.0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            begin = time.thread_time()
            mib, count = memory(self.root)
            self.mib, self.count = max(self.mib, mib), max(self.count, count)
            pause = max(0.02, 50 * (time.thread_time() - begin))


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Asks again and again, in at most 5 % of the time: a question costs the one who is asked."""
    deadline = time.monotonic() + seconds
    while True:
        begin = time.monotonic()
        if condition():
            return
        if begin > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(max(0.002, 20 * (time.monotonic() - begin)))
