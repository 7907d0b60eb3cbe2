"""Frames: four bytes of length, big-endian, then that many bytes of UTF-8 JSON holding one object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MAX_FRAME = 256 << 20
_HEADER = 4


class FrameError(Exception):
    """The peer sent something that is no frame, or one that is too large. The stream cannot be followed further."""


def to_json(message: dict[str, Any]) -> bytes:
    """Return *message* as JSON; ValueError when it holds what JSON cannot, NaN for one.

    Text that is not valid Unicode loses the offending characters, not the message.
    """
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def to_frame(body: bytes) -> bytes:
    """Return *body*, which is JSON already, as a frame."""
    if len(body) > MAX_FRAME:
        raise FrameError(f"send a frame: {len(body)} bytes are more than {MAX_FRAME}")
    return len(body).to_bytes(_HEADER, "big") + body


def encode(message: dict[str, Any]) -> bytes:
    """Return *message* as a frame."""
    return to_frame(to_json(message))


def decode(body: bytes) -> dict[str, Any]:
    """Return the object in *body*; FrameError when it holds anything else."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"read a frame: not JSON: {error}") from error
    if not isinstance(message, dict):
        raise FrameError("read a frame: not an object")
    return message


class FrameReader:
    """Cuts a byte stream into frames, whatever the sizes of the reads."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add *data*; yield the body of each frame that is complete now. FrameError when a length is over the limit."""
        self._buffer += data
        while len(self._buffer) >= _HEADER:
            length = int.from_bytes(self._buffer[:_HEADER], "big")
            if length > MAX_FRAME:
                raise FrameError(f"read a frame: {length} bytes are more than {MAX_FRAME}")
            if len(self._buffer) < _HEADER + length:
                return
            body = bytes(self._buffer[_HEADER : _HEADER + length])
            del self._buffer[: _HEADER + length]
            yield body
