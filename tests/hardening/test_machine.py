"""The machine fails: a full disk, a locked or vanished store, settings in ruins. Work waits, and goes on afterwards."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress

import attrs
import pytest

from cosmos_core import Cosmos, workspace
from cosmos_core.errors import CosmosError, StoreError
from cosmos_core.run import State
from cosmos_core.store import Store
from cosmos_core.testing import media
from cosmos_core.testing.fixtures import QUICK
from cosmos_core.work import Worker

MEGABYTES = 8


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A disk of eight megabytes."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    if (
        not sys.platform.startswith("linux")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("only root on Linux can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def cramped(cosmos, small_disk, monkeypatch):
    """A workspace on the small disk, whose store is elsewhere: what fails is the work and not the book-keeping."""
    folder = small_disk / "workspace"
    store = f"sqlite:///{cosmos.workspace.root / 'store.sqlite'}"
    made, _ = workspace.create(folder, f'steps = []\n[store]\nurl = "{store}"\n{QUICK}')
    monkeypatch.chdir(folder)
    with Cosmos(made.root) as opened:
        yield opened
    shutil.rmtree(folder)


@contextmanager
def full(folder):
    """Fill the disk of *folder* to its last block."""
    filler = folder.parent / "filler"
    with filler.open("wb", buffering=0) as out, suppress(OSError):
        while out.write(b"\0" * 65536):
            pass
    yield
    filler.unlink()


def parts(folder):
    return [path for path in folder.rglob("*") if ".part" in path.name or path.name.startswith(".sealing")]


def submit_small(cosmos, specs):
    from cosmos_core.run import new_id
    from cosmos_core.store import NewRun

    (spec,) = specs("a street")
    (run,) = cosmos.store.accept(
        [NewRun(id=new_id("r"), name="test", spec=spec, load_key="double", seconds=1.0)]
    )
    return run


def submit_until_it_fails(cosmos, specs):
    # SQLite's log has blocks of its own for a while.
    for _ in range(100):
        submit_small(cosmos, specs)


class FillsAt:
    """Fills the disk when a verb of the session or the store is called, once."""

    def __init__(self, monkeypatch, folder, verb):
        from cosmos_core import verify
        from cosmos_core.builtin.local.session import LocalSession

        owner, name = {
            "put": (LocalSession, "put"),
            "get": (LocalSession, "get"),
            "publish": (verify, "_publish"),
        }[verb]
        real = getattr(owner, name)
        self.context = full(folder)
        self.is_full = False

        def filled(*args, **kwargs):
            if not self.is_full:
                self.is_full = True
                self.context.__enter__()
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, filled)

    def free(self):
        self.context.__exit__(None, None, None)


@pytest.mark.parametrize("verb", ["put", "get", "publish"])
def test_a_full_disk_pauses_the_queue_with_the_reason_and_costs_nothing(
    cramped, specs, monkeypatch, say, verb
):
    """
    No file under a final name is partial, `cosmos status` says why, and once there is room the run is sealed.
    """
    run = submit_small(cramped, specs)
    filled = FillsAt(monkeypatch, cramped.workspace.root, verb)
    Worker(cramped.site).work(until_idle=True)
    seen = cramped.store.run(run.id)

    assert not seen.state.is_final
    assert "a disk is full" in cramped.store.paused()
    assert "No space left" in say("status").out
    assert [] == list(cramped.workspace.outputs.rglob("*.mp4"))
    assert [] == parts(cramped.workspace.root)
    filled.free()
    cramped.store.resume()
    Worker(cramped.site).work(until_idle=True)
    after = cramped.store.run(run.id)

    assert (State.SEALED, 1) == (after.state, after.attempt)
    assert [after.artifact.path] == list(cramped.workspace.outputs.rglob("*.mp4"))


def test_sealing_making_and_exporting_on_a_full_disk_leave_nothing_half_done(cramped, specs, say, plugin):
    """
    Exit code 1 and the reason; nothing under a final name; the same command works once there is room.
    """
    plugin("fills", GENERATOR)
    run = submit_small(cramped, specs)
    Worker(cramped.site).work(until_idle=True)
    assert State.SEALED == cramped.store.run(run.id).state
    media.make_clip(cramped.workspace.clips / "shot", frames=4)
    for derived in ("edge.mp4", "vis.mp4"):
        (cramped.workspace.clips / "shot" / derived).unlink(missing_ok=True)
    before = sorted(cramped.workspace.root.rglob("*"))
    commands = (
        ["clip", "seal", "clips/shot"],
        ["generate", "fills", "--name", "made"],
        ["export", "dataset"],
        ["submit", "fog", "--clip", "clips/shot"],
    )
    with full(cramped.workspace.root):
        for words in commands:
            told = say(*words, "--json")
            assert 1 == told.code, (words, told)
            assert "No space left" in told.facts["error"]["message"], words
        assert before == sorted(cramped.workspace.root.rglob("*"))
    for words in commands:
        assert 0 == say(*words, "--json").code, words


GENERATOR = """
from cosmos_core import hookimpl
from cosmos_core.extend import Generator

def make(options, folder, report):
    from cosmos_core.testing.media import make_clip
    make_clip(folder, frames=4)
    return {}

@hookimpl
def cosmos_generators():
    yield Generator(name="fills", summary="Makes a clip.", generate=make)
