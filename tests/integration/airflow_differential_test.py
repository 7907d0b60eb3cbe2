#!/usr/bin/env python3
"""Random Airflow DAGs, run by Etesian and judged by Airflow's own scheduling code in process (`dag.test()`).

usage: airflow_differential_test.py [--count N] [--seed S] [--keep]

Shapes, trigger rules, tasks that fail, skip, retry, branch, short-circuit, map over lists (empty ones too) and stand in
groups. What depends on which of two parents ends first is left out of the comparison (all_success below a failed and a
skipped one), and so is what lies below it. A disagreement is printed as the DAG's source. Exit code 1 on any.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from etesian import ROOT, Etesian, wait_until

PYTHON = os.environ.get("ETESIAN_AIRFLOW_PYTHON", str(ROOT / "build/airflow/bin/python"))
RULES = (["all_success"] * 6 + ["none_failed", "none_failed_min_one_success", "all_done", "one_success", "one_failed",
                                "one_done"] * 2 + ["all_failed", "none_skipped", "all_skipped", "always"])
HEAD = """import datetime
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, task
from airflow.sdk.exceptions import AirflowSkipException

NOW = datetime.timedelta(0)
"""
JUDGE = """
import json, logging, pathlib, sys
logging.disable(logging.CRITICAL)
from airflow.dag_processing.dagbag import BundleDagBag
folder = pathlib.Path(sys.argv[1])
bag = BundleDagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
seen = {"errors": {str(k): v for k, v in bag.import_errors.items()}}
for dag_id, dag in sorted(bag.dags.items()):
    run = dag.test()
    seen[dag_id] = {"run": str(run.state), "tasks": {
        f"{ti.task_id}[{ti.map_index}]": [ti.state and str(ti.state), ti.try_number] for ti in run.get_task_instances()}}
