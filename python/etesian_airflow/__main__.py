"""python -m etesian_airflow --control-fd N --socket PATH"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

_SEEDED = "_ETESIAN_AIRFLOW_SEEDED"


def main() -> int:
    """Take over the descriptors, import Airflow, serve. Return the exit code."""
    parser = argparse.ArgumentParser(prog="etesian_airflow", description=__doc__)
    parser.add_argument("--control-fd", type=int, required=True, help="a connected Unix stream socket")
    parser.add_argument("--socket", required=True, help="where to listen for tasks")
    arguments = parser.parse_args()
    _fix_hash_seed()
    control = socket.socket(fileno=arguments.control_fd)
    control.set_inheritable(False)
    _keep_to_itself()

    from etesian_airflow import framing, process, warm
    from etesian_airflow.credential import Credential

    process.hide_memory()
    credential = Credential.take_from_environment()
    try:
        from etesian_airflow.host import Host
        from etesian_airflow.loop import complain

        versions = warm.prepare()
        if threading.active_count() > 1:
            # What they hold at the moment of a fork is held for ever in the child.
            names = ", ".join(thread.name for thread in threading.enumerate())
            complain(f"importing Airflow has started threads, which makes forking unsafe: {names}")
        host = Host(control, arguments.socket, credential)
    except BaseException:
        control.sendall(framing.encode({"op": "broken", "error": traceback.format_exc()}))
        return 1
    host.run(versions)
    return 0


def _fix_hash_seed() -> None:
    """Start this program again with a fixed hash seed, unless it has one.

    The order of a set shows in serialised DAGs, for example in `template_fields` of virtualenv operators. With a seed
    of its own each host would find new versions of DAGs that nobody touched.
    """
    if os.environ.pop(_SEEDED, None):
        # For this process only: programs that tasks start have Python's usual behaviour.
        del os.environ["PYTHONHASHSEED"]
    elif os.environ.get("PYTHONHASHSEED", "random") == "random":
        os.execve(sys.executable, sys.orig_argv, os.environ | {"PYTHONHASHSEED": "0", _SEEDED: "1"})


def _keep_to_itself() -> None:
    """Let nothing of this process be seen or mistaken: not its output, not its paths, not its terminal's signals."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    # Airflow prints while it is imported. Standard output is nobody's; the host's log is standard error.
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own = str(Path(__file__).resolve().parents[1])
    if not sys.flags.safe_path:
        # `python -m` puts the working directory first, where a file could pose as any module.
        del sys.path[0]
    if own not in sys.path:
        sys.path.append(own)
    paths = [path for path in os.environ.pop("PYTHONPATH", "").split(os.pathsep) if path and path != own]
    if paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)


if __name__ == "__main__":
    sys.exit(main())
