"""The floor of loading: every file of a folder imported once, each in a fork of one warm process, as many at a time as
there are processors. Prints the seconds, the start of the warm process included.

usage: PYTHON import_floor.py FOLDER     (PYTHON: the interpreter with Airflow)
"""
import time

begin = time.monotonic()

import gc  # noqa: E402
import importlib.util  # noqa: E402
import os  # noqa: E402
import pathlib  # noqa: E402
import sys  # noqa: E402

import airflow.providers.standard.operators.bash  # noqa: E402,F401
import airflow.sdk  # noqa: E402,F401


def import_file(path: pathlib.Path) -> None:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def main() -> None:
    sys.dont_write_bytecode = True
    slots, failed = len(os.sched_getaffinity(0)), 0
    gc.freeze()
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
        if slots == 0:
            failed += os.wait()[1] != 0
            slots += 1
        slots -= 1
        if os.fork() == 0:
            code = 1
            try:
                import_file(path)
                code = 0
            finally:
                os._exit(code)
    try:
        while True:
            failed += os.wait()[1] != 0
    except ChildProcessError:
        pass
    if failed:
        raise SystemExit(f"{failed} files could not be imported")
    print(time.monotonic() - begin)


main()
