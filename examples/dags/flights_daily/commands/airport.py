#!/usr/bin/env python3
"""Summarises one day at one airport: airport.py DAY AIRPORT"""
import json
import os
import sqlite3
import sys


def main(day: str, airport: str) -> None:
    db = sqlite3.connect(os.environ["WAREHOUSE"], timeout=60, isolation_level=None, uri=True)
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE IF NOT EXISTS airport_day (day, airport, departures, cancelled, mean_delay)")
    db.execute("DELETE FROM airport_day WHERE day = ? AND airport = ?", (day, airport))
    db.execute(
        """INSERT INTO airport_day
           SELECT day, origin, count(*), sum(cancelled), round(avg(dep_delay), 1)
           FROM departures WHERE day = ? AND origin = ? GROUP BY day, origin""", (day, airport))
    db.execute("COMMIT")
    row = db.execute("SELECT departures, cancelled, mean_delay FROM airport_day WHERE day = ? AND airport = ?",
                     (day, airport)).fetchone()
    print(f"{airport} on {day}: {row[0]} departures, {row[1]} cancelled, {row[2]} minutes late on average")
    with open(os.environ["ETESIAN_OUTPUT"], "w") as output:
        json.dump({"airport": airport, "departures": row[0], "mean_delay": row[2]}, output)


if __name__ == "__main__":
    main(*sys.argv[1:])
