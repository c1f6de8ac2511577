"""The databases that the store is tested on: SQLite in a file, and a PostgreSQL server of our own.

``COSMOS_TEST_POSTGRES_URL`` names a server to use instead, such as ``postgresql://user@host/postgres``; the user must
be allowed to create databases.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cosmos_core.store import Store

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server, without a database."""
    pytest.importorskip("psycopg", reason="no PostgreSQL tests: the package psycopg is not installed")
    if url := os.environ.get("COSMOS_TEST_POSTGRES_URL"):
        yield url
        return
    module = _private_postgres()
    try:
        running = module.private_postgres()
        url = running.__enter__()
    except module.Unavailable as reason:
        pytest.skip(f"no PostgreSQL tests: {reason}")
    try:
        yield url
    finally:
        running.__exit__(None, None, None)


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store on SQLite, open for the whole session: opening one takes most of a test."""
    from cosmos_core.store import Store

    folder = tmp_path_factory.mktemp("store")
    with Store.open("sqlite:///store.sqlite", root=folder) as store:
        yield store


@pytest.fixture(scope="session")
def postgresql_store(postgres_server: str) -> Iterator[Store]:
    """A store on PostgreSQL, open for the whole session."""
    from cosmos_core.store import Store

    with _database(postgres_server) as url, Store.open(url, root=Path.cwd()) as store:
        yield store


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on; every test of the store runs on both."""
    return str(request.param)


@pytest.fixture
def session_store(engine: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """The session's store on one of the databases, empty again after the test."""
    store: Store = request.getfixturevalue(f"{engine}_store")
    yield store
    _empty(store)


@pytest.fixture
def store_url(session_store: Store) -> str:
    """The URL of a store that is empty when the test begins."""
    return session_store._db.url.render_as_string(hide_password=False)


@pytest.fixture
def bare_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.sqlite'}"
        return
    with _database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture
def store(session_store: Store, tmp_path: Path) -> Store:
    """An empty store, on each database in turn, with the test's folder for a workspace."""
    from cosmos_core.store import Store

    return Store(session_store._db, root=tmp_path)


@pytest.fixture
def open_store(store_url: str, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Open the test's store once more, as another process would."""
    from cosmos_core.store import Store

    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Store.open(store_url, root=tmp_path, **options))


@contextmanager
def _database(server: str) -> Iterator[str]:
    """A new database on a server, dropped at the end."""
    import sqlalchemy as sa

    at = sa.make_url(server)
    name = f"cosmos_{secrets.token_hex(6)}"
    administration = at.set(database=at.database or "postgres").render_as_string(hide_password=False)
    _execute(administration, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield at.set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(administration, f"DROP DATABASE {name} WITH (FORCE)")


def _empty(store: Store) -> None:
    from cosmos_core.store.schema import metadata

    with store._db.write(lasting=False) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


def _execute(url: str, *statements: str) -> None:
    import psycopg

    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for statement in statements:
            connection.execute(statement)


def _private_postgres() -> Any:
    # The folders of tests are no packages, so a file in one is loaded by its path.
    path = Path(__file__).parent / "store" / "private_postgres.py"
    spec = importlib.util.spec_from_file_location("private_postgres", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
