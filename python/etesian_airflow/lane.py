"""Tasks that need no Python: what the agent must know to run them itself, to the same end (docs/airflow.md#native-lane).

Nothing here is a guess about what a task probably does: a task has a lane when everything that a worker would look at
is as it is in a BashOperator that was given nothing unusual. All others are run by the worker.
"""

from __future__ import annotations

import functools
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etesian_airflow.steady import Reader

if TYPE_CHECKING:
    import jinja2

# What the scheduler or a reader looks at, and a worker does not (at the two about mail only where there is an address).
# The rest must be as in an operator without arguments.
_FOR_OTHERS = frozenset(
    "_BaseOperator__init_kwargs _dag _is_setup _is_teardown _needs_expansion _on_failure_fail_dagrun _task_display_name"
    " depends_on_past doc doc_json doc_md doc_rst doc_yaml downstream_task_ids email_on_failure email_on_retry end_date"
    " ignore_first_depends_on_past is_setup is_teardown max_active_tis_per_dag max_active_tis_per_dagrun max_retry_delay"
    " on_failure_fail_dagrun owner pool pool_slots priority_weight retries retry_delay retry_exponential_backoff"
    " start_date task_group task_id trigger_rule upstream_task_ids wait_for_downstream"
    " wait_for_past_depends_before_skipping weight_rule".split()
)
_READ_HERE = frozenset(
    "append_env bash_command cwd env execution_timeout output_processor params skip_on_exit_code".split()
)
_DAG_DEFAULTS = {
    "jinja_environment_kwargs": None,
    "render_template_as_native_obj": False,
    "template_searchpath": None,
    "user_defined_filters": None,
    "user_defined_macros": None,
}
# Options that give a worker more, or other things, to do.
_OPTIONS = {
    ("core", "dag_run_conf_overrides_params"): "True",
    ("core", "default_impersonation"): "",
    ("core", "multi_team"): "False",
    ("core", "xcom_backend"): "airflow.sdk.execution_time.xcom.BaseXCom",
    ("logging", "logging_config_class"): "",
    ("logging", "remote_logging"): "False",
    ("metrics", "otel_on"): "False",
    ("metrics", "statsd_on"): "False",
    ("sentry", "sentry_on"): "False",
    ("state_store", "clear_on_success"): "False",
    ("traces", "otel_on"): "False",
}
# Names and filters that the engine's own templates render as a worker does (docs/templates.md).
_NAMES = frozenset("ds ds_nodash run_id ts ts_nodash ts_nodash_with_tz".split())
_MEMBERS = frozenset(
    "dag.dag_id dag_run.dag_id dag_run.run_id task.task_id ti.dag_id ti.run_id ti.task_id ti.try_number".split()
)
_MOMENTS = frozenset("data_interval_end data_interval_start logical_date".split())
_MOMENT_FILTERS = frozenset("ds ds_nodash ts ts_nodash ts_nodash_with_tz".split())
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEMPLATE_MARKS = ("{{", "{%", "{#")

_SCALARS = (str, bool, int, float, type(None))


class NoLaneError(Exception):
    """Only the worker can run it."""


def _require(condition: object) -> None:
    if not condition:
        raise NoLaneError


class Lanes:
    """Made before a DAG file is loaded; says afterwards what its tasks need."""

    def __init__(self, file: str, bundle_path: str) -> None:
        self._file = file
        self._bundle_path = bundle_path
        self._before = _process_state()
        self._is_open: bool | None = None

    def of(self, dag: Any) -> dict[str, dict[str, Any]]:
        """Return the lanes of the tasks of *dag* by task id; those that the worker must run are not there."""
        try:
            return self._lanes_of(dag)
        except Exception:
            # What a DAG is made of may do anything when it is looked at, and the worker can run all of it.
            return {}

    def _lanes_of(self, dag: Any) -> dict[str, dict[str, Any]]:
        from airflow.providers.standard.operators.bash import BashOperator

        # No subclass: it may do anything.
        candidates = [task for task in dag.tasks if type(task) is BashOperator]
        if not candidates or not self._is_file_open() or not _is_plain_dag(dag):
            return {}
        lanes = {}
        for task in candidates:
            try:
                lanes[task.task_id] = _lane_of(task, dag)
            except NoLaneError:
                continue
        return lanes

    def _is_file_open(self) -> bool:
        """Whether anything but the tasks themselves stands against lanes in this file."""
        if self._is_open is None:
            self._is_open = (
                self._before == _process_state()
                and _is_plain_installation()
                and not _changed_classes()
                and self._is_steady()
            )
        return self._is_open

    def _is_steady(self) -> bool:
        try:
            source = Path(self._file).read_bytes()
        except OSError:
            # An archive, for example.
            return False
        return Reader(self._bundle_path).is_steady_file(source)


