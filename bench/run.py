#!/usr/bin/env python3
"""Benchmarks of the whole: each figure beside the floor of this machine, measured in the same run.

usage: ./dev bench [ROW ...] [--rounds N] [--size SIZE] [-o table|json] [--json FILE] [--write FILE]

throughput   1,000 commands through the API, in seven shapes of DAG, and as shell commands beside ninja
hop          a linear chain of 1,000
first-byte   POST trigger -> first byte of the task's output
logs         300 MB of lines captured
decide       100,000 tasks over an executor that answers at once
cron         next fire times, beside croniter
schedules    many DAGs due in one second; lateness of one       (heavy)
recovery     kill -9 -> first new task started                  (heavy)
scale        history, one large DAG, many waiting tasks         (heavy)
memory       idle, DAGs, running tasks, after many tasks        (heavy)
load         files to DAGs, rescan, edit, restart               (heavy)
start        exec of `etesian up` -> ready

A ratio is ours by the floor, or by the limit that stands for one. The rows take turns within a round, so that a slow
minute of the machine meets each. Heavy rows have at most 3 rounds. Leave the machine alone meanwhile.
"""
from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import sys
import tempfile
import time
import traceback

import rows
from rows.row import SIZES, Bench, Figure, Line

ROUNDS = 7
HEAVY_ROUNDS = 3
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def cpu_model() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def fdatasync_ms(folder: pathlib.Path, samples: int = 100) -> float:
    """Median of a 4 KiB append made durable."""
    took = []
    with open(folder / "fdatasync", "wb", buffering=0) as file:
        for _ in range(samples):
            begin = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begin)
    return statistics.median(took) * 1000


def describe_machine(folder: pathlib.Path) -> dict:
    memory_kib = int(pathlib.Path("/proc/meminfo").read_text().split()[1])
    return {"date": datetime.date.today().isoformat(), "cpu": cpu_model(), "cpus": os.cpu_count(),
            "memory_gib": round(memory_kib / 1024 / 1024), "kernel": f"{platform.system()} {platform.release()}",
            "fdatasync_ms": round(fdatasync_ms(folder), 3)}


def summary(line: Line, figures: list[Figure]) -> dict:
    ours, floors, ratios = ([getattr(figure, name) for figure in figures] for name in ("ours", "floor", "ratio"))
    ratio = statistics.median(ratios)
    return {"work": line.work, "unit": line.unit, "floor_is": line.floor, "goal": str(line.goal), "rounds": len(figures),
            "min": min(ours), "median": statistics.median(ours), "max": max(ours), "floor": statistics.median(floors),
            "ratio": ratio, "ratio_min": min(ratios), "ratio_max": max(ratios),
            "verdict": "ok" if line.goal.is_met(ratio) else "missed", "ours_all": ours, "floor_all": floors}


class Campaign:
    """All rows asked for, round by round; one that fails leaves the others alone."""

    def __init__(self, names: list[str], rounds: int, bench: Bench):
        self.names, self.bench = names, bench
        self.rounds = {name: min(rounds, HEAVY_ROUNDS) if rows.ALL[name].is_heavy else rounds for name in names}
        self.figures: dict[str, list[Figure]] = {line: [] for name in names for line in rows.ALL[name].lines}
        self.failures: dict[str, str] = {}

    def measure(self) -> None:
        with contextlib.ExitStack() as stack:
            running = {}
            for name in self.names:
                running[name] = stack.enter_context(contextlib.closing(rows.ALL[name].measure(self.bench)))
            for number in range(1, max(self.rounds.values()) + 1):
                for name in self.names:
                    if number <= self.rounds[name] and name not in self.failures:
                        print(f"round {number} of {self.rounds[name]}: {name}", file=sys.stderr, flush=True)
                        self.measure_one(name, running[name])
                    if number == self.rounds[name]:
                        running[name].close()  # What it keeps open is in nobody's way any longer.

    def measure_one(self, name: str, running: rows.row.Rounds) -> None:
        try:
            for line, figure in next(running).items():
                self.figures[line].append(figure)
        except Exception as error:  # The other rows are still worth having.
            traceback.print_exc()
            self.failures[name] = f"{type(error).__name__}: {error}"

    def report(self, machine: dict) -> dict:
        lines = {line: summary(rows.ALL[name].lines[line], self.figures[line])
                 for name in self.names for line in rows.ALL[name].lines if self.figures[line]}
        return {"machine": machine, "size": self.bench.size, "rows": lines, "failures": self.failures}


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if value else "0"


