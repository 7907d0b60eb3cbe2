"""What the parent imports and builds once, so that a task or a parse costs a fork and not an interpreter."""

from __future__ import annotations

import gc
import importlib
import platform
from typing import Any

from etesian_airflow import lane, logs
from etesian_airflow.task import workload_adapter

_MODULES = (
    "airflow.executors.workloads",
    "airflow.executors.base_executor",
    "airflow.callbacks.callback_requests",
    "airflow.dag_processing.bundles.local",
    "airflow.dag_processing.bundles.manager",
    "airflow.dag_processing.dagbag",
    "airflow.dag_processing.processor",
    "airflow.jobs.triggerer_job_runner",
    "airflow.models.dagwarning",
    "airflow.sdk",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.definitions.decorators.condition",
    "airflow.sdk.definitions.decorators.setup_teardown",
    "airflow.sdk.definitions.decorators.task_group",
    "airflow.sdk.execution_time.callback_supervisor",
    "airflow.sdk.execution_time.secrets",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.log",
    "airflow.sdk.serde",
    "airflow.serialization.decoders",
    "airflow.serialization.serialized_objects",
    "airflow.timetables.interval",
    "airflow.timetables.trigger",
    "airflow.triggers.base",
    "airflow.utils.dag_version_inflation_checker",
    "encodings.idna",
    "greenback",
    "jinja2.ext",
    "jinja2.nativetypes",
    "jinja2.sandbox",
    "setproctitle",
)
# Nice to have: a missing one, say because a user runs without the standard provider, is no error.
_OPERATORS = tuple(
    f"airflow.providers.standard.{name}"
    for name in (
        "decorators.bash",
        "decorators.branch_python",
        "decorators.python",
        "decorators.sensor",
        "decorators.short_circuit",
        "operators.bash",
        "operators.branch",
        "operators.empty",
        "operators.latest_only",
        "operators.python",
        "operators.trigger_dagrun",
        "sensors.date_time",
        "sensors.external_task",
        "sensors.filesystem",
        "sensors.python",
        "sensors.time_delta",
        "triggers.temporal",
    )
)


def prepare() -> dict[str, Any]:
    """Import and build everything; return the versions for the `ready` message. Raises what the imports raise."""
    for name in _MODULES:
        importlib.import_module(name)
    for name in _OPERATORS:
        try:
            importlib.import_module(name)
        except ImportError:
            pass
    versions = {
        "airflow": importlib.import_module("airflow").__version__,
        "sdk": importlib.import_module("airflow.sdk").__version__,
        "python": platform.python_version(),
    }
    _build_caches()
    lane.remember()
    logs.build_styles()
    logs.unbind_loggers()
    importlib.import_module("airflow.settings").dispose_orm(do_log=False)
    gc.collect()
    gc.freeze()
    return versions


def _build_caches() -> None:
    """Fill what the SDK builds lazily and keeps: per fork this would be paid again and again."""
    from airflow.dag_processing.importers import get_importer_registry
    from airflow.sdk.api.client import API_SSL_CA_FILE_PATH, API_SSL_CERT_PATH, Client
    from airflow.sdk.execution_time.coordinator import get_coordinator_manager
    from airflow.sdk.execution_time.schema import get_schema_version_migrator
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded
    from airflow.sdk.log import load_remote_log_handler

    Client._get_ssl_context_cached(API_SSL_CA_FILE_PATH, API_SSL_CERT_PATH)
    ensure_secrets_backend_loaded()
    get_coordinator_manager()
    get_schema_version_migrator()
    get_importer_registry()
    load_remote_log_handler()
    workload_adapter()
