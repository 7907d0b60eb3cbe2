#!/usr/bin/env python3
"""Writes the morning mail of one day into the outbox: mail.py DAY"""
import os
import pathlib
import sqlite3
import sys


def main(day: str) -> None:
    db = sqlite3.connect("file:" + os.environ["WAREHOUSE"] + "?mode=ro", uri=True, timeout=60)
    row = db.execute("SELECT departures, cancelled, mean_delay FROM report WHERE day = ?", (day,)).fetchone()
    if row is None:
        sys.exit(f"no report for {day}")
    outbox = pathlib.Path(os.environ["OUTBOX"])
    outbox.mkdir(exist_ok=True)
    text = (f"Subject: New York, {day}\n\n{row[0]} departures, {row[1]} of them cancelled; "
            f"{row[2]} minutes late on average.\n")
    unfinished = outbox / f".{day}.part"
    unfinished.write_text(text)
    unfinished.rename(outbox / f"{day}.txt")
    print(text, end="")


if __name__ == "__main__":
    main(sys.argv[1])