pathlib.Path(sys.argv[2]).write_text(json.dumps(seen))
"""


def make_dag(dag_id, seed):
    """(source text, {task id: (rule, [parents])})"""
    dice = random.Random(seed)
    lines = [f'with DAG("{dag_id}", schedule=None, is_paused_upon_creation=False):']
    graph, names = {}, []
    group = None
    for i in range(dice.randint(4, 10)):
        kind = dice.choice(["empty"] * 3 + ["ok", "fail", "skip", "flaky", "branch", "short", "map", "map"])
        parents = dice.sample(names[-5:], k=min(len(names[-5:]), dice.choice([0, 1, 1, 2, 3]))) if names else []
        rule = dice.choice(RULES) if parents else "all_success"
        if i and group is None and dice.random() < 0.15:
            group = f"g{i}"
            lines.append(f'    with TaskGroup("{group}"):')
        indent = "        " if group else "    "
        own = f"t{i}"
        task_id = f"{group}.{own}" if group else own
        rest = f'trigger_rule="{rule}"'
        body = {"ok": "return 1", "fail": "raise ValueError()", "skip": "raise AirflowSkipException()",
                "flaky": "if ti.try_number == 1: raise ValueError()"}
        if kind == "empty":
            lines.append(f'{indent}{own} = EmptyOperator(task_id="{own}", {rest})')
        elif kind in body:
            retries = f", retries={dice.randint(0, 2)}, retry_delay=NOW" if kind in ("fail", "flaky") else ""
            lines += [f'{indent}@task(task_id="{own}", {rest}{retries})', f"{indent}def f{i}(ti):",
                      f"{indent}    {body[kind]}", f"{indent}{own} = f{i}()"]
        elif kind == "short":
            lines += [f'{indent}@task.short_circuit(task_id="{own}", {rest}, '
                      f"ignore_downstream_trigger_rules={dice.random() < 0.5})",
                      f"{indent}def f{i}(): return {dice.random() < 0.5}", f"{indent}{own} = f{i}()"]
        elif kind == "branch":
            lines += [f'{indent}@task.branch(task_id="{own}", {rest})', f"{indent}def f{i}(): return CHOICES['{dag_id}.{task_id}']",
                      f"{indent}{own} = f{i}()"]
        else:
            values = [dice.choice([0, 1, 1, 2]) for _ in range(dice.choice([0, 1, 2, 3]))]
            lines += [f'{indent}@task(task_id="{own}", {rest}, retries={dice.randint(0, 1)}, retry_delay=NOW)',
                      f"{indent}def f{i}(x):", f"{indent}    if x == 0: raise ValueError()",
                      f"{indent}    if x == 2: raise AirflowSkipException()", f"{indent}    return x",
                      f"{indent}{own} = f{i}.expand(x={values})"]
        for parent in parents:
            lines.append(f"{indent}{parent.split('.')[-1]} >> {own}")
        graph[task_id] = (rule, list(parents), kind)
        names.append(task_id)
        if group and dice.random() < 0.4:
            group = None
    choices = {}
    for name, (_, _, kind) in graph.items():
        below = [other for other, (_, parents, _) in graph.items() if name in parents]
        if kind == "branch":
            choices[f"{dag_id}.{name}"] = dice.sample(below, k=dice.randint(0, len(below)))
    return "CHOICES = {**globals().get('CHOICES', {}), **" + repr(choices) + "}\n" + "\n".join(lines) + "\n", graph


def races(graph, tasks):
    """Tasks whose state depends on which parent ends first, and all below them."""
    open_ends = set()
    for name, (rule, parents, _) in graph.items():
        states = {state for key, (state, _) in tasks.items() if key.rsplit("[", 1)[0] in parents}
        is_race = rule == "all_success" and "skipped" in states and states & {"failed", "upstream_failed"}
        # A fast rule may be decided before an instance of a mapped parent is there or has ended.
        is_race = is_race or (rule in ("one_success", "one_failed", "one_done") and len(states) > 1)
        if is_race or open_ends & set(parents):
            open_ends.add(name)
    return open_ends


def judged_by_airflow(folder, dags):
    environment = dict(os.environ, AIRFLOW_HOME=str(folder / "airflow"), AIRFLOW__CORE__LOAD_EXAMPLES="False",
                       AIRFLOW__CORE__DAGS_FOLDER=str(dags), AIRFLOW__CORE__UNIT_TEST_MODE="False")
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run([PYTHON, "-m", "airflow", "db", "migrate"], **quiet)
    subprocess.run([PYTHON, "-c", JUDGE, str(dags), str(folder / "judged.json")], **quiet)
    return json.loads((folder / "judged.json").read_text())


def run_by_etesian(folder, dags, count):
    os.environ["ETESIAN_AIRFLOW_PYTHON"] = PYTHON
    seen = {}
    with Etesian(dags, home=folder / "home") as server:
        wait_until(lambda: server.get("/api/v2/dags", limit=1)["total_entries"] == count, 120, "the DAGs")
        runs = {f"d{i}": server.trigger(f"d{i}") for i in range(count)}
        for dag_id, run_id in runs.items():
            state = server.wait_run(dag_id, run_id, seconds=300)
            seen[dag_id] = {"run": state, "tasks": {
                f"{task_id}[{index}]": [row["state"], row["try_number"]]
                for (task_id, index), row in server.tasks(dag_id, run_id).items()}}
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    sources, graphs = {}, {}
    for i in range(options.count):
        sources[f"d{i}"], graphs[f"d{i}"] = make_dag(f"d{i}", options.seed * 100_003 + i)
    with tempfile.TemporaryDirectory(prefix="etesian-") as name:
        folder = pathlib.Path(name)
        dags = folder / "dags"
        dags.mkdir()
        (dags / "random_dags.py").write_text(HEAD + "\n".join(sources.values()))
        ours = run_by_etesian(folder, dags, options.count)
        theirs = judged_by_airflow(folder, dags)
    wrong = compared = 0
    for dag_id, graph in graphs.items():
        want, got = theirs[dag_id]["tasks"], ours[dag_id]["tasks"]
        left_out = races(graph, want)
        differences = []
        for key in sorted(set(want) | set(got)):
            if key.rsplit("[", 1)[0] in left_out:
                continue
            compared += 1
            if want.get(key) != got.get(key):
                differences.append(f"{key}: Airflow {want.get(key)}, Etesian {got.get(key)}")
        if not left_out and theirs[dag_id]["run"] != ours[dag_id]["run"]:
            differences.append(f"run: Airflow {theirs[dag_id]['run']}, Etesian {ours[dag_id]['run']}")
        if differences:
            wrong += 1
            print(f"DIFFERS {dag_id}: " + "; ".join(differences) + "\n" + HEAD + sources[dag_id])
    print(f"{options.count} DAGs, {compared} task instances compared, {wrong} DAGs differ")
    return 1 if wrong or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
