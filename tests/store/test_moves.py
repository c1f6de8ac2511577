"""Every move of the table, and none that is not in it."""

from __future__ import annotations

import pytest

from cosmos_core.errors import CosmosError, InputError, StoreError, fail, ok
from cosmos_core.run import HELD, MOVES, State

PATHS = {
    State.PLACED: (),
    State.RUNNING: (State.RUNNING,),
    State.RETURNED: (State.RUNNING, State.RETURNED),
}
BY_VERIFY = {State.SEALED, State.REJECTED}


@pytest.fixture
def held_in(store, accept, take, bring_home):
    """A lease on one run, brought to a held state."""

    def bring(state):
        (run,) = accept()
        lease = take()
        for after in PATHS[state]:
            store.move(lease, run.id, after)
        return lease, run.id

    return bring


@pytest.fixture
def ended_in(store, held_in, artifact):
    """A run that ended in a final state."""

    def end(state):
        lease, run_id = held_in(State.RETURNED if state in BY_VERIFY else State.PLACED)
        if state is State.SEALED:
            store.seal(lease, run_id, artifact(run_id), [])
        elif state is State.REJECTED:
            store.reject(lease, run_id, [], reason="black")
        else:
            store.move(lease, run_id, state, reason="so it is")
        return lease, run_id

    return end


@pytest.mark.parametrize("after", list(State))
@pytest.mark.parametrize("before", sorted(HELD))
def test_a_worker_moves_along_the_table_and_nowhere_else(store, held_in, before, after):
    """
    A move of the table is made and has its event; any other is refused, and the run stays as it was.
    """
    lease, run_id = held_in(before)
    was, events = store.run(run_id), store.events(run_id)

    if after in MOVES[before] - BY_VERIFY:
        run = store.move(lease, run_id, after, reason="because")
        assert (after, "because") == (run.state, run.reason)
        assert run == store.run(run_id)
        event = store.events(run_id)[-1]
        assert (before, after, "because", "worker-1") == (
            event.before,
            event.after,
            event.reason,
            event.owner,
        )
        assert len(events) + 1 == len(store.events(run_id))
    else:
        with pytest.raises(CosmosError) as caught:
            store.move(lease, run_id, after)
        assert not isinstance(caught.value, StoreError)
        assert (was, events) == (store.run(run_id), store.events(run_id))


@pytest.mark.parametrize("before", sorted(set(State) - HELD - {State.QUEUED}))
def test_a_run_that_ended_is_moved_by_nobody_late(store, ended_in, before):
    """
    A worker that still believes in its batch cannot change how a run ended.
    """
    lease, run_id = ended_in(before)
    was = store.run(run_id)

    for after in State:
        with pytest.raises(CosmosError, match=r"has ended|only verify"):
            store.move(lease, run_id, after)

    assert was == store.run(run_id)


def test_a_worker_moves_only_runs_of_its_batch(store, accept, take):
    """
    A lease on one batch is no key to another's runs.
    """
    one, two = accept(2)
    lease = take(only=[one.id])
    take(only=[two.id], owner="worker-2")

    for other in (two.id, "r-unknown"):
        with pytest.raises(CosmosError, match="does not hold"):
            store.move(lease, other, State.RUNNING)


def test_sealing_publishes_once_and_whole(store, held_in, artifact, tmp_path):
    """
    The artifact, the findings and the event are there together, and a second seal is refused.
    """
    lease, run_id = held_in(State.RETURNED)
    findings = [
        ok("12 of 12 frames decode", check="video.decode"),
        fail("a \x00 in a log", hint="é", where="log"),
    ]
    made = artifact(run_id)

    run = store.seal(lease, run_id, made, findings)

    assert (State.SEALED, 1.0) == (run.state, run.progress)
    assert made.digest == run.artifact.digest
    assert (made.path, made.bytes, made.fps, made.phashes) == (
        run.artifact.path,
        run.artifact.bytes,
        run.artifact.fps,
        run.artifact.phashes,
    )
    assert run.artifact.sealed is not None
    (attempt,) = store.attempts(run_id)
    assert (State.SEALED, tuple(findings)) == (attempt.state, attempt.findings)
    assert attempt.ended is not None
    with pytest.raises(CosmosError, match="has ended in this batch: it is sealed"):
        store.seal(lease, run_id, artifact(run_id, path=tmp_path / "other.mp4"), [])
    assert (run.artifact,) == store.artifacts()


def test_an_output_that_is_not_home_is_not_sealed(store, held_in, artifact):
    """
    Nothing leads from running to sealed, and no artifact is left behind by trying.
    """
    lease, run_id = held_in(State.RUNNING)

    with pytest.raises(CosmosError, match="cannot go from running to sealed"):
        store.seal(lease, run_id, artifact(run_id), [])

    assert (State.RUNNING, ()) == (store.run(run_id).state, store.artifacts())


@pytest.mark.parametrize("other", [{"attempt": 2}, {"run_id": "r0000099"}])
def test_an_artifact_of_something_else_is_not_sealed(store, held_in, artifact, other):
    """
    The bytes that were verified are those of this run's present attempt.
    """
    lease, run_id = held_in(State.RETURNED)

    with pytest.raises(CosmosError, match="the artifact is of run"):
        store.seal(lease, run_id, artifact(**({"run_id": run_id} | other)), [])

    assert State.RETURNED is store.run(run_id).state


