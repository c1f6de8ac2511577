"""What tests in several folders use: the databases that the store is tested on, and commands that are typed.

The databases are SQLite in a file, and a PostgreSQL server of our own.

``COSMOS_TEST_POSTGRES_URL`` names a server to use instead, such as ``postgresql://user@host/postgres``; the user must
be allowed to create databases.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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


class Said(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON objects on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """``say("list", "--json")``: type a command in this process."""
    from cosmos_core.cli.root import root

    def typed(*words: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            root.main([str(word) for word in words])
        return Said(ended.value.code, *capsys.readouterr())

    return typed


@pytest.fixture
def begin() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``begin("work")``: a ``cosmos`` beside the test; what still runs at its end is ended."""
    begun: list[subprocess.Popen[str]] = []

    def start(*words: object, code: str = "", **settings: Any) -> subprocess.Popen[str]:
        what = ["-c", code] if code else ["-m", "cosmos_core.cli"]
        process = subprocess.Popen(
            [sys.executable, *what, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **settings,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            if hasattr(signal, "SIGCONT"):
                process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


@pytest.fixture
def program(begin: Callable[..., subprocess.Popen[str]]) -> Callable[..., Said]:
    """``program("run", …)``: type a command as a program and wait for its end."""

    def run(*words: object, timeout: float = 120, **settings: Any) -> Said:
        process = begin(*words, **settings)
        out, err = process.communicate(timeout=timeout)
        return Said(process.returncode, out, err)

    return run


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``distribution("name", {"plugin": "module"}, {"module.py": source})``: install one, for children too."""
    site = tmp_path / "site"

    def install(name: str, entries: dict[str, str], files: dict[str, str] | None = None) -> None:
        folder = site / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        points = "".join(f"{key} = {value}\n" for key, value in entries.items())
        (folder / "entry_points.txt").write_text(f"[cosmos_core]\n{points}")
        for file, source in (files or {}).items():
            (site / file).write_text(source, "utf-8")
            monkeypatch.delitem(sys.modules, Path(file).stem, raising=False)
        monkeypatch.syspath_prepend(str(site))
        path = [str(site), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(dict.fromkeys(filter(None, path))))

    return install
