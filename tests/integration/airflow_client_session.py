"""What a user does with Airflow's official REST client, against a server: URL TOKEN. Exits with 1 where it fails."""
import datetime
import sys
import time

import airflow_client.client as airflow
from airflow_client.client.exceptions import ApiException, NotFoundException


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def work(api):
    dags, runs = airflow.DAGApi(api), airflow.DagRunApi(api)
    tasks, task_instances = airflow.TaskApi(api), airflow.TaskInstanceApi(api)
    expect(airflow.VersionApi(api).get_version().version, "version")
    expect(airflow.MonitorApi(api).get_health().metadatabase.status == "healthy", "health")

    listed = dags.get_dags(tags=["t"], order_by=["dag_id"])
    expect([dag.dag_id for dag in listed.dags] == ["contract"], listed)
    details = dags.get_dag_details("contract")
    expect(details.doc_md == "# Doc" and details.params["n"]["value"] == 1, details)
    expect(dags.patch_dag("contract", airflow.DAGPatchBody(is_paused=False)).is_paused is False, "unpaused")
    expect({task.task_id for task in tasks.get_tasks("contract").tasks} == {"shell", "value", "one"}, "tasks")

    made = runs.trigger_dag_run("contract", airflow.TriggerDAGRunPostBody(
        dag_run_id="by-client", logical_date=datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc), conf={"n": 2}))
    expect(made.run_type == "manual" and made.conf == {"n": 2} and made.triggered_by == "rest_api", made)
    while True:
        run = runs.get_dag_run("contract", "by-client")
        if run.state in ("success", "failed"):
            break
        time.sleep(0.2)
    expect(run.state == "success", run)
    expect(runs.get_dag_runs("~", state=["success"], order_by=["-start_date"]).total_entries >= 1, "runs")
    expect(runs.get_list_dag_runs_batch("~", airflow.DAGRunsBatchBody(dag_ids=["contract"])).total_entries >= 1, "batch")

    rows = task_instances.get_task_instances("contract", "by-client")
    expect(len(rows.task_instances) == 4 and all(row.state == "success" for row in rows.task_instances), rows)
    mapped = task_instances.get_mapped_task_instance("contract", "by-client", "one", 1)
    expect(mapped.rendered_map_index == "1" and mapped.operator == "_PythonDecoratedOperator", mapped)
    tries = task_instances.get_task_instance_tries("contract", "by-client", "shell")
    expect([one.try_number for one in tries.task_instances] == [1], tries)
    log = task_instances.get_log("contract", "by-client", "shell", 1, full_content=True)
    expect("hello" in str(log.content), log)

    xcoms = airflow.XComApi(api)
    run = {"dag_id": "contract", "dag_run_id": "by-client"}
    entries = xcoms.get_xcom_entries(task_id="~", **run)
    expect({entry.task_id for entry in entries.xcom_entries} >= {"shell", "value"}, entries)
    one = xcoms.get_xcom_entry(task_id="value", xcom_key="return_value", **run)
    expect(one.actual_instance.value == {"rows": 3}, one)
    text = xcoms.get_xcom_entry(task_id="value", xcom_key="return_value", stringify=True, **run)
    expect(text.actual_instance.value == "{'rows': 3}", text)
    shell = {"task_id": "shell", **run}
    xcoms.create_xcom_entry(x_com_create_body=airflow.XComCreateBody(key="k", value=[1]), **shell)
    xcoms.update_xcom_entry(xcom_key="k", x_com_update_body=airflow.XComUpdateBody(value="v"), **shell)
    xcoms.delete_xcom_entry(xcom_key="k", **shell)

    patched = runs.patch_dag_run("contract", "by-client", airflow.DAGRunPatchBody(note="seen"))
    expect(patched.note == "seen", patched)
    marked = task_instances.patch_task_instance("contract", "by-client", "shell",
                                                airflow.PatchTaskInstanceBody(new_state="failed"))
    expect(marked.task_instances[0].state == "failed", marked)
    cleared = task_instances.post_clear_task_instances("contract", airflow.ClearTaskInstancesBody(
        dag_run_id="by-client", only_failed=True, dry_run=False))
    expect([row.task_id for row in cleared.task_instances] == ["shell"], cleared)


def settings(api):
    variables = airflow.VariableApi(api)
    variables.post_variable(airflow.VariableBody(key="team/region", value="eu"))
    expect(variables.get_variable("team/region").value == "eu", "variable")
    variables.patch_variable("team/region", airflow.VariableBody(key="team/region", value="us"))
    done = variables.bulk_variables(airflow.BulkBodyVariableBody.from_dict({"actions": [
        {"action": "create", "entities": [{"key": "b", "value": "1"}]},
        {"action": "delete", "entities": ["team/region"]}]}))
    expect(done.create.success == ["b"] and done.delete.success == ["team/region"], done)
    expect([row.key for row in variables.get_variables().variables] == ["b"], "variables")

    pools = airflow.PoolApi(api)
    pools.post_pool(airflow.PoolBody(name="p", slots=2))
    expect(pools.patch_pool("p", airflow.PoolPatchBody(slots=3)).slots == 3, "pool")
    pools.delete_pool("p")

    connections = airflow.ConnectionApi(api)
    connections.post_connection(airflow.ConnectionBody(connection_id="db", conn_type="postgres", host="h", port=5432,
                                                       password="s3cret"))
    expect(connections.get_connection("db").password == "***", "connection")
    expect(connections.patch_connection("db", airflow.ConnectionBody(
        connection_id="db", conn_type="postgres", login="me")).login == "me", "connection patched")
    connections.delete_connection("db")
    try:
        connections.get_connection("db")
    except NotFoundException:
        return
    raise AssertionError("the connection is still there")


def main():
    configuration = airflow.Configuration(host=sys.argv[1], access_token=sys.argv[2])
    with airflow.ApiClient(configuration) as api:
        try:
            work(api)
            settings(api)
        except ApiException as error:
            print(f"{error.status}: {error.body}")
            raise


if __name__ == "__main__":
    main()
