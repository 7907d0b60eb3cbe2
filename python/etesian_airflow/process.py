"""What a forked child needs from Linux: its own session, limits, the end of a whole process tree, a cgroup."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
# A tree that forks faster than it is killed is caught by a later round; a fork bomb is the cgroup's business.
_KILL_ROUNDS = 8

_libc = ctypes.CDLL(None, use_errno=True)


def hide_memory() -> None:
    """Forbid other processes of the same user to read this one's memory and descriptors. Children inherit that."""
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, which had the id *parent*, ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parents end, so that they stay findable from here."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def limit_memory(extra_bytes: int) -> None:
    """Let this process allocate *extra_bytes* of address space beyond what it shares with the warm parent."""
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    limit = used + extra_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def default_signals() -> None:
    """Give every signal the disposition that a fresh Python process has."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def use_stdio(stdout: int, stderr: int) -> None:
    """Read standard input from nothing and write to the given descriptors, which are closed after being doubled."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for descriptor in {stdout, stderr}:
        if descriptor > 2:
            os.close(descriptor)


def flush_stdio() -> None:
    """Write out what Python still holds of standard output and error; a closed pipe is no error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def _process_table() -> dict[int, tuple[int, int]]:
    """Return {pid: (parent, session)} of all processes that live, without zombies."""
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The command's name may hold blanks and parentheses: fields count from the last one.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] not in (b"Z", b"X"):
            table[int(name)] = (int(fields[1]), int(fields[3]))
    return table


def _tree(root: int) -> set[int]:
    """Return the descendants of *root* and the members of its session, without *root* and this process."""
    table = _process_table()
    found = {pid for pid, (_, session) in table.items() if session == root}
    grown = {root} | found
    while grown:
        grown = {pid for pid, (parent, _) in table.items() if parent in grown} - found - {root}
        found |= grown
    return found - {root, os.getpid()}


def kill_tree(root: int) -> None:
    """SIGKILL all that *root* started and everything in its session; *root* too unless it is this process.

    *root* must not have been reaped, else its id may belong to somebody else.
    """
    for _ in range(_KILL_ROUNDS):
        # Looked up before the root dies: what left its session is found through its parents only.
        victims = _tree(root)
        if root != os.getpid():
            _kill(root)
        if not victims:
            return
        for pid in victims:
            _kill(pid)


def kill_group(leader: int) -> None:
    """SIGKILL the process group of *leader*, which has not been reaped. No error when it is empty."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def join_cgroup_of(pid: int) -> None:
    """Move this process into the cgroups of *pid* that are not its own, as far as it may; else change nothing."""
    theirs, own = _cgroups(str(pid)), _cgroups("self")
    for controllers, path in theirs.items():
        if own.get(controllers) == path:
            continue
        # Version 2 has one hierarchy without a name; version 1 one for each set of controllers.
        try:
            with open(f"/sys/fs/cgroup/{controllers}{path}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
        except OSError:
            pass


def _cgroups(process: str) -> dict[str, str]:
    """Return {controllers: path} of a process, empty when it is gone."""
    try:
        with open(f"/proc/{process}/cgroup", encoding="utf-8") as file:
            fields = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return {}
    return {controllers: path for _, controllers, path in fields}


def describe_end(status: int) -> str | None:
    """Say how a process ended in words, None for exit code 0. *status* is what wait gave."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return f"killed by signal {number} ({signal.Signals(number).name})"
        except ValueError:
            return f"killed by signal {number}"
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code else None
