"""The Execution API for user code outside of tasks: what the SDK reads from its supervisor is asked over HTTP here.

`airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS` is the one door through which Variable.get, Connection.get and
the lazy values of a context leave user code. The messages and how each is served stay the SDK's own: the official
processor's and triggerer's handlers run unchanged, on this object instead of on theirs.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import structlog

from etesian_airflow.credential import Credential

# Called with an object of this module, the message, a logger and a request's number.
Handler = Callable[..., None]

_log = structlog.get_logger(logger_name="comms")


class Comms:
    """A SUPERVISOR_COMMS that answers with the host's own credential.

    *handler* is the `_handle_request` function of an official supervisor class. *identity* is the id that requests
    about "this task instance" are asked for. One request at a time; any thread may call.
    """

    def __init__(self, credential: Credential, handler: Handler, identity: UUID | None = None) -> None:
        self.id = identity or uuid4()
        self._credential = credential
        self._handler = handler
        self._client: Any = None
        self._answer: Any = None
        self._lock = threading.Lock()
        self._loop_thread: int | None = None

    @property
    def client(self) -> Any:
        """The SDK's HTTP client, made when it is first needed: most DAG files never need it."""
        if self._client is None:
            import httpx

            from airflow.executors.base_executor import get_execution_api_server_url
            from airflow.sdk.api.client import Client

            limits = httpx.Limits(max_keepalive_connections=1, max_connections=10)
            self._client = Client(base_url=get_execution_api_server_url(), limits=limits, token=self._credential.read())
        return self._client

    def send(self, msg: Any) -> Any:
        """Ask and wait for the answer. An error of the server raises AirflowRuntimeError, as the SDK's own comms do."""
        if self._loop_thread == threading.get_ident():
            import greenback

            if not greenback.has_portal():
                raise RuntimeError("a synchronous SDK call in a coroutine that has no portal: use the asynchronous one")
            return greenback.await_(self.asend(msg))
        return self._ask(msg)

    async def asend(self, msg: Any) -> Any:
        """Ask without blocking the event loop."""
        return await asyncio.to_thread(self._ask, msg)

    def use_loop_of_this_thread(self) -> None:
        """Tell that this thread runs an event loop: `send` called on it must let the other coroutines go on."""
        self._loop_thread = threading.get_ident()

    def send_msg(self, msg: Any, request_id: int, error: Any = None, **_dump_options: Any) -> None:
        """Take the answer from the official handler."""
        self._answer = (msg, error)

    def _ask(self, msg: Any) -> Any:
        from airflow.sdk.api.client import ServerResponseError
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse, MaskSecret

        if isinstance(msg, MaskSecret):
            # The sender has masked it for this process already; there is no other one to tell.
            return None
        with self._lock:
            self._answer = (None, None)
            try:
                self._handler(self, msg, _log, 0)
            except ServerResponseError as failure:
                detail = {"status_code": failure.response.status_code, "message": str(failure)}
                raise AirflowRuntimeError(
                    error=ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail)
                ) from failure
            answer, error = self._answer
        if error is not None:
            raise AirflowRuntimeError(error=error)
        return answer


def enter_client_context(comms: Comms) -> None:
    """Make this process one that runs user code: no metadata database, secrets through *comms*."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.supervisor import block_orm_access

    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
    block_orm_access()
    task_runner.SUPERVISOR_COMMS = comms  # type: ignore[assignment]
