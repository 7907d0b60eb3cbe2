"""Whether a DAG file's code gives the same operators each time it is run, as far as its text can prove that.

A worker runs the file again for each task. What the parse has seen may stand in for that only where nothing the file
does depends on the clock, on chance, on the environment, on other files or on what a server answers. This knows what is
harmless, not all that harms: in doubt the answer is no.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

# Modules whose use gives the same each time, but for the names below.
_MODULES = frozenset(
    "__future__ abc attr attrs collections copy dataclasses datetime dateutil enum functools itertools json logging math"
    " operator os pathlib pendulum posixpath re string textwrap types typing typing_extensions warnings zoneinfo".split()
)
_AIRFLOW_MODULES = (
    "airflow.assets",
    "airflow.datasets",
    "airflow.decorators",
    "airflow.exceptions",
    "airflow.models",
    "airflow.notifications",
    "airflow.operators",
    "airflow.providers",
    "airflow.sdk.bases",
    "airflow.sdk.definitions",
    "airflow.sdk.exceptions",
    "airflow.sdk.timezone",
    "airflow.sdk.types",
    "airflow.sensors",
    "airflow.timetables",
    "airflow.triggers",
    "airflow.utils.context",
    "airflow.utils.edgemodifier",
    "airflow.utils.helpers",
    "airflow.utils.setup_teardown",
    "airflow.utils.state",
    "airflow.utils.task_group",
    "airflow.utils.timezone",
    "airflow.utils.trigger_rule",
    "airflow.utils.types",
    "airflow.utils.weight_rule",
)
# Whatever object they belong to.
_UNSTEADY_NAMES = frozenset(
    # the clock, chance and the process
    "now today utcnow yesterday tomorrow parse local_timezone tzlocal gettz time_ns monotonic perf_counter getpid getppid"
    " id hash random randint choice shuffle uuid1 uuid4 token_hex urandom"
    # the environment and the system
    " environ environb getenv getenvb getcwd cwd home expanduser expandvars uname getlogin getuid getuser gethostname"
    " cpu_count system popen putenv unsetenv chdir umask setrlimit kill fork"
    # files
    " open read_text read_bytes exists lexists isfile isdir is_file is_dir is_symlink iterdir glob rglob listdir"
    " scandir walk stat lstat getmtime getsize"
    # Airflow's own sources of facts
    " Variable Connection BaseHook ObjectStoragePath conf configuration settings get_parsing_context macros secrets"
    " get_connection get_variable execution_time"
    # code that this reader does not see
    " eval exec compile __import__ import_module run_path getattr vars locals function __wrapped__ __dict__ __globals__"
    " setattr delattr input breakpoint".split()
)
_OS_NAMES = frozenset("path sep linesep pathsep curdir pardir extsep devnull fspath PathLike".split())
# Arguments that take code for later: naming a function there does not call it.
_LATER = ("python_callable", "_callback", "callbacks")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class _Unsteady(Exception):
    """Something is not known to be harmless."""


class Reader:
    """Reads files of one bundle; remembers modules that it has read."""

    def __init__(self, bundle_path: str) -> None:
        self._bundle = Path(bundle_path).resolve()
        self._modules: dict[str, bool] = {}

    def is_steady_file(self, source: bytes) -> bool:
        """Whether running the DAG file *source*, which has been run just now, gives the same each time."""
        return self._is_steady(source, _File(self, None))

    def is_steady_module(self, name: str) -> bool:
        """Whether importing *name* is harmless; a module of the bundle is read like the file itself."""
        root = name.partition(".")[0]
        if root == "airflow":
            return _is_plain_airflow(name)
        if root in _MODULES:
            return True
        if name not in self._modules:
            # Those that import each other in a circle are judged by what else they do.
            self._modules[name] = True
            self._modules[name] = self._read_module(sys.modules.get(name))
        return self._modules[name]

    def _read_module(self, module: ModuleType | None) -> bool:
        file = getattr(module, "__file__", None)
        if module is None or not isinstance(file, str) or not file.endswith(".py"):
            return False
        path = Path(file).resolve()
        if not path.is_relative_to(self._bundle):
            return False
        parents = module.__name__.split(".")[:-1]
        above = (".".join(parents[: length + 1]) for length in range(len(parents)))
        if not all(self.is_steady_module(name) for name in above):
            return False
        try:
            source = path.read_bytes()
        except OSError:
            return False
        return self._is_steady(source, _File(self, module.__package__ or ""))

    @staticmethod
    def _is_steady(source: bytes, file: _File) -> bool:
        try:
            file.read(ast.parse(source))
        except (_Unsteady, SyntaxError, ValueError, ImportError, RecursionError):
            return False
        return True


def _is_plain_airflow(name: str) -> bool:
    if name in ("airflow", "airflow.sdk"):
        return True
    is_known = any(name == known or name.startswith(known + ".") for known in _AIRFLOW_MODULES)
    return is_known and "hooks" not in name.split(".")


class _File:
    """One file's names and what is done with them. *package* is None for a DAG file, which nobody imports."""

    def __init__(self, reader: Reader, package: str | None) -> None:
        self._reader = reader
        self._package = package
        # Names bound by imports that may be anything; harmless while nothing that runs now uses them.
        self._doubtful: set[str] = set()
        self._os: set[str] = set()
        # Functions whose bodies run in a worker only.
        self._later: set[_Function] = set()
        self._harmless: set[ast.AST] = set()

    def read(self, tree: ast.Module) -> None:
        """Raise `_Unsteady` when the file is not known to be steady."""
        self._set_tasks_aside(tree)
        if self._package is None:
            self._set_callables_aside(tree)
        self._find_dag_names(tree)
        for node in self._nodes_run_now(tree):
            self._note_import(node)
        for node in self._nodes_run_now(tree):
            self._judge(node)

    def _nodes_run_now(self, root: ast.AST) -> Iterator[ast.AST]:
        """Walk what runs, or may run, when the file does."""
        waiting = [root]
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, _Function) and node in self._later:
                # Decorators, defaults and annotations belong to the definition.
                waiting += [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
            else:
                waiting += ast.iter_child_nodes(node)

    def _set_tasks_aside(self, tree: ast.Module) -> None:
        names = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module in ("airflow.sdk", "airflow.decorators")
            for alias in node.names
            if alias.name == "task"
        }
        for node in ast.walk(tree):
            if isinstance(node, _Function) and any(_root_name(name) in names for name in node.decorator_list):
                self._later.add(node)

    def _set_callables_aside(self, tree: ast.Module) -> None:
        """Set aside the functions that nothing mentions but arguments which take code for later, and each other."""
        functions = [node for node in _plain_functions(tree) if node not in self._later]
        while True:
            used = set(self._names_used_now(tree))
            unused = [node for node in functions if node.name not in used and node not in self._later]
            if not unused:
                return
            self._later.update(unused)

    def _names_used_now(self, tree: ast.Module) -> Iterator[str]:
        handed_over = set()
        for node in self._nodes_run_now(tree):
            if isinstance(node, ast.keyword) and node.arg and node.arg.endswith(_LATER):
                handed_over.add(node.value)
            elif isinstance(node, ast.Name) and node not in handed_over:
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr

    def _find_dag_names(self, tree: ast.Module) -> None:
        """Let `globals()["name"] = dag` pass, which calls nothing by its name."""
        for node in ast.walk(tree):
            is_stored = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
            if is_stored and isinstance(node.value, ast.Call):
                self._harmless.add(node.value.func)

    def _note_import(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                if not self._reader.is_steady_module(alias.name):
                    self._doubtful.add(alias.asname or root)
                elif alias.name == "os" or (root == "os" and not alias.asname):
                    self._os.add(alias.asname or root)
        elif isinstance(node, ast.ImportFrom):
            module = self._module_of(node)
            for alias in node.names:
                self._note_name(module, alias)

    def _note_name(self, module: str, alias: ast.alias) -> None:
        # What is imported may itself be a module.
        inner = f"{module}.{alias.name}"
        is_known = self._reader.is_steady_module(module) and (
            inner not in sys.modules or self._reader.is_steady_module(inner)
        )
        if module == "os":
            is_known = alias.name in _OS_NAMES
        if alias.name == "*" and not is_known:
            raise _Unsteady
        if not is_known or _is_unsteady(alias.name):
            self._doubtful.add(alias.asname or alias.name)

    def _module_of(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        return importlib.util.resolve_name("." * node.level + (node.module or ""), self._package or "")

    def _judge(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            if _is_unsteady(node.id) or node.id in self._doubtful:
                raise _Unsteady
            if node.id == "globals" and node not in self._harmless:
                raise _Unsteady
        elif isinstance(node, ast.Attribute):
            is_os = isinstance(node.value, ast.Name) and node.value.id in self._os
            if _is_unsteady(node.attr) or (is_os and node.attr not in _OS_NAMES):
                raise _Unsteady
        elif isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            raise _Unsteady


def _is_unsteady(name: str) -> bool:
    return name in _UNSTEADY_NAMES or name.endswith("Hook")


def _root_name(node: ast.AST) -> str | None:
    """Return "task" of `task`, `task.bash` and `task(retries=1)`."""
    while isinstance(node, (ast.Call, ast.Attribute)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _plain_functions(tree: ast.Module) -> Iterable[_Function]:
    """Find functions that are called by their names only: no methods, nothing decorated, no names of Python's own."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ClassDef):
            continue
        if isinstance(node, _Function) and not node.decorator_list and not node.name.startswith("__"):
            yield node
        waiting += ast.iter_child_nodes(node)
