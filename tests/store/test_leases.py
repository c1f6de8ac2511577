"""Taking batches, keeping them, losing them, taking them over."""

from __future__ import annotations

import time

import pytest

from cosmos_core.errors import CosmosError
from cosmos_core.run import Needs, State
from cosmos_core.store import LeaseLost, Traffic


def test_a_claim_gives_a_batch_of_one_load_key(store, accept, take):
    """
    The worker gets what waits under its load key, in the order of the queue, and nobody else's.
    """
    accept(2, load_key="model-b")
    short, long = accept(1, seconds=5.0)[0], accept(1, seconds=50.0)[0]

    lease = take(slot=3, gpu="h200")

    assert ("worker-1", "local", 3, "preview", "model-a") == (
        lease.owner,
        lease.batch.host,
        lease.batch.slot,
        lease.batch.backend,
        lease.batch.load_key,
    )
    assert [(long.id, long.spec), (short.id, short.spec)] == [(r.run, r.spec) for r in lease.batch.requests]
    assert (1, 1, "", None) == (
        lease.batch.attempt,
        lease.batch.fence,
        lease.batch.job_key,
        lease.batch.handle,
    )
    assert {State.QUEUED: 2, State.PLACED: 2} == {s: n for s, n in store.counts().items() if n}


def test_a_claimed_run_says_so(store, accept, take):
    """
    The run knows its batch and counts the attempt, and the move has an event.
    """
    (run,) = accept()
    lease = take()

    held = store.run(run.id)

    assert (State.PLACED, lease.batch.id, 1) == (held.state, held.batch, held.attempt)
    assert held.changed > run.changed
    assert (held,) == store.held(lease)
    event = store.events(run.id)[-1]
    assert (State.QUEUED, State.PLACED, "worker-1") == (event.before, event.after, event.owner)
    (attempt,) = store.attempts(run.id)
    assert (1, lease.batch.id, 1, State.PLACED, "local", 0) == (
        attempt.number,
        attempt.batch,
        attempt.fence,
        attempt.state,
        attempt.host,
        attempt.slot,
    )
    assert attempt.started is not None
    assert attempt.ended is None


def test_nothing_is_claimed_twice(store, accept, take):
    """
    A second worker gets what the first one left, then nothing.
    """
    accept(3)

    first, second, third = take(limit=2), take(limit=2, owner="worker-2"), take(limit=2)

    runs = [request.run for lease in (first, second) for request in lease.batch.requests]
    assert 3 == len(runs) == len(set(runs))
    assert third is None


def test_a_batch_never_mixes_backends(store, accept, take):
    """
    Two backends whose load keys happen to be equal do not share a job.
    """
    accept(2, backend="preview")
    accept(2, backend="transfer", needs=Needs(gpus=2))

    batches = [take().batch, take().batch]

    assert ["transfer", "preview"] == [batch.backend for batch in batches]
    assert [{"transfer"}, {"preview"}] == [{r.spec.backend for r in batch.requests} for batch in batches]


def test_a_claim_can_be_limited_to_some_runs(store, accept, take):
    """
    With ``only``, what a planner chose is taken and nothing else, as far as it still waits.
    """
    runs = accept(4)
    take(only=[runs[0].id])

    lease = take(only=[runs[0].id, runs[2].id, "r-unknown"])

    assert [runs[2].id] == [request.run for request in lease.batch.requests]
    assert take(only=[]) is None
    assert take(only=[runs[2].id]) is None


def test_a_paused_queue_gives_nothing(store, accept, take):
    """
    While the queue is paused no worker takes new runs; what is held goes on.
    """
    accept(2)
    lease = take(limit=1)
    store.pause("the disk is full")

    assert "the disk is full" == store.paused()
    assert take() is None
    store.move(lease, lease.batch.requests[0].run, State.RUNNING)

    store.pause()
    assert "" == store.paused()
    store.resume()
    assert store.paused() is None
    assert take() is not None


