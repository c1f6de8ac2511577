"""An open database: transactions that read, transactions that write, and errors in the user's words.

SQLite: WAL; writes begin with ``BEGIN IMMEDIATE``, so a transaction that read may go on to write, and reads with a
plain ``BEGIN``, so readers never wait for a writer. The driver's own transactions are switched off, as SQLAlchemy's
SQLite page describes for Python 3.11. PostgreSQL: READ COMMITTED with row locks.

Every commit survives a killed process. What somebody was told is done (accepted, launched, sealed, saved) is synced
to disk before the call returns (``synchronous=FULL``) and survives a power cut too. Claims, heartbeats, moves and
progress are not synced one by one (``NORMAL``): a power cut may undo the last of them, in order and never in part,
and then a lease runs out and the work is found again. PostgreSQL syncs all of them.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from cosmos_core.errors import InputError, StoreError
from cosmos_core.store.records import StoreGone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_ABSENCE = 10.0
"""Seconds that a SQLite file may be out of its place before it counts as gone."""
_WRITES = "cosmos_writes"
_INHERITED: list[sa.Pool] = []
"""Pools of a parent process. They are kept: closing a parent's SQLite connection in a child breaks its locks."""

_ACCEPTED = "sqlite:////path/store.sqlite or postgresql://user@host/database"


class Database:
    """A database that this process may use from any of its threads, and a forked child may use as its own."""

    def __init__(self, url: sa.URL, *, patience: float) -> None:
        self.url = url
        self.patience = patience
        """Seconds to wait for a lock that another process holds."""
        self._engine = _engine(url, patience)
        self._lasting = self._engine.execution_options(**{_WRITES: "FULL"})
        self._passing = self._engine.execution_options(**{_WRITES: "NORMAL"})
        self._process = os.getpid()
        self._file: tuple[int, int] | None = None
        """Device and number of the SQLite file that our connections have open; None before there is one."""
        self._missed: float | None = None
        """Since when that file is not in its place."""

    @property
    def name(self) -> str:
        """The database as people may see it: a path, or a URL without its password."""
        if self.is_sqlite:
            return str(self.url.database)
        where = {name: value for name, value in self.url.query.items() if name in {"host", "port"}}
        return self.url.set(drivername="postgresql", query=where).render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file rather than a server."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def dialect(self) -> sa.Dialect:
        """What statements compile for."""
        return self._engine.dialect

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of the store and never waits for a writer."""
        self._own()
        self._refuse_a_ghost()
        with self._said(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[sa.Connection]:
        """A transaction that may change the store: all of it is there when the block ends, or none is.

        Without *lasting* a power cut may still undo it.

        Raises:
            StoreError: when the store is locked, full, gone or not ours, saying which.
        """
        self._own()
        self._refuse_a_ghost()
        with self._said(), (self._lasting if lasting else self._passing).begin() as connection:
            yield connection

    def write_ahead(self) -> None:
        """Switch a SQLite file to WAL, which stays. SQLite refuses at once, not after a wait, while anybody is at it."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                with self._said(), closing(self._engine.raw_connection()) as raw:
                    raw.cursor().execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise StoreError(f"the store {self.name} cannot be prepared: {error}") from error
                time.sleep(0.02)
            else:
                return

    def close(self) -> None:
        """Close every connection. A later transaction opens a new one."""
        self._own()
        self._engine.dispose()

    def _own(self) -> None:
        if self._process != os.getpid():
            _INHERITED.append(self._engine.pool)
            self._engine.dispose(close=False)
            self._process = os.getpid()

    def _refuse_a_ghost(self) -> None:
        """Stop before a connection reads and writes a file that has no name any more.

        Raises:
            StoreGone: when the file is not the one that we opened.
        """
        if not self.is_sqlite:
            return
        found = _identity(self.name)
        if self._file is None:
            self._file = found
        if found == self._file:
            self._missed = None
            return
        # A file that somebody moved away may come back; later transactions do not wait for it once more.
        missed = self._missed = self._missed or time.monotonic()
        while found != self._file and time.monotonic() - missed < min(self.patience, LONGEST_ABSENCE):
            time.sleep(0.1)
            found = _identity(self.name)
        if found != self._file:
            what = "replaced" if found else "deleted"
            raise StoreGone(
                f"the store {self.name} was {what} while it was open; jobs go on, and their outputs are kept",
                hint="put the file back, or start again with a new store",
            )

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._sentence(error) from error
        except UnicodeEncodeError as error:
            raise InputError(f"{error.object!r} cannot be stored: it is not valid Unicode text") from error

    def _sentence(self, error: DBAPIError) -> StoreError | InputError:
        said = (
            str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        )
        if isinstance(error, IntegrityError):
            return StoreError(
                f"the store {self.name} refused a change that contradicts what it holds: {said}"
            )
        if "NUL" in said:
            return InputError("text that holds a NUL character cannot be stored")
        for signs, sentence, hint in _CAUSES:
            if any(sign in said for sign in signs):
                return StoreError(
                    sentence.format(name=self.name, patience=self.patience, said=said), hint=hint
                )
        return StoreError(f"the store {self.name} failed: {said}")


