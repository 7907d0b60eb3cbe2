"""Loading DAG files: what user code does to itself costs its own file only."""

from __future__ import annotations

import unittest
import zipfile
from pathlib import Path

from support import Host, HostTest, wait_for_end

GOOD = """
    from airflow.sdk import DAG
    from airflow.providers.standard.operators.bash import BashOperator
    with DAG("{id}", schedule="@daily"):
        BashOperator(task_id="first", bash_command="true") >> BashOperator(task_id="second", bash_command="true")
"""


PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.simple import NullTimetable

class Mine(NullTimetable):
    pass

class Plugin(AirflowPlugin):
    name = "etesian_test"
    timetables = [Mine]
"""


class ParseTest(HostTest):
    @classmethod
    def prepare(cls) -> None:
        plugins = cls.folder / "airflow" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "etesian_test_plugin.py").write_text(PLUGIN)

    def good(self, dag_id: str, before: str = "") -> Path:
        source = GOOD.format(id=dag_id)
        return self.host.write(f"{dag_id}.py", before + source if before else source)

    def only_error(self, result: dict) -> str:
        self.assertEqual(result["dags"], [])
        self.assertEqual(len(result["errors"]), 1, result)
        return result["errors"][0]["trace"]

    def test_a_good_file_gives_its_dags_as_airflow_serialises_them(self) -> None:
        result = self.host.parse(self.good("good"))
        self.assertEqual(result["errors"], [])
        self.assertEqual(result["warnings"], [])
        self.assertEqual(result["output"], "")
        [dag] = result["dags"]
        self.assertEqual(dag["__version"], 3)
        self.assertEqual(dag["dag"]["dag_id"], "good")
        self.assertEqual(dag["dag"]["relative_fileloc"], "good.py")
        tasks = {task["__var"]["task_id"]: task["__var"] for task in dag["dag"]["tasks"]}
        self.assertEqual(tasks["first"]["downstream_task_ids"], ["second"])
        self.assertGreater(result["cpu_s"], 0)

    def test_an_error_names_the_file_as_airflow_does_and_shows_the_traceback(self) -> None:
        result = self.host.parse(self.host.write("broken.py", "from airflow.sdk import DAG\nimport nothing_like_it\n"))
        self.assertEqual(result["errors"][0]["file"], "broken.py")
        self.assertIn("No module named 'nothing_like_it'", self.only_error(result))
        self.assertIn("broken.py", self.only_error(result))

    def test_a_dag_that_cannot_be_serialised_leaves_the_others_of_its_file(self) -> None:
        path = self.host.write(
            "half.py",
            """
            from airflow.sdk import DAG
            from airflow.timetables.simple import NullTimetable
            from airflow.providers.standard.operators.empty import EmptyOperator
            class Mine(NullTimetable):
                pass
            with DAG("bad_half", schedule=Mine()):
                EmptyOperator(task_id="t")
            with DAG("good_half", schedule=None):
                EmptyOperator(task_id="t")
            """,
        )
        result = self.host.parse(path)
        self.assertEqual([dag["dag"]["dag_id"] for dag in result["dags"]], ["good_half"])
        self.assertEqual(result["errors"][0]["file"], "half.py")
        self.assertIn("bad_half", result["errors"][0]["trace"])

    def test_an_endless_file_is_killed_and_the_host_goes_on(self) -> None:
        path = self.host.write(
            "endless.py",
            """
            from airflow.sdk import DAG
            import time
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
            """,
        )
        self.assertEqual(self.only_error(self.host.parse(path, timeout_s=1)), "did not finish within 1 s while parsing")
        self.assertEqual(self.host.parse(self.good("after_endless"))["errors"], [])

    def test_a_file_that_exits_names_the_code(self) -> None:
        path = self.host.write("exits.py", "from airflow.sdk import DAG\nimport os\nos._exit(5)\n")
        result = self.host.parse(path)
        self.assertEqual(self.only_error(result), "exit code 5 while parsing")
        self.assertEqual(result["errors"][0]["file"], "exits.py")
        path = self.host.write("leaves.py", "from airflow.sdk import DAG\nimport sys\nsys.exit(3)\n")
        self.assertIn("SystemExit: 3", self.only_error(self.host.parse(path)))

    def test_a_real_segmentation_fault_ends_the_parse_at_once_and_shows_where(self) -> None:
        path = self.host.write("faults.py", "from airflow.sdk import DAG\nimport ctypes\nctypes.string_at(0)\n")
        result = self.host.parse(path)
        self.assertEqual(self.only_error(result), "killed by signal 11 (SIGSEGV) while parsing")
        self.assertIn("faults.py", result["output"])

    def test_memory_beyond_the_limit_is_an_error_of_the_file(self) -> None:
        path = self.host.write("hungry.py", "from airflow.sdk import DAG\nx = bytearray(1 << 30)\n")
        self.assertIn("memory limit", self.only_error(self.host.parse(path, memory_bytes=256 << 20)))

    def test_an_interrupt_raised_by_a_file_is_an_error_of_the_file(self) -> None:
        path = self.host.write("interrupts.py", "from airflow.sdk import DAG\nraise KeyboardInterrupt\n")
        result = self.host.parse(path)
        self.assertIn("KeyboardInterrupt", self.only_error(result))
        self.assertEqual(result["errors"][0]["file"], "interrupts.py")

    def test_a_timetable_that_a_plugin_registers_is_known(self) -> None:
        path = self.host.write(
            "planned.py",
            """
            from airflow.sdk import DAG
            from airflow.providers.standard.operators.empty import EmptyOperator
            from etesian_test_plugin import Mine
            with DAG("planned", schedule=Mine()):
                EmptyOperator(task_id="t")
            """,
        )
        result = self.host.parse(path)
        self.assertEqual(result["errors"], [])
        self.assertEqual(result["dags"][0]["dag"]["timetable"]["__type"], "etesian_test_plugin.Mine")

    def test_of_fifty_megabytes_printed_the_end_is_kept(self) -> None:
        path = self.good("loud", "    print('x' * (50 << 20))\n    print('the end')\n")
        result = self.host.parse(path)
        self.assertEqual(len(result["dags"]), 1)
        self.assertTrue(result["output"].endswith("the end\n"))
        self.assertLessEqual(len(result["output"]), 16 << 10)

    def test_processes_that_a_file_starts_end_with_the_parse(self) -> None:
        notes = self.folder / "pids"
        path = self.good(
            "starts_processes",
            f"""
    import os, subprocess, sys
    plain = subprocess.Popen(["sleep", "600"])
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        with open({str(notes)!r}, "w") as file:
            file.write(f"{{plain.pid}} {{os.getpid()}} \\n")
        os.execvp("sleep", ["sleep", "600"])
    os.wait()
    while not os.path.exists({str(notes)!r}) or "\\n" not in open({str(notes)!r}).read():
        pass
