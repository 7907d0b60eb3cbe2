#!/usr/bin/env python3
"""Fails when a module includes one that it must not see, or when two files define different types under one
name, which the linker would merge silently. Run by ctest as `check_structure`."""
import collections
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
    "airflow": "base model loader executor engine scheduler",
    "task_api": "base model scheduler store wire engine http",
    "api": "base model timetable scheduler store logs loader engine http",
    "cli": "base model timetable scheduler loader template logs wire agent executor http",
}
# Headers that everybody includes stay free of third-party code.
CLEAN_HEADERS = ("src/base/", "src/model/", "src/scheduler/", "src/store/store.h", "src/executor/executor.h")
CLEAN_EXCEPT = {"src/base/json.h"}
THIRD_PARTY = re.compile(r'#include <(boost|fmt|date|yaml|sqlite3|sodium|re2|spdlog|CLI|valijson)\b')

# Namespaces are opened and closed at the left margin (clang-format sees to it), so are the types in them.
OPEN_NAMESPACE = re.compile(r"(?:inline )?namespace\s*([\w:]*)\s*\{(?!.*\})")
CLOSE_NAMESPACE = re.compile(r"\}\s*// namespace")
# Not followed by "::", as in "struct World::State {": that is a member of a type defined elsewhere.
TYPE = re.compile(r"(?:struct|class|union|enum(?: class| struct)?)\s+(\w+)(?!\w|\s*::)(.*)")

bad = 0


def complain(where, text):
    global bad
    print(f"{where}: error: {text}")
    bad += 1


def types_of(lines):
    """(line number, full name) of each type that other files can name."""
    scopes = []
    for number, line in enumerate(lines, 1):
        if found := OPEN_NAMESPACE.match(line):
            scopes.append(found[1])
        elif CLOSE_NAMESPACE.match(line):
            scopes = scopes[:-1]
        elif (found := TYPE.match(line)) and "" not in scopes:
            rest = found[2] + " ".join(lines[number:number + 3])
            if "{" in rest and ";" not in rest[:rest.index("{")]:
                yield number, "::".join([*scopes, found[1]])


root = pathlib.Path(__file__).resolve().parent.parent
types = collections.defaultdict(list)
for path in sorted((root / "src").rglob("*.[hc]*")):
    name = path.relative_to(root)
    module = name.parts[1]
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        found = re.match(r'#include "(\w+)/', line)
        if found and module != "app" and found[1] != module and found[1] not in MAY_INCLUDE[module].split():
            complain(f"{name}:{number}", f"{module} must not include {found[1]}/")
        if (path.suffix == ".h" and str(name).startswith(CLEAN_HEADERS) and str(name) not in CLEAN_EXCEPT
                and THIRD_PARTY.match(line)):
            complain(f"{name}:{number}", "third-party include in a header that everybody sees")
    for number, full_name in types_of(lines):
        types[full_name].append(f"{name}:{number}")
for full_name, places in sorted(types.items()):
    for place in places[1:]:
        complain(place, f"{full_name} is defined in {places[0]} too; one program can hold only one of them")
sys.exit(bad != 0)
