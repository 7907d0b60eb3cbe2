"""What an Airflow installation holds that another one can take over, as JSON on standard output.

usage: python -P export.py [--airflow-home FOLDER]

Run by `etesian airflow import` with the interpreter of the Airflow environment. What Airflow would use is read: its
configuration (airflow.cfg and AIRFLOW__*), the metadata database that it names, AIRFLOW_CONN_* and AIRFLOW_VAR_*.
Nothing is written, and the database is read through its tables, so that one of another 3.x version will do as well.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Sections whose settings act on this side of the scheduler: they are read by the official packages that parse and run.
_OF_WORKERS = {"email", "logging", "openlineage", "operators", "sdk", "secrets", "sentry", "smtp", "standard", "traces",
               "workers"}
# Of [core]: what the official packages read when they parse DAG files (and put into the DAGs) or run tasks.
_OF_PARSING = {
    "allowed_deserialization_classes", "allowed_deserialization_classes_regexp", "compress_serialized_dags",
    "dag_ignore_file_syntax", "dagbag_import_error_traceback_depth", "dagbag_import_error_tracebacks",
    "dagbag_import_timeout", "default_task_execution_timeout", "default_task_retries", "default_task_retry_delay",
    "default_task_weight_rule", "default_timezone", "fernet_key", "hide_sensitive_var_conn_fields",
    "lazy_load_plugins", "lazy_discover_providers", "max_active_runs_per_dag", "max_active_tasks_per_dag",
    "max_task_retry_delay", "might_contain_dag_callable", "plugins_folder", "security",
    "sensitive_var_conn_names", "unit_test_mode", "xcom_backend",
}
# Neither here nor there: where the old installation is.
_NOT_TOLD = {("core", "dags_folder"), ("core", "load_examples"), ("core", "fernet_key"), ("core", "executor"),
             ("core", "execution_api_server_url"), ("database", "sql_alchemy_conn"),
             ("database", "sql_alchemy_conn_async"), ("logging", "base_log_folder"), ("logging", "logging_level")}
_INSTEAD = {
    ("dag_processor", "dag_bundle_config_list"): "there is one folder of DAG files: etesian up --dags",
    ("core", "dags_are_paused_at_creation"): "new DAGs are paused, unless they say is_paused_upon_creation=False",
}
# Sections whose values hold no secrets and may be shown.
_OPEN = {"core", "dag_processor", "scheduler", "triggerer"}
_CONNECTION_FIELDS = ("conn_type", "description", "host", "schema", "login", "port")


class Export:
    """Collects; what cannot be read is told under "problems" and costs only itself."""

    def __init__(self) -> None:
        self.connections: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, dict[str, Any]] = {}
        self.pools: list[dict[str, Any]] = []
        self.dags: list[dict[str, Any]] = []
        self.left: list[dict[str, str]] = []
        self.problems: list[dict[str, str]] = []
        self.database = ""

    def to_json(self) -> dict[str, Any]:
        """Return everything, sorted by name."""
        return {
            "database": self.database,
            "connections": _sorted(self.connections.values(), "connection_id"),
            "variables": _sorted(self.variables.values(), "key"),
            "pools": _sorted(self.pools, "name"),
            "dags": _sorted(self.dags, "dag_id"),
            "left": self.left,
            "problems": self.problems,
        }

    def trouble(self, what: str, why: object) -> None:
        """Note that *what* is not taken over. Never with a secret: database errors name statements, not values."""
        self.problems.append({"what": what, "why": str(why).strip().partition("\n")[0]})

    def leave(self, what: str, why: str) -> None:
        """Note what has no equivalent."""
        self.left.append({"what": what, "why": why})

    # ---- the metadata database ----

    def read_database(self) -> None:
        """Read what the configured metadata database holds."""
        import sqlalchemy

        from airflow.configuration import conf

        url = sqlalchemy.make_url(conf.get("database", "sql_alchemy_conn"))
        self.database = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "sqlite":
            if not url.database or not os.path.exists(url.database):
                what = f"metadata database '{url.database}'"
                if _is_configured():
                    self.trouble(what, "there is no such file")
                else:
                    self.leave(what, "there is none; the environment alone was read")
                return
            url = sqlalchemy.make_url(f"sqlite:///file:{url.database}?mode=ro&uri=true")
        try:
            engine = sqlalchemy.create_engine(url)
            with engine.connect() as connection:
                if url.get_backend_name() == "postgresql":
                    connection.execute(sqlalchemy.text("SET TRANSACTION READ ONLY"))
                self._read_tables(connection)
        except ImportError as error:
            self.trouble("metadata database", f"{error}; install that driver in this Python environment")
        except sqlalchemy.exc.SQLAlchemyError as error:
            self.trouble("metadata database", getattr(error, "orig", None) or error)

    def _read_tables(self, connection: Any) -> None:
        import sqlalchemy

        names = set(sqlalchemy.inspect(connection).get_table_names())

        def rows(table: str) -> list[Mapping[str, Any]]:
            if table not in names:
                self.trouble(f"table '{table}'", "is not there; is this Airflow's metadata database?")
                return []
            # Without the models: columns that this version has and that one has not do no harm.
            reflected = sqlalchemy.Table(table, sqlalchemy.MetaData(), autoload_with=connection)
            return [dict(row._mapping) for row in connection.execute(sqlalchemy.select(reflected))]

        for row in rows("connection"):
            self._try(f"connection '{row['conn_id']}'", self._take_connection, row)
        for row in rows("variable"):
            self._try(f"variable '{row['key']}'", self._take_variable, row)
        for row in rows("slot_pool"):
            self._take_pool(row)
        for row in rows("dag"):
            # Those whose files are gone have no place to be paused in.
            if not row.get("is_stale"):
                self.dags.append({"dag_id": row["dag_id"], "is_paused": bool(row["is_paused"])})
        self._count_what_stays(connection, names)

    def _try(self, what: str, take: Callable[[Mapping[str, Any]], None], row: Mapping[str, Any]) -> None:
        from cryptography.fernet import InvalidToken

        try:
            take(row)
        except InvalidToken:
            self.trouble(what, "cannot be decrypted; is [core] fernet_key that of this database?")
        except Exception as error:
            self.trouble(what, type(error).__name__)

    def _take_connection(self, row: Mapping[str, Any]) -> None:
        if row.get("team_name"):
            self.leave(f"team '{row['team_name']}' of connection '{row['conn_id']}'", "there are no teams")
        self.connections[row["conn_id"]] = {
            "connection_id": row["conn_id"],
            **{name: row.get(name) for name in _CONNECTION_FIELDS},
            "password": _decrypt(row["password"], row.get("is_encrypted")),
            "extra": _decrypt(row["extra"], row.get("is_extra_encrypted")),
        }

    def _take_variable(self, row: Mapping[str, Any]) -> None:
        if row.get("team_name"):
            self.leave(f"team '{row['team_name']}' of variable '{row['key']}'", "there are no teams")
        self.variables[row["key"]] = {
            "key": row["key"],
            "value": _decrypt(row["val"], row.get("is_encrypted")) or "",
            "description": row.get("description"),
        }

    def _take_pool(self, row: Mapping[str, Any]) -> None:
        if row.get("team_name"):
            self.leave(f"team '{row['team_name']}' of pool '{row['pool']}'", "there are no teams")
        self.pools.append(
            {
                "name": row["pool"],
                "slots": row["slots"],
                "description": row.get("description"),
                "include_deferred": bool(row.get("include_deferred")),
            }
        )

    def _count_what_stays(self, connection: Any, names: set[str]) -> None:
        import sqlalchemy

        stays = {
            "dag_run": "runs with their task instances, XComs and logs: history stays where it is",
            "ab_user": "users: accounts are made anew",
            "backfill": "backfills",
            "asset_event": "asset events",
        }
        for table, what in stays.items():
            if table in names:
                query = sqlalchemy.select(sqlalchemy.func.count()).select_from(sqlalchemy.table(table))
                if count := connection.execute(query).scalar():
                    self.leave(f"{count} rows of '{table}'", what)

    # ---- the environment ----

    def read_environment(self) -> None:
        """Take AIRFLOW_CONN_* and AIRFLOW_VAR_*, which come before the database as they do for Airflow."""
        from airflow.models import Connection
        from airflow.secrets.environment_variables import CONN_ENV_PREFIX, VAR_ENV_PREFIX

        # Lookups ignore the case of the environment's names; what the database calls the same keeps its name.
        known_connections = {name.upper(): name for name in self.connections}
        known_variables = {name.upper(): name for name in self.variables}
        for name, value in sorted(os.environ.items()):
            if name.startswith(CONN_ENV_PREFIX) and (rest := name.removeprefix(CONN_ENV_PREFIX)):
                conn_id = known_connections.get(rest.upper(), rest.lower())
                try:
                    is_json = value.lstrip().startswith("{")
                    made = Connection.from_json(value, conn_id) if is_json else Connection(conn_id=conn_id, uri=value)
                    self.connections[conn_id] = {
                        "connection_id": conn_id,
                        **{field: getattr(made, field) for field in _CONNECTION_FIELDS},
                        "password": made.password,
                        "extra": made.extra,
                    }
                except Exception as error:
                    self.trouble(f"connection '{conn_id}' of the environment", type(error).__name__)
            elif name.startswith(VAR_ENV_PREFIX) and (rest := name.removeprefix(VAR_ENV_PREFIX)):
                key = known_variables.get(rest.upper(), rest.lower())
                self.variables[key] = {"key": key, "value": value, "description": None}

    # ---- the configuration ----

    def read_configuration(self) -> None:
        """Tell the settings that differ from Airflow's defaults and mean nothing here."""
        from airflow.configuration import conf

        executor = conf.get("core", "executor")
        if executor not in ("LocalExecutor", ":LocalExecutor:"):
            self.leave(f"[core] executor = {executor}", "tasks run on this machine, as under LocalExecutor")
        for section, options in conf.as_dict(display_source=True, display_sensitive=True).items():
            for option, (value, source) in options.items():
                if source not in ("airflow.cfg", "env var", "cmd", "secret") or (section, option) in _NOT_TOLD:
                    continue
                if _words(conf.get_default_value(section, option)) == _words(value):
                    continue
                if section in _OF_WORKERS or (section == "core" and option in _OF_PARSING):
                    continue
                is_open = section in _OPEN and (section, option) not in conf.sensitive_config_values
                why = _INSTEAD.get((section, option), "has no effect here")
                self.leave(f"[{section}] {option} = {_words(value) if is_open else '…'}", why)