def _process_state() -> list[Any]:
    """Return what a command inherits, and what is masked in logs."""
    from airflow.sdk._shared.secrets_masker import _secrets_masker

    mask = os.umask(0o077)
    os.umask(mask)
    limits = [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")]
    ignored = [number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN]
    place = [os.getcwd(), os.nice(0), os.sched_getaffinity(0)]
    return [dict(os.environ), mask, limits, ignored, place, set(_secrets_masker().patterns)]


def _is_plain_installation() -> bool:
    """Whether a worker would do nothing but run the operator: no listeners, policies, backends of others."""
    from airflow import settings
    from airflow.policies import DefaultPolicy
    from airflow.sdk.configuration import conf
    from airflow.sdk.listener import get_listener_manager

    if get_listener_manager().has_listeners or "airflow_local_settings" in sys.modules:
        return False
    if settings.get_policy_plugin_manager().get_plugins() != {DefaultPolicy}:
        return False
    return all(
        str(conf.get(section, option, fallback="") or "").lower() == plain.lower()
        for (section, option), plain in _OPTIONS.items()
    )


def _classes() -> dict[str, Any]:
    from airflow.providers.standard.hooks import subprocess as hook
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk.bases.operator import BaseOperator
    from airflow.sdk.definitions._internal.abstractoperator import AbstractOperator

    return {
        f"{holder.__name__}.{name}": member
        for holder in (hook, hook.SubprocessHook, BashOperator, BaseOperator, AbstractOperator)
        for name, member in vars(holder).items()
        # Filled when it is first asked for.
        if name not in ("_BaseOperator__serialized_fields", "__warningregistry__")
    }


_classes_at_first: dict[str, Any] = {}
_fields_at_first: dict[str, Any] = {}


def remember() -> None:
    """Take note, in the parent, of the operator as it was before any user's code."""
    try:
        from airflow.providers.standard.operators.bash import BashOperator
    except ImportError:
        # No standard provider, no operators of it.
        return
    from airflow.sdk import DAG

    _classes_at_first.update(_classes())
    operator = BashOperator(task_id="reference", bash_command="true", dag=DAG("reference", schedule=None))
    _fields_at_first.update(vars(operator))


def _changed_classes() -> bool:
    return any(_classes_at_first.get(name) is not member for name, member in _classes().items())


def _is_plain_dag(dag: Any) -> bool:
    import jinja2

    from airflow.sdk import DAG
    from airflow.sdk.definitions.param import Param
    from airflow.sdk.exceptions import ParamValidationError

    if type(dag) is not DAG or dag.template_undefined is not jinja2.StrictUndefined:
        return False
    if any(getattr(dag, name) not in (plain, {}, []) for name, plain in _DAG_DEFAULTS.items()):
        return False
    if any(type(dag.params.get_param(name)) is not Param for name in dag.params):
        return False
    try:
        # Each worker does that again: without a value for one of them no task runs.
        dag.params.__deepcopy__(None).validate()
    except (ParamValidationError, TypeError):
        return False
    return True


def _lane_of(task: Any, dag: Any) -> dict[str, Any]:
    fields, plain = vars(task), _fields_at_first
    for name in fields.keys() | plain.keys():
        if name not in _FOR_OTHERS and name not in _READ_HERE:
            _require(name in fields and name in plain and fields[name] == plain[name])
    _require(task.output_processor is plain["output_processor"])
    _require(not tuple(task.operator_extra_links) and task.get_closest_mapped_task_group() is None)
    _require(next(task.iter_mapped_dependants(), None) is None)
    # Those of the DAG come along.
    _require(all(task.params.get_param(name).source == "dag" for name in task.params))
    environment = _environment_of(task)
    texts = _Texts(dag)
    lane: dict[str, Any] = {
        "kind": "bash",
        "command": texts.normalise(task.bash_command),
        "env": environment and {name: texts.normalise(value) for name, value in environment.items()},
        "append_env": task.append_env,
        "cwd": None,
        "skip_on_exit_code": _skip_codes_of(task),
    }
    if task.cwd is not None:
        # Another one is taken from where the worker is.
        _require(type(task.cwd) is str and task.cwd.startswith("/"))
        lane["cwd"] = texts.normalise(task.cwd)
    if task.execution_timeout is not None:
        _require(type(task.execution_timeout) is timedelta and task.execution_timeout > timedelta(0))
        lane["timeout_s"] = task.execution_timeout.total_seconds()
    _require(_is_shown_as_it_is(task))
    return lane


def _environment_of(task: Any) -> dict[str, str] | None:
    _require(type(task.append_env) is bool and type(task.env) in (dict, type(None)))
    for name, value in (task.env or {}).items():
        _require(type(name) is str and type(value) is str)
        _require(name and "=" not in name and name.isprintable() and name.isascii())
    return task.env


def _skip_codes_of(task: Any) -> list[int]:
    _require(type(task.skip_on_exit_code) in (list, tuple, set, frozenset))
    codes = list(task.skip_on_exit_code)
    # 0 would skip what has succeeded; a negative one stands for a signal.
    _require(all(type(code) is int and 0 < code < 256 for code in codes))
    return sorted(codes)


def _is_shown_as_it_is(task: Any) -> bool:
    """Whether the rendered fields are neither cut nor masked before they are sent."""
    from airflow.sdk._shared.secrets_masker import redact
    from airflow.sdk.configuration import conf

    longest = conf.getint("core", "max_templated_field_length")
    for name in type(task).template_fields:
        value = getattr(task, name)
        if len(str(value)) > longest or redact(value, name) != value:
            return False
    return True


class _Texts:
    """Templates of one DAG, brought to a form in which nothing is left to a template language's finer points."""

    def __init__(self, dag: Any) -> None:
        self._dag = dag
        self._params = {
            name
            for name in dag.params
            if _IDENTIFIER.fullmatch(name)
            and not hasattr(dict, name)
            and isinstance(dag.params.get_param(name).value, _SCALARS)
        }

    @functools.cached_property
    def _environment(self) -> jinja2.Environment:
        return self._dag.get_template_env()

    def normalise(self, text: Any) -> str:
        """Return plain text with `{{ expression }}` in it, where *text* is no more than that to Jinja."""
        from airflow.providers.standard.operators.bash import BashOperator

        _require(type(text) is str and "\0" not in text and not text.endswith(tuple(BashOperator.template_ext)))
        try:
            text.encode()
        except UnicodeEncodeError:
            raise NoLaneError from None
        if "{" not in text:
            # As Jinja does it: line ends are "\n", and one at the very end is dropped.
            return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
        pieces = list(self._pieces(text))
        normal = "".join(pieces)
        # Pieces that mean something else side by side are not what they were.
        _require(list(self._pieces(normal)) == pieces)
        return normal

    def _pieces(self, text: str) -> Iterator[str]:
        from jinja2 import TemplateError, nodes

        try:
            tree = self._environment.parse(text)
        except TemplateError:
            raise NoLaneError from None
        literal = ""
        for output in tree.body:
            _require(type(output) is nodes.Output)
            for node in output.nodes:
                if type(node) is nodes.TemplateData:
                    literal += node.data
                    continue
                if literal:
                    yield self._plain(literal)
                literal = ""
                yield "{{ " + self._expression(node) + " }}"
        if literal:
            yield self._plain(literal)

    @staticmethod
    def _plain(text: str) -> str:
        _require(not any(mark in text for mark in _TEMPLATE_MARKS))
        return text

    def _expression(self, node: Any) -> str:
        from jinja2 import nodes

        if type(node) is nodes.Name:
            _require(node.name in _NAMES)
            return node.name
        if type(node) is nodes.Filter:
            _require(type(node.node) is nodes.Name and node.node.name in _MOMENTS and node.name in _MOMENT_FILTERS)
            _require(not (node.args or node.kwargs or node.dyn_args or node.dyn_kwargs))
            return f"{node.node.name} | {node.name}"
        _require(type(node) in (nodes.Getattr, nodes.Getitem) and type(node.node) is nodes.Name)
        if type(node) is nodes.Getattr:
            holder, member = node.node.name, node.attr
        else:
            _require(type(node.arg) is nodes.Const)
            holder, member = node.node.name, node.arg.value
        if holder == "params":
            _require(member in self._params)
        else:
            _require(type(node) is nodes.Getattr and f"{holder}.{member}" in _MEMBERS)
        return f"{holder}.{member}"
