"""Triggers: thousands of waits in one asyncio process that may die."""

from __future__ import annotations

import os
import signal
import unittest
import uuid
from pathlib import Path
from typing import Any

from support import Host, HostTest, children_of, is_alive, wait_for_end, wait_until

TRIGGERS = '''
import asyncio
import datetime
import os
import time
from pathlib import Path
from airflow.sdk import Variable
from airflow.triggers.base import (
    BaseEventTrigger, BaseTrigger, TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent,
)


class Base(BaseTrigger):
    def __init__(self, note="", value=None):
        super().__init__()
        self.note = note
        self.value = value

    def serialize(self):
        return (f"{type(self).__module__}.{type(self).__qualname__}", {"note": self.note, "value": self.value})

    async def cleanup(self):
        if self.note:
            Path(self.note + ".cleanup").touch()


class Echo(Base):
    async def run(self):
        print("echo prints")
        self.log.info("echo logs")
        yield TriggerEvent({"value": self.value, "id": self.trigger_id, "late": self.timeout_after,
                            "task": self.task_instance and self.task_instance.task_id,
                            "tuple": (1, datetime.timedelta(hours=2))})


class Wait(Base):
    """Waits for a file."""

    async def run(self):
        Path(self.note + ".running").touch()
        while not os.path.exists(self.note):
            await asyncio.sleep(0.01)
        yield TriggerEvent("came")

    async def on_kill(self):
        Path(self.note + ".killed").touch()


class Die(Base):
    """Ends its process, but only the first time."""

    async def run(self):
        if not os.path.exists(self.note):
            Path(self.note).touch()
            os._exit(1)
        yield TriggerEvent("second life")


class Success(Base):
    async def run(self):
        yield TaskSuccessEvent(xcoms={"a": (1, 2), "b": "text"})


class Failed(Base):
    async def run(self):
        yield TaskFailedEvent()


class Skipped(Base):
    async def run(self):
        yield TaskSkippedEvent()


class Broken(Base):
    async def run(self):
        raise ValueError("broken trigger")
        yield


class Silent(Base):
    async def run(self):
        return
        yield


class Unspeakable(Base):
    async def run(self):
        yield TriggerEvent(object())


class Exits(Base):
    async def run(self):
        raise SystemExit(1)
        yield


class ReadsVariable(Base):
    async def run(self):
        yield TriggerEvent([Variable.get("colour"), await asyncio.to_thread(Variable.get, "colour")])


class Blocks(Base):
    async def run(self):
        await asyncio.gather(self.inner())
        yield TriggerEvent("done")

    async def inner(self):
        time.sleep(6.5)


class Watcher(BaseEventTrigger):
    def serialize(self):
        return ("etesian_test_triggers.Watcher", {})

    async def run(self):
        for n in range(3):
            yield TriggerEvent(n)
            await asyncio.sleep(0)
        await asyncio.sleep(600)


class Shared(BaseEventTrigger):
    def __init__(self, only):
        super().__init__()
        self.only = only

    def serialize(self):
        return ("etesian_test_triggers.Shared", {"only": self.only})

    def shared_stream_key(self):
        return ("one",)

    async def run(self):
        raise NotImplementedError
        yield

    @classmethod
    async def open_shared_stream(cls, kwargs):
        while True:
            await asyncio.sleep(0.01)
            yield "a"
            yield "b"

    async def filter_shared_stream(self, shared_stream):
        async for event in shared_stream:
            if event == self.only:
                yield TriggerEvent(event)
'''


