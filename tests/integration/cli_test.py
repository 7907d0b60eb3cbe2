#!/usr/bin/env python3
"""Every command of the command line against a real server: output, -o json|yaml, exit codes, words of errors."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from etesian import BINARY, PASSWORD, Etesian, wait_until, write_project

OK, FAILED, USAGE, NOT_FOUND, NO_SERVER, DENIED, REFUSED = range(7)

DAGS = {
    "greet": """dag: greet
description: 인사
params:
  name: {type: string, default: World, maxLength: 8}
tasks:
  hello: {run: 'echo "hello {{ params.name | quote }}"; echo "to stderr" >&2'}
  more: {run: [echo, more], after: hello}
""",
    "stubborn": """dag: stubborn
how: {retries: 3, retry_delay: 1h}
tasks:
  fails: {run: "echo about to fail; exit 3"}
  next: {run: "true", after: fails}
""",
    "sleepy": "dag: sleepy\ntasks:\n  nap: {run: 'echo asleep; sleep 300'}\n",
    "count": "dag: count\ntasks:\n  up: {run: 'for i in $(seq 20); do echo $i; sleep 0.05; done'}\n",
    "fruit": """dag: fruit
tasks:
  peel: {run: [echo, "{{ kind }}"], map: {kind: [apple, pear]}}
""",
    "daily": """dag: daily
when: {cron: "0 3 * * *", timezone: America/New_York, start: 2024-03-01}
tasks: {work: {run: "true"}}
""",
    "report": """dag: report
when:
  cron: "0 4 * * *"
  timezone: America/New_York
  start: 2024-03-01
  needs: [{dag: daily, task: work, covers: data_interval, offset: -1h, fresh: 6h}]
tasks: {write: {run: "true"}}
""",
}

BROKEN = """dag: greet
tasks:
  a: {run: "echo {{ paras.x }}", aftr: b}
  b: {run: "true", after: zz}
