"""Tasks that need no Python: which ones the parse finds, and what it tells of them."""

from __future__ import annotations

import unittest
from typing import Any

from support import HostTest

HEAD = """
from datetime import datetime, timedelta
from airflow.sdk import DAG, Asset, Param, task, task_group
from airflow.providers.standard.operators.bash import BashOperator
"""


class LaneTest(HostTest):
    def parse_lanes(self, name: str, source: str, **files: str) -> dict[str, Any]:
        """Return the lanes of the one DAG of a file."""
        for module, text in files.items():
            self.host.write(f"{module}.py", text)
        result = self.host.parse(self.host.write(f"{name}.py", source))
        self.assertEqual(result["errors"], [])
        [dag] = result["dags"]
        return dag.get("etesian", {}).get("lanes", {})

    def lanes_of(self, name: str, tasks: str, before: str = "", dag: str = "", **files: str) -> dict[str, Any]:
        """Return the lanes of operators written one a line: `id: arguments`."""
        lines = [line.strip().partition(": ") for line in tasks.strip().splitlines()]
        operators = "".join(f"    BashOperator(task_id={i!r}, {arguments})\n" for i, _, arguments in lines)
        return self.parse_lanes(name, f"{HEAD}{before}\nwith DAG({name!r}{dag}):\n{operators}", **files)

    def test_a_command_is_told_with_all_that_running_it_needs(self) -> None:
        lanes = self.lanes_of(
            "told",
            """
            plain: bash_command="echo hi"
            full: bash_command="x", env={"B": "{{ ds }}", "A": ""}, append_env=True, cwd="/tmp", skip_on_exit_code=[7, 3]
            none: bash_command="x", env={}, skip_on_exit_code=None, execution_timeout=timedelta(seconds=1.5)
            """,
        )
        plain = {"kind": "bash", "command": "echo hi", "env": None, "append_env": False, "cwd": None}
        self.assertEqual(lanes["plain"], plain | {"skip_on_exit_code": [99]})
        full = {"kind": "bash", "command": "x", "env": {"B": "{{ ds }}", "A": ""}, "append_env": True, "cwd": "/tmp"}
        self.assertEqual(lanes["full"], full | {"skip_on_exit_code": [3, 7]})
        self.assertEqual(lanes["none"], plain | {"command": "x", "env": {}, "skip_on_exit_code": [], "timeout_s": 1.5})

    def test_what_the_scheduler_alone_heeds_does_not_matter(self) -> None:
        lanes = self.lanes_of(
            "heeded",
            """
            retries: bash_command="x", retries=3, retry_delay=timedelta(0), max_retry_delay=9, retry_exponential_backoff=2
            pools: bash_command="x", pool="p", pool_slots=2, priority_weight=3, weight_rule="absolute", owner="ann"
            rules: bash_command="x", trigger_rule="all_done", depends_on_past=True, wait_for_downstream=True
            limits: bash_command="x", max_active_tis_per_dag=1, max_active_tis_per_dagrun=1
            words: bash_command="x", doc_md="words", task_display_name="Words", email_on_failure=False
            """,
        )
        self.assertEqual(sorted(lanes), ["limits", "pools", "retries", "rules", "words"])

    def test_whatever_else_is_set_is_left_to_the_worker(self) -> None:
        lanes = self.lanes_of(
            "set",
            """
            processed: bash_command="x", output_processor=lambda line: line
            encoded: bash_command="x", output_encoding="latin-1"
            silent: bash_command="x", do_xcom_push=False
            many: bash_command="x", multiple_outputs=True
            success: bash_command="x", on_success_callback=print
            failure: bash_command="x", on_failure_callback=print
            retry: bash_command="x", on_retry_callback=print
            skipped: bash_command="x", on_skipped_callback=print
            before: bash_command="x", pre_execute=print
            after: bash_command="x", post_execute=print
            inlets: bash_command="x", inlets=[Asset("a")]
            outlets: bash_command="x", outlets=[Asset("a")]
            user: bash_command="x", run_as_user="nobody"
            config: bash_command="x", executor_config={"a": 1}
            queue: bash_command="x", queue="other"
            mail: bash_command="x", email="ann@example.org"
            label: bash_command="x", map_index_template="{{ 1 }}"
            native: bash_command="x", render_template_as_native_obj=True
            timeout: bash_command="x", execution_timeout=timedelta(0)
            zero: bash_command="x", skip_on_exit_code=[0]
            signal: bash_command="x", skip_on_exit_code=-9
            range: bash_command="x", skip_on_exit_code=range(5)
            relative: bash_command="x", cwd="here"
            numbers: bash_command="x", env={"A": 1}
            names: bash_command="x", env={"A=B": "1"}
            secret: bash_command="x", env={"API_TOKEN": "abcdefgh"}
            params: bash_command="x", params={"own": 1}
            long: bash_command="x" * 5000
            file: bash_command="run.sh"
            env_file: bash_command="x", env={"A": "run.sh"}
            good: bash_command="run.sh "
            """,
        )
        self.assertEqual(list(lanes), ["good"])

    def test_templates_are_told_in_a_form_that_means_the_same_to_everybody(self) -> None:
        lanes = self.lanes_of(
            "templates",
            r"""
            names: bash_command="{{ds}} {{ ds_nodash }} {{ts}} {{ts_nodash}} {{ts_nodash_with_tz}} {{ run_id }}"
            members: bash_command="{{ dag.dag_id }} {{ task.task_id }} {{ ti.try_number }} {{ dag_run.run_id }}"
            moments: bash_command="{{ logical_date | ds }} {{ data_interval_start|ts_nodash }}"
            params: bash_command="{{ params.n }} {{ params['word'] }}"
            spaces: bash_command="a  {{- ds -}}  b {# gone #} c\n"
            lines: bash_command="a\r\nb\n\n"
            raw: bash_command="{% raw %}a{% endraw %} }}"
            """,
            dag=", params={'n': 1, 'word': Param('x', type='string')}",
        )
        commands = {name: lane["command"] for name, lane in lanes.items()}
        self.assertEqual(
            commands,
            {
                "names": "{{ ds }} {{ ds_nodash }} {{ ts }} {{ ts_nodash }} {{ ts_nodash_with_tz }} {{ run_id }}",
                "members": "{{ dag.dag_id }} {{ task.task_id }} {{ ti.try_number }} {{ dag_run.run_id }}",
                "moments": "{{ logical_date | ds }} {{ data_interval_start | ts_nodash }}",
                "params": "{{ params.n }} {{ params.word }}",
                "spaces": "a{{ ds }}b  c",
                "lines": "a\nb\n",
                "raw": "a }}",
            },
        )

    def test_other_templates_are_left_to_the_worker(self) -> None:
        lanes = self.lanes_of(
            "others",
            r"""
            filter: bash_command="{{ ds | upper }}"
            block: bash_command="{% if ds %}x{% endif %}"
            unknown: bash_command="{{ nothing }}"
            undeclared: bash_command="{{ params.none }}"
            method: bash_command="{{ params.items }}"
            nested: bash_command="{{ params.deep.x }}"
            deep: bash_command="{{ params.deep }}"
            conf: bash_command="{{ dag_run.conf }}"
            pull: bash_command="{{ ti.xcom_pull(task_ids='a') }}"
            variable: bash_command="{{ var.value.x }}"
            sum: bash_command="{{ 1 + 1 }}"
            broken: bash_command="echo ${#list[@]}"
            braces: bash_command="{% raw %}{{ x }}{% endraw %}"
            meeting: bash_command="{{# #}{{ ds }}"
            value: bash_command="x", env={"A": "{{ ds | upper }}"}
            folder: bash_command="x", cwd="/{{ nothing }}"
            """,
            dag=", params={'deep': {'x': 1}, 'items': 1}",
        )
        self.assertEqual(lanes, {})

    def test_a_dag_that_renders_in_its_own_way_has_no_lanes(self) -> None:
        for number, option in enumerate(
            (
                "user_defined_macros={'a': 1}",
                "user_defined_filters={'ds': str}",
                "template_searchpath='/tmp'",
                "render_template_as_native_obj=True",
                "jinja_environment_kwargs={'trim_blocks': True}",
                "template_undefined=__import__('jinja2').Undefined",
                "params={'must': Param(type='string')}",
            )
        ):
            with self.subTest(option):
                self.assertEqual(self.lanes_of(f"own_way_{number}", 'a: bash_command="x"', dag=f", {option}"), {})

    def test_only_the_operator_itself_counts(self) -> None:
        lanes = self.parse_lanes(
            "classes",
            HEAD
            + """
class Mine(BashOperator):
    pass

@task.bash
def decorated():
    return "x"

@task_group
def grouped(n):
    BashOperator(task_id="member", bash_command="x")

with DAG("classes"):
    Mine(task_id="mine", bash_command="x")
    decorated()
    BashOperator.partial(task_id="mapped").expand(bash_command=["x", "y"])
    grouped.expand(n=[1, 2])
    source = BashOperator(task_id="mapped_over", bash_command="x")
    BashOperator.partial(task_id="over").expand(bash_command=source.output)
    BashOperator(task_id="taking", bash_command=source.output)
    changed = BashOperator(task_id="changed", bash_command="x")
    changed.execute = print
    BashOperator(task_id="plain", bash_command="x")
""",
        )
        self.assertEqual(list(lanes), ["plain"])

    def test_an_import_that_changes_what_commands_see_leaves_no_lanes(self) -> None:
        for number, effect in enumerate(
            (
                "import os; os.environ['A'] = '1'",
                "import os; os.umask(0o027)",
                "import os; os.nice(1)",
                "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
                "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
                "from airflow.sdk.log import mask_secret; mask_secret('correct horse')",
                "from airflow.providers.standard.hooks.subprocess import SubprocessHook as H; H.run_command = print",
                "from airflow.providers.standard.operators.bash import BashOperator as O; O.get_env = print",
            )
        ):
            name = f"_effect_{number}"
            with self.subTest(effect):
                lanes = self.lanes_of(f"changes_{number}", 'a: bash_command="x"', before=f"import {name}", **{name: effect})
                self.assertEqual(lanes, {})
        harmless = "import os; HOME = os.environ['HOME']"
        lanes = self.lanes_of("unchanged", 'a: bash_command="x"', before="import _effect_none", _effect_none=harmless)
        self.assertEqual(list(lanes), ["a"])

    def test_a_file_that_may_be_another_one_in_the_worker_has_no_lanes(self) -> None:
        for number, before in enumerate(
            (
                "x = datetime.now()",
                "import time; x = time.time()",
                "import random; x = random.random()",
                "import os; x = os.environ.get('HOME')",
                "from os import getenv; x = getenv('HOME')",
                "import os; x = os.listdir('/')",
                "import pathlib; x = pathlib.Path('/etc/hosts').exists()",
                "x = open('/etc/hosts').readline()",
                "import yaml; x = yaml.safe_load('a: 1')",
                "from airflow.sdk import Variable; x = Variable.get('from_environment')",
                "import airflow.sdk as s; x = s.Variable.get('from_environment')",
                "from airflow.sdk.definitions.context import Context\ndef f(): return datetime.now()\nx = f()",
                "def f(): return datetime.now()\nx = (lambda g: g())(f)",
                "class C:\n    def __init__(self): self.at = datetime.now()\nx = C()",
                "x = getattr(datetime, 'n' + 'ow')()",
                "def f(): return datetime.now()\nx = globals()['f']()",
                "import _unsteady_helper; x = _unsteady_helper.f()",
                "from _unsteady_helper import f; x = f()",
            )
        ):
            helper = "from datetime import datetime\ndef f():\n    return datetime.now()\n"
            with self.subTest(before):
                lanes = self.lanes_of(f"other_{number}", 'a: bash_command="x"', before=before, _unsteady_helper=helper)
                self.assertEqual(lanes, {})

    def test_what_only_the_worker_runs_may_do_anything(self) -> None:
        lanes = self.parse_lanes(
            "worker_only",
            HEAD
            + """
import os
import time
from pathlib import Path
import yaml
from airflow.providers.standard.operators.python import PythonOperator
import _steady_helper
from _steady_helper import command as command_of

HERE = os.path.join(os.path.dirname(__file__), "sql")
QUERY = Path(HERE) / "a.sql"

def call():
    return deeper()

def deeper():
    return yaml.safe_load(open("/etc/hosts")), datetime.now()

@task(retries=2)
def decorated():
    import random
    return time.time() + random.random()

with DAG("worker_only", start_date=datetime(2024, 1, 1), default_args={"retries": 1}) as dag:
    for n in range(3):
        BashOperator(task_id=f"t{n}", bash_command=command_of(n) + _steady_helper.TAIL)
    PythonOperator(task_id="call", python_callable=call, on_failure_callback=deeper)
    decorated()
globals()["again"] = dag
""",
            _steady_helper="TAIL = ' x'\ndef command(n):\n    return f'echo {n}'\n",
        )
        commands = {name: lane["command"] for name, lane in lanes.items()}
        self.assertEqual(commands, {"t0": "echo 0 x", "t1": "echo 1 x", "t2": "echo 2 x"})


class ListenerTest(HostTest):
    @classmethod
    def prepare(cls) -> None:
        plugins = cls.folder / "airflow" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "listening.py").write_text(
            """
from airflow.plugins_manager import AirflowPlugin
from airflow.listeners import hookimpl
import sys

@hookimpl
def on_task_instance_success(previous_state, task_instance):
    pass

class Plugin(AirflowPlugin):
    name = "listening"
    listeners = [sys.modules[__name__]]
"""
        )

    def test_where_somebody_listens_all_tasks_are_run_by_workers(self) -> None:
        source = HEAD + 'with DAG("listened"):\n    BashOperator(task_id="a", bash_command="x")\n'
        [dag] = self.host.parse(self.host.write("listened.py", source))["dags"]
        self.assertNotIn("etesian", dag)


if __name__ == "__main__":
    unittest.main()
