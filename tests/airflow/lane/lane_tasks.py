"""Bash tasks of every kind that the native lane takes, and some that it must not take; see airflow_lane_test.py."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, Param, chain, task

NOW = {"retry_delay": timedelta(0)}
# Which of its variables a command of these DAGs shows: not those that name a place or a try.
SHOWN = "env | grep -v -e '^ETESIAN_TRY_ID=' -e '^ETESIAN_OUTPUT=' -e '^_=' -e '^PWD=' | sort"


def sh(task_id, command, **kwargs):
    return BashOperator(task_id=task_id, bash_command=command, **kwargs)


with DAG("lane_endings", schedule=None, start_date=datetime(2024, 1, 1)):
    sh("zero", "true")
    sh("one", "false")
    sh("seven", "echo seven; exit 7")
    sh("skips", "echo skipped; exit 99")
    sh("skips_own", "exit 3", skip_on_exit_code=[3, 4])
    sh("skips_no_more", "exit 99", skip_on_exit_code=3)
    sh("skips_never", "exit 99", skip_on_exit_code=None)
    sh("skips_set", "exit 200", skip_on_exit_code={200, 201})
    sh("killed", "kill -9 $$")
    sh("killed_child", "sh -c 'kill -TERM $$'; echo code $?")
    sh("killed_as_code", "exec sh -c 'kill -9 $$'", skip_on_exit_code=137)
    sh("set_e", "set -e; echo before; false; echo after")
    sh("pipe", "false | true")
    sh("pipefail", "set -o pipefail; false | true")
    sh("not_found", "no_such_command_anywhere")
    sh("no_syntax", "if; then")
    sh("retried", 'echo try $AIRFLOW_CTX_TRY_NUMBER; [ "$AIRFLOW_CTX_TRY_NUMBER" -ge 3 ]', retries=3, **NOW)
    sh("retried_out", "echo again; exit 1", retries=1, **NOW)
    sh("retried_to_skip", '[ "$AIRFLOW_CTX_TRY_NUMBER" = 1 ] && exit 1; exit 99', retries=2, **NOW)
    sh("timed_out", "echo begin; sleep 100", execution_timeout=timedelta(seconds=2))
    sh("timed_out_politely", "trap 'exit 0' TERM; sleep 100 & wait", execution_timeout=timedelta(seconds=2))
    sh("in_time", "echo quick", execution_timeout=timedelta(seconds=60))
    after_failure = sh("after_failure", "echo never")
    chain(sh("fails_first", "exit 1"), [after_failure, sh("cleans_up", "echo clean", trigger_rule="all_done")])
    sh("pushes_down", "echo down") >> sh("follows", "echo up")
    chain(sh("made", "echo made").as_setup(), sh("used", "exit 1"), sh("unmade", "echo gone").as_teardown())

with DAG("lane_outputs", schedule=None, start_date=datetime(2024, 1, 1)):
    sh("nothing", "true")
    sh("blank_last", "echo one; echo")
    sh("no_newline", "printf 'one\\ntwo'")
    sh("spaces", "printf '  kept  \\t\\r\\n'")
    sh("exotic_spaces", "printf 'a\\u00a0\\u2003\\u3000\\u0085\\n'")
    sh("unicode", "echo 'grüße 世界 🌬'")
    sh("not_utf8", "printf 'a\\xff\\xe2\\x82z\\n'")
    sh("nul", "printf 'a\\0b\\n'")
    sh("control", "printf 'a\\x1b[31mred\\x07\\\\\"\\n'")
    sh("carriage", "printf '10%%\\r50%%\\r100%%\\n'")
    sh("stderr_last", "echo out; echo err >&2")
    sh("mixed", "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done")
    sh("long_line", "head -c 1000000 /dev/zero | tr '\\0' x")
    sh("long_then_short", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end")
    sh("many_lines", "seq 3000")
    sh("json_like", "echo '{\"a\": [1, 2]}'")
    sh("looks_structured", 'echo \'{"event": "mine", "level": "error", "timestamp": "2024-01-01T00:00:00Z"}\'')
    sh("late", "(sleep 1; echo late) & echo early")
    sh("detached", "setsid sleep 30 > /dev/null 2>&1 & echo left")
    sh("trailing_newline", "echo a\n")
    sh("two_newlines", "echo a\n\n")
    sh("dos", "echo a\r\necho b")
    sh("here_document", "cat <<'END'\n  indented\nEND\n")
    sh("quoting", """echo "it's" 'a "b"' $((1 + 2)) `echo sub` \\$HOME""")

with DAG("lane_surroundings", schedule=None, start_date=datetime(2024, 1, 1)):
    sh("context", "env | grep ^AIRFLOW_CTX_ | sort")
    sh("environment", SHOWN)
    sh("own", SHOWN, env={"B": "two words", "A": ""})
    sh("own_empty", SHOWN, env={})
    sh("added", SHOWN, env={"A": "{{ ds }}", "HOME": "/changed"}, append_env=True)
    sh("added_to_all", SHOWN, append_env=True)
    sh("overwritten", "echo $AIRFLOW_CTX_DAG_ID", env={"AIRFLOW_CTX_DAG_ID": "mine"})
    sh("own_path", "no_such_program; echo $PATH; type ls", env={"PATH": "/bin"})
    sh("folder", "pwd; echo $PWD; ls -a", cwd="/")
    sh("folder_template", "pwd", cwd="/{{ 'tmp' }}")
    sh("folder_by_param", "pwd", cwd="/{{ params.folder }}", params={})
    sh("folder_missing", "pwd", cwd="/no/such/folder", retries=1, **NOW)
    sh("folder_is_file", "pwd", cwd="/etc/hosts")
    sh("folder_own", "ls -a; touch made; ls; dirname $PWD; basename $PWD | cut -c1-10; stat -c %a .")
    sh("shell", "echo $0 $# $- ${BASH_VERSINFO[0]}; shopt -q login_shell; echo $?")
    sh("limits", "umask; ulimit -c; ulimit -n; nice")
    sh("signals", "grep -E 'Sig(Blk|Cgt)' /proc/self/status; trap")
    sh("session", "ps -o pid=,pgid=,sid= -p $$ | awk '{print ($1 == $2 && $2 == $3)}'")
    sh("descriptors", "ls /proc/self/fd | xargs")
    sh("input", "test -t 0; echo $?; timeout 1 cat; echo $?")
    sh("user_settings", "echo ${FROM_BASHRC:-none}")
    sh("user_settings_of_nobody", "echo ${FROM_BASHRC:-none}", env={"HOME": "/no/such/home"})

with DAG(
    "lane_templates",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    params={
        "number": 5,
        "ratio": 0.1,
        "big": Param(1e16, type="number"),
        "flag": True,
        "none": Param(None, type=["null", "string"]),
        "word": Param("it's", type="string"),
        "folder": "tmp",
    },
):
    sh("dates", "echo '{{ ds }} {{ ds_nodash }} {{ ts }} {{ ts_nodash }} {{ ts_nodash_with_tz }} {{ run_id }}'")
    sh("filters", "echo '{{ logical_date | ds }} {{ data_interval_start | ts }} {{ data_interval_end|ts_nodash_with_tz }}'")
    sh("members", "echo '{{ dag.dag_id }} {{ task.task_id }} {{ ti.task_id }} {{ ti.try_number }} {{ dag_run.run_id }}'")
    sh("params", "echo '{{ params.number }} {{ params.ratio }} {{ params.big }} {{ params.flag }} {{ params.none }}'")
    sh("word", 'echo "{{ params.word }}" "{{ params[\'word\'] }}"')
    sh("folder_by_param", "pwd", cwd="/{{ params.folder }}")
    sh("in_env", "echo $A", env={"A": "{{ params.word }} {{ ds }}"})
    sh("whitespace", "echo a {{- ds -}} b {#- comment -#} c")
    sh("raw", "echo {% raw %}{ }{% endraw %} } }}")
    sh("ends_in_newline", "echo {{ ds }}\n")
    sh("retries_render", "echo {{ ti.try_number }}; [ {{ ti.try_number }} = 2 ]", retries=1, **NOW)
    sh("filter_of_jinja", "echo '{{ ds | upper }}'")
    sh("loop", "{% for i in range(3) %}echo {{ i }};{% endfor %}")
    sh("unknown", "echo {{ nothing_like_it }}", retries=1, **NOW)
    sh("array", "list=(a b); echo ${list[1]}")

with DAG("lane_left_out", schedule=None, start_date=datetime(2024, 1, 1)):

    @task.bash
    def decorated():
        return "echo decorated"

    class Mine(BashOperator):
        pass

    decorated()
    Mine(task_id="subclass", bash_command="echo subclass")
    sh("silent", "echo silent", do_xcom_push=False)
    sh("asset", "echo asset", outlets=[Asset("lane_asset")])
    BashOperator.partial(task_id="mapped").expand(bash_command=["echo 1", "echo 2"])
