"""A store file that is deleted or replaced under a worker: it says so once and stops, and no output is lost."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from cosmos_core.errors import StoreError
from cosmos_core.run import State
from cosmos_core.store import Store, StoreGone, engine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files from being removed")


def _store_files(cosmos):
    return sorted(cosmos.workspace.state.glob("store.sqlite*"))


@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_a_worker_stops_when_its_store_is_gone(cosmos, submit, what, wait_for):
    """
    One sentence, the exit code of the store's errors, within a quarter of a minute; the job goes on and its folder is kept.
    """
    submit("slow", frames=30)
    process = subprocess.Popen(
        [sys.executable, "-c", _WORK, str(cosmos.workspace.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(lambda: cosmos.store.counts()[State.RUNNING])
        cosmos.close()
        if what == "replaced":
            cosmos.workspace.state.joinpath("backup").mkdir()
            backup = Store.open("sqlite:///.cosmos/backup/store.sqlite", root=cosmos.workspace.root)
            backup.close()
        for path in _store_files(cosmos):
            path.unlink()
        if what == "replaced":
            (cosmos.workspace.state / "backup" / "store.sqlite").rename(
                cosmos.workspace.state / "store.sqlite"
            )
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()

    assert StoreError.exit_code == process.returncode, said
    assert 1 == said.count(
        "was deleted while it was open" if what == "deleted" else "was replaced while it was"
    )
    assert "Traceback" not in said
    (job,) = cosmos.workspace.host("local").glob("jobs/*")
    wait_for((job / "exit.json").exists, 40)
    assert list(job.rglob("*.mp4"))


_WORK = """
import sys
from cosmos_core import plugins
from cosmos_core.testing import double
real = plugins.load
def load(*given):
    loaded = real(*given)
    loaded.register("double", double)
    return loaded
plugins.load = load
from cosmos_core.cli.root import root
root.main(["-C", sys.argv[1], "work"])
"""


def test_a_store_that_is_away_for_a_moment_is_waited_for(cosmos, submit, tmp_path):
    """
    Nothing is read or written meanwhile, also not when another file lies in its place, and nobody hears of it.
    """
    (run,) = submit("a street")
    path = cosmos.workspace.state / "store.sqlite"
    path.rename(tmp_path / "away")
    path.write_bytes(b"another file")
    back = threading.Timer(0.7, (tmp_path / "away").replace, [path])
    back.start()

    assert State.QUEUED == cosmos.store.run(run.id).state
    back.join()


def test_a_store_that_is_put_back_is_the_same(cosmos, submit, tmp_path, monkeypatch):
    """
    Moved away for too long, it is missed; back in its place it goes on.
    """
    monkeypatch.setattr(engine, "LONGEST_ABSENCE", 0.3)
    (run,) = submit("a street")
    path = cosmos.workspace.state / "store.sqlite"
    path.rename(tmp_path / "away")
    with pytest.raises(StoreGone, match="was deleted"):
        cosmos.store.run(run.id)
    (tmp_path / "away").rename(path)

    assert State.QUEUED == cosmos.store.run(run.id).state
