"""What running tasks costs beside running the same commands bare."""
from __future__ import annotations

import json
import pathlib
import subprocess
import time

from rows import dags
from rows.installation import Installation, run_path, seconds_of, write_project
from rows.row import Bench, Figure, Line, Rounds, at_least, at_most, percentile, program, row

TRUE = "[/bin/true]"
SHELL_TRUE = "[/bin/sh, -c, 'true']"
DAGS = 10
COMMANDS = DAGS * dags.TASKS
HOPS = 1000

THROUGHPUT_LINES = {
    f"throughput-{shape}": Line(f"{DAGS} DAGs × {dags.TASKS} × `/bin/true`, {shape}: API trigger → every change "
                                "durable → logs captured → run success", "tasks/s",
                                "bare spawn, 2 pipes, reap, 2 threads", at_least(0.80))
    for shape in dags.SHAPES
} | {
    "throughput-shapes": Line("the slowest of these shapes", "tasks/s", "the fastest of them", at_least(0.95)),
    "throughput-sh": Line(f"{DAGS} DAGs × {dags.TASKS} × `sh -c true`", "tasks/s",
                          "`ninja -j2` over the same commands, nothing built yet", at_least(1.0)),
}


def ninja_commands_per_second(folder: pathlib.Path) -> float:
    """Ninja gives each command to `/bin/sh -c`, as the tasks of throughput-sh do themselves."""
    edges = "".join(f"build t{i}: run\n" for i in range(COMMANDS))
    (folder / "build.ninja").write_text(f"rule run\n  command = true\n{edges}")
    (folder / ".ninja_log").unlink(missing_ok=True)
    begin = time.monotonic()
    subprocess.run(["ninja", "-j2", "-C", folder, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return COMMANDS / (time.monotonic() - begin)


@row("throughput", THROUGHPUT_LINES)
def throughput(bench: Bench) -> Rounds:
    folder = bench.new_folder("throughput")
    texts = {f"{shape}_{d}": dags.shaped(f"{shape}_{d}", shape, TRUE) for shape in dags.SHAPES for d in range(DAGS)}
    texts |= {f"sh_{d}": dags.shaped(f"sh_{d}", "none", SHELL_TRUE) for d in range(DAGS)}
    project = write_project(folder / "project", texts)
    while True:
        with Installation(project, folder / "home") as etesian:
            def ours(name: str) -> float:
                return COMMANDS / etesian.seconds_of_runs([f"{name}_{d}" for d in range(DAGS)])
            etesian.seconds_of_runs(["none_0"])  # No shape is the first after a start.
            figures = {}
            for shape in dags.SHAPES:
                bare = program("agent_floor", "spawn-floor", COMMANDS)["tasks_per_s"]
                figures[f"throughput-{shape}"] = Figure(ours(shape), bare)
            speeds = [figure.ours for figure in figures.values()]
            figures["throughput-shapes"] = Figure(min(speeds), max(speeds))
            figures["throughput-sh"] = Figure(ours("sh"), ninja_commands_per_second(folder))
        yield figures


@row("hop", {
    "hop": Line(f"a linear chain of {HOPS:,}", "s", "bare sequential spawn and wait", at_most(1.45)),
    "hop-p99": Line("… from a task's exit to the next one's exec, p99", "s", "2 ms", at_most(1)),
})
def hop(bench: Bench) -> Rounds:
    folder = bench.new_folder("hop")
    project = write_project(folder / "project", {"chain": dags.chain("chain", HOPS, TRUE)})
    while True:
        bare = HOPS / program("agent_floor", "hop-floor", HOPS)["tasks_per_s"]
        with Installation(project, folder / "home") as etesian:
            begin = time.monotonic()
            run_id = etesian.trigger("chain")
            etesian.wait_success("chain", run_id)
            took = time.monotonic() - begin
            tasks = etesian.tasks("chain", run_id)
        starts, ends = ([seconds_of(tasks[f"t{i}", -1][name]) for i in range(HOPS)]
                        for name in ("start_date", "end_date"))
        gaps = [starts[i + 1] - ends[i] for i in range(HOPS - 1)]
        yield {"hop": Figure(took, bare), "hop-p99": Figure(percentile(gaps, 99), 0.002)}


def seconds_to_first_byte(etesian: Installation, samples: int) -> list[float]:
    request = etesian.trigger_request("byte")
    begins = {}
    for _ in range(samples):
        begin = time.time()
        run_id = json.loads(etesian.client.send(request))["dag_run_id"]
        begins[run_id] = begin
        etesian.wait_success("byte", run_id)
        time.sleep(REST_MS / 1000)

    def stamp(run_id: str) -> float:
        log = etesian.client.get(run_path("byte", run_id) + "/taskInstances/t/logs/1?map_index=-1")["content"]
        return next(seconds_of(line["timestamp"]) for line in log if line["event"] == "first")
    return [stamp(run_id) - begin for run_id, begin in begins.items()]


REST_MS = 5  # Neither is measured in the wake of the one before.
FIRST_BYTE_FLOOR = "HTTP round trip + one SQLite commit + one spawn + epoll"


@row("first-byte", {
    "first-byte-p50": Line("POST trigger → first byte of the task's output, p50", "s", FIRST_BYTE_FLOOR + ", p50",
                           at_most(1.3)),
    "first-byte-p99": Line("…, p99", "s", FIRST_BYTE_FLOOR + ", p99", at_most(2)),
})
def first_byte(bench: Bench) -> Rounds:
    folder = bench.new_folder("first-byte")
    samples = bench.sized(200, small=20)
    project = write_project(folder / "project", {"byte": dags.dag("byte", ["t: {run: [/bin/echo, first]}"])})
    while True:
        floor = program("first_byte_floor", samples, REST_MS, folder)
        with Installation(project, folder / "home") as etesian:
            seconds_to_first_byte(etesian, 5)
            took = seconds_to_first_byte(etesian, samples)
        yield {"first-byte-p50": Figure(percentile(took, 50), floor["p50_s"]),
               "first-byte-p99": Figure(percentile(took, 99), floor["p99_s"])}


LINE = b"2026-01-01T00:00:00Z level=info message=\"one line of a log\"".ljust(99, b".") + b"\n"


@row("logs", {
    "logs": Line("300 MB of 100-byte lines from one task: captured, stamped, indexed, synced", "MB/s",
                 "`cat LINES \\| cat > FILE`, synced", at_least(0.90)),
})
def logs(bench: Bench) -> Rounds:
    megabytes = bench.sized(300, small=10)
    lines = bench.folder / "lines"
    with open(lines, "wb") as out:
        for _ in range(megabytes):
            out.write(LINE * 10_000)
    while True:
        folder = bench.new_folder("logs")
        begin = time.monotonic()
        subprocess.run(["sh", "-c", 'cat "$1" | cat > "$2" && sync -d "$2"', "sh", lines, folder / "copy"], check=True)
        bare = megabytes / (time.monotonic() - begin)
        (folder / "copy").unlink()
        project = write_project(folder / "project", {"print": dags.dag("print", [f"t: {{run: [/bin/cat, {lines}]}}"])})
        with Installation(project, folder / "home") as etesian:
            ours = megabytes / etesian.seconds_of_runs(["print"])
            kept = sum(path.stat().st_size for path in (etesian.home / "logs").rglob("*.seg"))
        if kept < megabytes * 1_000_000:
            raise RuntimeError(f"only {kept} bytes of {megabytes} MB are in the log")
        for path in (folder / "home/logs").rglob("*.seg"):
            path.unlink()
        yield {"logs": Figure(ours, bare)}
