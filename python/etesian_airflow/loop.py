"""The parent's event loop: descriptors, timers, and children from fork to the collection of their end.

One thread, and no user code: nothing here may block or raise for what a peer or a child does.
"""

from __future__ import annotations

import heapq
import itertools
import os
import resource
import selectors
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from etesian_airflow import framing, process

_READ = 1 << 18
# Exit code of a child that ended by an exception of our own code.
_CHILD_FAILED = 70


def complain(text: str) -> None:
    """Write one line to the host's own log, standard error."""
    print("etesian_airflow: " + " | ".join(text.splitlines()), file=sys.stderr, flush=True)


@dataclass
class Timer:
    """A callback that is due once. `cancel` takes it back."""

    callback: Callable[[], None] | None

    def cancel(self) -> None:
        """Do not call any more."""
        self.callback = None


@dataclass
class Child:
    """What to do about a child's end: first while its id is still its own, then with the status that wait gave."""

    on_end: Callable[[int, resource.struct_rusage], None]
    before_reaping: Callable[[int], None] | None = None


class Loop:
    """Waits and calls. All methods are for the one thread that calls `run`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._children: dict[int, Child] = {}
        self._leaving: list[Callable[[], None]] = []
        self._running = True
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        self.watch(self._woken, selectors.EVENT_READ, lambda _events: self._collect())
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._files_of_children = (soft, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def run(self) -> None:
        """Serve until `stop`."""
        while self._running:
            for key, events in self._selector.select(self._next_timer()):
                # An earlier callback of this turn may have let go of it.
                if self._is_watched(key):
                    key.data(events)
            self._call_due_timers()

    def stop(self) -> None:
        """Leave `run` after this turn."""
        self._running = False

    def watch(self, fileobj: Any, events: int, callback: Callable[[int], object]) -> None:
        """Call *callback* with what is ready. A child that is forked while *fileobj* is watched closes its copy."""
        try:
            self._selector.modify(fileobj, events, callback)
        except KeyError:
            self._selector.register(fileobj, events, callback)

    def unwatch(self, fileobj: Any) -> None:
        """Stop watching; no error when it was not watched."""
        try:
            self._selector.unregister(fileobj)
        except (KeyError, ValueError):
            pass

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call *callback* once, in *seconds*."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def on_leaving(self, callback: Callable[[], None]) -> None:
        """Have each forked child call this, to close what it inherits besides watched descriptors."""
        self._leaving.append(callback)

    def fork(self, main: Callable[[], None], child: Child) -> int:
        """Run *main* in a new process that leads its own session and holds nothing of the parent's. Return its id.

        OSError when the system gives no process. The child never returns from here.
        """
        process.flush_stdio()
        pid = os.fork()
        if pid == 0:
            self._be_child(main)
        self._children[pid] = child
        return pid

    def _be_child(self, main: Callable[[], None]) -> NoReturn:
        try:
            process.default_signals()
            os.setsid()
            for key in list(self._selector.get_map().values()):
                watched: Any = key.fileobj
                if isinstance(watched, int):
                    os.close(watched)
                else:
                    watched.close()
            self._selector.close()
            self._waker.close()
            for leave in self._leaving:
                leave()
            resource.setrlimit(resource.RLIMIT_NOFILE, self._files_of_children)
            main()
        except BaseException:
            traceback.print_exc()
        finally:
            process.flush_stdio()
            os._exit(_CHILD_FAILED)

    def _is_watched(self, key: selectors.SelectorKey) -> bool:
        try:
            return self._selector.get_key(key.fileobj).data is key.data
        except (KeyError, ValueError):
            return False

    def _next_timer(self) -> float | None:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _call_due_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            timer = heapq.heappop(self._timers)[2]
            callback, timer.callback = timer.callback, None
            if callback:
                callback()

    def _collect(self) -> None:
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            pass
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            child = self._children.pop(ended.si_pid, None)
            if child and child.before_reaping:
                child.before_reaping(ended.si_pid)
            _, status, usage = os.wait4(ended.si_pid, 0)
            if child:
                child.on_end(status, usage)


class Channel:
    """Framed messages over a stream socket, never blocking: what the peer does not take yet waits in memory."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        on_message: Callable[[dict[str, Any]], None],
        on_close: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._on_message = on_message
        self._on_close = on_close
        self._reader = framing.FrameReader()
        self._unsent: deque[memoryview] = deque()
        self._is_open = True
        self._awaited = selectors.EVENT_READ
        connection.setblocking(False)
        loop.watch(connection, selectors.EVENT_READ, self._serve)

    def send(self, message: dict[str, Any]) -> None:
        """Send *message*; after the end of the connection it is dropped."""
        self.send_body(framing.to_json(message))

    def send_body(self, body: bytes) -> None:
        """Send a message that is JSON already."""
        if not self._is_open:
            return
        self._unsent.append(memoryview(framing.to_frame(body)))
        self._write()

    def drain(self) -> None:
        """Take in what has arrived by now."""
        while self._is_open and self._read():
            pass

    def finish(self) -> None:
        """Wait until the peer has taken what it was sent, or has gone, then end the connection."""
        if self._is_open:
            self._connection.setblocking(True)
            try:
                while self._unsent:
                    self._connection.sendall(self._unsent.popleft())
            except OSError:
                pass
        self.close()

    def close(self) -> None:
        """End the connection without calling back."""
        if self._is_open:
            self._is_open = False
            self._loop.unwatch(self._connection)
            self._connection.close()

    def _serve(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._write()
        if self._is_open and events & selectors.EVENT_READ:
            self._read()

    def _write(self) -> None:
        while self._unsent:
            try:
                sent = self._connection.send(self._unsent[0])
            except BlockingIOError:
                break
            except OSError as error:
                self._lose(f"send: {error}")
                return
            if sent < len(self._unsent[0]):
                self._unsent[0] = self._unsent[0][sent:]
            else:
                self._unsent.popleft()
        awaited = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if awaited != self._awaited:
            self._awaited = awaited
            self._loop.watch(self._connection, awaited, self._serve)

    def _read(self) -> bool:
        """Take in one piece; return whether there may be more."""
        try:
            data = self._connection.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._lose(f"receive: {error}")
            return False
        if not data:
            self._lose("closed by the peer")
            return False
        try:
            for body in self._reader.feed(data):
                try:
                    self._on_message(framing.decode(body))
                except framing.FrameError as error:
                    self.send({"op": "error", "error": str(error)})
                if not self._is_open:
                    return False
        except framing.FrameError as error:
            self.send({"op": "error", "error": str(error)})
            self._lose(str(error))
        return True

    def _lose(self, why: str) -> None:
        if self._is_open:
            self.close()
            self._on_close(why)
