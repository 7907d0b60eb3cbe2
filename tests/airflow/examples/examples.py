"""The example DAGs of Airflow's own packages: copied, run through REST API v2, and told as outcomes.

The same code drives Airflow (record.py) and Etesian (tests/integration/airflow_examples_test.py). Standard library.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import re
import shutil
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

PACKAGES = {"core": "airflow/example_dags", "standard": "airflow/providers/standard/example_dags"}
# A Tuesday at noon: some examples choose by the weekday or the minute of the logical date.
LOGICAL_DATE = "2026-03-03T12:00:00Z"

_IN_AN_HOUR = "(datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(hours=1)).time()"

# (file, text, replacement): what makes an outcome a matter of chance, of the wall clock or of other machines, or waits
# long. @TMP@ is a folder of this test.
PATCHES: list[tuple[str, str, str]] = [
    ("core/example_asset_with_watchers.py", '"/tmp/test"', '"@TMP@/test"'),
    ("core/example_asset_with_watchers.py", '"/tmp/region-flags"', '"@TMP@/region-flags"'),
    ("core/example_custom_weight.py", "airflow.example_dags.plugins.", ""),
    ("core/example_workday_timetable.py", "airflow.example_dags.plugins.", ""),
    # Two assets of one URI: which of the two is active depends on the file that is parsed first.
    ("core/example_inlet_event_extra.py", 'asset = Asset("s3://output/1.txt")',
     'asset = Asset(uri="s3://output/1.txt", name="test-asset")'),
    ("core/example_retry_policy.py", "https://api.example.com/data", "http://127.0.0.1:9/data"),
    ("core/example_retry_policy.py", "retry_delay=timedelta(minutes=1)", "retry_delay=timedelta(seconds=1)"),
    ("standard/example_branch_datetime_operator.py", "target_upper=pendulum.time(0, 0, 0),",
     "target_upper=pendulum.time(0, 0, 0), use_task_logical_date=True,"),
    ("standard/example_branch_day_of_week_operator.py", 'week_day="Monday",',
     'week_day="Monday", use_task_logical_date=True,'),
    ("standard/example_branch_day_of_week_operator.py", "week_day={WeekDay.SATURDAY, WeekDay.SUNDAY},",
     "week_day={WeekDay.SATURDAY, WeekDay.SUNDAY}, use_task_logical_date=True,"),
    ("standard/example_branch_operator.py", "random.choice(", "min("),
    ("standard/example_branch_operator_decorator.py", "random.choice(", "min("),
    ("standard/example_external_task_marker_dag.py", "timeout=600,", "timeout=20, poke_interval=2,"),
    ("standard/example_external_task_parent_deferrable.py", "deferrable=True,", "deferrable=True, poke_interval=2,"),
    ("standard/example_sensors.py", "/tmp/temporary_file_for_testing", "@TMP@/temporary_file_for_testing"),
    # The deferred one has no timeout: it would wait for its hour.
    ("standard/example_sensors.py", f"target_time={_IN_AN_HOUR},\n        deferrable=True",
     f"target_time={_IN_AN_HOUR.replace('hours=1', 'seconds=2')},\n        deferrable=True"),
    ("standard/example_sensors.py", _IN_AN_HOUR, "datetime.time(23, 59, 59)"),
    ("standard/example_sensors.py", "week_day=WeekDay.MONDAY", "week_day=WeekDay.MONDAY, use_task_logical_date=True"),
    ("standard/example_sensors.py", 'filepath="@TMP@/temporary_file_for_testing"',
     'filepath="@TMP@/temporary_file_for_testing", poke_interval=2'),
]

NEEDS_INDEX = "makes virtual environments from a package index"
NOT_RUN = {
    "tutorial_objectstorage": "needs an S3 bucket, an API on the internet, pandas and DuckDB",
    "example_branch_operator": NEEDS_INDEX,
    "example_branch_python_operator_decorator": NEEDS_INDEX,
    "example_python_decorator": NEEDS_INDEX,
    "example_python_operator": NEEDS_INDEX,
    "tutorial_taskflow_api_virtualenv": NEEDS_INDEX,
}
# What the engine does not do: partitions, plugins' timetables and weight rules, asset watchers.
REFUSED = {
    "aggregate_regional_sales", "clean_and_combine_player_stats", "compute_player_odds", "daily_inference",
    "daily_team_a_rollup", "example_asset_with_watchers", "example_custom_weight", "example_workday_timetable",
    "ingest_region_stats", "ingest_regional_sales", "ingest_team_a_player_stats", "live_region_player_stats",
    "monthly_team_a_rollup",
    "multi_region_player_stats", "player_odds_quality_check_wont_ever_to_trigger", "regional_stats_breakdown",
    "scatter_live_region_to_segments", "segment_region_stats_early_rollup", "segment_region_stats_rollup",
    "summarize_live_region_stats", "team_b_player_stats", "team_c_player_stats", "trailing_week_inference",
    "train_weekly_model",
}
# What does not end as in Airflow, and why.
DIFFERENT: dict[str, str] = {}
# In a folder of plugins of their own, for the DAGs that import them.
PLUGINS = ("workday", "decreasing_priority_weight_strategy")
CONF = {"example_params_ui_tutorial": {"required_field": "given, and long enough"}}
# Triggered by another example, with the same logical date.
BY_OTHERS = {"child_dag"}
# Read what others have produced: they come second.
SECOND = {"read_asset_event", "read_asset_event_from_classic"}
FINAL = ("success", "failed")


def copy_files(site_packages: pathlib.Path, folder: pathlib.Path) -> None:
    """Copy the examples below *folder*/dags as they are."""
    for name, package in PACKAGES.items():
        for source in sorted((site_packages / package).rglob("*")):
            relative = source.relative_to(site_packages / package)
            if source.is_dir() or relative.parts[0] in ("plugins", "libs") or "__pycache__" in relative.parts:
                continue
            target = folder / "dags" / name / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def patch_files(site_packages: pathlib.Path, folder: pathlib.Path) -> None:
    """Make the copies fit to be compared, with *folder*/tmp for their files and *folder*/plugins for their plugins."""
    (folder / "tmp").mkdir()
    (folder / "plugins").mkdir()
    for file, old, new in PATCHES:
        path = folder / "dags" / file
        text = path.read_text()
        old, new = (part.replace("@TMP@", str(folder / "tmp")) for part in (old, new))
        if old not in text:
            raise RuntimeError(f"{file} has no {old!r}: has the package changed?")
        path.write_text(text.replace(old, new))
    for plugin in PLUGINS:
        shutil.copy(site_packages / PACKAGES["core"] / "plugins" / f"{plugin}.py", folder / "plugins")


class RestError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


class Rest:
    """REST API v2 of a server."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self.token = url.rstrip("/"), ""
        self.token = self.call("POST", "/auth/token", {"username": user, "password": password})["access_token"]

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        target = self.url + path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
        request = urllib.request.Request(target, json.dumps(body).encode() if body is not None else None, method=method)
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        for attempt in range(60):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    text = answer.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                raise RestError(error.code, f"{method} {path}: {error.read().decode(errors='replace')}") from None
            except OSError as error:
                # Nobody listens for a moment, so nothing has been done; or nothing would have been done twice.
                is_refused = isinstance(getattr(error, "reason", None), ConnectionRefusedError)
                if attempt == 59 or not (is_refused or method == "GET"):
                    raise
                time.sleep(1)
        raise AssertionError("unreachable")

    def all(self, path: str, member: str, **query: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", path, limit=100, offset=len(rows), **query)[member]
            rows += page
            if len(page) < 100:
                return rows


def refusals(rest: Rest) -> dict[str, str]:
    """DAGs that were parsed and are not taken, with the reason: {dag: message}."""
    found = {}
    for row in rest.all("/api/v2/importErrors", "import_errors"):
        for line in row["stack_trace"].splitlines():
            if match := re.search(r"DAG '([^']+)': (unsupported: .*)", line):
                found[match[1]] = match[2]
    return found


def run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}"


