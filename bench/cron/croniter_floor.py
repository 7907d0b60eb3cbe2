"""Next fire times by croniter, for lines of zone, tab, expression: `croniter_floor.py FIRES < LINES`.

Prints one JSON object. Its zone is part of the start, as croniter wants it; making the objects is not timed.
"""
import datetime
import json
import sys
import time
import zoneinfo

from croniter import croniter

fires = int(sys.argv[1])
start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
sources = []
for line in sys.stdin:
    zone, expression = line.rstrip("\n").split("\t")
    sources.append(croniter(expression, start.astimezone(zoneinfo.ZoneInfo(zone)), ret_type=float))
last_sum = 0.0
begin = time.perf_counter()
for source in sources:
    for _ in range(fires):
        last = source.get_next()
    last_sum += last
took = time.perf_counter() - begin
print(json.dumps({"measure": "croniter", "expressions": len(sources), "fires": fires,
                  "next_s": took / len(sources) / fires, "last_sum": int(last_sum)}))