""",
        )
        result = self.host.parse(path)
        self.assertEqual(result["errors"], [])
        plain, daemon = map(int, notes.read_text().split())
        wait_for_end(plain)
        wait_for_end(daemon)

    def test_a_file_that_forks_answers_once(self) -> None:
        path = self.good("forks", "    import os\n    os.fork()\n")
        result = self.host.parse(path)
        self.assertEqual([dag["dag"]["dag_id"] for dag in result["dags"]], ["forks"])

    def test_parses_run_side_by_side(self) -> None:
        # Each waits for the other: one after the other they would not end.
        first, second = self.folder / "first", self.folder / "second"
        wait = (
            "    import os, time\n    open({!r}, 'w').close()\n    while not os.path.exists({!r}): time.sleep(0.01)\n"
        )
        numbers = [
            self.host.start_parse(self.good("side_a", wait.format(str(first), str(second)))),
            self.host.start_parse(self.good("side_b", wait.format(str(second), str(first)))),
        ]
        for number in numbers:
            self.assertEqual(self.host.finish_parse(number)["errors"], [])

    def test_a_zip_file_is_loaded(self) -> None:
        path = self.host.dags / "packed.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("packed.py", GOOD.format(id="packed").replace("\n    ", "\n"))
        [dag] = self.host.parse(path)["dags"]
        self.assertEqual(dag["dag"]["dag_id"], "packed")
        self.assertEqual(dag["dag"]["relative_fileloc"], "packed.zip/packed.py")

    def test_variables_and_connections_are_read_at_the_top_level(self) -> None:
        self.api.variables["color"] = "green"
        self.api.connections["db"] = {
            "conn_id": "db",
            "conn_type": "postgres",
            "host": "db.test",
            "schema": None,
            "login": None,
            "password": None,
            "port": 5432,
            "extra": None,
        }
        path = self.good(
            "reads",
            """
    from airflow.sdk import Variable, Connection
    print(Variable.get("color"), Variable.get("from_environment"), Variable.get("absent", default="fallback"))
    print(Connection.get("db").host)
