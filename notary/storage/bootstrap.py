"""Making and upgrading the tables, and telling whether that is needed."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from notary.storage.schema import SchemaError
from notary.storage.transactions import run_query, run_transaction


def bootstrap(engine: Engine) -> None:
    """Make the tables, or bring them up to date. Blocks; may be run any number of times.

    Tables that the Go server made are taken over as they are.

    Raises:
        SchemaError: they were made by a newer version, or by a Go server that is too old.
        StoreUnavailableError: the database refuses or cannot be reached.
    """
    run_transaction(engine, _upgrade)


def check_schema(engine: Engine) -> None:
    """Raise `SchemaError` unless `bootstrap` has nothing to do. Blocks."""
    run_query(engine, _refuse_other_than_newest)


def _upgrade(connection: Connection) -> None:
    _refuse_newer(_revision(connection))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _refuse_other_than_newest(connection: Connection) -> None:
    revision = _revision(connection)
    _refuse_newer(revision)
    if revision != _revisions()[0]:
        state = "are missing" if revision is None else f"are of the old revision {revision}"
        raise SchemaError(
            f"the tables in {connection.engine.url.render_as_string(hide_password=True)} {state}: "
            "run notary-server -bootstrap"
        )


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision not in _revisions():
        raise SchemaError(
            f"the tables are of revision {revision}, which this version does not know "
            f"(it knows {_revisions()[0]} and older): run a newer version of notary-server"
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _revisions() -> list[str]:
    """All revisions this version knows, the newest first."""
    scripts = ScriptDirectory.from_config(_config())
    return [script.revision for script in scripts.walk_revisions()]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "notary.storage:migrations")
    return config
