"""Making and upgrading the tables, and telling whether that is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from sqlalchemy import Connection, Engine, String, column, inspect, select, table

from notary.storage.adoption import daemons
from notary.storage.adoption.daemons import GoDaemon
from notary.storage.schema import SchemaError
from notary.storage.transactions import alone, run_query, run_transaction

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = "notary.storage:migrations"
_FOLDER = Path(__file__).parent / "migrations"


@attrs.frozen
class Migrations:
    """The migrations of one daemon's tables.

    Attributes:
        daemon: its name, for messages.
        directory: where they are, in that of all migrations.
        version_table: tells which of them a database has; one for each daemon, so that two of them
            can share a database.
        adopted: the Go daemon whose tables are taken over.
    """

    daemon: str
    directory: str
    version_table: str
    adopted: GoDaemon

    def config(self) -> Config:
        """Return what Alembic's commands take."""
        # Not before: Alembic takes 10 MB, and whoever only looks at a revision does without.
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", _SCRIPTS)
        config.set_main_option("version_locations", f"{_SCRIPTS}/{self.directory}")
        config.set_main_option("path_separator", "newline")
        config.attributes["version_table"] = self.version_table
        return config

    def revisions(self) -> list[str]:
        """Return all revisions that this version knows, the newest first.

        Each is a file that is named after it.
        """
        files = (_FOLDER / self.directory).glob("v*.py")
        return sorted((file.name[1:].partition("_")[0] for file in files), reverse=True)

    def revision(self, connection: Connection) -> str | None:
        """Return the revision of a database, None if it has none of the tables."""
        if not inspect(connection).has_table(self.version_table):
            return None
        noted = select(column("version_num", String)).select_from(table(self.version_table))
        return connection.execute(noted).scalar_one_or_none()


SERVER = Migrations("notary-server", "server", "alembic_version", daemons.SERVER)
SIGNER = Migrations("notary-signer", "signer", "alembic_version_signer", daemons.SIGNER)


def bootstrap(engine: Engine, migrations: Migrations) -> None:
    """Make the tables, or bring them up to date. Blocks; may be run any number of times.

    Tables that the Go daemon made are brought to its last level and taken over. What others do to
    the tables in the meantime is lost or fails, but for another run, which waits for this one.

    Raises:
        SchemaError: they were made by a newer version, or are none of a Go daemon's known levels.
        StoreUnavailableError: the database refuses or cannot be reached.
    """

    from alembic import command

    def known_revision(connection: Connection) -> str | None:
        revision = migrations.revision(connection)
        _refuse_newer(migrations, revision)
        return revision

    def upgrade(connection: Connection) -> None:
        config = migrations.config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    with alone(engine, f"{migrations.daemon} -bootstrap"):
        if run_query(engine, known_revision) is None:
            daemons.adopt(engine, migrations.adopted)
        run_transaction(engine, upgrade)


def check_schema(engine: Engine, migrations: Migrations) -> None:
    """Raise `SchemaError` unless `bootstrap` has nothing to do. Blocks."""

    def refuse_other_than_newest(connection: Connection) -> None:
        revision = migrations.revision(connection)
        _refuse_newer(migrations, revision)
        if revision != migrations.revisions()[0]:
            state = f"are of the old revision {revision}"
            if revision is None:
                is_there = inspect(connection).has_table(migrations.adopted.table)
                state = "were not taken over yet" if is_there else "are missing"
            raise SchemaError(
                f"the tables in {connection.engine.url.render_as_string(hide_password=True)} "
                f"{state}: run {migrations.daemon} -bootstrap"
            )

    run_query(engine, refuse_other_than_newest)


def _refuse_newer(migrations: Migrations, revision: str | None) -> None:
    known = migrations.revisions()
    if revision is not None and revision not in known:
        raise SchemaError(
            f"the tables are of revision {revision}, which this version does not know "
            f"(it knows {known[0]} and older): run a newer version of {migrations.daemon}"
        )
