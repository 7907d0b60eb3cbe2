"""What the official SDK's client asks of the Execution API, answered by the server at argv[1] for the token argv[2] of
the running try argv[3]. The client validates every answer with the worker's own strict models; what it raises is a
failure. Run with the interpreter that has Airflow.
"""
import os
import sys
import uuid
from datetime import datetime, timezone

from airflow.sdk.api.client import Client, ServerResponseError
from airflow.sdk.exceptions import ErrorType, TaskAlreadyRunningError
from airflow.sdk.execution_time.comms import ErrorResponse, SkipDownstreamTasks


def expect(condition, what):
    if not condition:
        sys.exit(f"not as expected: {what}")


def refusal(ask):
    """Status and detail of what the server refuses."""
    try:
        ask()
    except ServerResponseError as error:
        return error.response.status_code, error.detail
    sys.exit("not as expected: it was not refused")


def own_instance(client, try_id):
    now = datetime.now(timezone.utc)
    try:
        client.task_instances.start(try_id, os.getpid(), now)
        sys.exit("not as expected: two processes run one try")
    except TaskAlreadyRunningError:
        pass
    status, detail = refusal(lambda: client.task_instances.heartbeat(try_id, os.getpid()))
    expect((status, detail["reason"]) == (409, "running_elsewhere"), f"heartbeat of another process: {detail}")
    status, detail = refusal(lambda: client.task_instances.heartbeat(uuid.uuid4(), os.getpid()))
    expect(status == 403, f"heartbeat of another try: {detail}")
    client.task_instances.set_rtif(try_id, {"bash_command": "echo 1", "n": 1.5})
    client.task_instances.set_rendered_map_index(try_id, "seven")
    expect(client.task_instances.get_previous_successful_dagrun(try_id).start_date is None, "no success before")
    expect(client.task_instances.get_reschedule_start_date(try_id).start_date is None, "never put off")
    expect(client.task_instances.validate_inlets_and_outlets(try_id).inactive_assets == [], "assets")
    client.task_instances.skip_downstream_tasks(try_id, SkipDownstreamTasks(tasks=["skipped", ("unknown", -1)]))


def xcoms(client):
    place = {"dag_id": "session", "run_id": "r1", "task_id": "hold"}
    values = [None, 1.5, "é\n", [], {"a": [1, {"b": None}]}, 2**70,
              {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1, 2]}]
    for key in ("plain", "a/b+c:d", "with blank", "ключ", "slice", "item/x"):
        for value in values:
            client.xcoms.set(**place, key=key, value=value)
            expect(client.xcoms.get(**place, key=key).value == value, f"XCom {key}: {value!r}")
    expect(client.xcoms.head(**place, key="plain").len == 1, "one value")
    expect(client.xcoms.get_sequence_item(**place, key="a/b+c:d", offset=-1).root == values[-1], "item")
    backwards = client.xcoms.get_sequence_slice(**place, key="plain", start=None, stop=None, step=-1)
    expect(backwards.root == values[-1:], "slice")
    expect(client.xcoms.get(**place, key="plain", include_prior_dates=True).value == values[-1], "prior dates")
    client.xcoms.delete(**place, key="plain")
    expect(client.xcoms.get(**place, key="plain").value is None, "deleted")
    expect(client.xcoms.get_sequence_slice(**place, key="plain", start=0, stop=9, step=None).root == [], "empty slice")
    missing = client.xcoms.get_sequence_item(**place, key="plain", offset=0)
    expect(isinstance(missing, ErrorResponse) and missing.error == ErrorType.XCOM_NOT_FOUND, f"missing item: {missing}")
    status, detail = refusal(lambda: client.xcoms.set(**place, key="long", value=[1], mapped_length=1025))
    expect((status, detail["reason"]) == (400, "unmappable_return_value_length"), f"length: {detail}")