"""


class CliTest(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="etesian-cli-"))
        cls.project = write_project(cls.folder / "project", DAGS, "name: test\nwhen: {paused: false}\n")
        cls.etesian = Etesian(cls.project, home=cls.folder / "home")
        cls.etesian.start()

    @classmethod
    def tearDownClass(cls):
        cls.etesian.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def run_cli(self, *words, code=OK, **options):
        done = self.etesian.cli(*words, check=False, **options)
        self.assertEqual(done.returncode, code, f"etesian {' '.join(words)}\n{done.stdout}{done.stderr}")
        if code == OK:
            self.assertEqual(done.stderr, "")
        return done.stdout if code in (OK, FAILED) else done.stderr

    def json_of(self, *words, **options):
        return json.loads(self.run_cli(*words, "-o", "json", **options))

    def wait_state(self, reference, state):
        dag_id, run_id, task_id = reference.split("/")
        wait_until(lambda: self.etesian.states(dag_id, run_id)[(task_id, -1)] == state, 30, f"{reference} to be {state}")

    # ---- dags ----

    def test_dags_list_names_every_dag_its_state_and_schedule(self):
        lines = self.run_cli("dags", "list").splitlines()
        self.assertEqual(lines[0].split(), ["DAG", "STATE", "SCHEDULE", "NEXT", "RUN", "(UTC)", "DESCRIPTION"])
        self.assertEqual([line.split()[0] for line in lines[1:]], sorted(DAGS))
        self.assertRegex("\n".join(lines), r"greet +active +@manual +인사")
        self.assertRegex("\n".join(lines), r"daily +active +0 3 \* \* \* +\d{4}-\d\d-\d\dT0[78]:00:00Z")

    def test_structured_output_before_and_after_the_command(self):
        listing = json.loads(self.run_cli("-o", "json", "dags", "list"))
        self.assertEqual([dag["dag_id"] for dag in listing["dags"]], sorted(DAGS))
        self.assertEqual(listing["import_errors"], [])
        self.assertTrue(self.run_cli("dags", "list", "-o", "yaml").startswith("dags:\n  - dag_id: count\n"))

    def test_dags_show_lists_tasks_in_plain_numbers(self):
        text = self.run_cli("dags", "show", "stubborn")
        self.assertRegex(text, r"next +fails +all_success +3 +default_pool")
        self.assertEqual([task["task_id"] for task in self.json_of("dags", "show", "stubborn")["tasks"]], ["fails", "next"])
        self.assertIn("nope", self.run_cli("dags", "show", "nope", code=NOT_FOUND))

    def test_dags_graph_draws_what_dags_need(self):
        self.assertIn("report\n  needs daily/work (data_interval, offset -1h, fresh 6h)\n", self.run_cli("dags", "graph"))
        dot = self.run_cli("dags", "graph", "--as", "dot")
        self.assertTrue(dot.startswith("digraph needs {\n") and dot.endswith("}\n"), dot)
        self.assertIn('  "daily" -> "report" [label="work: data_interval, offset -1h, fresh 6h"];\n', dot)
        edge, = json.loads(self.run_cli("dags", "graph", "--as", "json"))["edges"]
        self.assertEqual((edge["dag_id"], edge["needs_dag_id"], edge["needs_task_id"]), ("report", "daily", "work"))
        self.assertIn("needs_dag_id: daily", self.run_cli("dags", "graph", "-o", "yaml"))

    def test_pause_and_unpause(self):
        self.assertEqual(self.run_cli("dags", "pause", "fruit", "sleepy"), "fruit is paused\nsleepy is paused\n")
        self.assertTrue(self.etesian.get("/api/v2/dags/fruit")["is_paused"])
        self.assertRegex(self.run_cli("dags", "list"), r"fruit +paused")
        self.assertEqual(self.run_cli("dags", "unpause", "fruit", "sleepy"), "fruit is active\nsleepy is active\n")
        self.run_cli("dags", "pause", "nope", code=NOT_FOUND)

    # ---- runs ----

    def test_trigger_with_params_waits_and_tells_the_end(self):
        lines = self.run_cli("runs", "trigger", "greet", "--wait", "-p", "name=Seoul").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertEqual(lines[1], lines[0] + " success")
        self.assertRegex(lines[0], r"^greet/manual__\d{4}-\d\d-\d\dT.*\+00:00_\w+$")
        self.assertEqual(self.run_cli("logs", lines[0] + "/hello"), "hello Seoul\nto stderr\n")
        self.assertEqual(self.json_of("runs", "show", lines[0])["conf"], {"name": "Seoul"})

    def test_conf_as_json_id_and_note(self):
        run = self.json_of("runs", "trigger", "greet", "--conf", '{"name": "Jeju"}', "--run-id", "with-note", "--note", "for Kim")
        self.assertEqual((run["dag_run_id"], run["conf"], run["note"]), ("with-note", {"name": "Jeju"}, "for Kim"))
        error = self.run_cli("runs", "trigger", "greet", "--run-id", "with-note", code=REFUSED)
        self.assertEqual(error, "etesian: trigger 'greet': the run 'with-note' exists already\n")

    def test_bad_params_are_refused_by_name(self):
        self.assertIn("param 'name'", self.run_cli("runs", "trigger", "greet", "-p", "name=much-too-long", code=REFUSED))
        self.assertIn("nmae", self.run_cli("runs", "trigger", "greet", "-p", "nmae=x", code=REFUSED))
        self.assertIn("expected NAME=VALUE", self.run_cli("runs", "trigger", "greet", "-p", "name", code=USAGE))
        self.assertIn("--conf", self.run_cli("runs", "trigger", "greet", "--conf", "{", code=USAGE))
        self.assertIn("`nope`", self.run_cli("runs", "trigger", "nope", code=NOT_FOUND))

    def test_waiting_for_a_run_that_fails_exits_with_1(self):
        self.run_cli("runs", "trigger", "sleepy", "--run-id", "doomed")
        self.wait_state("sleepy/doomed/nap", "running")
        waiting = subprocess.Popen([BINARY, "runs", "trigger", "sleepy", "--run-id", "doomed-2", "--wait"], text=True,
                                   stdout=subprocess.PIPE, env=self.environment())
        wait_until(lambda: "doomed-2" in [run["dag_run_id"] for run in self.etesian.runs("sleepy")], 30, "the run")
        self.run_cli("runs", "mark", "sleepy/doomed-2", "failed")
        self.assertEqual(waiting.communicate(timeout=60)[0], "sleepy/doomed-2\nsleepy/doomed-2 failed\n")
        self.assertEqual(waiting.returncode, FAILED)
        self.run_cli("tasks", "kill", "sleepy/doomed/nap")

    def test_runs_list_show_watch(self):
        self.run_cli("runs", "trigger", "fruit", "--wait", "--run-id", "seen")
        lines = self.run_cli("runs", "list", "fruit", "--state", "success", "--limit", "5").splitlines()
        self.assertEqual(lines[0].split()[:3], ["RUN", "STATE", "TYPE"])
        self.assertRegex("\n".join(lines), r"\nseen +success +manual +\d{4}-\d\d-\d\dT[\d:.]+Z +\d+\.\d{3}")
        self.assertRegex(self.run_cli("runs", "show", "fruit/latest"), r"(?m)^duration +0?\.?\d")
        frame = self.run_cli("runs", "watch", "fruit", "--until-idle")
        self.assertRegex(frame, r"(?m)^seen +[█▒·]+ success +2/2")
        self.assertGreaterEqual(self.json_of("runs", "list", "~")["total_entries"], 1)

    def test_a_finished_run_is_marked_and_deleted(self):
        self.run_cli("runs", "trigger", "greet", "--wait", "--run-id", "by-hand")
        self.assertEqual(self.run_cli("runs", "mark", "greet/by-hand", "failed"), "greet/by-hand is marked failed\n")
        self.assertEqual(self.json_of("runs", "show", "greet/by-hand")["state"], "failed")
        self.run_cli("runs", "mark", "greet/by-hand", "nonsense", code=USAGE)
        self.assertEqual(self.run_cli("runs", "delete", "greet/by-hand"), "deleted greet/by-hand\n")
        self.assertIn("`by-hand`", self.run_cli("runs", "show", "greet/by-hand", code=NOT_FOUND))
        self.run_cli("runs", "delete", "greet/by-hand", code=NOT_FOUND)

    def test_a_running_run_is_not_deleted(self):
        self.run_cli("runs", "trigger", "sleepy", "--run-id", "busy")
        self.wait_state("sleepy/busy/nap", "running")
        self.assertIn("'nap' is running", self.run_cli("runs", "delete", "sleepy/busy", code=REFUSED))
        self.run_cli("runs", "mark", "sleepy/busy", "failed")

    # ---- tasks, logs, explain ----

    def test_tasks_list_clear_and_a_second_try(self):
        self.run_cli("runs", "trigger", "greet", "--wait", "--run-id", "again")
        self.assertRegex(self.run_cli("tasks", "list", "greet/again"), r"(?m)^hello +success +1 +\d{4}")
        self.assertEqual(self.run_cli("tasks", "clear", "greet/again", "--dry-run"),
                         "would clear 2 task instances of greet/again\n  hello\n  more\n")
        self.assertEqual(self.run_cli("tasks", "clear", "greet/again/more"), "cleared 1 task instances of greet/again\n  more\n")
        self.assertEqual(self.etesian.wait_run("greet", "again"), "success")
        tries = {key[0]: row["try_number"] for key, row in self.etesian.tasks("greet", "again").items()}
        self.assertEqual(tries, {"hello": 1, "more": 2})
        self.run_cli("tasks", "clear", "greet/again/hello", "--downstream")
        self.assertEqual(self.etesian.wait_run("greet", "again"), "success")
        self.assertEqual(self.run_cli("logs", "greet/again/more", "--try", "3"), "more\n")
        self.assertEqual(self.run_cli("tasks", "clear", "greet/again", "--only-failed"), "cleared 0 task instances of greet/again\n")

    def test_mapped_tasks_are_named_by_their_index(self):
        self.run_cli("runs", "trigger", "fruit", "--wait", "--run-id", "mapped")
        self.assertRegex(self.run_cli("tasks", "list", "fruit/mapped"), r"(?m)^peel\[0\] +success")
        self.assertEqual(self.run_cli("logs", "fruit/mapped/peel[1]"), "pear\n")
        self.assertIn("is not a number", self.run_cli("logs", "fruit/mapped/peel[x]", code=USAGE))
        self.run_cli("logs", "fruit/mapped/peel[7]", code=NOT_FOUND)

    def test_logs_in_full_with_time_followed_and_verified(self):
        self.run_cli("runs", "trigger", "greet", "--wait", "--run-id", "logged")
        self.assertRegex(self.run_cli("logs", "-t", "greet/logged/more"), r"^\d{4}-\d\d-\d\dT[\d:.]+Z more\n$")
        self.assertEqual(self.run_cli("logs", "-f", "greet/logged/hello"), "hello World\nto stderr\n")
        self.assertRegex(self.run_cli("logs", "--verify", "greet/logged/hello"), r"^complete: 2 lines, 20 bytes, hash [0-9a-f]{64}\n$")
        verdict = self.json_of("logs", "--verify", "greet/logged/hello")
        self.assertEqual((verdict["complete"], verdict["lines_found"], verdict["lines_expected"]), (True, 2, 2))
        self.run_cli("logs", "greet/logged/nope", code=NOT_FOUND)
        self.run_cli("logs", "greet/nope/hello", code=NOT_FOUND)
        self.run_cli("logs", "greet/logged/hello", "--try", "9", code=NOT_FOUND)
        self.assertIn("expected DAG/RUN/TASK", self.run_cli("logs", "greet", code=USAGE))

    def test_a_running_log_is_followed_to_its_end(self):
        run = self.run_cli("runs", "trigger", "count").strip()
        self.wait_state(run + "/up", "running")
        self.assertEqual(self.run_cli("logs", "-f", run + "/up"), "".join(f"{i}\n" for i in range(1, 21)))

    def test_explain_says_why_a_task_waits_and_until_when(self):
        self.run_cli("runs", "trigger", "stubborn", "--run-id", "why")
        self.wait_state("stubborn/why/fails", "up_for_retry")
        text = self.run_cli("explain", "stubborn/why/fails")
        self.assertRegex(text, r"^stubborn/why/fails: up_for_retry\n  retry_at  retries at .*\n      until   \d{4}-\d\d-\d\dT")
        self.assertRegex(self.run_cli("explain", "stubborn/why/next"), r"upstream  waits for 'fails' \(up_for_retry\)")
        self.assertRegex(self.run_cli("explain", "stubborn/why"), r"^stubborn/why: running\n  \S")
        gate, = self.json_of("explain", "stubborn/why/fails")["gates"]
        self.assertEqual(gate["kind"], "retry_at")
        self.assertIn("has not been tried yet", self.run_cli("logs", "stubborn/why/next", code=NOT_FOUND))
        self.assertEqual(self.run_cli("tasks", "mark", "stubborn/why/fails", "success"), "stubborn/why/fails is marked success\n")
        self.assertEqual(self.etesian.wait_run("stubborn", "why"), "success")
        self.assertIn("success", self.run_cli("explain", "stubborn/why/next"))

    def test_kill_stops_a_task(self):
        self.run_cli("runs", "trigger", "sleepy", "--run-id", "killed")
        self.wait_state("sleepy/killed/nap", "running")
        self.run_cli("tasks", "kill", "sleepy/killed/nap")
        self.assertEqual(self.etesian.wait_run("sleepy", "killed"), "failed")
        self.assertIn("killed by admin", self.run_cli("logs", "sleepy/killed/nap"))
        self.run_cli("tasks", "kill", "sleepy/killed/nope", code=NOT_FOUND)

    # ---- backfill ----

    def test_backfill_previews_then_runs_whole_days_of_the_zone(self):
        days = ("--from", "2024-03-08", "--to", "2024-03-11")
        preview = self.run_cli("backfill", "daily", *days, "--dry-run")
        self.assertIn("2024-03-10T03:00:00-04:00  2024-03-10T07:00:00Z\n", preview)
        self.assertTrue(preview.endswith("4 runs, 10 at a time; nothing was created (--dry-run)\n"), preview)
        self.assertEqual([row["logical_date"] for row in self.json_of("backfill", "daily", *days, "--dry-run")["backfills"]],
                         ["2024-03-08T08:00:00Z", "2024-03-09T08:00:00Z", "2024-03-10T07:00:00Z", "2024-03-11T07:00:00Z"])
        self.assertRegex(self.run_cli("backfill", "daily", *days, "--max-active-runs", "2"), r"^backfill \d+ of daily is under way")
        wait_until(lambda: [run["state"] for run in self.etesian.runs("daily", logical_date_gte="2024-03-08T00:00Z",
                                                               logical_date_lt="2024-03-12T00:00Z")] == ["success"] * 4, 60,
                   "four runs to succeed")
        wait_until(lambda: "completed" in self.run_cli("backfill", "list", "--dag", "daily"), 30, "the backfill to be completed")
        preview = self.run_cli("backfill", "daily", *days, "--dry-run")
        self.assertEqual(preview.count("there already: backfill__"), 4, preview)
        self.assertIn("0 runs,", preview)
        number = self.run_cli("backfill", "list").splitlines()[-1].split()[0]
        self.run_cli("backfill", "cancel", number, code=REFUSED)
        self.run_cli("backfill", "pause", "77", code=NOT_FOUND)

    def test_backfill_backwards_one_at_a_time(self):
        self.run_cli("backfill", "daily", "--from", "2024-04-01", "--to", "2024-04-03", "--backwards", "--max-active-runs", "1")
        def ended():
            runs = self.etesian.runs("daily", logical_date_gte="2024-04-01T00:00Z", logical_date_lt="2024-04-04T00:00Z")
            return runs if [run["state"] for run in runs] == ["success"] * 3 else None
        wait_until(ended, 60, "three runs to succeed")
        runs = sorted(ended(), key=lambda run: run["start_date"])
        self.assertEqual([run["logical_date"][:10] for run in runs], ["2024-04-03", "2024-04-02", "2024-04-01"])
        for before, after in zip(runs, runs[1:]):
            self.assertLessEqual(before["end_date"], after["start_date"])

    def test_backfill_mistakes(self):
        self.assertIn("--from", self.run_cli("backfill", "daily", code=USAGE))
        self.assertIn("expected a day", self.run_cli("backfill", "daily", "--from", "soon", "--to", "2024-03-11", code=USAGE))
        self.run_cli("backfill", "nope", "--from", "2024-03-08", "--to", "2024-03-11", code=NOT_FOUND)
        self.assertIn("no schedule", self.run_cli("backfill", "greet", "--from", "2024-03-08", "--to", "2024-03-11", code=REFUSED))

    # ---- settings ----

    def test_pools_variables_connections(self):
        self.assertEqual(self.run_cli("pools", "set", "db", "2"), "pool db has 2 slots\n")
        self.assertEqual(self.run_cli("pools", "set", "db", "3", "--description", "three"), "pool db has 3 slots\n")
        self.assertRegex(self.run_cli("pools", "list"), r"(?m)^db +3 +0 +0 +3 +three")
        self.assertEqual(self.run_cli("pools", "delete", "db"), "deleted db\n")
        self.run_cli("pools", "delete", "db", code=NOT_FOUND)
        self.run_cli("pools", "delete", "default_pool", code=REFUSED)
        self.run_cli("variables", "set", "city", "Seoul")
        self.run_cli("variables", "set", "from_stdin", input="Busan\n")
        values = {row["key"]: row["value"] for row in self.json_of("variables", "list")}
        self.assertEqual((values["city"], values["from_stdin"]), ("Seoul", "Busan"))
        self.run_cli("variables", "delete", "city")
        self.run_cli("connections", "set", "pg", "--type", "postgres", "--host", "h", "--port", "5432", "--password", input="pw-of-pg\n")
        self.assertRegex(self.run_cli("connections", "list"), r"(?m)^pg +postgres +h +5432")
        self.assertNotIn("pw-of-pg", self.run_cli("connections", "list", "-o", "json"))
        self.assertEqual(self.run_cli("connections", "delete", "pg"), "deleted pg\n")

    # ---- who may, and where the server is ----

    def environment(self, **changes):
        return dict(os.environ, ETESIAN_URL=self.etesian.url, ETESIAN_TOKEN=self.etesian.token, NO_COLOR="1", **changes)

    def test_no_server(self):
        error = self.run_cli("--url", "http://127.0.0.1:9", "dags", "list", code=NO_SERVER)
        self.assertEqual(error, "etesian: connect to http://127.0.0.1:9: connection refused; is the server running? "
                                "start it with 'etesian up'\n")
        self.assertIn("not a URL", self.run_cli("--url", "nonsense", "dags", "list", code=USAGE))

    def test_bad_token_and_login(self):
        self.assertIn("run 'etesian login'", self.run_cli("--token", "wrong", "dags", "list", code=DENIED))
        with tempfile.TemporaryDirectory() as config:
            environment = self.environment(XDG_CONFIG_HOME=config)
            environment["ETESIAN_TOKEN"] = ""
            call = lambda *words, **more: subprocess.run([BINARY, *words], env=environment, capture_output=True, text=True, **more)
            self.assertEqual(call("dags", "list").returncode, DENIED)
            self.assertEqual(call("login", input="wrong\n").returncode, DENIED)
            entered = call("login", input=PASSWORD + "\n")
            self.assertEqual((entered.returncode, entered.stdout), (OK, f"logged in as admin at {self.etesian.url}\n"))
            self.assertEqual((pathlib.Path(config) / "etesian" / "tokens.json").stat().st_mode & 0o777, 0o600)
            self.assertEqual(call("dags", "list").returncode, OK)

    def test_usage(self):
        self.assertEqual(self.run_cli("dag", code=USAGE), "etesian: no command 'dag'; did you mean 'dags'?\n")
        self.assertEqual(self.run_cli("dags", "lst", code=USAGE), "etesian: no command 'lst'; did you mean 'list'?\n")
        self.assertIn("no command 'nonsense'", self.run_cli("nonsense", code=USAGE))
        self.run_cli(code=USAGE)
        self.run_cli("dags", code=USAGE)
        self.run_cli("dags", "list", "-o", "xml", code=USAGE)
        self.assertRegex(self.run_cli("--version"), r"^etesian \d+\.\d+\.\d+\n$")
        self.assertIn("Subcommands:", self.run_cli("--help"))

    # ---- without a server ----

    def test_when(self):
        words = ("when", "30 2 * * *", "--timezone", "America/New_York", "--dst", "first", "--from", "2024-03-09T00:00Z", "--count", "4")
        self.assertEqual(self.run_cli(*words, "-o", "json"),
                         '["2024-03-09T07:30Z","2024-03-10T07:00Z","2024-03-11T06:30Z","2024-03-12T06:30Z"]\n')
        self.assertEqual(self.run_cli(*words).splitlines()[3], "2024-03-10T03:00:00-04:00  2024-03-10T07:00Z  moved by DST")
        self.assertIn("is not between 0 and 59", self.run_cli("when", "61 2 * * *", code=USAGE))
        self.assertIn("Mars/X", self.run_cli("when", "* * * * *", "--timezone", "Mars/X", code=USAGE))

    def test_preview_on_both_clocks(self):
        words = ("preview", "--project", str(self.project), "--days", "2", "--from", "2024-03-09T00:00Z")
        self.assertEqual(self.run_cli(*words).splitlines(), [
            "LOCAL                      UTC                   DAG     NOTE",
            "2024-03-09T03:00:00-05:00  2024-03-09T08:00:00Z  daily   ",
            "2024-03-09T04:00:00-05:00  2024-03-09T09:00:00Z  report  then waits for what it needs",
            "2024-03-10T03:00:00-04:00  2024-03-10T07:00:00Z  daily   ",
            "2024-03-10T04:00:00-04:00  2024-03-10T08:00:00Z  report  then waits for what it needs",
            "4 runs from 2024-03-09T00:00:00Z on for 2 days"])
        self.assertEqual(len(self.json_of(*words)), 4)

    def test_check_tells_every_mistake_with_its_place(self):
        project = write_project(self.folder / "broken", {"greet": BROKEN})
        self.assertEqual(self.run_cli("check", str(project), code=FAILED), """\