def test_a_lease_that_lasts_is_not_taken_over(store, accept, take):
    """
    As long as the holder may be alive, nobody gets its batch.
    """
    accept()
    lease = take(lease=30.0)

    assert store.adopt(owner="worker-2", hosts=["local"]) is None
    assert store.heartbeat(lease)


def test_a_lease_that_ran_out_is_taken_over_by_one(store, accept, take):
    """
    The taker gets the batch with a higher fence and the job as it was stored; a second taker gets nothing.
    """
    runs = accept(2)
    old = take(lease=0.05)
    store.launched(old, job_key=old.batch.key, handle={"pid": 4711, "folder": "/jobs/é"})
    time.sleep(0.1)

    new = store.adopt(owner="worker-2", hosts=["elsewhere", "local"])

    assert store.adopt(owner="worker-3", hosts=["local"]) is None
    assert (old.batch.id, 2, "worker-2") == (new.batch.id, 2, new.owner)
    assert (old.batch.key, {"pid": 4711, "folder": "/jobs/é"}) == (new.batch.job_key, new.batch.handle)
    assert new.batch.key != old.batch.key
    assert {run.id for run in runs} == {request.run for request in new.batch.requests}
    assert [1, 1] == [store.run(run.id).attempt for run in runs]


def test_only_batches_on_hosts_one_can_reach_are_taken_over(store, accept, take):
    """
    A worker that knows other hosts leaves the batch alone.
    """
    accept()
    take(lease=0.01, host="gpu-7")
    time.sleep(0.05)

    assert store.adopt(owner="worker-2", hosts=["local"]) is None
    assert store.adopt(owner="worker-2", hosts=[]) is None
    assert store.adopt(owner="worker-2", hosts=["local", "gpu-7"]) is not None


def test_the_fence_stops_the_worker_that_was_taken_for_dead(store, accept, take, bring_home, artifact):
    """
    Whatever the old holder tries after the batch was taken over, it is told so, and nothing is written.
    """
    (run,) = accept()
    old = take(lease=0.01)
    bring_home(old, run.id)
    time.sleep(0.05)
    new = store.adopt(owner="worker-1", hosts=["local"])
    before = (store.run(run.id), store.events(), store.attempts(run.id))

    assert not store.heartbeat(old)
    for attempt in (
        lambda: store.move(old, run.id, State.CANCELLED),
        lambda: store.seal(old, run.id, artifact(run.id), []),
        lambda: store.reject(old, run.id, [], reason="late"),
        lambda: store.requeue(old, [run.id], reason="late"),
        lambda: store.launched(old, job_key="late", handle={}),
        lambda: store.finish(old),
    ):
        with pytest.raises(LeaseLost, match="fence 2, ours was 1"):
            attempt()
    store.progress(old, {run.id: 0.25})

    assert before == (store.run(run.id), store.events(), store.attempts(run.id))
    assert () == store.artifacts()
    store.seal(new, run.id, artifact(run.id), [])
    assert 2 == store.attempts(run.id)[0].fence


def test_another_name_does_not_open_a_lease(store, accept, take):
    """
    The fence alone is not enough: the owner must be the one who took the batch.
    """
    import attrs

    (run,) = accept()
    forged = attrs.evolve(take(), owner="worker-9")

    assert not store.heartbeat(forged)
    with pytest.raises(LeaseLost, match="worker-9 no longer holds"):
        store.move(forged, run.id, State.RUNNING)


def test_a_heartbeat_brings_a_lease_back_that_nobody_took(store, accept, take):
    """
    A worker that was only slow goes on where it was.
    """
    (run,) = accept()
    lease = take(lease=0.01)
    time.sleep(0.05)
    assert 0 > store.leases()[0].seconds_left

    assert store.heartbeat(lease, seconds=30.0)

    assert 25 < store.leases()[0].seconds_left < 31
    assert store.adopt(owner="worker-2", hosts=["local"]) is None
    assert State.RUNNING is store.move(lease, run.id, State.RUNNING).state