def _words(value: object) -> str:
    """A setting on one line; those that are generated differ from the defaults in blanks."""
    return " ".join(str(value or "").split())


def _import_airflow(folder: str) -> None:
    """Import the package so that it neither makes a log folder nor opens the database, whose driver may be missing."""
    os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] = folder
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    names = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC")
    given = {name: os.environ.pop(name, None) for name in names}
    os.environ[names[0]] = f"sqlite:///{folder}/none.db"
    import airflow.settings  # noqa: F401

    # Configuration is looked up when it is asked for.
    del os.environ[names[0]]
    os.environ.update({name: value for name, value in given.items() if value is not None})


def _is_configured() -> bool:
    from airflow.configuration import AIRFLOW_CONFIG

    return os.path.exists(AIRFLOW_CONFIG) or "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in os.environ


def _decrypt(stored: str | None, is_encrypted: object) -> str | None:
    from airflow.models.crypto import get_fernet

    if not stored or not is_encrypted:
        return stored
    return get_fernet().decrypt(stored.encode()).decode()


def _sorted(rows: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row[key]))


def main() -> int:
    """Write the JSON and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--airflow-home", help="folder of airflow.cfg; default: AIRFLOW_HOME, ~/airflow")
    arguments = parser.parse_args()
    # Airflow prints while it is imported; the answer has a channel of its own.
    answer = os.dup(1)
    os.dup2(2, 1)
    if arguments.airflow_home:
        os.environ["AIRFLOW_HOME"] = os.path.abspath(arguments.airflow_home)
    export = Export()
    with tempfile.TemporaryDirectory() as folder:
        _import_airflow(folder)
        export.read_database()
        export.read_environment()
        export.read_configuration()
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        json.dump(export.to_json(), out, default=str)
    return 0


if __name__ == "__main__":
    sys.exit(main())
