"""The parent's side of tasks: the socket that stubs connect to, and a fork for each request."""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections.abc import Callable
from typing import Any

from etesian_airflow import framing, process, task
from etesian_airflow.credential import Credential
from etesian_airflow.loop import Child, Loop, complain

_BACKLOG = 1024
_REQUEST_TIMEOUT_S = 10.0
_READ = 1 << 16
_DESCRIPTORS = 2
# More than fit, so that one too many is seen as such.
_MAX_DESCRIPTORS = 8


class TaskSocket:
    """Accepts stubs and turns each request into a supervisor process."""

    def __init__(self, loop: Loop, path: str, credential: Credential, on_idle: Callable[[], None]) -> None:
        self._loop = loop
        self._path = path
        self._credential = credential
        self._on_idle = on_idle
        self._requests: set[_Request] = set()
        self._running = 0
        self._listener: socket.socket | None = _listen(path)
        self._inode = os.stat(path).st_ino
        # Given up for a moment when descriptors run out, so that a connection can be refused and not left waiting.
        self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        loop.watch(self._listener, selectors.EVENT_READ, lambda _events: self._accept())
        loop.on_leaving(self._close_copies)

    @property
    def running(self) -> int:
        """The number of supervisors that live."""
        return self._running

    @property
    def is_idle(self) -> bool:
        """Whether no task runs and no request is coming in."""
        return not self._running and not self._requests

    def retire(self) -> None:
        """Take no more tasks, after those that wait to be accepted."""
        if self._listener is None:
            return
        self._accept()
        self._loop.unwatch(self._listener)
        self._listener.close()
        self._listener = None
        try:
            # Another host may have put its own socket there.
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        except OSError:
            pass

    def _accept(self) -> None:
        while self._listener is not None:
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE):
                    complain(f"accept a task: {error}")
                    return
                if not self._drop_one(self._listener):
                    return
                continue
            self._requests.add(_Request(self._loop, connection, self))

    def _drop_one(self, listener: socket.socket) -> bool:
        """End a connection that there is no descriptor for; return False when none waits."""
        os.close(self._reserve)
        try:
            listener.accept()[0].close()
        except OSError:
            return False
        finally:
            self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        return True

    def _close_copies(self) -> None:
        os.close(self._reserve)
        for request in self._requests:
            request.close_copies()

    def forget(self, request: _Request) -> None:
        """Let go of *request*: a child forked from now on keeps its copies of it."""
        self._requests.discard(request)

    def done(self, request: _Request) -> None:
        """Take note that *request* has ended, however it did."""
        self._requests.discard(request)
        self._on_idle()

    def fork(self, message: dict[str, Any], request: _Request) -> None:
        """Start the supervisor of *message*. OSError when there is no process for it."""

        def be_supervisor() -> None:
            self._credential.close()
            process.use_stdio(*request.descriptors)
            task.run(message, request.connection, request.reader)

        self._loop.fork(be_supervisor, Child(lambda _status, _usage: self._end()))
        self._running += 1

    def _end(self) -> None:
        self._running -= 1
        self._on_idle()


class _Request:
    """A connection until its request is complete."""

    def __init__(self, loop: Loop, connection: socket.socket, owner: TaskSocket) -> None:
        self.connection = connection
        self.reader = framing.FrameReader()
        self.descriptors: list[int] = []
        self._loop = loop
        self._owner = owner
        self._timer = loop.after(_REQUEST_TIMEOUT_S, lambda: self._refuse("no request came within 10 s"))
        connection.setblocking(False)
        loop.watch(connection, selectors.EVENT_READ, lambda _events: self._read())

    def close_copies(self) -> None:
        """Close, in a child forked for something else, what that child inherited of this request."""
        for descriptor in self.descriptors:
            os.close(descriptor)

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self.connection, _READ, _MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, descriptors = b"", []
        self.descriptors += descriptors
        if not data:
            self._close()
            return
        try:
            for body in self.reader.feed(data):
                self._start(framing.decode(body))
                # What follows is for the supervisor.
                return
        except framing.FrameError as error:
            self._refuse(str(error))

    def _start(self, message: dict[str, Any]) -> None:
        if message.get("op") != "run":
            self._refuse(f"unknown op {message.get('op')!r}: want 'run'")
        elif not isinstance(message.get("workload"), dict) or not isinstance(message.get("server"), str):
            self._refuse("a run needs 'workload' and 'server'")
        elif len(self.descriptors) != _DESCRIPTORS:
            self._refuse(f"a run needs {_DESCRIPTORS} descriptors, {len(self.descriptors)} came")
        else:
            # The child keeps what is not watched and not among the requests: this one's connection and descriptors.
            self._loop.unwatch(self.connection)
            self._owner.forget(self)
            try:
                self._owner.fork(message, self)
            except OSError as error:
                self._refuse(f"fork: {error}")
                return
            self._close()

    def _refuse(self, why: str) -> None:
        try:
            self.connection.send(framing.encode({"op": "refused", "error": why}))
        except OSError:
            pass
        self._close()

    def _close(self) -> None:
        self._timer.cancel()
        self._loop.unwatch(self.connection)
        self.connection.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []
        self._owner.done(self)


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path + ".tmp"
    try:
        os.unlink(temporary)
    except FileNotFoundError:
        pass
    mask = os.umask(0o177)
    try:
        listener.bind(temporary)
    finally:
        os.umask(mask)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    os.rename(temporary, path)
    return listener