def test_runs_join_an_open_batch(store, accept, take):
    """
    Those that wait and could have been claimed with it become its own, with an attempt under its fence.
    """
    first, second = accept(2)
    (strange,) = accept(1, load_key="model-b")
    lease = take(limit=1)
    store.move(lease, first.id, State.RUNNING)

    joined = store.join(lease, [second.id, strange.id, first.id, "r-unknown"])

    assert [(second.id, State.PLACED, lease.batch.id)] == [(run.id, run.state, run.batch) for run in joined]
    assert [first.id, second.id] == [run.id for run in store.held(lease)]
    assert [(1, lease.batch.id)] == [(one.number, one.batch) for one in store.attempts(second.id)]
    assert State.QUEUED is store.run(strange.id).state
    assert () == store.join(lease, [second.id])


def test_nothing_joins_a_batch_that_is_lost_or_a_queue_that_is_paused(store, accept, take):
    """
    What two workers want belongs to the one that holds the batch.
    """
    accept(1)
    (waiting,) = accept(1)
    lease = take(limit=1, lease=0.01)
    store.pause("lunch")

    assert () == store.join(lease, [waiting.id])

    store.resume()
    time.sleep(0.05)
    other = store.adopt(owner="worker-2", hosts=["local"])

    with pytest.raises(LeaseLost):
        store.join(lease, [waiting.id])
    assert [waiting.id] == [run.id for run in store.join(other, [waiting.id])]


def test_open_leases_are_listed(store, accept, take):
    """
    Status shows who holds what, where, and for how much longer.
    """
    runs = accept(3)
    one, two = take(limit=2, slot=1), take(owner="worker-2", slot=2)
    store.move(two, two.batch.requests[0].run, State.FAILED)

    first, second = sorted(store.leases(), key=lambda held: held.slot)

    assert (one.batch.id, "worker-1", "local", 1) == (first.batch, first.owner, first.host, first.slot)
    assert tuple(run.id for run in runs[:2]) == first.runs
    assert ("worker-2", 2, ()) == (second.owner, second.slot, second.runs)
    assert 40 < first.seconds_left < 46
    store.finish(two)
    assert [one.batch.id] == [held.batch for held in store.leases()]


def test_a_finished_batch_gives_back_what_it_did_not_bring_home(store, accept, take, bring_home, artifact):
    """
    Sealed runs stay sealed; the rest waits again, with the reason.
    """
    runs = accept(3)
    lease = take()
    bring_home(lease, runs[0].id)
    store.seal(lease, runs[0].id, artifact(runs[0].id), [])
    store.move(lease, runs[1].id, State.RUNNING)

    store.finish(lease)

    assert [State.SEALED, State.QUEUED, State.QUEUED] == [store.run(run.id).state for run in runs]
    assert lease.batch.id in store.run(runs[1].id).reason
    assert ("", 0.0) == (store.run(runs[1].id).batch, store.run(runs[1].id).progress)
    assert not store.heartbeat(lease)
    with pytest.raises(LeaseLost, match="is finished"):
        store.finish(lease)
    assert 2 == len(take().batch.requests)
    assert [1, 2] == [attempt.number for attempt in store.attempts(runs[1].id)]


def test_a_batch_with_unverified_outputs_is_not_finished(store, accept, take, bring_home):
    """
    An output that is home is neither lost nor made again: the batch stays open until it is verified.
    """
    home, waiting = accept(2)
    lease = take()
    bring_home(lease, home.id)

    with pytest.raises(CosmosError, match=home.id):
        store.finish(lease)

    assert [State.RETURNED, State.PLACED] == [store.run(run.id).state for run in (home, waiting)]
    assert store.heartbeat(lease)


