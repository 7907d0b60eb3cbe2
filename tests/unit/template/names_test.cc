// Airflow's names in a run, and the errors for those that have no value.
#include "unit/template/support.h"

namespace etesian {
namespace {

TEST(Names, DatesAreThoseOfAirflow) {
  expect_rendered(
      {{"{{ ds }} {{ ds_nodash }}", "2024-03-08 20240308"},
       {"{{ ts }}", "2024-03-08T20:00:00+00:00"},
       {"{{ ts_nodash }} {{ ts_nodash_with_tz }}", "20240308T200000 20240308T200000+0000"},
       {"{{ logical_date }}", "2024-03-08 20:00:00+00:00"},
       {"{{ data_interval_end | ts }}", "2024-03-09T20:00:00+00:00"},
       {"{{ data_interval_end | ds_nodash }}", "20240309"},
       {"{{ prev_data_interval_start_success }}", "None"},
       {"{{ prev_data_interval_end_success or data_interval_start }}", "2024-03-08 20:00:00+00:00"},
       {"{{ [logical_date] }}", "[DateTime(2024, 3, 8, 20, 0, 0, tzinfo=Timezone('UTC'))]"},
       {"{{ task_instance_key_str }}", "sales__load__20240308"}});
}

TEST(Names, LocalDatesUseTheZoneOfTheSchedule) {
  expect_rendered(
      {{"{{ ds_local }} {{ ts_local }}", "2024-03-09 2024-03-09T05:00:00+09:00"},
       {"{{ data_interval_start_local.hour }}", "5"},
       {"{{ logical_date.in_timezone('America/New_York') }}", "2024-03-08 15:00:00-05:00"}});
}

TEST(Names, TheRunAndTheTaskAreKnown) {
  expect_rendered(
      {{"{{ dag.dag_id }} {{ task.task_id }} {{ task.owner }} {{ task.email }}",
        "sales load data data@example.com"},
       {"{{ dag_run.run_type }} {{ dag_run.conf.n }} {{ dag_run.run_id == run_id }}",
        "scheduled 3 True"},
       {"{{ ti.try_number }}/{{ ti.max_tries }} {{ task_instance.map_index }}", "2/3 -1"}});
}

TEST(Names, VariablesAndConnectionsAreRead) {
  expect_rendered(
      {{"{{ var.value.bucket }} {{ var.value.get('bucket') }}", "s3://data s3://data"},
       {"{{ var.value.get('nope', 'none') }}", "none"},
       {"{{ var.json.conf.limits.rows }} {{ var.json.conf.tags | join('+') }}", "100 a+b"},
       {"{{ conn.warehouse.host }}:{{ conn.warehouse.port }}", "db.example.com:5432"},
       {"{{ conn.get('warehouse').extra_dejson.sslmode }}", "require"},
       {"{{ conn.warehouse.get_uri() }}",
        "postgres://etl:pw@db.example.com:5432/dw?sslmode=require"},
       {"{{ var.value.x }}",
        "error 13+1: variable 'x' does not exist; create it with 'etesian variables set x …'"},
       {"{{ var.json.broken }}",
        "error 12+6: variable 'broken' does not hold JSON (read it with var.value)"},
       {"{{ conn.lake.host }}",
        "error 8+4: connection 'lake' does not exist; create it with 'etesian connections add lake "
        "…'"}});
}

TEST(Names, OutputsOfUpstreamTasksAreRead) {
  expect_rendered(
      {{"{{ output.count.rows + 1 }} {{ output.count.extra }}", "43 more"},
       {"{{ output.count }}", "{'rows': 42, 'file': 'a b.csv'}"},
       {"{{ output['group.inner'] * 2 }}", "14"},
       {"{{ output.mapped | sum }} {{ output.mapped[1] }}", "30 10"},
       {"{% for x in output.mapped %}{{ x }};{% endfor %}", "0;10;20;"},
       {"{{ output.count.file | quote }}", "'a b.csv'"},
       {"{{ output.other }}", "error 10+5: task 'other' left no output"},
       {"{{ output.other | default('-') }} {{ output.count.nope is defined }}", "- False"},
       {"{{ ti.xcom_pull(task_ids='count')['rows'] }} {{ ti.xcom_pull('count', key='extra') }}",
        "42 more"},
       {"{{ ti.xcom_pull(task_ids='mapped', map_indexes=2) }}", "20"},
       {"{{ ti.xcom_pull(task_ids='mapped', map_indexes=[0, 1]) }}", "[0, 10]"},
       {"{{ ti.xcom_pull(task_ids=['group.inner', 'nope']) }}", "[7, None]"},
       {"{{ ti.xcom_pull(task_ids='nope', default='d') }}", "d"}});
}

TEST(Names, ARunWithoutALogicalDateSaysSo) {
  TemplateFacts facts = example_facts();
  facts.logical_date = facts.data_interval_start = facts.data_interval_end = std::nullopt;
  EXPECT_EQ(rendered("{{ ds }}", facts),
            "error 3+2: 'ds' has no value: this run has no logical date (use dag_run.run_after, or "
            "give the run a "
            "logical date)");
  EXPECT_EQ(rendered("{{ ds | default('none') }} {{ dag_run.run_after | ds }}", facts),
            "none 2024-03-09");
}

TEST(Names, MapArgumentsHaveTheirOwnNames) {
  TemplateFacts facts = example_facts();
  facts.map_arguments = {{"region", "eu"}};
  facts.map_index = 4;
  EXPECT_EQ(rendered("{{ region }}-{{ ti.map_index }}", facts), "eu-4");
}

TEST(Names, UndefinedNamesAreErrorsWithTheNearestName) {
  expect_rendered(
      {{"{{ dss }}", "error 3+3: 'dss' is not defined (did you mean 'ds'?)"},
       {"{{ params.nmae }}", "error 10+4: there is no member 'nmae' (did you mean 'name'?)"},
       {"{{ logical_date.yaer }}",
        "error 16+4: a date has no member 'yaer' (did you mean 'year'?)"},
       {"{{ ti }}", "error 3+2: an object cannot be printed (print one of its members)"},
       {"{{ params.list[7] }}", "error 14+3: the list has 3 elements; there is no [7]"},
       {"{% if nope %}{% endif %}", "error 6+4: 'nope' is not defined"}});
}

TEST(Evaluate, AnExpressionGivesItsValue) {
  const auto value = [](std::string_view text) {
    const auto result = parsed(text).evaluate(example_facts());
    return result.error ? "error " + shown(*result.error) : json::serialize(*result.value);
  };
  EXPECT_EQ(value("{{ params.list }}"), "[3,1,2]");
  EXPECT_EQ(value("{{ output.mapped | map('string') | list }}\n"), R"(["0","10","20"])");
  EXPECT_EQ(value("{{ {'n': params.n, 'x': none} }}"), R"({"n":3,"x":null})");
  EXPECT_EQ(value("{{ logical_date }}"), R"("2024-03-08T20:00:00+00:00")");
  EXPECT_EQ(value("n={{ params.n }}"), R"("n=3")");
  EXPECT_EQ(value("plain"), R"("plain")");
  EXPECT_EQ(value("{{ ti }}"), "error 3+2: this object has no JSON form (use one of its members)");
}

}  // namespace
}  // namespace etesian
