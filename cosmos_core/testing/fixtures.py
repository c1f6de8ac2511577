"""Fixtures for plugin authors, registered as a pytest plugin by installing ``cosmos-core``.

Nothing heavy is imported before a fixture is used.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cosmos_core import Cosmos
    from cosmos_core.clip import Clip
    from cosmos_core.testing.dockerd import Dockerd

QUICK = """\
[queue]
lease = 3.0
heartbeat = 0.5
poll = 0.05
"""
"""Settings of a test's workspace: a crash is noticed in seconds."""


@pytest.fixture
def cosmos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cosmos]:
    """An open workspace of its own for each test, with its store, and the current folder inside of it."""
    from cosmos_core import workspace
    from cosmos_core.api import Cosmos

    monkeypatch.delenv("COSMOS_WORKSPACE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-settings-of-the-user"))
    made, _ = workspace.create(tmp_path / "workspace", QUICK)
    monkeypatch.chdir(made.root)
    with Cosmos(made.root) as opened:
        yield opened


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Clip]:
    """``make_clip("name", frames=12, width=64, height=48)``: a sealed clip with all its controls."""
    from cosmos_core import clip as clips
    from cosmos_core.testing import media

    def _make(name: str = "clip", **asked: Any) -> Clip:
        folder = tmp_path / "made-clips" / name
        media.make_clip(folder, **asked)
        return clips.seal(folder)

    return _make


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    """A Docker engine of our own for the session; skipped with a sentence where none can run."""
    from cosmos_core.testing.dockerd import Unavailable, private_dockerd

    running = private_dockerd()
    try:
        engine = running.__enter__()
    except Unavailable as reason:
        pytest.skip(f"no Docker tests: {reason}")
    try:
        yield engine
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """``wait_for(lambda: …)``: until it is true; fails when it never is."""

    def waited(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        until = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < until, "it never came"
            time.sleep(0.02)
        return found

    return waited


@pytest.fixture
def worker_program() -> Path:
    """The script that :func:`worker` runs, ``python script.py WORKSPACE KILL_AT``; override it."""
    return pytest.fail("name the script of this folder's workers: override the fixture worker_program")


@pytest.fixture
def worker(cosmos: Cosmos, worker_program: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``worker("put:after")``: a worker process that kills itself there; without a word, one that does not."""
    started: list[subprocess.Popen[str]] = []

    def start(kill_at: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(worker_program), str(cosmos.workspace.root), kill_at],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str], code: int = 0, seconds: float = 120.0) -> str:
    """Wait for the end of a process, which must be with *code*; what it said."""
    said, _ = process.communicate(timeout=seconds)
    assert code == process.returncode, said
    return said


class Recorder:
    """Hears every tell hook, so that a test can say which fired and with what."""

    def __init__(self) -> None:
        from cosmos_core.hookspecs import hookimpl

        self.moves: list[tuple[str, str, str]] = []
        """Triples of run id, state before and state after, in order."""
        self.sealed: list[str] = []
        """Ids of the runs whose artifact was sealed."""
        self._mark = hookimpl

    def plugin(self) -> object:
        """The object to register."""
        recorder = self

        class _Listener:
            @self._mark
            def cosmos_run_moved(self, run, before, after):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
                recorder.moves.append((run.id, before, after))

            @self._mark
            def cosmos_artifact_sealed(self, artifact):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
                recorder.sealed.append(artifact.run)

        return _Listener()


@pytest.fixture
def recorder(cosmos: Cosmos) -> Recorder:
    """Records what the test's workspace tells its plugins."""
    made = Recorder()
    cosmos.plugins.register("recorder", made.plugin())
    return made
