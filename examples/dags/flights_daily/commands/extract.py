#!/usr/bin/env python3
"""Loads one day of departures into the warehouse and says which airports there were."""
import argparse
import datetime
import json
import os
import sqlite3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--day", type=datetime.date.fromisoformat, required=True)
    parser.add_argument("--carrier", default="all")
    options = parser.parse_args()

    db = sqlite3.connect(os.environ["WAREHOUSE"], timeout=60, isolation_level=None, uri=True)
    db.execute("ATTACH ? AS source", ("file:" + os.environ["SOURCE"] + "?mode=ro",))
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE IF NOT EXISTS departures (day, carrier, flight, origin, dest, dep_delay, arr_delay, cancelled)")
    db.execute("DELETE FROM departures WHERE day = ?", (options.day.isoformat(),))
    count = db.execute(
        """INSERT INTO departures
           SELECT ?, carrier, CAST(flight AS INT), origin, dest, CAST(dep_delay AS REAL), CAST(arr_delay AS REAL),
                  dep_time IS NULL
           FROM source.flights
           WHERE CAST(month AS INT) = ? AND CAST(day AS INT) = ? AND ? IN ('all', carrier)""",
        (options.day.isoformat(), options.day.month, options.day.day, options.carrier)).rowcount
    db.execute("COMMIT")
    airports = [row[0] for row in db.execute(
        "SELECT DISTINCT origin FROM departures WHERE day = ? ORDER BY origin", (options.day.isoformat(),))]
    print(f"{options.day}: {count} departures from {', '.join(airports) or 'nowhere'}")
    with open(os.environ["ETESIAN_OUTPUT"], "w") as output:
        json.dump({"departures": count, "airports": airports}, output)


if __name__ == "__main__":
    main()