"""


def test_a_store_on_a_full_disk_accepts_all_or_nothing_and_goes_on(
    cosmos, small_disk, specs, monkeypatch, say
):
    """
    The store's own disk is full: accepting fails in a sentence and queues nothing; a worker waits, and then works.
    """
    folder = small_disk / "with-store"
    made, _ = workspace.create(folder, f"steps = []\n{QUICK}")
    monkeypatch.chdir(folder)
    with Cosmos(made.root) as cramped:
        kept = submit_small(cramped, specs)
        with full(folder):
            with pytest.raises(StoreError, match="full"):
                submit_until_it_fails(cramped, specs)
            worker = Worker(cramped.site)
            thread = threading.Thread(target=worker.work, kwargs={"until_idle": True})
            thread.start()
            told = say("status")
            assert 0 == told.code
            assert "left on the disk of this workspace; work waits for room" in told.out
            thread.join(timeout=1.5)
        thread.join(timeout=60)
        if cramped.store.paused() is not None:
            cramped.store.resume()
            Worker(cramped.site).work(until_idle=True)

        assert not thread.is_alive()
        assert State.SEALED == cramped.store.run(kept.id).state
        assert {State.SEALED} == {state for state, count in cramped.store.counts().items() if count}
    shutil.rmtree(folder)


def test_a_store_that_somebody_locks_makes_everybody_wait(cosmos, submit, specs, work, caplog):
    """
    Longer than the patience of a command, which then says so; the worker waits it out, and nothing is lost.
    """
    (run,) = submit("a street")
    path = cosmos.workspace.state / "store.sqlite"
    impatient = Store.open(cosmos.workspace.default_store, root=cosmos.workspace.root, patience=0.2)
    hurried = attrs.evolve(cosmos.site, store=impatient)
    worker = Worker(hurried)
    thread = threading.Thread(target=worker.work, kwargs={"until_idle": True})
    with closing(sqlite3.connect(path, isolation_level=None)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked"):
            impatient.rate(run.id, 5)
        thread.start()
        thread.join(timeout=1.0)
        assert thread.is_alive()
        intruder.execute("ROLLBACK")
    thread.join(timeout=60)
    impatient.close()

    assert not thread.is_alive()
    after = cosmos.store.run(run.id)
    assert (State.SEALED, 1) == (after.state, after.attempt)
    assert "is locked" in caplog.text


def test_a_store_that_vanishes_under_a_worker_is_said_and_ends_nobody(cosmos, submit, say, begin, wait_for):
    """
    The file is moved away and comes back: the worker goes on where it was.
    """
    process = begin("work")
    wait_for(lambda: "serving" in process.stderr.readline())
    store = cosmos.workspace.state / "store.sqlite"
    (run,) = submit("a street")
    cosmos.close()
    away = store.with_name("away")
    away.mkdir()
    for file in store.parent.glob("store.sqlite*"):
        file.rename(away / file.name)
    told = say("list", "--json")
    assert told.code in {0, 6}
    assert process.poll() is None
    for file in store.parent.glob("store.sqlite*"):
        file.unlink()
    for file in away.iterdir():
        file.rename(store.parent / file.name)
    process.terminate()
    process.communicate(timeout=60)
    say("work", "--until-idle")

    assert "sealed" == say("show", run.id, "--json").facts["run"]["state"]


def test_settings_in_ruins_do_not_touch_a_worker_that_runs(cosmos, submit, say, begin, wait_for):
    """
    It keeps what it read; whoever comes next is told what is wrong, all of it.
    """
    process = begin("work")
    wait_for(lambda: "serving" in process.stderr.readline())
    cosmos.workspace.settings.write_text("[queue]\nlease = 'long'\npoll = nan\n[nonsense\n")
    (run,) = submit("a street")
    wait_for(lambda: cosmos.store.run(run.id).state is State.SEALED)
    told = say("status", "--json")
    cosmos.workspace.settings.write_text(
        "[queue]\nlease = inf\npoll = nan\nheartbeat = -1\n[hosts.x]\nslots = -2\n"
    )
    later = say("work", "--until-idle", "--json")

    assert process.poll() is None
    assert (4, 4) == (told.code, later.code)
    assert 4 <= len(later.facts["error"]["findings"])


def test_settings_with_a_byte_order_mark_are_read(cosmos):
    """
    As some editors of Windows save them.
    """
    from cosmos_core import settings

    cosmos.workspace.settings.write_bytes(b"\xef\xbb\xbf[queue]\npoll = 0.25\n")

    assert 0.25 == settings.load(cosmos.workspace).queue.poll


@pytest.fixture
def read_only(tmp_path):
    """``with read_only(folder):`` nothing can be written there."""

    @contextmanager
    def frozen(folder):
        mount = ["mount", "--bind", str(folder), str(folder)]
        if (
            not sys.platform.startswith("linux")
            or subprocess.run(mount, capture_output=True, check=False).returncode
        ):
            pytest.skip("only root on Linux can mount a folder read-only")
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)

    return frozen


def test_a_read_only_workspace_says_what_is_wrong(cosmos, read_only, say):
    """
    SQLite itself must write beside a store to read it; a command says so, without a report of a bug.
    """
    cosmos.create_prompt("a street", name="street")
    cosmos.close()
    root = cosmos.workspace.root
    with read_only(root):
        for words in COMMANDS:
            told = say("-C", root, *words, "--json")
            assert told.code in {1, 6}, (words, told)
            assert "may be written to" in told.facts["error"]["hint"], (words, told)


COMMANDS = (
    ["status"],
    ["list"],
    ["prompt", "show", "street"],
    ["prompt", "new", "fog"],
    ["submit", "fog", "--backend", "double"],
    ["queue", "pause"],
    ["work", "--until-idle"],
)


def test_a_file_size_limit_is_a_full_disk_by_another_name(cosmos):
    """
    Both are mended by a person, and no run is to blame.
    """
    from cosmos_core.dispatch import is_full

    assert is_full(OSError(errno.EFBIG, "File too large"))
    assert not is_full(CosmosError("no"))
