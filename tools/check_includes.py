#!/usr/bin/env python3
"""Fails when a module includes one that it must not see. Run by ctest as `check_includes`."""
import pathlib
import re
import sys

MAY_INCLUDE = {  # the architecture, in one place
    "base": "",
    "model": "base",
    "timetable": "base model",
    "scheduler": "base model timetable",
    "template": "base",
    "loader": "base model timetable template",
    "store": "base model",
    "wire": "base",
    "logs": "base",
    "agent": "base wire logs",
    "init": "base",
    "executor": "base model wire template",
    "engine": "base model timetable scheduler loader template store executor logs",
    "http": "base",
    "api": "base model timetable scheduler store logs loader engine http",
    "cli": "base model timetable scheduler loader template logs wire agent executor http",
}
# Headers that everybody includes stay free of third-party code.
CLEAN_HEADERS = ("src/base/", "src/model/", "src/scheduler/", "src/store/store.h", "src/executor/executor.h")
CLEAN_EXCEPT = {"src/base/json.h"}
THIRD_PARTY = re.compile(r'#include <(boost|fmt|date|yaml|sqlite3|sodium|re2|spdlog|CLI|valijson)\b')

bad = 0
root = pathlib.Path(__file__).resolve().parent.parent
for path in sorted((root / "src").rglob("*.[hc]*")):
    name = path.relative_to(root)
    module = name.parts[1]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'#include "(\w+)/', line)
        if found and module != "app" and found[1] != module and found[1] not in MAY_INCLUDE[module].split():
            print(f"{name}:{number}: error: {module} must not include {found[1]}/")
            bad += 1
        if (path.suffix == ".h" and str(name).startswith(CLEAN_HEADERS) and str(name) not in CLEAN_EXCEPT
                and THIRD_PARTY.match(line)):
            print(f"{name}:{number}: error: third-party include in a header that everybody sees")
            bad += 1
sys.exit(bad != 0)
