"""The rows of `./dev bench`, by name. A row is a generator function: each `next` measures one round."""
from rows import engine, files, size, tasks
from rows.row import Row

ALL: dict[str, Row] = {row.name: row for row in (
    tasks.throughput, tasks.hop, tasks.first_byte, tasks.logs,
    engine.decide, engine.cron, engine.schedules, engine.recovery,
    size.scale, size.memory,
    files.load, files.start,
)}
