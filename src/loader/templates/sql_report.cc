#include "loader/templates/templates.h"

namespace etesian::templates {

std::vector<ScaffoldFile> sql_report() {
  return {{"dag.yaml", R"(# @DAG@: load a day of data, check it, write a report with SQL.
# Try one task here and now, without a server: etesian test @DAG@ load --date 2026-03-01
dag: @DAG@
description: Yesterday's sales by city

# WHEN: each morning at six, for the day before. The run of March 2 works on [March 1, March 2);
# {{ ds }} is the first day of that interval, in UTC.
when:
  cron: "0 6 * * *"
  timezone: Asia/Seoul
  paused: true               # remove this line, or: etesian dags unpause @DAG@

# HOW: the same for all tasks below.
how:
  retries: 2
  retry_delay: 1m
  timeout: 30m

# WHAT: files are relative to this folder.
tasks:
  load:
    run: commands/load.sh {{ ds }}
  check:
    after: load
    run: sqlite3 -bail sales.db < sql/check.sql
    retry:                   # a check that fails is tried again, but not for ever
      times: 3
      delay: 2m
      max_elapsed: 30m
  report:
    after: check
    run: sqlite3 -bail -header -csv sales.db < sql/report.sql
)",
           false},
          {"commands/load.sh", R"(#!/bin/sh
# Replace this by your own extraction. It is safe to run twice for the same day: it deletes first.
set -eu
day=$1
sqlite3 -bail sales.db <<SQL
create table if not exists sales (day text, city text, amount integer);
delete from sales where day = '$day';
insert into sales values ('$day', 'Seoul', 120), ('$day', 'Busan', 80);
SQL
)",
           true},
          {"sql/check.sql", R"(-- Fails (and with it the task) when a negative amount is found.
create temp table negative_amounts (n integer check (n = 0));
insert into negative_amounts select count(*) from sales where amount < 0;
)",
           false},
          {"sql/report.sql", R"(select day, city, sum(amount) as amount
from sales
group by day, city
order by day, city;
)",
           false}};
}

}  // namespace etesian::templates
