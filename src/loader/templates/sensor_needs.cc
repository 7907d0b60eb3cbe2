#include "loader/templates/templates.h"

namespace etesian::templates {

std::vector<ScaffoldFile> sensor_needs() {
  return {
      {"dag.yaml", R"(# @DAG@: waits for something outside, and shows how to wait for another DAG.
dag: @DAG@
description: Starts when what it needs is there

# WHEN: every day at four, but not before the data is there.
when:
  cron: "0 4 * * *"
  timezone: Asia/Seoul
  paused: true
  # Another DAG's work that covers the same day. Waiting costs no process and no slot; 'etesian explain'
  # says what is missing. Take the '#' away and write a DAG of yours in place of core_dump:
  # needs:
  #   - {dag: core_dump, task: customers, covers: data_interval, fresh: 6h}

# HOW
how:
  timeout: 10m

# WHAT
tasks:
  file_is_there:
    # A check that is tried again until the file is there: exit code 75 says "not yet".
    run: commands/is_there.sh /tmp/@DAG@-{{ ds }}.csv
    retry:
      times: 60
      delay: 1m
      max_elapsed: 2h
      on_exit: [75]          # only "not yet" is tried again; any other failure is a failure
  use_it:
    after: file_is_there
    run: wc -l /tmp/@DAG@-{{ ds }}.csv
)",
       false},
      {"commands/is_there.sh", R"(#!/bin/sh
if [ -e "$1" ]; then
  echo "$1 is there"
else
  echo "$1 is not there yet"
  exit 75
fi
)",
       true}};
}

}  // namespace etesian::templates