@contextlib.contextmanager
def ip_service() -> Iterator[str]:
    """What example_dag_decorator asks on the internet."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"origin": "203.0.113.7"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/get"
    finally:
        server.shutdown()


class Drive:
    """Runs all examples on one server. *say* gets a line of progress now and then."""

    def __init__(self, rest: Rest, temporary: pathlib.Path, with_index: bool, say: Callable[[str], None],
                 only: frozenset[str] | set[str] = frozenset()) -> None:
        self.rest, self.temporary, self.with_index, self.say, self.only = rest, temporary, with_index, say, only
        self.manual: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.failures: dict[str, str] = {}  # "dag.task": why it failed

    def run(self, deadline_s: float) -> dict[str, Any]:
        """Trigger every DAG, and return {dag: {run type: [outcomes]}}."""
        deadline = time.monotonic() + deadline_s
        self._put_connection()
        dags = {dag["dag_id"]: dag for dag in self.rest.all("/api/v2/dags", "dags")}
        runnable = [dag_id for dag_id in sorted(dags) if self.is_run(dag_id)]
        for dag_id in runnable:
            self.rest.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        (self.temporary / "region-flags").mkdir(exist_ok=True)
        with ip_service() as url:
            late = {dag_id for dag_id in runnable if dag_id in SECOND or self._is_asset_triggered(dags[dag_id])}
            for dag_id in runnable:
                if dag_id not in late | BY_OTHERS:
                    self._trigger(dag_id, {"url": url} if dag_id == "example_dag_decorator" else CONF.get(dag_id, {}))
            self._settle(deadline)
            for dag_id in sorted(late):
                self._trigger(dag_id, {})
            for name in ("test", "region-flags/us.flag", "region-flags/eu.flag"):
                (self.temporary / name).touch()
            self._settle(deadline)
        return {dag_id: self._outcomes(dag_id) for dag_id in runnable}

    def is_run(self, dag_id: str) -> bool:
        why = NOT_RUN.get(dag_id)
        if self.only and dag_id not in self.only:
            return False
        return why is None or (self.with_index and why == NEEDS_INDEX)

    @staticmethod
    def _is_asset_triggered(dag: dict[str, Any]) -> bool:
        return "sset" in (dag.get("timetable_summary") or "")

    def _put_connection(self) -> None:
        # One of those that `airflow db migrate` makes, for FileSensor.
        with contextlib.suppress(RestError):
            self.rest.call("POST", "/api/v2/connections", {"connection_id": "fs_default", "conn_type": "fs"})

    def _trigger(self, dag_id: str, conf: dict[str, Any]) -> None:
        body = {"logical_date": LOGICAL_DATE, "conf": conf}
        try:
            self.manual[dag_id] = self.rest.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        except RestError as error:
            self.refused[dag_id] = str(error)

    def _settle(self, deadline: float) -> None:
        """Until nothing runs any more, and nothing new has begun for a while."""
        quiet = 0
        while quiet < 5:
            if time.monotonic() > deadline:
                return
            self._answer_people()
            self._pause_what_comes_every_minute()
            active = [row for state in ("queued", "running")
                      for row in self.rest.all("/api/v2/dags/~/dagRuns", "dag_runs", state=state)]
            ours = [row for row in active if row["run_type"] != "scheduled" or "every" not in row["dag_id"]]
            self.say(f"{len(ours)} runs go on: " + ", ".join(sorted({row["dag_id"] for row in ours}))[:200])
            quiet = 0 if ours else quiet + 1
            time.sleep(2)

    def _pause_what_comes_every_minute(self) -> None:
        for dag_id in ("example_branch_dop_operator_v3", "example_passing_params_via_test_command"):
            run_id = self.manual.get(dag_id)
            if run_id and self.rest.call("GET", run_path(dag_id, run_id))["state"] in FINAL:
                active = [row for row in self.rest.all(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs")
                          if row["state"] not in FINAL]
                if not active:
                    self.rest.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True})
                    del self.manual[dag_id]

    def _answer_people(self) -> None:
        dag_id = "example_hitl_operator"
        if dag_id not in self.manual:
            return
        try:
            rows = self.rest.call("GET", f"{run_path(dag_id, self.manual[dag_id])}/hitlDetails")["hitl_details"]
        except RestError as error:
            self.say(str(error))
            return
        for row in rows:
            task_id = row["task_instance"]["task_id"]
            if row["response_received"] or task_id == "wait_for_default_option":
                continue
            answer = {
                "wait_for_input": {"chosen_options": ["OK"], "params_input": {"information": "all there is"}},
                "wait_for_option": {"chosen_options": ["option 2"]},
                "wait_for_multiple_options": {"chosen_options": ["option 4", "option 6"]},
                "valid_input_and_options": {"chosen_options": ["Approve"]},
                "choose_a_branch_to_run": {"chosen_options": ["task_2"]},
            }[task_id]
            path = f"{run_path(dag_id, self.manual[dag_id])}/taskInstances/{task_id}/-1/hitlDetails"
            try:
                self.rest.call("PATCH", path, answer)
            except RestError as error:
                self.say(f"answer {task_id}: {error}")

    def _outcomes(self, dag_id: str) -> dict[str, list[Any]]:
        """{run type: outcomes that occurred}, so that it does not matter how often a DAG ran."""
        found: dict[str, list[Any]] = {}
        if dag_id in self.refused:
            return {"manual": [{"state": "refused: " + self.refused[dag_id]}]}
        for run in self.rest.all(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs"):
            rows = self.rest.all(run_path(dag_id, run["dag_run_id"]) + "/taskInstances", "task_instances")
            tasks = {}
            for row in rows:
                name = row["task_id"] + (f"[{row['map_index']}]" if row["map_index"] >= 0 else "")
                tasks[name] = f"{row['state']} {row['try_number']}"
                if row["state"] == "failed":
                    self.failures[f"{dag_id}.{name}"] = self._why(dag_id, run["dag_run_id"], row)
            outcome = {"state": run["state"], "tasks": dict(sorted(tasks.items()))}
            seen = found.setdefault(run["run_type"], [])
            if outcome not in seen:
                seen.append(outcome)
        return {kind: sorted(seen, key=json.dumps) for kind, seen in sorted(found.items())}

    def _why(self, dag_id: str, run_id: str, row: dict[str, Any]) -> str:
        """The last error of a try's log, on one line."""
        path = f"{run_path(dag_id, run_id)}/taskInstances/{row['task_id']}/logs/{row['try_number']}"
        try:
            lines = self.rest.call("GET", path, map_index=row["map_index"])["content"]
        except RestError as error:
            return str(error)
        for line in reversed(lines):
            details = line.get("error_detail") if isinstance(line, dict) else None
            if details:
                return f"{details[0]['exc_type']}: {details[0]['exc_value']}".partition("\n")[0]
        events = [line for line in lines if isinstance(line, dict)]
        errors = [line["event"] for line in events if line.get("level") in ("error", "critical")]
        told = errors or [json.dumps(line) for line in lines]
        return told[-1].partition("\n")[0] if told else "an empty log"
