"""The child that runs one callback request: what a task or a run whose worker is gone wanted to be called with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from etesian_airflow import framing, logs, process
from etesian_airflow.comms import Comms, enter_client_context
from etesian_airflow.credential import Credential
from etesian_airflow.parse import let_faults_kill


def run(message: dict[str, Any], answer: int, credential: Credential) -> None:
    """Run the request in *message* and write one frame, {"error"}, to *answer*. Runs in a forked child."""
    import structlog

    from airflow.dag_processing.processor import DagFileProcessorProcess

    own = os.getpid()
    comms = Comms(credential, DagFileProcessorProcess._handle_request, _task_instance_of(message["request"]))
    enter_client_context(comms)
    logs.write_json()
    let_faults_kill()
    process.adopt_orphans()
    if message.get("memory_bytes"):
        process.limit_memory(int(message["memory_bytes"]))
    log = FailureKeeper(structlog.get_logger(logger_name="task"))
    error = execute(message, log)
    if os.getpid() != own:
        os._exit(0)
    process.flush_stdio()
    with os.fdopen(answer, "wb", closefd=False) as pipe:
        pipe.write(framing.encode({"error": error}))
    process.kill_tree(own)
    os._exit(0)


def _task_instance_of(request: dict[str, Any]) -> UUID | None:
    """Return the id that lazy values of the callback's context are asked for, such as the previous successful run."""
    context = request.get("context_from_server") or {}
    instance = request.get("ti") or context.get("last_ti") or {}
    return UUID(instance["id"]) if "id" in instance else None


class FailureKeeper:
    """A logger that remembers the first exception it was told of: Airflow's executor of callbacks swallows them."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self.failure: str | None = None

    def exception(self, event: str, *args: Any, **context: Any) -> None:
        """Log the exception being handled and keep its description."""
        caught = sys.exc_info()[1]
        if self.failure is None:
            self.failure = f"{type(caught).__name__}: {caught}"
        self._logger.exception(event, *args, **context)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)


def execute(message: dict[str, Any], log: FailureKeeper) -> str | None:
    """Load the file and run what the request names; return what went wrong, if anything did."""
    from pydantic import TypeAdapter

    from airflow.callbacks.callback_requests import CallbackRequest
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.dag_processing.processor import _execute_callbacks

    try:
        request = TypeAdapter(CallbackRequest).validate_json(json.dumps(message["request"]))
        bag = BundleDagBag(
            dag_folder=message["file"],
            bundle_path=Path(message["bundle_path"]),
            bundle_name=message["bundle"],
            load_op_links=False,
        )
        _execute_callbacks(bag, [request], log)  # type: ignore[arg-type]
    except (Exception, SystemExit):
        log.exception("Callback was not run")
    return log.failure
