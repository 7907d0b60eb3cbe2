"""The asyncio process that runs all triggers.

For each trigger it does what the official TriggerRunner does, but nothing is polled: a trigger starts when its message
comes, and its event leaves when it fires.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import os
import selectors
import socket
import sys
import threading
import time
import traceback
import weakref
from collections.abc import AsyncIterator, Callable
from datetime import datetime, UTC
from typing import Any, NoReturn

from etesian_airflow import framing
from etesian_airflow.comms import Comms, enter_client_context
from etesian_airflow.credential import Credential
from etesian_airflow.trigger_log import current_trigger, log_to

_READ = 1 << 18
# A loop that has not come back for so long is blocked.
_BLOCKED_S = 5.0
_LOOK_S = 1.0


def run(connection: socket.socket, credential: Credential) -> NoReturn:
    """Serve *connection* until the parent ends. Runs in a forked child."""
    from airflow.jobs.triggerer_job_runner import TriggerRunnerSupervisor

    comms = Comms(credential, TriggerRunnerSupervisor._handle_request)
    enter_client_context(comms)
    link = Link(connection)
    log_to(link.send)
    selector = Selector()
    loop = asyncio.SelectorEventLoop(selector)
    owners: weakref.WeakKeyDictionary[asyncio.Task[Any], str | None] = weakref.WeakKeyDictionary()

    def make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        context = options.get("context") or contextvars.copy_context()
        owners[task] = context.get(current_trigger)
        return task

    loop.set_task_factory(make_task)
    asyncio.set_event_loop(loop)
    comms.use_loop_of_this_thread()

    def owner_of_current_task() -> str | None:
        task = asyncio.current_task(loop)
        return owners.get(task) if task else None

    watch = threading.Thread(target=watch_for_blocks, args=(selector, owner_of_current_task, link.send), daemon=True)
    watch.start()
    loop.add_reader(connection.fileno(), link.receive, Runner(loop, link.send).obey)
    loop.run_forever()
    os._exit(0)


class Selector(selectors.DefaultSelector):
    """A selector that knows since when the loop has not come back to it."""

    def __init__(self) -> None:
        super().__init__()
        self.busy_since: float | None = None

    def select(self, timeout: float | None = None) -> Any:
        """Wait as usual; `busy_since` is None meanwhile."""
        self.busy_since = None
        try:
            return super().select(timeout)
        finally:
            self.busy_since = time.monotonic()


def watch_for_blocks(
    selector: Selector, owner_of_current_task: Callable[[], str | None], send: Callable[[dict[str, Any]], None]
) -> NoReturn:
    """Report when the loop of the main thread stands still, and again whenever that time has doubled."""
    loop_thread = threading.main_thread().ident or 0
    reported: float | None = None
    due = _BLOCKED_S
    while True:
        time.sleep(_LOOK_S)
        since = selector.busy_since
        if since != reported:
            due = _BLOCKED_S
        if since is None or (blocked := time.monotonic() - since) < due:
            continue
        reported, due = since, blocked * 2
        frame = sys._current_frames().get(loop_thread)
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        send({"op": "blocked", "id": owner_of_current_task(), "seconds": round(blocked, 1), "stack": stack})


class Link:
    """The connection to the parent. `send` may be called in any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = framing.FrameReader()
        self._lock = threading.Lock()
        connection.setblocking(True)

    def send(self, message: dict[str, Any]) -> None:
        """Send *message* whole. ValueError when it cannot be JSON."""
        frame = framing.encode(message)
        with self._lock:
            self._connection.sendall(frame)

    def receive(self, obey: Callable[[dict[str, Any]], None]) -> None:
        """Give what has arrived to *obey*. The end of the parent is the end of this process."""
        try:
            data = self._connection.recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os._exit(0)
        for body in self._reader.feed(data):
            obey(framing.decode(body))


