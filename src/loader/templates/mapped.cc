#include "loader/templates/templates.h"

namespace etesian::templates {

std::vector<ScaffoldFile> mapped() {
  return {{"dag.yaml",
           R"(# @DAG@: one task becomes as many instances as another one's output has elements.
dag: @DAG@
description: Work on each part, then on all of them

# WHEN: by hand only: etesian runs trigger @DAG@

# HOW
how:
  retries: 1
  retry_delay: 10s
  timeout: 10m

# WHAT
tasks:
  list_parts:
    # The JSON written into $ETESIAN_OUTPUT is this task's output.
    run: commands/list_parts.sh
  work:
    after: list_parts
    map:                     # one instance for each element; {{ part }} is its value
      part: "{{ output.list_parts }}"
    at_once: 4               # at most four of them at the same time
    run: [commands/work.sh, "{{ part }}"]
  size_by_format:
    after: list_parts
    map:                     # two lists: every pair of them (add 'combine: zip' for one by one)
      format: [csv, json]
      size: [10, 100]
    run: echo "{{ format }} in blocks of {{ size }}"
  summary:
    after: [work, size_by_format]
    trigger_rule: none_failed
    run: echo "done"
)",
           false},
          {"commands/list_parts.sh", R"(#!/bin/sh
set -eu
echo '["north", "east", "south"]' > "$ETESIAN_OUTPUT"
)",
           true},
          {"commands/work.sh", R"(#!/bin/sh
set -eu
echo "working on $1"
)",
           true}};
}

}  // namespace etesian::templates
