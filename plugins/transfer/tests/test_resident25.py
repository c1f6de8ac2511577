"""Transfer 2.5 with a model that stays loaded, the stand-in as a real process."""

from __future__ import annotations

import threading

import pytest
from cosmos_core_transfer.transfer25 import whole
from cosmos_core_transfer.transfer25.review import review

from cosmos_core.errors import Level
from cosmos_core.extend import Request
from cosmos_core.run import State
from cosmos_core.submission import Ask


@pytest.fixture
def cosmos(workspace):
    return workspace()


@pytest.fixture
def working(cosmos):
    """A worker that does not end when there is nothing to do; what it leaves behind is taken up and ended."""
    from cosmos_core.work import Worker

    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work)
    thread.start()
    yield worker
    worker.stop()
    thread.join(timeout=60)
    # With nothing left that it could join, a model that stays is told to go.
    Worker(cosmos.site).work(until_idle=True)


@pytest.fixture
def submit(cosmos, street):
    """``submit("a street", "a square", guidance=5)``: runs for a model that stays, accepted together."""

    def submitted(*prompts, resident=900.0, **options):
        given = {"backend": "transfer2.5", "clip": str(street.folder), "weights": {"edge": 0.6, "depth": 0.4}}
        chosen = {"resident": resident} | options
        return cosmos.submit_many([Ask(prompt=prompt, options=chosen, seed=7, **given) for prompt in prompts])

    return submitted


@pytest.fixture
def reach(cosmos, wait_for):
    """``reach(runs, State.SEALED)``: the runs, once each is in one of these states."""

    def reached(runs, *states):
        wait_for(lambda: all(cosmos.store.run(run.id).state in states for run in runs), 90)
        return [cosmos.store.run(run.id) for run in runs]

    return reached


@pytest.fixture
def another(cosmos, street):
    """``another()``: a run for another set of controls, which needs another model."""

    def asked():
        weights = {"edge": 1.0}
        (run,) = cosmos.submit_many(
            [
                Ask(
                    prompt="a street",
                    backend="transfer2.5",
                    clip=str(street.folder),
                    weights=weights,
                    seed=7,
                )
            ]
        )
        return run

    return asked


ENDS = {
    "block-prompt": State.BLOCKED,
    "block-video": State.BLOCKED,
    "pointer": State.REJECTED,
    "a square": State.SEALED,
}


def test_a_model_that_stays_is_loaded_once_and_takes_what_comes_later(cosmos, working, submit, reach):
    """
    What is asked for while the model is there joins its batch, and each request has its own end, refusals too.
    """
    first = submit("a street")
    reach(first, State.SEALED)
    found = reach(submit(*ENDS), *ENDS.values())

    assert ENDS == {run.spec.prompt.text: run.state for run in found}, [run.reason for run in found]
    assert {cosmos.store.run(first[0].id).batch} == {run.batch for run in found}
    assert 1 == cosmos.workspace.log(found[0].batch).read_text().count("Loading the model")


def test_what_it_dies_of_costs_the_others_nothing(working, submit, reach):
    """
    The one that it died of fails; the one that waited is made by the next.
    """
    reach(submit("a street"), State.SEALED)
    bad, good = submit("crash", "a square")

    assert "CUDA error" in reach([bad], State.FAILED)[0].reason
    reach([good], State.SEALED)


def test_it_gives_way_to_another_set_of_controls(cosmos, working, submit, reach, another):
    """
    Its slot is wanted for another model, so it leaves long before its time.
    """
    (first,) = submit("a street")
    reach([first], State.SEALED)
    (found,) = reach([another()], State.SEALED)

    assert found.batch != cosmos.store.run(first.id).batch


def test_a_sample_without_a_video_is_through_too(ask, street):
    """
    The mark of the script tells, where the program leaves none.
    """
    request = Request(run="r1", spec=ask("transfer2.5", edge=1, resident=60.0), clip=street)

    assert [] == list(whole(request, {"out/r1.json"}))
    assert ["out/r1.json"] == list(whole(request, {"out/r1.json", "out/finished/r1"}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"resident": 60.0, "gpus": 2}, "a model on 2 GPUs cannot stay"),
        ({"resident": 901.0}, "taken for one that hangs"),
        ({"resident": 900.0}, ""),
        ({"resident": 5000.0, "quiet": 0}, ""),
    ],
)
def test_a_model_that_could_not_stay_is_a_finding(ask, street, options, said):
    """
    Several GPUs, and longer than a job may say nothing.
    """
    found = list(review(ask("transfer2.5", edge=1, **options), street))
    failed = [each.message for each in found if each.level is Level.FAIL and each.where == "resident"]

    assert bool(said) == bool(failed)
    assert all(said in message for message in failed)