class Runner:
    """The triggers of this process, each a task of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[dict[str, Any]], None]) -> None:
        import structlog

        from airflow.sdk.configuration import conf
        from airflow.triggers.shared_stream import SharedStreamManager

        self._loop = loop
        self._send = send
        self._log = structlog.get_logger(logger_name="trigger")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._streams = SharedStreamManager(
            log=self._log,
            max_subscriber_queue=conf.getint("triggerer", "shared_stream_subscriber_queue_size"),
            ack_timeout=conf.getfloat("triggerer", "shared_stream_ack_timeout"),
            cohort_grace_period=conf.getfloat("triggerer", "shared_stream_cohort_grace_period"),
        )

    def obey(self, message: dict[str, Any]) -> None:
        """Start or cancel what *message* names, or learn that an event is durable."""
        from airflow.jobs.triggerer_job_runner import _USER_ACTION_CANCEL_MSG

        name = message["id"]
        if message["op"] == "trigger":
            context = contextvars.copy_context()
            context.run(current_trigger.set, name)
            task = self._loop.create_task(self._run(message), name=name, context=context)
            self._tasks[name] = task
            task.add_done_callback(lambda task: self._forget(name, task))
        elif message["op"] == "cancel" and name in self._tasks:
            self._tasks[name].cancel(_USER_ACTION_CANCEL_MSG)
        elif message["op"] == "persisted":
            self._streams.confirm_persisted([message["seq"]])

    def _forget(self, name: str, task: asyncio.Task[None]) -> None:
        # A cancelled one may take its time to end, while its successor of the same name runs.
        if self._tasks.get(name) is task:
            del self._tasks[name]

    def _fire(self, name: str, what: dict[str, Any]) -> None:
        self._send({"op": "fired", "id": name, **what})

    async def _run(self, message: dict[str, Any]) -> None:
        import greenback

        try:
            if os.environ.get("AIRFLOW_DISABLE_GREENBACK_PORTAL", "").lower() != "true":
                await greenback.ensure_portal()
            await self._follow(message)
        except asyncio.CancelledError:
            return
        except BaseException as error:
            self._log.exception("Trigger failed", classpath=message.get("classpath"))
            trace = traceback.format_exception(error)
            self._fire(message["id"], {"kind": "error", "error": "Trigger failure", "traceback": trace})

    async def _follow(self, message: dict[str, Any]) -> None:
        """Run one trigger and report what it fires: for a task the first event, for a watched asset all of them."""
        from airflow.triggers.base import BaseEventTrigger

        name = message["id"]
        _bind_log(message)
        trigger, context = make_trigger(message)
        is_watcher = message.get("ti") is None and isinstance(trigger, BaseEventTrigger)
        key = None
        self._log.info("Trigger starting", classpath=message["classpath"])
        try:
            if context is not None:
                trigger.render_template_fields(context=context)
            key = self._shared_stream_key(trigger) if isinstance(trigger, BaseEventTrigger) else None
            async for event in self._events_of(name, trigger, key):
                self._log.info("Trigger fired event", result=repr(event))
                seq = None if key is None else self._streams.bind_pending_event(trigger_id=name, key=key)
                what = to_report(event) | ({"seq": seq} if seq is not None else {})
                if not is_watcher:
                    self._fire(name, what)
                    return
                self._fire(name, what | {"continues": True})
            self._log.error("Trigger exited without sending an event")
            self._fire(name, {"kind": "error", "error": "Trigger failure", "traceback": None})
        except asyncio.CancelledError as cancelled:
            await self._call_on_kill(trigger, cancelled)
            raise
        finally:
            with contextlib.suppress(Exception):
                if key is not None:
                    await self._streams.unsubscribe(name, key)
            with contextlib.suppress(Exception):
                await trigger.cleanup()

    def _shared_stream_key(self, trigger: Any) -> Any:
        try:
            return trigger.shared_stream_key()
        except Exception:
            self._log.exception("shared_stream_key() raised; falling back to standalone run")
            return None

    def _events_of(self, name: str, trigger: Any, key: Any) -> AsyncIterator[Any]:
        if key is None:
            return trigger.run()
        # Official ids are numbers, but nothing counts with them.
        stream = self._streams.subscribe(trigger_id=name, trigger=trigger, key=key)  # type: ignore[arg-type]
        return trigger.filter_shared_stream(stream)

    async def _call_on_kill(self, trigger: Any, cancelled: asyncio.CancelledError) -> None:
        from airflow.jobs.triggerer_job_runner import _ON_CANCEL_TIMEOUT, _USER_ACTION_CANCEL_MSG

        if not cancelled.args or cancelled.args[0] != _USER_ACTION_CANCEL_MSG:
            return
        # Of a trigger whose time is over nobody has thought better: it ends as it would by itself.
        if trigger.timeout_after and trigger.timeout_after < datetime.now(UTC):
            return
        self._log.info("Trigger cancelled by user action, invoking on_kill")
        try:
            await asyncio.wait_for(trigger.on_kill(), timeout=_ON_CANCEL_TIMEOUT)
        except Exception:
            self._log.warning("on_kill() did not succeed", exc_info=True)


def _bind_log(message: dict[str, Any]) -> None:
    import structlog

    instance = message.get("ti") or {}
    fields = ("dag_id", "task_id", "run_id", "try_number", "map_index")
    values = {field: instance[field] for field in fields if field in instance}
    if "id" in instance:
        values["ti_id"] = instance["id"]
    structlog.contextvars.bind_contextvars(trigger_id=message["id"], **values)


def make_trigger(message: dict[str, Any]) -> tuple[Any, Any]:
    """Return the trigger of *message* and the context its fields are rendered with, None when they are not."""
    from airflow._shared.module_loading import import_string
    from airflow.executors.workloads.task import TaskInstanceDTO
    from airflow.jobs.triggerer_job_runner import TriggerRunner
    from airflow.models.trigger import Trigger
    from airflow.sdk.definitions.asset import Asset
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors
    from airflow.serialization.decoders import smart_decode_trigger_kwargs
    from airflow.triggers.base import BaseEventTrigger

    trigger_class = import_string(message["classpath"])
    kwargs = message.get("kwargs") or {}
    # As text it goes the way of the official triggerer, which reads encrypted and older forms as well.
    values = Trigger._decrypt_kwargs(kwargs if isinstance(kwargs, str) else json.dumps(kwargs))
    trigger = trigger_class(**{name: smart_decode_trigger_kwargs(value) for name, value in values.items()})
    trigger.trigger_id = message["id"]
    trigger.triggerer_job_id = None
    timeout_after = message.get("timeout_after")
    trigger.timeout_after = _moment_from(timeout_after) if timeout_after else None
    context = None
    if instance := message.get("ti"):
        task_instance = TaskInstanceDTO.model_validate({"pool_slots": 1, "priority_weight": 1, **instance})
        trigger.task_instance = task_instance
        if message.get("dag_data"):
            runtime = TriggerRunner.create_runtime_ti(task_instance, message["dag_data"], message["dag_run"])
            trigger.task_instance = runtime
            context = runtime.get_template_context()
    if isinstance(trigger, BaseEventTrigger) and (watched := message.get("watched_assets")):
        inlets = [Asset(name=name, uri=uri) for name, uri in watched.items()]
        trigger.asset_state_store = AssetStateStoreAccessors(inlets=inlets)
    return trigger, context


def _moment_from(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def to_report(event: Any) -> dict[str, Any]:
    """Return what the server is told of *event*, values in serde form. Raises for what serde cannot express."""
    from airflow.sdk.serde import serialize
    from airflow.triggers.base import BaseTaskEndEvent, TriggerEvent

    if not isinstance(event, TriggerEvent):
        raise TypeError(f"a trigger yields TriggerEvent objects, not {type(event).__name__}")
    if isinstance(event, BaseTaskEndEvent):
        xcoms = {key: serialize(value) for key, value in (event.xcoms or {}).items()}
        return {"kind": "end", "state": event.task_instance_state.value, "xcoms": xcoms}
    return {"kind": "event", "payload": serialize(event.payload)}
