"""Accepting runs, finding them, and noting things on them."""

from __future__ import annotations

import pytest

from cosmos_core.errors import InputError, UnknownError
from cosmos_core.run import Needs, State
from cosmos_core.spec import Variable
from cosmos_core.store import Query


def test_what_was_accepted_comes_back_as_it_was(store, new_run):
    """
    Every field of a new run, and of its spec, is what was put in.
    """
    new = new_run(tags=("b", "a", "b"), priority=3, parent="r0000009", campaign="winter", prompt_ref="snow@2")

    (run,) = store.accept([new])

    assert store.run(new.id) == run
    assert (new.id, "run-1", new.spec, State.QUEUED) == (run.id, run.name, run.spec, run.state)
    assert new.spec.digest == run.spec.digest
    assert (("a", "b"), 3, "r0000009", "winter", "snow@2") == (
        run.tags,
        run.priority,
        run.parent,
        run.campaign,
        run.prompt_ref,
    )
    assert (0, "", "", None, None, 0.0) == (
        run.attempt,
        run.reason,
        run.batch,
        run.rating,
        run.artifact,
        run.progress,
    )
    assert run.created == run.changed
    assert run.created.tzinfo is not None


def test_what_a_video_should_show_is_replaced_for_all_or_none(store, new_run):
    """
    A run of which nobody said it has nothing; one that is not there stops the others.
    """
    rain = Variable(name="weather", value="rain", others=("snow", "fog"))
    first, second = store.accept([new_run(shows=(rain,)), new_run()])
    store.say_shown({first.id: (), second.id: (rain,)})
    with pytest.raises(UnknownError):
        store.say_shown({first.id: (rain,), "r0000000": (rain,)})

    assert ((rain,), ()) == (first.shows, second.shows)
    assert [(), (rain,)] == [store.run(run.id).shows for run in (first, second)]
    store.remove([second.id])
    assert [()] == [run.shows for run in store.page(Query()).runs]


def test_runs_are_numbered_as_accepted(store, new_run):
    """
    Within a submission and from one to the next, a later run has a higher number.
    """
    runs = [*store.accept([new_run(), new_run(), new_run()]), *store.accept([new_run()])]

    assert sorted(run.seq for run in runs) == [run.seq for run in runs]
    assert 4 == len({run.seq for run in runs})


def test_accepting_nothing_gives_nothing(store):
    """
    An empty submission is none, not an error.
    """
    assert () == store.accept([])


def test_a_taken_id_stops_the_whole_submission(store, new_run):
    """
    When one run cannot be accepted, none is.
    """
    (first,) = store.accept([new_run()])

    with pytest.raises(InputError, match=first.id):
        store.accept([new_run(), new_run(id=first.id)])
    with pytest.raises(InputError, match="r9999999"):
        store.accept([new_run(id="r9999999"), new_run(id="r9999999")], token="t")

    assert 1 == sum(store.counts().values())
    assert 2 == len(store.accept([new_run(), new_run()], token="t"))


def test_a_token_counts_once(store, new_run):
    """
    The same token again gives the first call's runs, in their order, whatever is asked the second time.
    """
    first = store.accept([new_run(), new_run()], token="submission-1")
    again = store.accept([new_run()], token="submission-1")
    other = store.accept([new_run()], token="submission-2")

    assert first == again
    assert not {run.id for run in first} & {run.id for run in other}
    assert 3 == sum(store.counts().values())


def test_a_tag_that_cannot_be_one_is_refused(store, new_run):
    """
    Empty, padded and endless tags never get in, by whichever way.
    """
    (run,) = store.accept([new_run()])
    for tag in ("", " a", "a ", "x" * 101, "a\x00b"):
        with pytest.raises(InputError, match="cannot be a tag"):
            store.accept([new_run(tags=(tag,))])
        with pytest.raises(InputError, match="cannot be a tag"):
            store.tag(run.id, add=[tag])


@pytest.mark.parametrize("name", ["nul\x00nul", "half \ud800 a pair"])
def test_text_that_a_database_cannot_keep_is_the_callers_mistake(engine, store, new_run, name):
    """
    Characters that no database takes are refused in a sentence, and nothing is accepted.
    """
    with pytest.raises(InputError, match="cannot be stored"):
        store.accept([new_run(name=name)])
    assert 0 == sum(store.counts().values())


def test_a_run_is_found_by_a_beginning_of_its_id_that_no_other_has(store, new_run):
    """
    Three characters are enough when they are clear; case does not matter.
    """
    store.accept([new_run(id="rabc1234"), new_run(id="rabd1234")])

    assert "rabc1234" == store.run("rabc").id
    assert "rabd1234" == store.run(" RABD12 ").id
    assert "rabd1234" == store.run("rabd1234").id


def test_a_whole_id_wins_over_a_longer_one(store, new_run):
    """
    An id that another id begins with is still found.
    """
    store.accept([new_run(id="rabc"), new_run(id="rabc1234")])

    assert "rabc" == store.run("rabc").id