def sentence_about(report: dict) -> str:
    machine = report["machine"]
    size = "" if report["size"] == "usual" else f", size {report['size']}"
    return (f"{machine['date']}; {machine['cpus']} × {machine['cpu']}, {machine['memory_gib']} GiB, {machine['kernel']}; "
            f"a 4 KiB append with fdatasync takes {machine['fdatasync_ms']:g} ms{size}")


COLUMNS = ("name", "min", "median", "max", "unit", "floor", "ratio", "goal", "verdict", "rounds")


def cells(name: str, row: dict) -> list[str]:
    return [name, *(number(row[column]) for column in ("min", "median", "max")), row["unit"], number(row["floor"]),
            number(row["ratio"]), row["goal"], row["verdict"], str(row["rounds"])]


def print_table(report: dict) -> None:
    print(sentence_about(report))
    table = [list(COLUMNS), *(cells(name, row) for name, row in report["rows"].items())]
    widths = [max(map(len, column)) for column in zip(*table)]
    for i, line in enumerate(table):
        text = "  ".join(cell.ljust(width) if column in (0, 4, 7, 8) else cell.rjust(width)
                         for column, (cell, width) in enumerate(zip(line, widths)))
        work = list(report["rows"].values())[i - 1] if i else None
        print(text + (f"   {work['work']}; floor: {work['floor_is']}" if work else ""))
    for name, failure in report["failures"].items():
        print(f"{name}: failed: {failure}")


def markdown(report: dict) -> str:
    head = ["name", "work", "min", "median", "max", "floor", "ratio", "goal", "verdict", "rounds"]
    lines = [sentence_about(report) + ".", "", "| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for name, row in report["rows"].items():
        unit = f", {row['unit']}" if row["unit"] else ""
        lines.append("| " + " | ".join([
            name, row["work"] + unit, number(row["min"]), number(row["median"]), number(row["max"]),
            f"{number(row['floor'])} ({row['floor_is']})", number(row["ratio"]), row["goal"], row["verdict"],
            str(row["rounds"])]) + " |")
    return "\n".join(lines) + "\n"


def write_between_markers(path: pathlib.Path, text: str) -> None:
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"write {path}: there is no '{BEGIN}' with an '{END}' after it")
    path.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="all unless named")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}; heavy rows at most {HEAVY_ROUNDS}")
    parser.add_argument("--size", choices=SIZES, default="usual",
                        help="small: only to try the benchmark itself; full: what takes long")
    parser.add_argument("--folder", type=pathlib.Path, help="on the disk to measure (default: the temporary folder)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="every single figure")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE", help=f"the table, between '{BEGIN}' and '{END}'")
    options = parser.parse_args()
    if unknown := [name for name in options.rows if name not in rows.ALL]:
        parser.error(f"there is no row {', '.join(unknown)}; there are {', '.join(rows.ALL)}")
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    return options


def main() -> int:
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # What runs is ended, what was written removed.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="etesian-bench-", dir=options.folder))
    try:
        machine = describe_machine(folder)
        campaign = Campaign(options.rows or list(rows.ALL), options.rounds, Bench(folder, options.size))
        campaign.measure()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report = campaign.report(machine)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if options.write:
        write_between_markers(options.write, markdown(report))
    if options.output == "json":
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        print_table(report)
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