class TriggerTest(HostTest):
    @classmethod
    def prepare(cls) -> None:
        cls.api.variables["colour"] = "green"
        plugins = cls.folder / "airflow" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "etesian_test_triggers.py").write_text(TRIGGERS)

    def start(self, name: str, host: Host | None = None, **message: Any) -> str:
        trigger = str(uuid.uuid4())
        kwargs = message.pop("kwargs", {})
        classpath = message.pop("classpath", f"etesian_test_triggers.{name}")
        defaults = {"kwargs": kwargs, "timeout_after": None, "ti": self.instance()}
        (host or self.host).send({"op": "trigger", "id": trigger, "classpath": classpath} | defaults | message)
        return trigger

    def instance(self) -> dict[str, Any]:
        ids = {"id": str(uuid.uuid4()), "dag_version_id": str(uuid.uuid4())}
        return ids | {"task_id": "t", "dag_id": "d", "run_id": "r", "try_number": 1, "map_index": -1}

    def fired(self, trigger: str, host: Host | None = None) -> dict[str, Any]:
        message = (host or self.host).wait_for(lambda m: m["op"] == "fired" and m["id"] == trigger)
        return {key: value for key, value in message.items() if key not in ("op", "id")}

    def start_waiting(self, name: str) -> tuple[str, Path]:
        note = self.folder / str(uuid.uuid4())
        trigger = self.start(name, kwargs={"note": str(note)})
        wait_until(Path(f"{note}.running").exists, "the trigger runs")
        return trigger, note

    def test_an_event_arrives_in_serde_form(self) -> None:
        moment = {
            "__classname__": "pendulum.datetime.DateTime",
            "__version__": 2,
            "__data__": {
                "timestamp": 1798761600.0,
                "tz": {
                    "__classname__": "builtins.tuple",
                    "__version__": 1,
                    "__data__": ["UTC", "pendulum.tz.timezone.Timezone", 1, True],
                },
            },
        }
        trigger = self.start("Echo", kwargs={"value": moment}, timeout_after="2027-01-01T00:00:00Z")
        event = self.fired(trigger)
        self.assertEqual(event["kind"], "event")
        payload = event["payload"]
        self.assertEqual((payload["value"], payload["id"], payload["task"]), (moment, trigger, "t"))
        self.assertEqual(payload["late"]["__data__"]["timestamp"], 1798761600.0)
        self.assertEqual(payload["tuple"]["__data__"][1]["__data__"], 7200.0)

    def test_keyword_arguments_may_come_as_text(self) -> None:
        trigger = self.start("Echo", kwargs='{"value": 5}')
        self.assertEqual(self.fired(trigger)["payload"]["value"], 5)

    def test_an_official_trigger_runs(self) -> None:
        trigger = self.start(
            "",
            classpath="airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",
            kwargs={"delta": {"__classname__": "datetime.timedelta", "__version__": 2, "__data__": 0.01}},
        )
        self.assertEqual(self.fired(trigger)["kind"], "event")

    def test_events_that_end_the_task_say_so(self) -> None:
        self.assertEqual(
            self.fired(self.start("Success")),
            {
                "kind": "end",
                "state": "success",
                "xcoms": {"a": {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1, 2]}, "b": "text"},
            },
        )
        self.assertEqual(self.fired(self.start("Failed")), {"kind": "end", "state": "failed", "xcoms": {}})
        self.assertEqual(self.fired(self.start("Skipped")), {"kind": "end", "state": "skipped", "xcoms": {}})

    def test_a_trigger_that_cannot_run_is_an_error_with_its_traceback(self) -> None:
        for start, words in (
            (lambda: self.start("Broken"), "ValueError: broken trigger"),
            (lambda: self.start("Missing"), "Missing"),
            (lambda: self.start("Echo", kwargs={"no_such": 1}), "no_such"),
            (lambda: self.start("Unspeakable"), "object"),
            (lambda: self.start("Exits"), "SystemExit"),
        ):
            with self.subTest(words):
                error = self.fired(start())
                self.assertEqual((error["kind"], error["error"]), ("error", "Trigger failure"))
                self.assertIn(words, "".join(error["traceback"]))

    def test_a_trigger_that_ends_without_an_event_is_an_error(self) -> None:
        error = self.fired(self.start("Silent"))
        self.assertEqual(error, {"kind": "error", "error": "Trigger failure", "traceback": None})

    def test_a_trigger_reads_variables_on_the_loop_and_in_a_thread(self) -> None:
        self.assertEqual(self.fired(self.start("ReadsVariable"))["payload"], ["green", "green"])

    def test_a_cancelled_trigger_is_killed_cleaned_up_and_silent(self) -> None:
        trigger, note = self.start_waiting("Wait")
        self.host.send({"op": "cancel", "id": trigger})
        wait_until(Path(f"{note}.cleanup").exists, "cleanup()")
        self.assertTrue(Path(f"{note}.killed").exists())
        note.touch()
        # Whatever the cancelled one might have said comes before this.
        self.fired(self.start("Echo"))
        self.assertEqual([m for m in self.host._kept if m.get("id") == trigger and m["op"] == "fired"], [])

    def test_a_trigger_may_come_back_under_its_name_while_the_old_one_still_ends(self) -> None:
        trigger, note = self.start_waiting("Wait")
        again = self.folder / str(uuid.uuid4())
        self.host.send({"op": "cancel", "id": trigger})
        self.start("Wait", kwargs={"note": str(again)}, id=trigger)
        wait_until(Path(f"{again}.running").exists, "the new one runs")
        wait_until(Path(f"{note}.cleanup").exists, "the old one ends")
        self.host.send({"op": "cancel", "id": trigger})
        wait_until(Path(f"{again}.killed").exists, "the new one is cancelled")

    def test_other_triggers_survive_the_death_of_their_process(self) -> None:
        waiting, note = self.start_waiting("Wait")
        dying = self.start("Die", kwargs={"note": str(self.folder / str(uuid.uuid4()))})
        self.assertEqual(self.fired(dying)["payload"], "second life")
        note.touch()
        self.assertEqual(self.fired(waiting)["payload"], "came")

    def test_a_killed_trigger_process_is_replaced(self) -> None:
        waiting, note = self.start_waiting("Wait")
        [process] = children_of(self.host.process.pid)
        os.kill(process, signal.SIGKILL)
        Path(f"{note}.running").unlink()
        wait_until(Path(f"{note}.running").exists, "the trigger runs again")
        note.touch()
        self.assertEqual(self.fired(waiting)["payload"], "came")

    def test_a_blocked_loop_is_found_and_named(self) -> None:
        trigger = self.start("Blocks")
        message = self.host.wait_for(lambda m: m["op"] == "blocked")
        self.assertEqual(message["id"], trigger)
        self.assertGreaterEqual(message["seconds"], 5)
        self.assertIn("time.sleep(6.5)", message["stack"])
        self.assertEqual(self.fired(trigger)["payload"], "done")

    def test_a_watcher_fires_until_it_is_cancelled(self) -> None:
        watcher = self.start("Watcher", ti=None)
        events = [self.fired(watcher) for _ in range(3)]
        self.assertEqual([event["payload"] for event in events], [0, 1, 2])
        self.assertTrue(all(event["continues"] for event in events))
        self.assertEqual(self.host.ask("stat")["triggers"], 1)
        self.host.send({"op": "cancel", "id": watcher})
        self.assertEqual(self.host.ask("stat")["triggers"], 0)

    def test_watchers_share_a_stream(self) -> None:
        watchers = {only: self.start("Shared", ti=None, kwargs={"only": only}) for only in "ab"}
        for only, watcher in watchers.items():
            self.assertEqual(self.fired(watcher)["payload"], only)
        for watcher in watchers.values():
            self.host.send({"op": "cancel", "id": watcher})

    def test_what_a_trigger_prints_and_logs_is_told_with_its_id(self) -> None:
        import json

        trigger = self.start("Echo")
        lines = []
        while not {"echo prints", "echo logs"} <= {line["event"] for line in lines}:
            message = self.host.wait_for(lambda m: m["op"] == "trigger_log" and m["id"] == trigger)
            lines += map(json.loads, message["lines"])
        [printed] = [line for line in lines if line["event"] == "echo prints"]
        [logged] = [line for line in lines if line["event"] == "echo logs"]
        self.assertEqual((printed["logger"], logged["task_id"]), ("trigger.stdout", "t"))
        self.fired(trigger)

    def test_the_end_of_the_server_ends_the_trigger_process(self) -> None:
        host = Host(self.folder, self.api)
        note = self.folder / str(uuid.uuid4())
        self.start("Wait", host, kwargs={"note": str(note)})
        wait_until(Path(f"{note}.running").exists, "the trigger runs")
        [process] = children_of(host.process.pid)
        host.close()
        wait_for_end(process)
        self.assertFalse(Path(f"{note}.killed").exists())

    def test_a_killed_host_takes_the_trigger_process_along(self) -> None:
        host = Host(self.folder, self.api)
        note = self.folder / str(uuid.uuid4())
        self.start("Wait", host, kwargs={"note": str(note)})
        wait_until(Path(f"{note}.running").exists, "the trigger runs")
        [process] = children_of(host.process.pid)
        host.process.kill()
        wait_for_end(process)
        self.assertFalse(is_alive(process))
        host.close()


if __name__ == "__main__":
    unittest.main()
