"""What triggers print and log, as lines of JSON that say which trigger wrote them."""

from __future__ import annotations

import contextvars
import io
import json
import sys
import threading
from collections.abc import Callable
from datetime import datetime, UTC
from typing import Any

# Of which trigger the running code is a part; threads that it starts through asyncio inherit it.
current_trigger: contextvars.ContextVar[str | None] = contextvars.ContextVar("current_trigger", default=None)


def log_to(send: Callable[[dict[str, Any]], None]) -> None:
    """Send log records and what is printed in this process as `trigger_log` messages."""
    from airflow.sdk.log import configure_logging

    configure_logging(json_output=True, output=Lines(send))  # type: ignore[arg-type]
    sys.stdout = _text(Lines(send, _as_record("trigger.stdout", "info")))
    sys.stderr = _text(Lines(send, _as_record("trigger.stderr", "error")))


class Lines(io.RawIOBase):
    """A binary stream whose complete lines are sent, each through *convert*. Any thread may write."""

    def __init__(self, send: Callable[[dict[str, Any]], None], convert: Callable[[str], str] = str) -> None:
        super().__init__()
        self._send = send
        self._convert = convert
        self._rests: dict[str | None, bytes] = {}
        self._lock = threading.Lock()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Send the lines that *data* completes; keep the rest for the next write of the same trigger."""
        trigger = current_trigger.get()
        with self._lock:
            *lines, rest = (self._rests.pop(trigger, b"") + bytes(data)).split(b"\n")
            if rest:
                self._rests[trigger] = rest
        if lines:
            texts = [self._convert(line.decode("utf-8", "replace")) for line in lines]
            self._send({"op": "trigger_log", "id": trigger, "lines": texts})
        return len(data)


def _text(stream: Lines) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, "utf-8", "replace", write_through=True)  # type: ignore[arg-type]


def _as_record(logger: str, level: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return json.dumps({"timestamp": now, "level": level, "event": text, "logger": logger})

    return convert
