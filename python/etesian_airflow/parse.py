"""The child that loads one DAG file: from a path to serialised DAGs, import errors and warnings."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from etesian_airflow import framing, logs, process
from etesian_airflow.comms import Comms, enter_client_context
from etesian_airflow.credential import Credential
from etesian_airflow.lane import Lanes

# How the child says that memory ran out where no Python exception could carry it to the answer.
MEMORY_EXIT_CODE = 71
_MAX_DIFFERENCES = 100
# What the parent adds has its place in the same frame.
_MAX_ANSWER = framing.MAX_FRAME - (1 << 20)


def run(request: dict[str, Any], answer: int, credential: Credential, first: bytes | None) -> None:
    """Load the file of *request* and write one frame to the descriptor *answer*. Runs in a forked child.

    With *first*, the answer of an earlier load of the same file, only what differs is answered.
    """
    from airflow.dag_processing.processor import DagFileProcessorProcess

    own = os.getpid()
    enter_client_context(Comms(credential, DagFileProcessorProcess._handle_request))
    logs.write_text()
    logs.quieten_the_loader()
    let_faults_kill()
    process.adopt_orphans()
    if request.get("memory_bytes"):
        process.limit_memory(int(request["memory_bytes"]))
    try:
        try:
            result = load(request["file"], request["bundle"], request["bundle_path"])
        except MemoryError:
            raise
        except BaseException:
            result = failed(request["file"], request["bundle_path"], traceback.format_exc())
        if first is not None:
            result = {"unstable": find_differences(framing.decode(first), result)}
        body = framing.to_json(result)
        if len(body) > _MAX_ANSWER:
            trace = f"{len(body)} bytes of serialised DAGs are more than {_MAX_ANSWER}"
            body = framing.to_json(failed(request["file"], request["bundle_path"], trace))
    except MemoryError:
        os._exit(MEMORY_EXIT_CODE)
    if os.getpid() != own:
        # The file forked and the copy came through here as well.
        os._exit(0)
    process.flush_stdio()
    with os.fdopen(answer, "wb", closefd=False) as pipe:
        pipe.write(framing.to_frame(body))
    process.kill_tree(own)
    os._exit(0)


def let_faults_kill() -> None:
    """Keep Airflow's importer from catching SIGSEGV, and show the Python stack of a fault on standard error.

    Its handler runs in the interpreter, so that a real fault would be repeated for ever instead of ending the child.
    """
    from airflow.dag_processing.importers import python_importer

    class Signals:
        """The module `signal` without the power to catch SIGSEGV."""

        def __getattr__(self, name: str) -> Any:
            return getattr(signal, name)

        @staticmethod
        def signal(number: int, handler: Any) -> Any:
            return None if number == signal.SIGSEGV else signal.signal(number, handler)

    python_importer.signal = Signals()  # type: ignore[assignment]
    faulthandler.enable(file=2)


def load(file: str, bundle: str, bundle_path: str) -> dict[str, Any]:
    """Return {"dags", "errors", "warnings"} of one file, DAGs sorted by id. A broken DAG costs only itself."""
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.utils.dag_version_inflation_checker import check_dag_file_stability

    stability = check_dag_file_stability(file)
    if refused := stability.get_error_format_dict(file, Path(bundle_path)):
        return {"dags": [], "errors": _errors(refused), "warnings": []}
    lanes = Lanes(file, bundle_path)
    bag = BundleDagBag(dag_folder=file, bundle_path=Path(bundle_path), bundle_name=bundle, load_op_links=False)
    dags, errors = _serialize(bag, lanes)
    warnings = [text for texts in bag.captured_warnings.values() for text in texts]
    # One text for each DAG of the file, all the same.
    warnings += {warning["message"] or "" for warning in stability.get_formatted_warnings(bag.dag_ids)}
    return {"dags": dags, "errors": _errors(bag.import_errors | errors), "warnings": warnings}


def failed(file: str, bundle_path: str, trace: str) -> dict[str, Any]:
    """Return the result of a file that gave nothing but *trace*, named as Airflow names it in import errors."""
    with contextlib.suppress(ValueError):
        file = str(Path(file).relative_to(bundle_path))
    return {"dags": [], "errors": [{"file": file, "trace": trace}], "warnings": []}


def _errors(texts: Mapping[str, str | None]) -> list[dict[str, str]]:
    return [{"file": file, "trace": _trace(text or "")} for file, text in texts.items()]


def _trace(text: str) -> str:
    last = text.rstrip().rpartition("\n")[2]
    if last.startswith("MemoryError"):
        return text.rstrip() + "\nmemory limit"
    return text


def _serialize(bag: Any, lanes: Lanes) -> tuple[list[dict[str, Any]], dict[str, str]]:
    import msgspec

    from airflow.sdk.configuration import conf
    from airflow.serialization.serialized_objects import DagSerialization

    depth = conf.getint("core", "dagbag_import_error_traceback_depth", fallback=2)
    dags: list[dict[str, Any]] = []
    errors: dict[str, str] = {}
    for _, dag in sorted(bag.dags.items()):
        try:
            # Through JSON and back: what cannot be sent must fail here, where it costs this DAG and not the answer.
            serialized = msgspec.json.decode(msgspec.json.encode(DagSerialization.to_dict(dag)))
            if tasks := lanes.of(dag):
                serialized["etesian"] = {"lanes": tasks}
            dags.append(serialized)
        except MemoryError:
            raise
        except Exception:
            file = dag.relative_fileloc or dag.fileloc
            trace = f"DAG {dag.dag_id!r} cannot be serialised:\n{traceback.format_exc(limit=-depth)}"
            errors[file] = f"{errors[file]}\n{trace}" if file in errors else trace
    return dags, errors


def find_differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Return "dag_id: path.of.field" for all that two loads of one file do not agree on."""
    differences: list[str] = []
    before, after = ({dag["dag"]["dag_id"]: dag for dag in result["dags"]} for result in (first, second))
    for dag_id in sorted(before.keys() | after.keys()):
        if dag_id not in before or dag_id not in after:
            differences.append(f"{dag_id}: dag_id")
            continue
        paths: list[str] = []
        _compare(before[dag_id], after[dag_id], [], paths.append)
        differences += [f"{dag_id}: {path}" for path in paths]
    if [error["file"] for error in first["errors"]] != [error["file"] for error in second["errors"]]:
        differences.append("import errors")
    return differences[:_MAX_DIFFERENCES]


def _compare(before: Any, after: Any, path: list[str], report: Callable[[str], None]) -> None:
    if before == after:
        return
    if isinstance(before, list) and isinstance(after, list):
        # Tasks have names, and keep them when others come before them.
        before, after = _by_name(before), _by_name(after)
        if before.keys() == after.keys() and list(before) != list(after):
            report(".".join(path))
    if not isinstance(before, dict) or not isinstance(after, dict):
        report(".".join(path))
        return
    for key in before | after:
        # What serialisation wraps around a value says nothing to a reader.
        step = path if key in ("__var", "dag") else [*path, str(key)]
        if key in before and key in after:
            _compare(before[key], after[key], step, report)
        else:
            report(".".join(step))


def _by_name(items: list[Any]) -> dict[str, Any]:
    names = [
        item["__var"].get("task_id") if isinstance(item, dict) and isinstance(item.get("__var"), dict) else None
        for item in items
    ]
    return {
        str(name if name is not None else index): item
        for index, (name, item) in enumerate(zip(names, items, strict=True))
    }