dags/greet/dag.yaml:3:21: error: 'paras' is not defined
  3 |   a: {run: "echo {{ paras.x }}", aftr: b}
    |                     ^~~~~ did you mean 'params'?
dags/greet/dag.yaml:3:34: error: unknown key 'aftr' in task 'a'
  3 |   a: {run: "echo {{ paras.x }}", aftr: b}
    |                                  ^~~~ did you mean 'after'?
dags/greet/dag.yaml:4:27: error: task 'b' waits for 'zz', which is not a task or group of this dag
  4 |   b: {run: "true", after: zz}
    |                           ^~
1 DAGs, 3 errors, 0 warnings
""")
        rows = json.loads(self.run_cli("check", str(project), "-o", "json", code=FAILED))
        self.assertEqual([(row["file"], row["line"], row["column"]) for row in rows],
                         [("dags/greet/dag.yaml", 3, 21), ("dags/greet/dag.yaml", 3, 34), ("dags/greet/dag.yaml", 4, 27)])
        self.assertEqual(self.run_cli("check", str(self.project)), f"{len(DAGS)} DAGs, 0 errors, 0 warnings\n")
        self.run_cli("check", "/nowhere", code=NOT_FOUND)

    def test_every_template_checks_and_its_first_task_runs(self):
        project = write_project(self.folder / "scaffold", {})
        usage = self.run_cli("new", "dag", "x", "--template", "?", code=USAGE)
        names = usage.split("{")[1].split("}")[0].split(",")
        self.assertIn("sql-report", names)
        for name in names:
            made = self.run_cli("new", "dag", "my_" + name, "--template", name, "--project", str(project))
            self.assertIn(f"dags/my_{name}/dag.yaml", made)
        self.assertEqual(self.run_cli("check", str(project)), f"{len(names)} DAGs, 0 errors, 0 warnings\n")
        for name in names:
            definition = (project / "dags" / f"my_{name}" / "dag.yaml").read_text()
            first = re.search(r"(?ms)^tasks:.*?^  (\w+):", definition)[1]
            words = ("test", f"my_{name}", first, "--project", str(project), "--date", "2026-03-01")
            if name == "sensor-needs":  # it looks for a file, and says so where there is none
                self.assertIn("failed  exit code 75", self.run_cli(*words, code=FAILED))
            else:
                self.assertRegex(self.run_cli(*words), r"(?m)^success  ")
        self.assertIn("exists already", self.run_cli("new", "dag", "my_hello", "--project", str(project), code=REFUSED))
        self.run_cli("new", "dag", "not good", "--project", str(project), code=USAGE)

    def test_test_runs_one_task_here_and_now(self):
        here = ("--project", str(self.project))
        text = self.run_cli("test", "greet", "hello", *here, "-p", "name=Busan")
        self.assertRegex(text, r"^greet/manual__.*/hello try 1  data interval .*\nhello Busan\nto stderr\nsuccess  exit code 0 after \d\.\d{3} s, 2 lines\n$")
        self.assertRegex(self.run_cli("test", "daily", "work", *here, "--date", "2024-03-10"),
                         r"data interval 2024-03-10T07:00:00Z to 2024-03-11T07:00:00Z")
        self.assertIn("failed  exit code 3", self.run_cli("test", "stubborn", "fails", *here, code=FAILED))
        self.assertIn("did you mean 'greet'?", self.run_cli("test", "gret", "hello", *here, code=NOT_FOUND))
        self.assertIn("did you mean 'hello'?", self.run_cli("test", "greet", "helo", *here, code=NOT_FOUND))
        self.assertIn("param 'name'", self.run_cli("test", "greet", "hello", *here, "-p", "name=much-too-long", code=REFUSED))

    def test_schema_is_json(self):
        self.assertEqual(json.loads(self.run_cli("schema"))["$schema"][:22], "http://json-schema.org")

    def test_completion_is_valid_and_completes(self):
        script = self.run_cli("completion", "bash")
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        probe = script + "\nCOMP_WORDS=(etesian dags gr); COMP_CWORD=2; _etesian; echo \"${COMPREPLY[@]}\"\n"
        self.assertEqual(subprocess.run(["bash"], input=probe, capture_output=True, text=True).stdout, "graph\n")
        self.assertIn("bashcompinit", self.run_cli("completion", "zsh"))

    def test_colours_only_on_a_terminal_and_never_with_NO_COLOR(self):
        def on_terminal(environment):
            return subprocess.run(["script", "-qec", f"{BINARY} dags list", "/dev/null"], env=environment, text=True,
                                  capture_output=True, stdin=subprocess.DEVNULL).stdout
        environment = self.environment(TERM="xterm-256color")
        self.assertNotIn("\033[", on_terminal(environment))
        del environment["NO_COLOR"]
        self.assertIn("\033[", on_terminal(environment))
        self.assertNotIn("\033[", subprocess.run([BINARY, "dags", "list"], env=environment, text=True, capture_output=True).stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
