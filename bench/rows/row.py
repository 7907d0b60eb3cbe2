"""What a row of the table is, and what it may ask of the run that measures it."""
from __future__ import annotations

import json
import pathlib
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any, Callable, Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "build/release/bin"
SIZES = ("small", "usual", "full")


@dataclass(frozen=True)
class Figure:
    """One measurement and its floor, or the limit that stands for one."""
    ours: float
    floor: float

    @property
    def ratio(self) -> float:
        return self.ours / self.floor


@dataclass(frozen=True)
class Goal:
    """A bound of the median ratio."""
    bound: float
    is_lower: bool

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.bound if self.is_lower else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.is_lower else '≤'} {self.bound:g}"


def at_least(bound: float) -> Goal:
    return Goal(bound, is_lower=True)


def at_most(bound: float) -> Goal:
    return Goal(bound, is_lower=False)


@dataclass(frozen=True)
class Line:
    """One line of the table: what was done, in which unit, and beside what."""
    work: str
    unit: str
    floor: str
    goal: Goal


@dataclass(frozen=True)
class Bench:
    """The run: a folder that is gone afterwards, and how large the work is to be."""
    folder: pathlib.Path
    size: str

    def sized(self, usual: int, *, small: int, full: int | None = None) -> int:
        return {"small": small, "usual": usual, "full": full if full is not None else usual}[self.size]

    def new_folder(self, name: str) -> pathlib.Path:
        return pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=self.folder))


Rounds = Iterator[dict[str, Figure]]


@dataclass(frozen=True)
class Row:
    name: str
    lines: dict[str, Line]
    is_heavy: bool  # Its rounds take long: there are fewer of them.
    measure: Callable[[Bench], Rounds]


def row(name: str, lines: dict[str, Line], *, is_heavy: bool = False) -> Callable[[Callable[[Bench], Rounds]], Row]:
    """Makes a row of a generator that yields a Figure for each of its lines, once a round."""
    return lambda measure: Row(name, lines, is_heavy, measure)


def program(name: str, *words: Any, **options: Any) -> dict:
    """Runs one of the programs of bench/ and returns the object that it prints."""
    command = [PROGRAMS / name, *map(str, words)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout)


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[int((len(ordered) - 1) * percent / 100)]
