#!/usr/bin/env python3
"""Write docs/airflow-examples.md from what Airflow did and what was seen here.

usage: table.py SEEN.json > docs/airflow-examples.md
SEEN.json is what tests/integration/airflow_examples_test.py writes to ETESIAN_EXAMPLES_OUT.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import examples

HEAD = """# Airflow's example DAGs

The example DAGs of `apache-airflow-core` 3.3.2 (`core/`) and its standard provider 1.21.0 (`standard/`), run by Airflow and by Etesian.
This table is made by `tests/airflow/examples/table.py`; `tests/airflow/examples/record.py` records Airflow (all its components, with
PostgreSQL), and `tests/integration/airflow_examples_test.py` runs the examples here and compares: states of runs, states and numbers of
tries of all task instances.

Each is triggered with the same logical date, conf and answers of people; those that assets trigger run by their assets too. The
files are the packages' own but for what makes an outcome a matter of chance (`random.choice` takes the first), of the wall clock
(branches look at the logical date), of other machines (URLs are local), or of patience (shorter pauses): `PATCHES` in
`tests/airflow/examples/examples.py` is the list.

Files that Airflow cannot import are the same here, with the same reason: `core/example_custom_weight.py` and
`core/example_workday_timetable.py`, whose plugins must be loaded; below they are, from a folder of plugins.

"""


def outcome_text(kinds: dict[str, list[dict[str, Any]]]) -> str:
    """How the manual run ended, with the numbers of tasks: "success; 3 success, 1 skipped"."""
    runs = kinds.get("manual") or kinds.get("operator_triggered") or []
    if not runs:
        return ""
    tasks = runs[0].get("tasks", {})
    counts: dict[str, int] = {}
    for state in tasks.values():
        name = state.split()[0]
        counts[name] = counts.get(name, 0) + 1
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return f"{runs[0]['state']}: {told}" if told else runs[0]["state"]


def reason(dag_id: str, there: dict[str, Any], failures: dict[str, str]) -> str:
    """Why the manual run failed in Airflow, in a few words; empty when it did not."""
    runs = there.get("manual", [])
    if not runs or runs[0]["state"] != "failed":
        return ""
    failed = [task for task, state in runs[0]["tasks"].items() if state.startswith("failed")]
    found = [failures.get(f"{dag_id}.{task}", "") for task in failed]
    return "; ".join(f"`{text[:90]}`".replace("|", "/") for text in found if text)


def differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """What is not the same, one sentence for each kind of run or task."""
    found = []
    for kind in sorted(set(there) | set(here)):
        if kind == "scheduled" or there.get(kind) == here.get(kind):
            continue
        if kind not in here:
            found.append(f"no {kind} run")
            continue
        if kind not in there:
            found.append(f"a {kind} run more")
            continue
        theirs, ours = there[kind][0].get("tasks", {}), here[kind][0].get("tasks", {})
        for task in sorted(set(theirs) | set(ours)):
            if theirs.get(task) != ours.get(task):
                found.append(f"`{task}` is {ours.get(task, 'missing')}, there {theirs.get(task, 'missing')}")
    return found


def main() -> int:
    here = pathlib.Path(__file__).resolve().parent
    recorded = json.loads((here / "expected.json").read_text())
    seen = json.loads(pathlib.Path(sys.argv[1]).read_text())
    rows, counts = [], {"same": 0, "differs": 0, "refused": 0, "not run": 0}
    for dag_id, file in sorted(recorded["dags"].items(), key=lambda item: (item[1], item[0])):
        there = recorded["outcomes"].get(dag_id, {})
        if dag_id in seen["refused"]:
            verdict, why = "refused", seen["refused"][dag_id].removeprefix("unsupported: ").partition(": ")[0]
        elif dag_id not in seen["outcomes"]:
            verdict, why = "not run", examples.NOT_RUN[dag_id]
        elif different := differences(there, seen["outcomes"][dag_id]):
            verdict, why = "differs", examples.DIFFERENT.get(dag_id, "; ".join(different))
        else:
            verdict, why = "same", ""
            if examples.NOT_RUN.get(dag_id) == examples.NEEDS_INDEX:
                why = f"tried by hand, for it {examples.NEEDS_INDEX}"
        counts[verdict] += 1
        shown = (verdict if verdict == "same" else f"**{verdict}**") + (f": {why}" if why else "")
        because = reason(dag_id, there, recorded["failures"])
        told = outcome_text(there) + (f" ({because})" if because else "")
        rows.append(f"| {file} | {dag_id} | {told} | {shown} |")
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    sys.stdout.write(f"{HEAD}{len(rows)} DAGs: {summary}.\n\n")
    sys.stdout.write("| file | DAG | in Airflow | here |\n| --- | --- | --- | --- |\n")
    sys.stdout.write("\n".join(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