def test_an_unclear_id_names_the_candidates(store, new_run):
    """
    When several runs are meant the error says which.
    """
    store.accept([new_run(id="rabc1234"), new_run(id="rabd1234")])

    with pytest.raises(InputError, match="rabc1234, rabd1234") as caught:
        store.run("rab")

    assert not isinstance(caught.value, UnknownError)


def test_not_all_candidates_of_very_many_are_named(store, new_run):
    """
    The sentence stays readable when hundreds of ids begin alike.
    """
    store.accept([new_run(id=f"rabc{number:04d}") for number in range(50)])

    with pytest.raises(InputError, match=r"…$"):
        store.run("rabc")


def test_an_unknown_id_is_unknown(store, new_run):
    """
    Whatever is asked about a run that is not there, the answer is that it is not there.
    """
    store.accept([new_run(id="rabc1234")])

    for ref in ("", "ra", "rzz", "rabc12345", "r%", "rab_", "日本語", "rabc1234'; --"):
        for ask in (store.run, store.cancel, store.retry, store.attempts, store.events, store.tag):
            with pytest.raises(UnknownError):
                ask(ref)
        with pytest.raises(UnknownError):
            store.rate(ref, 3)
        with pytest.raises(UnknownError):
            store.remove(["rabc1234", ref])
    assert "rabc1234" == store.run("rabc").id


def test_every_state_is_counted(store, accept, take):
    """
    Counts name every state, also those without a run.
    """
    accept(3)
    take(limit=1)

    assert dict.fromkeys(State, 0) | {State.QUEUED: 2, State.PLACED: 1} == store.counts()


def test_what_a_backend_has_against_a_gpu_is_kept(store, new_run):
    """
    The queue gives each run's reasons back as they were accepted.
    """
    unfit = (("b300", "no kernels: sm_103", "nightly"), ("l40s", "48 GB"))
    store.accept([new_run(needs=Needs(gpus=1, unfit=unfit)), new_run(needs=Needs(gpus=1))])

    assert {unfit, ()} == {each.needs.unfit for each in store.waiting()}


def test_the_queue_is_in_order(store, new_run):
    """
    Urgent first, then what needs the most GPUs, then the longest, then the oldest.
    """
    scarce = new_run(seconds=1.0, needs=Needs(gpus=8))
    old, young = new_run(seconds=5.0), new_run(seconds=5.0)
    long, urgent = new_run(seconds=50.0), new_run(seconds=1.0, needs=Needs(gpus=8), priority=1)
    store.accept([old, young, long, scarce, urgent])

    waiting = store.waiting()

    assert [urgent.id, scarce.id, long.id, old.id, young.id] == [each.id for each in waiting]
    assert ("preview", "model-a", Needs(gpus=8), 1.0, 1) == (
        waiting[0].backend,
        waiting[0].load_key,
        waiting[0].needs,
        waiting[0].seconds,
        waiting[0].priority,
    )
    assert waiting[:2] == store.waiting(limit=2)


def test_ratings_are_noted_and_taken_back(store, accept):
    """
    A rating stays until another takes its place.
    """
    (run,) = accept()

    assert 5 == store.rate(run.id, 5).rating
    assert 1 == store.rate(run.id, 1).rating
    assert store.rate(run.id, None).rating is None


def test_a_rating_is_1_to_5(store, accept):
    """
    Anything else is refused.
    """
    (run,) = accept()

    for rating in (0, 6, -1, 2.5):
        with pytest.raises(InputError, match="not a rating"):
            store.rate(run.id, rating)


def test_tags_are_added_and_dropped(store, accept):
    """
    Adding one that is there and dropping one that is not change nothing.
    """
    (run,) = accept(tags=("night", "hero"))

    assert ("day", "hero") == store.tag(run.id, add=["day", "hero"], drop=["night", "other"]).tags
    assert ("day", "hero") == store.run(run.id).tags


def test_removed_runs_are_gone(store, accept, take, bring_home, artifact):
    """
    A removed run leaves neither events nor an artifact nor words to find it by, and its spec stays with others.
    """
    gone, kept = accept(2, tags=("hero",))
    lease = take(only=[gone.id])
    bring_home(lease, gone.id)
    store.seal(lease, gone.id, artifact(gone.id), [])

    store.remove([gone.id])

    with pytest.raises(UnknownError):
        store.run(gone.id)
    assert ((), {}) == (store.artifacts(), store.recipes())
    assert {kept.id} == {event.run for event in store.events()}
    assert (kept.id,) == tuple(run.id for run in store.page(Query(text="rainy", tags=("hero",))).runs)


def test_a_spec_stays_while_another_run_uses_it(store, new_run):
    """
    Two runs of one spec share it; removing one leaves the other whole.
    """
    one = new_run()
    two = new_run(spec=one.spec)
    store.accept([one, two])

    store.remove([one.id])

    assert one.spec == store.run(two.id).spec
    store.remove([two.id])
    assert [one.id] == [run.id for run in store.accept([one])]


def test_a_held_run_is_not_removed(store, accept, take):
    """
    What a worker is at stays, and so does everything else that was to go with it.
    """
    runs = accept(2)
    take(only=[runs[0].id])

    with pytest.raises(InputError, match=runs[0].id):
        store.remove([run.id for run in runs])

    assert 2 == sum(store.counts().values())
