"""Outputs that are home and cannot be judged: they wait with their reason in sight, and hold nobody up."""

from __future__ import annotations

import threading

import pytest

from cosmos_core import hookimpl
from cosmos_core.errors import VerifyError
from cosmos_core.extend import Check
from cosmos_core.run import State
from cosmos_core.work import Worker


class Broken:
    """A plugin whose required check answers only when it is mended."""

    def __init__(self):
        self.mended = False

    def look(self, output, spec):
        if "sour" in spec.prompt.text and not self.mended:
            raise ZeroDivisionError("sour grapes")
        return ()

    @hookimpl
    def cosmos_checks(self):
        yield Check(name="acme.sour", summary="Does not answer.", look=self.look)


@pytest.fixture
def broken(cosmos):
    """The check, on offer in the test's workspace."""
    plugin = Broken()
    cosmos.plugins.register("broken", plugin)
    return plugin


def test_what_cannot_be_verified_ends_a_worker_with_the_reason(cosmos, submit, broken):
    """
    The others of its batch are sealed; `until_idle` ends, names the run and why, and the run shows it too.
    """
    sour, good = submit("sour", "a street")

    with pytest.raises(VerifyError, match=f"1 run waits to be verified: {sour.id}: .*sour grapes") as caught:
        Worker(cosmos.site).work(until_idle=True)

    sour, good = (cosmos.store.run(run.id) for run in (sour, good))
    assert f"cosmos cancel {sour.id}" in caught.value.hint
    assert (State.RETURNED, 1, State.SEALED) == (sour.state, sour.attempt, good.state)
    assert "sour grapes" in sour.reason


def test_it_leaves_its_slot_to_what_waits(cosmos, submit, broken):
    """
    Runs that are queued behind it are worked on the same, only slot.
    """
    (sour,) = submit("sour")
    with pytest.raises(VerifyError):
        Worker(cosmos.site).work(until_idle=True)
    (good,) = submit("a street")
    with pytest.raises(VerifyError):
        Worker(cosmos.site).work(until_idle=True)

    assert [State.RETURNED, State.SEALED] == [cosmos.store.run(run.id).state for run in (sour, good)]


def test_it_is_sealed_once_its_check_answers(cosmos, submit, broken):
    """
    The next worker tries at once, makes nothing again, and the reason is gone with its cause.
    """
    (sour,) = submit("sour")
    with pytest.raises(VerifyError):
        Worker(cosmos.site).work(until_idle=True)
    broken.mended = True
    Worker(cosmos.site).work(until_idle=True)
    after = cosmos.store.run(sour.id)

    assert (State.SEALED, 1, "") == (after.state, after.attempt, after.reason)
    assert () == cosmos.store.leases()


def test_a_worker_that_stays_tries_again_by_itself(cosmos, submit, broken, wait_for):
    """
    Nobody has to start it anew: it tries again, later and later.
    """
    (sour,) = submit("sour")
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        wait_for(lambda: cosmos.store.run(sour.id).reason)
        broken.mended = True
        wait_for(lambda: cosmos.store.run(sour.id).state is State.SEALED)
    finally:
        worker.stop()
        thread.join(timeout=60)
    assert not thread.is_alive()


def test_whoever_waits_for_the_run_is_told(cosmos, submit, broken):
    """
    `cosmos run` and `Cosmos.finish` do not wait for ever: the others are finished, then the reason is said.
    """
    sour, good = submit("sour", "a street")

    with pytest.raises(VerifyError, match=f"run {sour.id} waits to be verified: .*sour grapes"):
        cosmos.finish([sour, good])

    assert State.SEALED is cosmos.store.run(good.id).state
