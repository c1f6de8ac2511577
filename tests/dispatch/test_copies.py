"""A workspace that is copied or moved while a batch is open: a copy leaves the job alone, a moved one takes it up."""

from __future__ import annotations

import json
import shutil
import threading

import pytest

from cosmos_core import Cosmos
from cosmos_core.run import State
from cosmos_core.testing import double
from cosmos_core.work import Worker


@pytest.fixture
def shared(cosmos, tmp_path):
    """The folder on the host, which copies share."""
    folder = tmp_path / "host"
    with cosmos.workspace.settings.open("a") as file:
        file.write(f"\n[hosts.local]\nroot = {json.dumps(str(folder))}\n")
    return folder


@pytest.fixture
def reopen():
    """``reopen(folder)``: the workspace in that folder, with the double on offer."""
    opened = []

    def _reopen(folder):
        opened.append(Cosmos(folder))
        opened[-1].plugins.register("double", double)
        return opened[-1]

    yield _reopen
    for each in opened:
        each.close()


@pytest.fixture
def begun(cosmos, shared, submit, reopen, wait_for):
    """The folder of a workspace that nobody has open, and its run, whose job runs on the host."""
    (run,) = submit("slow")
    opened = reopen(cosmos.workspace.root)
    stop = threading.Event()
    thread = threading.Thread(target=Worker(opened.site, stop=stop).work)
    thread.start()
    try:
        wait_for(lambda: opened.store.run(run.id).state is State.RUNNING)
    finally:
        stop.set()
        thread.join()
    opened.close()
    cosmos.close()
    return opened.workspace.root, run.id


def work(cosmos):
    Worker(cosmos.site).work(until_idle=True)


def test_a_copy_and_its_original_have_jobs_of_their_own(begun, reopen, tmp_path, caplog):
    """
    Both seal the run, whoever works first; the original's job is neither ended nor fetched nor begun anew.
    """
    folder, run = begun
    shutil.copytree(folder, tmp_path / "copy")
    copy = reopen(tmp_path / "copy")
    work(copy)
    original = reopen(folder)
    work(original)
    theirs, ours = copy.store.run(run), original.store.run(run)

    assert (State.SEALED, 2) == (theirs.state, theirs.attempt)
    assert (State.SEALED, 1) == (ours.state, ours.attempt)
    assert copy.store.attempts(run)[-1].batch != ours.batch
    assert 1 == original.workspace.log(original.store.attempts(run)[-1].batch).read_text().count("Processing")
    assert 1 == sum(f"is a copy of {folder / '.cosmos' / 'store.sqlite'}" in said for said in caplog.messages)


def move(folder, to):
    folder.rename(to)


def move_to_another_disk(folder, to):
    shutil.copytree(folder, to)
    shutil.rmtree(folder)


@pytest.mark.parametrize("moved", [move, move_to_another_disk])
def test_a_moved_workspace_takes_up_its_jobs(begun, reopen, tmp_path, moved, caplog):
    """
    The run is sealed by its first attempt, and its job ran once.
    """
    folder, run = begun
    moved(folder, tmp_path / "moved")
    cosmos = reopen(tmp_path / "moved")
    work(cosmos)
    after = cosmos.store.run(run)

    assert (State.SEALED, 1) == (after.state, after.attempt)
    assert 1 == cosmos.workspace.log(cosmos.store.attempts(run)[-1].batch).read_text().count("Processing")
    assert not any("is a copy of" in said for said in caplog.messages)


def test_what_was_home_is_made_anew_in_a_copy(begun, reopen, tmp_path):
    """
    An output that waits to be verified is the original's; what a person cancelled is cancelled in both.
    """
    folder, run = begun
    original = reopen(folder)
    (lease,) = original.store.leases()
    original.store.expire([lease.owner])
    held = original.store.adopt(owner="w", hosts=[lease.host])
    original.store.move(held, run, State.RETURNED)
    original.close()
    for name in ("home", "cancelled"):
        shutil.copytree(folder, tmp_path / name)
    home, cancelled = reopen(tmp_path / "home"), reopen(tmp_path / "cancelled")
    cancelled.store.cancel(run)
    left = [each.store.part_from_original().left for each in (home, cancelled)]

    assert [1, 1] == left
    assert [State.QUEUED, State.CANCELLED] == [each.store.run(run).state for each in (home, cancelled)]
    assert [(), ()] == [each.store.leases() for each in (home, cancelled)]
    assert home.store.part_from_original() is None
    assert State.RETURNED == reopen(folder).store.run(run).state
