"""Events, attempts, artifacts and measured times."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from cosmos_core.run import Blame, State
from cosmos_core.store import Again


def test_every_move_has_one_event_in_order(store, accept, take, bring_home, artifact):
    """
    The events of a run tell its life without a gap: each begins where the one before ended.
    """
    (run,) = accept()
    lease = take()
    store.requeue(lease, [run.id], reason="lost")
    store.finish(lease)
    lease = take()
    bring_home(lease, run.id)
    store.reject(lease, run.id, [], reason="black")
    store.retry(run.id)
    lease = take(owner="worker-2")
    bring_home(lease, run.id)
    store.seal(lease, run.id, artifact(run.id, attempt=3), [])

    events = store.events(run.id)

    assert (
        "queued placed queued placed running returned rejected queued placed running returned sealed"
        == " ".join(event.after for event in events)
    )
    assert [None, *(event.after for event in events[:-1])] == [event.before for event in events]
    assert sorted(event.at for event in events) == [event.at for event in events]
    assert ["", "worker-1", "worker-2"] == list(dict.fromkeys(event.owner for event in events))
    assert ("lost", "black") == (events[2].reason, events[6].reason)


def test_events_are_read_on_from_the_last_one(store, accept):
    """
    A follower that remembers one number sees every event once.
    """
    accept(5)
    seen, after = [], 0

    while page := store.events(after=after, limit=2):
        seen += page
        after = page[-1].seq

    assert store.events() == tuple(seen)
    assert 5 == len(seen)
    assert seen[3:4] == list(store.events(seen[3].run))


def test_a_follower_misses_no_event_of_a_slower_writer(store, open_store, new_run):
    """
    Events that a writer has numbered but not committed are neither skipped nor shown before their time.
    """
    slow, entered, go_on = open_store(), threading.Event(), threading.Event()

    def linger():
        with slow._db.write() as connection:
            from cosmos_core.store.runs import _insert

            _insert(connection, [new_run(id="rslow")])
            entered.set()
            go_on.wait(60)

    thread = threading.Thread(target=linger)
    thread.start()
    entered.wait(60)
    quick = threading.Thread(target=lambda: store.accept([new_run(id="rquick")]))
    quick.start()
    quick.join(0.5)
    first = store.events()
    go_on.set()
    thread.join()
    quick.join()
    time.sleep(0.05)

    rest = store.events(after=first[-1].seq if first else 0)

    assert {"rslow", "rquick"} == {event.run for event in (*first, *rest)}
    assert 2 == len(first) + len(rest)


def test_artifacts_are_found_by_their_bytes(store, accept, take, bring_home, artifact):
    """
    The same bytes from two runs are found together; the newest artifact comes first.
    """
    runs = accept(3)
    lease = take()
    bring_home(lease, *(run.id for run in runs))
    for run, digest in zip(runs, ("a" * 64, "b" * 64, "a" * 64), strict=True):
        store.seal(lease, run.id, artifact(run.id, digest=digest), [])

    assert [runs[2].id, runs[1].id, runs[0].id] == [made.run for made in store.artifacts()]
    assert [runs[2].id, runs[0].id] == [made.run for made in store.artifacts(digest="a" * 64)]
    assert () == store.artifacts(digest="a" * 63)
    assert 1 == len(store.artifacts(limit=1))


def test_recipes_are_those_of_sealed_runs(store, accept, take, bring_home, artifact):
    """
    A duplicate check compares what each artifact was made from.
    """
    runs = accept(2)
    lease = take()
    bring_home(lease, runs[0].id)
    store.seal(lease, runs[0].id, artifact(runs[0].id), [])

    assert {runs[0].id: runs[0].spec.digest} == store.recipes()
    assert {runs[0].id: runs[0].spec.digest} == store.recipes([run.id for run in runs])
    assert {} == store.recipes([runs[1].id])
    assert [runs[0].id] == [made.run for made in store.artifacts(runs=[run.id for run in runs])]
    assert () == store.artifacts(runs=[])


def test_perceptual_hashes_come_as_one_array(store, accept, take, bring_home, artifact):
    """
    All 64 bits survive; an artifact without its eight hashes is left out.
    """
    assert (0, 8) == store.phashes()[2].shape
    runs = accept(3)
    lease = take()
    bring_home(lease, *(run.id for run in runs))
    hashes = [tuple(range(8)), (2**64 - 1, *range(7)), (1, 2)]
    for run, values in zip(runs, hashes, strict=True):
        store.seal(lease, run.id, artifact(run.id, phashes=values), [])

    names, frames, table = store.phashes()

    assert {run.id: list(values) for run, values in zip(runs[:2], hashes[:2], strict=True)} == dict(
        zip(names, table.tolist(), strict=True)
    )
    assert [12, 12] == frames.tolist()
    names, frames, table = store.phashes(besides=runs[0].spec.digest)
    assert ([runs[1].id], [12], [list(hashes[1])]) == (names, frames.tolist(), table.tolist())


def test_hashes_that_were_read_before_are_not_read_again(store, accept, take, bring_home, artifact):
    """
    What is sealed later is added, whatever is known by then, also when its time is a little earlier.
    """
    first, second = accept(2)
    lease = take()
    bring_home(lease, first.id, second.id)
    late = datetime.now(UTC) + timedelta(seconds=60)
    store.seal(lease, first.id, artifact(first.id, phashes=range(8), sealed=late), [])
    assert [first.id] == store.phashes()[0]
    store.seal(lease, second.id, artifact(second.id, phashes=range(8)), [])

    assert [first.id, second.id] == store.phashes()[0]
    assert (2, 8) == store.phashes()[2].shape


def test_paths_inside_the_workspace_move_with_it(
    store, store_url, accept, take, bring_home, artifact, tmp_path
):
    """
    An artifact inside the workspace is kept relative to it, one outside by its full path.
    """
    from cosmos_core.store import Store

    inside, outside = accept(2)
    lease = take()
    bring_home(lease, inside.id, outside.id)
    store.seal(lease, inside.id, artifact(inside.id, path=tmp_path / "outputs" / "a b" / "é.mp4"), [])
    store.seal(lease, outside.id, artifact(outside.id, path=tmp_path.parent / "elsewhere.mp4"), [])

    with Store.open(store_url, root=tmp_path / "moved") as moved:
        paths = [moved.run(run.id).artifact.path for run in (inside, outside)]

    assert [tmp_path / "moved" / "outputs" / "a b" / "é.mp4", tmp_path.parent / "elsewhere.mp4"] == paths
    assert tmp_path / "outputs" / "a b" / "é.mp4" == store.run(inside.id).artifact.path


def test_a_batch_that_was_joined_is_not_measured(store, accept, take):
    """
    Its model was loaded and waited: what it took says nothing about the next one.
    """
    first, later = accept(2)
    lease = take(limit=1)
    for run in (first, later):
        if run is later:
            time.sleep(1.1)
            store.join(lease, [later.id])
        store.move(lease, run.id, State.RUNNING)
        store.move(lease, run.id, State.RETURNED)

    assert () == store.measured()


def test_what_batches_took_is_measured(store, accept, take):
    """
    Seconds from the job's start to its last output, and what was predicted for the runs that came home.
    """
    assert () == store.measured()
    accept(3)
    lease = take(gpu="h200")
    first, second, _ = store.held(lease)
    began = time.monotonic()
    for run in store.held(lease):
        store.move(lease, run.id, State.RUNNING)
    time.sleep(0.1)
    store.move(lease, first.id, State.RETURNED)
    time.sleep(0.1)
    store.move(lease, second.id, State.RETURNED)
    took = time.monotonic() - began
    (timed,) = store.measured()

    assert ("preview", "model-a", "h200", 120.0) == (
        timed.backend,
        timed.load_key,
        timed.gpu,
        timed.predicted,
    )
    assert 0.2 <= timed.seconds < took + 0.1


def test_what_is_left_of_an_open_batch_is_known(store, accept, take):
    """
    The predicted seconds of runs whose output is not home, and since when nothing came home.
    """
    accept(3)
    lease = take(slot=7)
    first, *_ = store.held(lease)
    (placed,) = store.underway()
    for run in store.held(lease):
        store.move(lease, run.id, State.RUNNING)
    time.sleep(0.2)
    (running,) = store.underway()
    store.move(lease, first.id, State.RETURNED)
    (home,) = store.underway()

    assert ("local", 7, 180.0, False, 0.0) == (
        placed.host,
        placed.slot,
        placed.left,
        placed.is_loaded,
        placed.ago,
    )
    assert (180.0, False) == (running.left, running.is_loaded)
    assert running.ago >= 0.19
    assert (120.0, True) == (home.left, home.is_loaded)
    assert home.ago < running.ago


def _fail(store, lease, *, blame):
    for run in store.held(lease):
        store.requeue(lease, [run.id], reason="no GPU", blame=blame)
    store.finish(lease)


def test_a_slot_is_in_trouble_while_its_batches_fail_for_the_hosts_reasons(store, accept, take):
    """
    They are counted back to the last batch that brought something home or failed for another reason.
    """
    accept()
    _fail(store, take(slot=1), blame=Blame.HOST)
    _fail(store, take(slot=1), blame=Blame.RUN)
    assert () == store.troubles()
    _fail(store, take(slot=1), blame=Blame.HOST)
    _fail(store, take(slot=2), blame=Blame.BATCH)
    _fail(store, take(slot=1), blame=Blame.HOST)
    (trouble,) = store.troubles()

    assert ("local", 1, 2, "no GPU") == (trouble.host, trouble.slot, trouble.count, trouble.reason)
    assert 0 <= trouble.ago < 60
    (run,) = store.waiting()
    assert {run.id: (("local", 1),) * 3} == store.tries_in_trouble([run.id])


def test_a_full_host_is_known_until_it_had_room(store):
    """
    Whoever finds it full again adds to one record with the latest reason; room for one job ends it, of that host alone.
    """
    store.note_full("gpu", "no room")
    store.note_full("gpu", "still no room")
    store.note_full("far", "no room there")
    far, gpu = store.full_hosts()

    assert ("gpu", 2, "still no room") == (gpu.host, gpu.count, gpu.reason)
    assert 0 <= gpu.span < 60
    assert 0 <= gpu.ago < 60
    assert ("far", 1, 0.0) == (far.host, far.count, far.span)
    assert store.paused() is None
    store.note_room("gpu")
    assert ["far"] == [full.host for full in store.full_hosts()]


def test_a_try_that_a_full_disk_ended_is_no_trouble_of_the_slot(store, accept, take):
    """
    It is told for the whole host, once; where the run was tried is known all the same.
    """
    (run,) = accept()
    _fail(store, take(slot=1), blame=Blame.DISK)

    assert () == store.troubles()
    assert {run.id: (("local", 1),)} == store.tries_in_trouble([run.id])


def test_a_run_that_never_returned_is_no_measurement(store, accept, take):
    """
    How long it took to fail says nothing about how long a video takes.
    """
    (run,) = accept()
    lease = take()
    store.move(lease, run.id, State.RUNNING)
    store.move(lease, run.id, State.FAILED)

    assert () == store.measured()


def test_further_attempts_are_known_with_all_that_shared_their_jobs(store, accept, take, bring_home):
    """
    Those that wait to be made have no times yet; other campaigns have none of it.
    """
    bad, worse = accept(2, campaign="streets")
    (other,) = accept(campaign="bridges")
    again = Again(seed=1, reason="again")
    first = take(only=[bad.id, worse.id])
    bring_home(first, bad.id, worse.id)
    store.reject(first, bad.id, [], reason="black", again=again)
    store.reject(first, worse.id, [], reason="black", again=again)
    bring_home(take(only=[bad.id, other.id]), bad.id, other.id)
    found = {each.run: each for each in store.retried("streets")}

    assert {bad.id: True, other.id: False, worse.id: True} == {
        run: each.is_further for run, each in found.items()
    }
    assert ("", None, None) == (found[worse.id].batch, found[worse.id].begun, found[worse.id].over)
    assert found[bad.id].batch == found[other.id].batch
    assert found[bad.id].begun <= found[bad.id].over
    assert () == store.retried("bridges")
