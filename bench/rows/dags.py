"""The DAGs that the rows run."""
from __future__ import annotations

from collections.abc import Callable, Iterable

TASKS = 100
SIDE = 10  # of the grid

# Which tasks come before task i, of TASKS.
SHAPES: dict[str, Callable[[int], Iterable[int]]] = {
    "none": lambda i: (),
    "star-out": lambda i: (0,) if i else (),
    "star-in": lambda i: range(TASKS - 1) if i == TASKS - 1 else (),
    "tree-out": lambda i: ((i - 1) // 2,) if i else (),
    "tree-in": lambda i: (j for j in (2 * i + 1, 2 * i + 2) if j < TASKS),
    "grid-out": lambda i: (j for j, is_there in ((i - 1, i % SIDE > 0), (i - SIDE, i >= SIDE)) if is_there),
    "grid-in": lambda i: (j for j, is_there in ((i + 1, i % SIDE < SIDE - 1), (i + SIDE, i + SIDE < TASKS)) if is_there),
}

NO_LIMIT = "how: {max_active_tasks: 1000000}\n"


def dag(name: str, tasks: Iterable[str], head: str = NO_LIMIT) -> str:
    return f"dag: {name}\n{head}tasks:\n" + "".join(f"  {task}\n" for task in tasks)


def shaped(name: str, shape: str, run: str) -> str:
    def task(i: int) -> str:
        after = ", ".join(f"t{j}" for j in SHAPES[shape](i))
        return f"t{i}: {{run: {run}" + (f", after: [{after}]" if after else "") + "}"
    return dag(name, map(task, range(TASKS)))


def chain(name: str, length: int, run: str) -> str:
    return dag(name, (f"t{i}: {{run: {run}" + (f", after: t{i - 1}" if i else "") + "}" for i in range(length)))


def flat(name: str, number: int, run: str, more: str = "") -> str:
    return dag(name, (f"t{i}: {{run: {run}{more}}}" for i in range(number)))


def mapped(name: str, tasks: int, a: int, b: int, run: str, more: str = "") -> str:
    """tasks x a x b instances: one file may hold 100,000 values, and a map 8,192 instances."""
    values = f"map: {{a: [{', '.join(map(str, range(a)))}], b: [{', '.join(map(str, range(b)))}]}}"
    return dag(name, (f"t{i}: {{run: {run}, {values}{more}}}" for i in range(tasks)))
