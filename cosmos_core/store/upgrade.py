"""Bring a store to the tables of this version, once, whoever opens it first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cosmos_core.errors import StoreError
from cosmos_core.store.schema import HEAD

if TYPE_CHECKING:
    from cosmos_core.store.engine import Database

SCRIPTS = Path(__file__).parent / "migrations"

_IS_THERE = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'",
    "postgresql": "SELECT to_regclass('alembic_version') IS NOT NULL",
}

# Any number will do, as long as everybody who migrates takes the same one.
_MIGRATION_LOCK = 0x636F736D6F73


def upgrade(database: Database) -> None:
    """Make sure that *database* has the tables of this version.

    An up-to-date store costs one query. Otherwise the migrations run in one transaction, while others who open the
    store wait for it and then find it done.

    Raises:
        StoreError: when a newer version of ours made the store, or it cannot be reached or changed.
    """
    if _version(database) == HEAD:
        return
    if database.is_sqlite:
        database.write_ahead()
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        if _version_of(connection) != HEAD:
            _migrate(connection)


def _version(database: Database) -> str:
    with database.read() as connection:
        found = _version_of(connection)
    if found > HEAD:
        raise StoreError(
            f"the store {database.name} was made by a newer version: its tables are {found}, ours are {HEAD}",
            hint="install that version: pip install --upgrade cosmos-core",
        )
    return found


def _version_of(connection: sa.Connection) -> str:
    """The revision of the tables; empty when there are none."""
    # A store is opened by every command; SQLAlchemy's inspection would cost it several milliseconds.
    is_there = connection.exec_driver_sql(_IS_THERE[connection.dialect.name]).scalar()
    if not is_there:
        return ""
    return str(connection.exec_driver_sql("SELECT max(version_num) FROM alembic_version").scalar() or "")


def _migrate(connection: sa.Connection) -> None:
    from alembic import command  # alembic takes longer to import than a store takes to open
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
