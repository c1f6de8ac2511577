"""The databases that the store is tested on: SQLite in a file, and a PostgreSQL server of our own.

``COSMOS_TEST_POSTGRES_URL`` names a server to use instead, such as ``postgresql://user@host/postgres``; the user must
be allowed to create databases.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import sys
from contextlib import closing, contextmanager
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
def postgres_store_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database that holds a store; each test empties it when it is done."""
    from cosmos_core.store import Store

    with _database(postgres_server) as url:
        Store.open(url, root=Path.cwd()).close()
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that holds an empty store, to be copied."""
    from cosmos_core.store import Store

    path = tmp_path_factory.mktemp("template") / "store.sqlite"
    Store.open(f"sqlite:///{path}", root=path.parent).close()
    return path


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on; every test of the store runs on both."""
    return str(request.param)


@pytest.fixture
def store_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store of the test's own."""
    if engine == "sqlite":
        path = tmp_path / "store.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    url = request.getfixturevalue("postgres_store_url")
    yield url
    _empty(url)


@pytest.fixture
def bare_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
        return
    with _database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture
def open_store(store_url: str, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Open the test's store once more, as another process would."""
    from cosmos_core.store import Store

    opened: list[Store] = []

    def again(**options: float) -> Store:
        opened.append(Store.open(store_url, root=tmp_path, **options))
        return opened[-1]

    yield again
    for each in opened:
        each.close()


@pytest.fixture
def store(open_store: Callable[..., Store]) -> Store:
    """An empty store, on each database in turn."""
    return open_store()


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


def _empty(url: str) -> None:
    # Deleting from a few small tables takes milliseconds; a database of its own takes each test most of a second.
    from cosmos_core.store.schema import metadata

    _execute(url, *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)))


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
