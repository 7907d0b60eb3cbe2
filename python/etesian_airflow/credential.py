"""The host's own bearer token for the Execution API.

Parsing, callbacks and triggers read Variables and Connections with it. Tasks have tokens of their own and must not find
this one: it is kept in an anonymous file that a task's fork closes, never in the memory that a task inherits.
"""

from __future__ import annotations

import ctypes
import os

ENVIRONMENT_VARIABLE = "ETESIAN_AIRFLOW_HOST_TOKEN"


class Credential:
    """A secret behind a descriptor. `read` gives it, `close` makes it unreachable for this process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take_from_environment(cls) -> Credential:
        """Move the token out of the environment, also out of what /proc shows of it."""
        descriptor = os.memfd_create("etesian-credential", os.MFD_CLOEXEC)
        libc = ctypes.CDLL(None)
        libc.getenv.restype = ctypes.c_void_p
        address = libc.getenv(ENVIRONMENT_VARIABLE.encode())
        if address:
            length = len(ctypes.string_at(address))
            os.write(descriptor, ctypes.string_at(address))
            ctypes.memset(address, 0, length)
            os.environ.pop(ENVIRONMENT_VARIABLE, None)
        return cls(descriptor)

    def read(self) -> str:
        """Return the token, empty when there is none."""
        return os.pread(self._descriptor, 1 << 16, 0).decode()

    def close(self) -> None:
        """Forget the token in this process."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
