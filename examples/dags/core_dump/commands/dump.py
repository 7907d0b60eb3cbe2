#!/usr/bin/env python3
"""Copies tables of the source into the warehouse: dump.py DAY TABLE ...

Repeatable: the rows of a table (of a day, where it has days) are replaced in one transaction.
"""
import datetime
import os
import sqlite3
import sys


def main(day: str, tables: list) -> None:
    date = datetime.date.fromisoformat(day)
    db = sqlite3.connect(os.environ["WAREHOUSE"], timeout=60, isolation_level=None, uri=True)
    db.execute("ATTACH ? AS source", ("file:" + os.environ["SOURCE"] + "?mode=ro",))
    for table in tables:
        columns = [row[1] for row in db.execute(f"PRAGMA source.table_info({table})")]
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(columns)})")
        if "month" in columns and "day" in columns:
            today = "CAST(month AS INT) = ? AND CAST(day AS INT) = ?"
            values = (date.month, date.day)
        else:
            today, values = "1 = 1", ()
        db.execute(f"DELETE FROM {table} WHERE {today}", values)
        count = db.execute(f"INSERT INTO {table} SELECT * FROM source.{table} WHERE {today}", values).rowcount
        db.execute("COMMIT")
        print(f"{table}: {count} rows for {day}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