""",
        )
        result = self.host.parse(path)
        self.assertEqual(result["errors"], [])
        self.assertEqual(result["output"], "green environment fallback\ndb.test\n")
        self.assertEqual(self.api.wait_for("variables/color").token, "token-of-the-host")
        missing = self.good("reads_missing", "    from airflow.sdk import Variable\n    Variable.get('absent')\n")
        self.assertIn("VARIABLE_NOT_FOUND", self.only_error(self.host.parse(missing)))

    def test_the_hosts_token_is_not_in_the_environment(self) -> None:
        path = self.good("looks", "    import os\n    print('ETESIAN_AIRFLOW_HOST_TOKEN' in os.environ)\n")
        self.assertEqual(self.host.parse(path)["output"], "False\n")
        try:
            initial = Path(f"/proc/{self.host.process.pid}/environ").read_bytes()
        except PermissionError:
            # Hidden from everybody but root, which is better still.
            return
        self.assertNotIn(b"token-of-the-host", initial)

    def test_what_two_loads_disagree_on_is_named(self) -> None:
        path = self.host.write(
            "unstable.py",
            """
            import uuid
            from airflow.sdk import DAG
            from airflow.providers.standard.operators.bash import BashOperator
            with DAG("unstable", schedule=None, description=str(uuid.uuid4())):
                BashOperator(task_id="shifty", bash_command=f"echo {uuid.uuid4()}")
                BashOperator(task_id="solid", bash_command="true")
            """,
        )
        result = self.host.parse(path, twice=True)
        self.assertEqual(len(result["dags"]), 1)
        self.assertEqual(result["unstable"], ["unstable: description", "unstable: tasks.shifty.bash_command"])
        self.assertEqual(self.host.parse(self.good("stable"), twice=True)["unstable"], [])

    def test_another_host_finds_the_same_dag(self) -> None:
        path = self.good("hashes", "    import os\n    print(hash('a'), 'PYTHONHASHSEED' in os.environ)\n")
        other = Host(self.folder, self.api)
        self.addCleanup(other.close)
        outputs = {host.parse(path)["output"] for host in (self.host, other)}
        self.assertEqual(len(outputs), 1, outputs)
        self.assertIn("False", outputs.pop())

    def test_warnings_of_a_file_are_told(self) -> None:
        path = self.good("warns", "    import warnings\n    warnings.warn('old ways')\n")
        [warning] = self.host.parse(path)["warnings"]
        self.assertIn("old ways", warning)

    def test_an_incomplete_request_is_answered_with_an_error(self) -> None:
        self.host.send({"op": "parse", "id": "incomplete"})
        answer = self.host.wait_for(lambda message: message["op"] == "error")
        self.assertEqual(answer["id"], "incomplete")
        self.host.send({"op": "dance"})
        self.assertIn("dance", self.host.wait_for(lambda message: message["op"] == "error")["error"])
        self.host.send_raw(b"\x00\x00\x00\x03}{]")
        self.assertIn("not JSON", self.host.wait_for(lambda message: message["op"] == "error")["error"])


if __name__ == "__main__":
    unittest.main()
