#!/bin/sh
# check.sh DAY TRY: is the day's extract believable?
#   exit 75  more than a third is cancelled: look again, the source may be half written
#   exit 2   there is nothing at all: looking again will not help
set -eu
day=$1 try=$2
share=$(sqlite3 -cmd ".timeout 60000" "$WAREHOUSE" \
  "SELECT CAST(100.0 * avg(cancelled) AS INT) FROM departures WHERE day = '$day'")
if [ -z "$share" ]; then
  echo "$day: no departures" >&2
  exit 2
fi
echo "$day: $share % of the departures were cancelled"
if [ "$share" -gt 33 ] && [ "$try" -lt 3 ]; then
  echo "more than a third: looking again" >&2
  exit 75
fi
if [ "$share" -gt 33 ]; then
  echo "still so at look $try: believed"
fi
