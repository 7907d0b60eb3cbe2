"""Callbacks of tasks and runs whose worker is gone."""

from __future__ import annotations

import unittest
import uuid
from typing import Any

from support import DAG_RUN, HostTest

CALLBACKS = """
import os
import time
from airflow.sdk import DAG, Variable
from airflow.providers.standard.operators.empty import EmptyOperator

def tell(context):
    print("called:", context["reason"] if "reason" in context else context["ti"].task_id, context["run_id"])
    print("previous success:", context["prev_start_date_success"])
    print("variable:", Variable.get("colour"))

def fail(context):
    raise ValueError("callback broke")

def die(context):
    os._exit(3)

def hang(context):
    time.sleep(600)

def retry(context):
    print("retried", context["ti"].try_number)

with DAG("calls", schedule=None, on_failure_callback=tell, on_success_callback=fail):
    EmptyOperator(task_id="t", on_failure_callback=[fail, tell], on_retry_callback=retry)
    EmptyOperator(task_id="dies", on_failure_callback=die)
    EmptyOperator(task_id="hangs", on_failure_callback=hang)
"""


class CallbackTest(HostTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.path = cls.host.dags / "calls.py"
        cls.path.write_text(CALLBACKS)
        cls.api.variables["colour"] = "green"

    def instance(self, task_id: str) -> dict[str, Any]:
        ids = {"id": str(uuid.uuid4()), "dag_version_id": str(uuid.uuid4())}
        return ids | {"task_id": task_id, "dag_id": "calls", "run_id": "r", "try_number": 1, "map_index": -1}

    def of_dag(self, is_failure: bool) -> dict[str, Any]:
        return {
            "type": "DagCallbackRequest",
            "filepath": "calls.py",
            "bundle_name": "dags-folder",
            "bundle_version": None,
            "msg": "task_failure",
            "dag_id": "calls",
            "run_id": "r",
            "is_failure_callback": is_failure,
            "context_from_server": {"dag_run": DAG_RUN, "last_ti": self.instance("t")},
        }

    def of_task(self, task_id: str, kind: str = "failed") -> dict[str, Any]:
        return {
            "type": "TaskCallbackRequest",
            "filepath": "calls.py",
            "bundle_name": "dags-folder",
            "bundle_version": None,
            "msg": "gone",
            "task_callback_type": kind,
            "ti": self.instance(task_id),
            "context_from_server": {"dag_run": DAG_RUN, "max_tries": 1},
        }

    def test_the_callback_of_a_run_gets_a_context_whose_lazy_values_work(self) -> None:
        request = self.of_dag(is_failure=True)
        answer = self.host.callback(self.path, request)
        self.assertTrue(answer["ok"], answer)
        self.assertIn("called: task_failure r\n", answer["output"])
        self.assertIn("previous success: 2026-01-02 00:00:00+00:00\n", answer["output"])
        self.assertIn("variable: green\n", answer["output"])
        instance = request["context_from_server"]["last_ti"]["id"]
        asked = self.api.wait_for(f"{instance}/previous-successful-dagrun")
        self.assertEqual(asked.token, "token-of-the-host")

    def test_one_broken_callback_is_told_and_the_next_still_runs(self) -> None:
        answer = self.host.callback(self.path, self.of_task("t"))
        self.assertEqual((answer["ok"], answer["error"]), (False, "ValueError: callback broke"))
        self.assertIn("called: t r\n", answer["output"])
        self.assertIn("callback broke", answer["output"])

    def test_the_retry_callback_is_the_one_for_a_retry(self) -> None:
        answer = self.host.callback(self.path, self.of_task("t", "up_for_retry"))
        self.assertTrue(answer["ok"], answer)
        self.assertIn("retried 1\n", answer["output"])

    def test_a_callback_that_ends_its_process_is_told(self) -> None:
        answer = self.host.callback(self.path, self.of_task("dies"))
        self.assertEqual((answer["ok"], answer["error"]), (False, "exit code 3"))

    def test_a_callback_that_hangs_is_killed(self) -> None:
        answer = self.host.callback(self.path, self.of_task("hangs"), timeout_s=1)
        self.assertEqual((answer["ok"], answer["error"]), (False, "did not finish within 1 s"))

    def test_a_task_that_is_not_there_any_more_is_an_error(self) -> None:
        answer = self.host.callback(self.path, self.of_task("forgotten"))
        self.assertFalse(answer["ok"])
        self.assertIn("Task 'forgotten' not found", answer["error"])

    def test_a_request_that_cannot_be_read_is_an_error(self) -> None:
        answer = self.host.callback(self.path, {"type": "NoSuchRequest"})
        self.assertFalse(answer["ok"])
        self.assertIn("NoSuchRequest", answer["error"])


if __name__ == "__main__":
    unittest.main()
