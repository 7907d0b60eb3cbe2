"""How log records look: configured once in the parent, put on by each child, which writes to its own standard output.

Configuring takes longer than anything else in the life of a small DAG file's parse.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Any

_QUIET = "airflow.dag_processing"


@dataclass(frozen=True)
class Style:
    """What Airflow's logging set-up amounts to: structlog's configuration and the root logger's handlers."""

    structlog: dict[str, Any]
    handlers: list[logging.Handler]

    def put_on(self) -> None:
        """Use this style in this process from now on."""
        import structlog

        structlog.configure(**self.structlog)
        logging.root.handlers[:] = self.handlers


_styles: dict[str, Style] = {}


def build_styles() -> None:
    """Prepare both styles; the parent keeps the readable one."""
    for name in ("json", "text"):
        _styles[name] = _build(name)


def write_json() -> None:
    """Write records as the official lines of JSON."""
    _styles["json"].put_on()


def write_json_as_configured_now() -> None:
    """Like `write_json`, for a process whose logging options may differ from the parent's."""
    _build("json")


def write_text() -> None:
    """Write records as readable lines."""
    _styles["text"].put_on()


def quieten_the_loader() -> None:
    """Drop the records of the DAG loader: what they say is in its result, errors with their tracebacks."""
    from airflow.sdk._shared.logging.structlog import PER_LOGGER_LEVELS

    PER_LOGGER_LEVELS[_QUIET] = logging.CRITICAL
    logging.getLogger(_QUIET).setLevel(logging.CRITICAL)


def unbind_loggers() -> None:
    """Let loggers that the parent has used take on what a child puts on: structlog binds them at their first use."""
    import gc

    import structlog

    lazy = type(structlog.get_logger())
    for thing in gc.get_objects():
        if type(thing) is lazy:
            vars(thing).pop("bind", None)


def _build(name: str) -> Style:
    import structlog

    from airflow.sdk.log import configure_logging

    # Past its cache, which would take a second set-up with the same arguments for done.
    configure = configure_logging.__wrapped__
    if name == "json":
        configure(json_output=True, output=sys.stdout.buffer)
    else:
        configure(json_output=False, output=sys.stdout, colored_console_log=False)
    return Style(structlog.get_config(), logging.root.handlers[:])
