#include "loader/templates/templates.h"

namespace etesian::templates {

std::vector<ScaffoldFile> python_etl() {
  return {
      {"dag.yaml",
       R"(# @DAG@: extract, transform and load with three small Python programs that hand results on.
dag: @DAG@
description: Extract, transform, load

# WHEN: every hour; at most two runs at the same time.
when:
  cron: "@hourly"
  max_active_runs: 2
  paused: true

# Values that a manual run may change: etesian runs trigger @DAG@ --param source=archive
params:
  source: {type: string, default: live, enum: [live, archive]}
  limit: {type: integer, default: 100, minimum: 1, maximum: 10000}

# HOW
how:
  retries: 3
  retry_delay: 30s
  timeout: 15m
  env:
    PYTHONUNBUFFERED: "1"    # lines reach the log at once

# WHAT
tasks:
  extract:
    # A list of words is run as it is, without a shell: no quoting to think about.
    run: [commands/extract.py, --source, "{{ params.source }}", --limit, "{{ params.limit }}"]
  transform:
    after: extract
    # 'extract' wrote {"rows": …, "file": …} into $ETESIAN_OUTPUT.
    run: [commands/transform.py, "{{ output.extract.file }}"]
  load:
    after: transform
    run: [commands/load.py, "{{ output.transform.file }}"]
    how: {retries: 5}
)",
       false},
      {"commands/extract.py", R"(#!/usr/bin/env python3
"""Writes rows to a file and hands its name on."""
import argparse
import json
import os
import tempfile

parser = argparse.ArgumentParser()
parser.add_argument("--source", required=True)
parser.add_argument("--limit", type=int, required=True)
arguments = parser.parse_args()

rows = [{"id": i, "source": arguments.source} for i in range(arguments.limit)]
handle, path = tempfile.mkstemp(suffix=".json")
with os.fdopen(handle, "w") as file:
    json.dump(rows, file)
print(f"{len(rows)} rows in {path}")
with open(os.environ["ETESIAN_OUTPUT"], "w") as output:
    json.dump({"rows": len(rows), "file": path}, output)
)",
       true},
      {"commands/transform.py", R"(#!/usr/bin/env python3
"""Keeps the even rows."""
import json
import os
import sys

path = sys.argv[1]
with open(path) as file:
    rows = [row for row in json.load(file) if row["id"] % 2 == 0]
target = path + ".even"
with open(target, "w") as file:
    json.dump(rows, file)
print(f"{len(rows)} rows in {target}")
with open(os.environ["ETESIAN_OUTPUT"], "w") as output:
    json.dump({"rows": len(rows), "file": target}, output)
)",
       true},
      {"commands/load.py", R"(#!/usr/bin/env python3
"""Replace this by the load into your warehouse; make it safe to run twice."""
import json
import sys

with open(sys.argv[1]) as file:
    print(f"loaded {len(json.load(file))} rows")
)",
       true}};
}

}  // namespace etesian::templates