def test_an_empty_batch_can_be_taken_over_and_finished(store, accept, take, bring_home, artifact):
    """
    A worker that died between its last seal and the end leaves a batch that the next one just closes.
    """
    (run,) = accept()
    old = take(lease=0.01)
    bring_home(old, run.id)
    store.seal(old, run.id, artifact(run.id), [])
    time.sleep(0.05)

    new = store.adopt(owner="worker-2", hosts=["local"])
    store.finish(new)

    assert () == new.batch.requests
    assert () == store.leases()
    assert State.SEALED is store.run(run.id).state


def test_what_a_batch_sealed_is_told(store, accept, take, bring_home, artifact):
    """
    Steps follow the sealed runs of a batch, whoever of its holders sealed them.
    """
    runs = accept(3)
    lease = take()
    assert () == store.sealed_in(lease)
    bring_home(lease, runs[0].id, runs[2].id)
    store.seal(lease, runs[2].id, artifact(runs[2].id), [])
    store.seal(lease, runs[0].id, artifact(runs[0].id), [])

    assert (runs[0].id, runs[2].id) == tuple(run.id for run in store.sealed_in(lease))


def test_a_lease_can_be_let_go_before_it_runs_out(store, accept, take):
    """
    What a worker lets go of, or a dead one left, is taken over at once; others keep theirs.
    """
    accept(2)
    mine = take(limit=1)
    others = take(limit=1, owner="worker-2")

    store.expire(["worker-1", "worker-7"])
    store.expire([])

    assert mine.batch.id == store.adopt(owner="worker-3", hosts=["local"]).batch.id
    assert store.adopt(owner="worker-3", hosts=["local"]) is None
    assert store.heartbeat(others)


def test_progress_is_a_hint(store, accept, take):
    """
    It is kept between 0 and 1, shown while the run is held, and forgotten when it waits again.
    """
    one, two = accept(2)
    lease = take()

    store.progress(lease, {one.id: 0.5, two.id: 7.0, "r-unknown": 0.1})
    store.progress(lease, {})

    assert [0.5, 1.0] == [store.run(run.id).progress for run in (one, two)]
    store.requeue(lease, [one.id], reason="the host is going down")
    store.progress(lease, {one.id: 0.75})
    assert 0.0 == store.run(one.id).progress


def test_a_slot_holds_one_open_batch(store, accept, take):
    """
    A taken slot gives nothing, and takes nothing from the queue; a finished batch leaves it to the next.
    """
    accept(2)
    lease = take(slot=0, limit=1)

    assert take(slot=0, limit=1, owner="worker-2") is None
    assert take(slot=0, limit=1, only=[run.id for run in store.waiting()]) is None
    assert 1 == len(store.waiting())
    store.move(lease, lease.batch.requests[0].run, State.FAILED)
    store.finish(lease)
    assert take(slot=0, limit=1) is not None


def test_the_slots_of_other_hosts_are_their_own(store, accept, take):
    """
    Slot 0 of one host says nothing about slot 0 of another.
    """
    accept(2)

    assert take(slot=0, limit=1, host="gpu-1") is not None
    assert take(slot=0, limit=1, host="gpu-2") is not None


def test_a_batch_on_a_slot_that_others_serve_is_left_to_them(store, accept, take):
    """
    Each slot of a worker takes over what was left on it, so that a job goes on under the slot it was made for.
    """
    accept(2)
    first, second = take(slot=0, limit=1, lease=0.01), take(slot=1, limit=1, lease=0.01)
    time.sleep(0.05)

    assert store.adopt(owner="w.2", hosts=["local"], besides=[0, 1, 3]) is None
    assert second.batch.id == store.adopt(owner="w.1", hosts=["local"], besides=[0, 2]).batch.id
    assert first.batch.id == store.adopt(owner="w.0", hosts=["local"], besides=[1, 2]).batch.id


