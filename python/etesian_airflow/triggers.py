"""The parent's side of triggers: keeps what runs, and gives it to a new process when the old one dies."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from etesian_airflow import process, trigger
from etesian_airflow.credential import Credential
from etesian_airflow.loop import Channel, Child, Loop, complain

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
# A process that lived this long did not die of what it was started with.
_STABLE_S = 60.0


class Triggers:
    """All triggers of this host, in one process that is started for the first of them."""

    def __init__(
        self, loop: Loop, credential: Credential, send: Callable[[dict[str, Any]], None], on_idle: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._credential = credential
        self._send = send
        self._on_idle = on_idle
        self._live: dict[str, dict[str, Any]] = {}
        self._channel: Channel | None = None
        self._pid = 0
        self._started = 0.0
        self._pause_s = 0.0

    def __len__(self) -> int:
        return len(self._live)

    def start(self, message: dict[str, Any]) -> None:
        """Run the trigger of *message*. One that runs already under this id goes on."""
        if message["id"] in self._live:
            return
        self._live[message["id"]] = message
        if self._channel:
            self._channel.send(message)
        elif not self._pid and not self._pause_s:
            self._start_process()

    def cancel(self, message: dict[str, Any]) -> None:
        """End a trigger because a user wants it; `on_kill` is called."""
        if self._live.pop(message["id"], None) is not None and self._channel:
            self._channel.send(message)
        self._on_idle()

    def confirm(self, message: dict[str, Any]) -> None:
        """Tell the process that an event which asked for it has been made durable."""
        if self._channel:
            self._channel.send(message)

    def stop(self) -> None:
        """Kill the process; the triggers are the server's to start again elsewhere."""
        self._live.clear()
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)

    def _start_process(self) -> None:
        self._pause_s = self._pause_s or _FIRST_PAUSE_S
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            complain(f"start the trigger process: {error}")
            self._start_again_later()
            return
        parent = os.getpid()

        def be_trigger_process() -> None:
            process.die_with_parent(parent)
            ours.close()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.close(null)
            trigger.run(theirs, self._credential)

        try:
            self._pid = self._loop.fork(be_trigger_process, Child(self._end, process.kill_group))
        except OSError as error:
            complain(f"start the trigger process: {error}")
            ours.close()
            self._start_again_later()
            return
        finally:
            theirs.close()
        self._started = time.monotonic()
        self._channel = Channel(self._loop, ours, self._relay, lambda _why: self._lose())
        for message in self._live.values():
            self._channel.send(message)

    def _relay(self, message: dict[str, Any]) -> None:
        if message.get("op") == "fired":
            # One that was cancelled meanwhile has nothing to say any more.
            if message["id"] not in self._live:
                return
            if not message.get("continues"):
                del self._live[message["id"]]
        self._send(message)
        self._on_idle()

    def _lose(self) -> None:
        self._channel = None
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)

    def _end(self, status: int, _usage: resource.struct_rusage) -> None:
        self._pid = 0
        if self._channel:
            self._channel.drain()
            self._channel.close()
            self._channel = None
        complain(f"the trigger process ended: {process.describe_end(status) or 'exit code 0'}")
        if time.monotonic() - self._started > _STABLE_S:
            self._pause_s = _FIRST_PAUSE_S
        self._start_again_later()

    def _start_again_later(self) -> None:
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, _LONGEST_PAUSE_S)
        self._loop.after(pause, self._start_again)

    def _start_again(self) -> None:
        if self._live:
            self._start_process()
        else:
            self._pause_s = 0.0
