#include "loader/templates/templates.h"

namespace etesian::templates {

std::vector<ScaffoldFile> hello() {
  return {{"dag.yaml",
           R"(# @DAG@: two tasks, one after the other. Check this file with: etesian check
dag: @DAG@
description: Says hello, then says when it was

# WHEN it runs. Without 'when:' it runs only by hand: etesian runs trigger @DAG@
when:
  cron: "0 9 * * *"          # minute hour day month weekday; also @hourly, @daily, @weekly
  timezone: Asia/Seoul       # the clock on this wall; 'etesian preview' shows it beside UTC
  # start: 2026-01-01        # together with 'catchup: true': runs for every day since then
  paused: true               # a new DAG waits until you say: etesian dags unpause @DAG@

# HOW its tasks run. Each task can override this with a 'how:' of its own.
how:
  retries: 2
  retry_delay: 30s
  timeout: 10m

# WHAT it does.
tasks:
  hello:
    run: echo "hello from run {{ run_id }}"
  when_was_it:
    after: hello             # starts when 'hello' has succeeded
    run: echo "the data of this run is from {{ ds }}"
)",
           false}};
}

}  // namespace etesian::templates