_CAUSES = (
    (
        ("database is locked", "lock timeout", "database table is locked"),
        "the store {name} is locked: another process has been writing to it for more than {patience:g} s",
        "wait and try again; if no cosmos command is at work, look for a program that has the file open",
    ),
    (
        ("database or disk is full", "No space left"),
        "the disk that holds the store {name} is full",
        "make room and try again; nothing was lost, and nothing was written",
    ),
    (
        ("readonly database", "read-only"),
        "the store {name} may not be written to: {said}",
        "check the permissions of the file and of its folder",
    ),
    (
        ("file is not a database", "malformed"),
        "{name} is not a store of ours, or it is damaged: {said}",
        "name another file in cosmos.toml, or put a backup in its place",
    ),
    (
        ("unable to open database file",),
        "the store {name} cannot be opened: {said}",
        "check that its folder exists and may be written to",
    ),
    (
        ("authentication failed", "no password supplied", "FATAL:  database", "FATAL:  role"),
        "the store {name} refuses us: {said}",
        "check user, password and database of the store's URL",
    ),
    (
        ("connection", "timeout expired", "server closed", "terminat", "could not translate"),
        "the store {name} cannot be reached: {said}",
        "check that the server is running and that the store's URL names it",
    ),
)


def database(url: str, *, root: Path, patience: float) -> Database:
    """The database at *url*; a relative SQLite path is taken from *root*.

    Raises:
        InputError: when the URL is not of a kind we know.
        StoreError: when its driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise InputError("the store's URL is not understood", hint=f"write {_ACCEPTED}") from None
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        return Database(_file(parsed, root), patience=patience)
    if parsed.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        return _server(parsed.set(drivername="postgresql+psycopg"), patience)
    raise InputError(f"a store cannot be on {parsed.drivername!r}", hint=f"write {_ACCEPTED}")


def _identity(name: str) -> tuple[int, int] | None:
    try:
        status = os.stat(name)  # noqa: PTH116  (asked at every transaction)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _file(url: sa.URL, root: Path) -> sa.URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise InputError(
            "the store must be a file that several processes can open", hint=f"write {_ACCEPTED}"
        )
    path = root / url.database
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the store's folder {path.parent} cannot be made: {error.strerror}") from error
    return sa.URL.create("sqlite+pysqlite", database=str(path))


def _server(url: sa.URL, patience: float) -> Database:
    try:
        return Database(url, patience=patience)
    except (ModuleNotFoundError, ImportError, NoSuchModuleError) as error:
        raise StoreError(
            f"a store on PostgreSQL needs the package psycopg: {error}",
            hint="pip install 'cosmos-core[postgres]'",
        ) from error


def _engine(url: sa.URL, patience: float) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": patience})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine
    return sa.create_engine(url, pool_pre_ping=True, connect_args=_server_arguments(url, patience))


def _server_arguments(url: sa.URL, patience: float) -> dict[str, Any]:
    limits = {
        "lock_timeout": int(patience * 1000),
        "statement_timeout": int(max(60.0, 2 * patience) * 1000),
        "idle_in_transaction_session_timeout": 60_000,
    }
    ours = {
        "connect_timeout": 10,
        "application_name": "cosmos",
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
    }
    return {name: value for name, value in ours.items() if name not in url.query}


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -16384")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    synced = connection.get_execution_options().get(_WRITES)
    if synced:
        connection.exec_driver_sql(f"PRAGMA synchronous = {synced}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if synced else "BEGIN")