def test_two_runs_do_not_publish_one_file(store, accept, take, bring_home, artifact):
    """
    The second run that would publish a file another one owns is refused, and stays returned.
    """
    one, two = accept(2)
    lease = take()
    bring_home(lease, one.id, two.id)
    sealed = store.seal(lease, one.id, artifact(one.id), [])

    with pytest.raises(StoreError, match="contradicts"):
        store.seal(lease, two.id, artifact(two.id, path=sealed.artifact.path), [])

    assert State.RETURNED is store.run(two.id).state


def test_a_rejected_run_says_why(store, held_in):
    """
    The reason is on the run, the findings on its attempt.
    """
    lease, run_id = held_in(State.RETURNED)
    findings = [fail("frame 3 is black", check="video.black", where="video.mp4", hint="look at it")]

    run = store.reject(lease, run_id, findings, reason="frame 3 is black")

    assert (State.REJECTED, "frame 3 is black", None) == (run.state, run.reason, run.artifact)
    assert tuple(findings) == store.attempts(run_id)[0].findings


def test_a_reason_from_a_log_never_stops_a_move(store, held_in):
    """
    Characters that no database keeps are replaced, not refused: the run must fail all the same.
    """
    lease, run_id = held_in(State.RUNNING)

    run = store.move(lease, run_id, State.FAILED, reason="exit 1: \x00\udcff end")

    assert (State.FAILED, "exit 1: \ufffd? end") == (run.state, run.reason)


def test_requeued_runs_wait_again(store, accept, take):
    """
    They leave the batch, keep their count of attempts, and the last attempt says how it ended.
    """
    one, two, other = accept(3)
    lease = take()
    store.move(lease, one.id, State.RUNNING)

    store.requeue(lease, [one.id, two.id], reason="the host went away")

    assert (other.id,) == tuple(run.id for run in store.held(lease))
    assert {one.id, two.id} == {each.id for each in store.waiting()}
    (attempt,) = store.attempts(one.id)
    assert (State.QUEUED, "the host went away") == (attempt.state, attempt.reason)
    assert attempt.ended is not None


def test_requeueing_is_all_or_none(store, accept, take, bring_home):
    """
    When one of the runs cannot go back, none does.
    """
    placed, home = accept(2)
    lease = take()
    bring_home(lease, home.id)

    with pytest.raises(CosmosError):
        store.requeue(lease, [placed.id, home.id], reason="why not")

    assert State.PLACED is store.run(placed.id).state


def test_a_waiting_run_is_cancelled_at_once(store, accept, take):
    """
    No worker gets it any more.
    """
    (run,) = accept()

    cancelled, at_once = store.cancel(run.id)

    assert (State.CANCELLED, True) == (cancelled.state, at_once)
    assert take() is None
    assert State.CANCELLED is store.events(run.id)[-1].after


def test_a_held_run_is_cancelled_by_its_worker(store, accept, take):
    """
    The worker is asked, once it looks; the run stays as it is until the worker says so.
    """
    one, two = accept(2)
    lease = take()

    run, at_once = store.cancel(two.id)

    assert (State.PLACED, False) == (run.state, at_once)
    assert (two.id,) == store.cancel_asked(lease)
    store.move(lease, two.id, State.CANCELLED, reason="as asked")
    assert () == store.cancel_asked(lease)
    assert State.PLACED is store.run(one.id).state


def test_a_cancelled_run_never_goes_back_to_the_queue(store, accept, take):
    """
    When the worker gives back a run that was to be cancelled, it is cancelled: nobody runs it again.
    """
    runs = accept(3)
    lease = take()
    for run in runs[:2]:
        store.cancel(run.id)

    store.requeue(lease, [runs[0].id], reason="the host went away")
    store.finish(lease)

    assert [State.CANCELLED, State.CANCELLED, State.QUEUED] == [store.run(run.id).state for run in runs]


@pytest.mark.parametrize("state", sorted(set(State) - HELD - {State.QUEUED}))
def test_what_ended_is_not_cancelled(store, ended_in, state):
    """
    The answer names how it ended.
    """
    _, run_id = ended_in(state)

    with pytest.raises(InputError, match=f"already {state}"):
        store.cancel(run_id)


@pytest.mark.parametrize("state", [State.REJECTED, State.FAILED, State.BLOCKED, State.CANCELLED])
def test_what_ended_badly_can_be_tried_again(store, ended_in, take, state):
    """
    The run waits as if new; its attempts are still told.
    """
    _, run_id = ended_in(state)

    run = store.retry(run_id)

    assert (State.QUEUED, "", "", 0.0) == (run.state, run.reason, run.batch, run.progress)
    assert 2 == store.run(take().batch.requests[0].run).attempt
    assert [state, State.PLACED] == [attempt.state for attempt in store.attempts(run_id)]


def test_what_did_not_end_badly_is_not_tried_again(store, ended_in, held_in, accept):
    """
    A sealed run is done for good, and one on its way is on its way.
    """
    (waiting,) = accept(load_key="other")
    for run_id in (ended_in(State.SEALED)[1], held_in(State.PLACED)[1], waiting.id):
        with pytest.raises(InputError, match="blocked, cancelled, failed, rejected"):
            store.retry(run_id)