def test_a_parked_batch_says_why_and_leaves_its_slot(store, accept, take, bring_home):
    """
    What cannot be verified waits with its reason in sight, later to be tried again, while the slot works on.
    """
    home, other = accept(2)
    lease = take(slot=0, only=[home.id])
    bring_home(lease, home.id)

    store.park(lease, {home.id: "no check answered", other.id: "not ours to say"}, seconds=30.0)

    assert ["no check answered", ""] == [store.run(run.id).reason for run in (home, other)]
    assert not store.heartbeat(lease)
    (parked,) = store.leases()
    assert (True, "") == (parked.parked, parked.owner)
    assert store.adopt(owner="worker-2", hosts=["local"]) is None
    assert take(slot=0, owner="worker-2") is not None
    store.expire([""])
    again = store.adopt(owner="worker-3", hosts=["local"])
    assert (lease.batch.id, 2) == (again.batch.id, again.batch.fence)
    with pytest.raises(LeaseLost):
        store.park(lease, {}, seconds=1.0)


def test_a_slot_that_is_lost_in_the_same_instant_costs_no_run(store, open_store, accept, take):
    """
    Another batch for the slot is on its way when the claim has chosen its runs: they go back as they were, unharmed.
    """
    from concurrent.futures import ThreadPoolExecutor

    from cosmos_core.store import claims

    accept(2)
    other = open_store()
    rival = {"id": "brival", "backend": "x", "load_key": "x", "host": "local", "slot": 0, "gpu": ""}
    with ThreadPoolExecutor(1) as thread:
        with other._db.write() as connection:
            held = {"attempt": 1, "fence": 1, "owner": "worker-2", "seconds": 30.0}
            connection.execute(claims.OPEN_BATCH, rival | held).one()
            claimed = thread.submit(take, slot=0)
            time.sleep(0.5)
            assert not claimed.done()
        assert claimed.result(timeout=60) is None

    assert ["brival"] == [held.batch for held in store.leases()]
    assert [0, 0] == [store.run(waiting.id).attempt for waiting in store.waiting()]
    assert 2 == len(take(slot=1).batch.requests)


def test_bytes_on_their_way_are_seen_until_somebody_else_has_the_batch(store, accept, take):
    """
    Everybody sees how far they are; whoever lost the batch changes nothing, and its taker begins with none.
    """
    accept()
    lease = take()
    store.tell_traffic(lease, Traffic(way="out", done=3, total=9, rate=1.5, seconds_left=4.0))
    seen = store.leases()[0].traffic
    store.expire([lease.owner])
    taken = store.adopt(owner="worker-2", hosts=["local"])
    store.tell_traffic(lease, Traffic(way="out", done=5, total=9))

    assert Traffic(way="out", done=3, total=9, rate=1.5, seconds_left=4.0) == seen
    assert store.leases()[0].traffic is None
    store.tell_traffic(taken, Traffic(way="home", done=1, total=2))
    assert "home" == store.leases()[0].traffic.way
    store.tell_traffic(taken, None)
    assert store.leases()[0].traffic is None


def test_a_slot_is_held_for_a_job_that_no_run_stands_behind(store, accept, take):
    """
    Nobody else gets the slot while it is held, nothing of the queue is touched, and no history is made of it.
    """
    accept()
    held = store.take_slot(owner="me", backend="pixtral", host="local", slot=0, gpu="h200")

    assert ("pixtral", (), "") == (held.batch.backend, held.batch.requests, held.batch.load_key)
    assert store.take_slot(owner="you", backend="pixtral", host="local", slot=0) is None
    assert take(slot=0) is None
    assert [("me", ())] == [(each.owner, each.runs) for each in store.leases()]
    store.finish(held)
    assert take(slot=0) is not None
    assert () == store.measured()


def test_a_slot_that_was_held_is_adopted_without_runs(store):
    """
    Whoever takes it over knows by its fence which job to end.
    """
    held = store.take_slot(owner="me", backend="pixtral", host="local", slot=0)
    store.launched(held, job_key=held.batch.key, handle={"host": "local"})
    store.expire(["me"])
    adopted = store.adopt(owner="worker", hosts=["local"])

    assert (held.batch.key, (), 2) == (adopted.batch.job_key, adopted.batch.requests, adopted.batch.fence)
    assert not store.heartbeat(held)