def settings(client):
    client.variables.set("a/b", "one\n", "text")
    expect(client.variables.get("a/b").value == "one\n", "variable")
    client.variables.set("a/c", None)
    expect(client.variables.get("a/c").value == "None", "a variable without a value")
    listed = client.variables.keys(prefix="a/", limit=1)
    expect((listed.keys, listed.total_entries) == (["a/b"], 2), f"keys: {listed}")
    for key in ("a/b", "a/b", "a/c"):
        client.variables.delete(key)
    expect(client.variables.get("a/b").error == ErrorType.VARIABLE_NOT_FOUND, "deleted variable")
    connection = client.connections.get("db")
    expect((connection.conn_type, connection.host, connection.password, connection.port, connection.extra)
           == ("postgres", "h", "p\"w", 5432, '{"mode":"ro"}'), f"connection: {connection}")
    expect(client.connections.get("none").error == ErrorType.CONNECTION_NOT_FOUND, "missing connection")


def runs_and_instances(client):
    date = datetime(2026, 3, 1, tzinfo=timezone.utc)
    run_id = "manual__2026-03-01T00:00:00+00:00"
    expect(client.dag_runs.trigger("other", run_id, {"n": 1}, logical_date=date).ok, "trigger")
    again = client.dag_runs.trigger("other", run_id)
    expect(again.error == ErrorType.DAGRUN_ALREADY_EXISTS, f"trigger again: {again}")
    expect(client.dag_runs.trigger("other", run_id, reset_dag_run=True).ok, "reset")
    detail = client.dag_runs.get_detail("other", run_id)
    expect((detail.logical_date, detail.conf, detail.run_type.value) == (date, {"n": 1}, "operator_triggered"),
           f"run: {detail}")
    expect(client.dag_runs.get_state("session", "r1").state.value == "running", "state of the own run")
    expect(client.dag_runs.get_count("other", logical_dates=[date]).count == 1, "runs by date")
    later = datetime(2026, 3, 2, tzinfo=timezone.utc)
    expect(client.dag_runs.get_previous("other", later).dag_run.run_id == detail.run_id, "previous run")
    expect(client.dag_runs.get_previous("other", date).dag_run is None, "no run before")
    status, body = refusal(lambda: client.dag_runs.get_detail("other", "none"))
    expect((status, body["reason"]) == (404, "not_found"), f"missing run: {body}")
    status, body = refusal(lambda: client.dag_runs.trigger("none", "r"))
    expect((status, body["reason"]) == (404, "not_found"), f"missing DAG: {body}")
    tasks = client.task_instances
    expect(tasks.get_count("session", run_ids=["r1"], states=["running", "skipped"]).count == 2, "instances")
    states = tasks.get_task_states("session", run_ids=["r1"]).task_states
    expect(states == {"r1": {"hold": "running", "skipped": "skipped"}}, f"states: {states}")
    expect(tasks.get_previous("session", "hold", state="running").task_instance.run_id == "r1", "previous instance")
    expect(tasks.get_previous("session", "none").task_instance is None, "no previous instance")
    crumbs = [(row["task_id"], row["state"]) for row in tasks.get_task_breakcrumbs("session", "r1").breadcrumbs]
    expect(crumbs == [("skipped", "skipped")], f"breadcrumbs: {crumbs}")
    dag = client.dags.get("session")
    expect((dag.dag_id, dag.is_paused, dag.bundle_name, dag.tags) == ("session", False, "dags-folder", ["a", "b"]),
           f"DAG: {dag}")


def main():
    client = Client(base_url=sys.argv[1], token=sys.argv[2])
    own_instance(client, uuid.UUID(sys.argv[3]))
    xcoms(client)
    settings(client)
    runs_and_instances(client)
    stranger = Client(base_url=sys.argv[1], token=sys.argv[2][:-2] + "AA")
    expect(stranger.variables.get("x").error == ErrorType.PERMISSION_DENIED, "a forged token")
    print("every answer fits the worker's models")


if __name__ == "__main__":
    main()
