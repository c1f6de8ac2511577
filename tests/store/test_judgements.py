"""What steps say is kept beside what checks found, one judgement a step."""

from __future__ import annotations

import pytest

from cosmos_core.errors import InputError, UnknownError, ok, warn
from cosmos_core.run import State


@pytest.fixture
def sealed(store, accept, take, bring_home, artifact):
    """A sealed run."""
    (run,) = accept()
    lease = take()
    bring_home(lease, run.id)
    return store.seal(lease, run.id, artifact(run.id), [ok("12 frames decode", check="video.decode")])


def test_a_judgement_is_kept_and_replaced(store, sealed):
    """
    A step's later word takes the place of its earlier one; another step's stands beside it.
    """
    store.judge(sealed.id, "reason", [warn("it melts")], score=0.25)
    store.judge(sealed.id, "contact", [ok("pictures")])
    store.judge(sealed.id, "reason", [ok("it holds")], score=1.0)
    contact, reason = store.judgements(sealed.id)

    assert ("contact", None, (ok("pictures"),)) == (contact.step, contact.score, contact.findings)
    assert ("reason", 1.0, (ok("it holds"),)) == (reason.step, reason.score, reason.findings)
    assert sealed.artifact.digest == reason.digest


def test_a_judgement_moves_nothing(store, sealed):
    """
    State, findings of checks and events are as they were.
    """
    before = store.attempts(sealed.id), store.run(sealed.id), store.events()
    store.judge(sealed.id, "reason", [warn("it melts")], score=0.0)

    assert before == (store.attempts(sealed.id), store.run(sealed.id), store.events())
    assert State.SEALED is store.run(sealed.id).state


def test_tags_of_a_step_go_with_its_judgement(store, sealed):
    """
    What a person tagged stays, also where the step gave the same tag.
    """
    store.tag(sealed.id, add=["hero", "doubtful"])
    assert ("doubtful", "hero", "wrong") == store.judge(
        sealed.id, "reason", [], tags=["doubtful", "wrong"]
    ).tags
    assert ("doubtful", "hero", "odd") == store.judge(sealed.id, "reason", [], tags=["odd"]).tags
    assert ("doubtful", "hero", "odd") == store.judge(sealed.id, "reason", [], tags=["odd"]).tags
    assert ("doubtful", "hero") == store.judge(sealed.id, "reason", []).tags


def test_what_cannot_be_judged_is_refused(store, sealed, accept):
    """
    Only what is sealed is judged, with a score from 0 to 1 and tags that can be ones.
    """
    (queued,) = accept()
    for ref, words, kind in (
        (queued.id, {}, InputError),
        ("r0000000", {}, UnknownError),
        (sealed.id, {"score": 1.5}, InputError),
        (sealed.id, {"score": float("nan")}, InputError),
        (sealed.id, {"tags": [" "]}, InputError),
    ):
        with pytest.raises(kind):
            store.judge(ref, "reason", [], **words)

    assert () == store.judgements(sealed.id)


def test_a_judgement_goes_with_its_run(store, sealed):
    """
    A removed run leaves nothing behind.
    """
    store.judge(sealed.id, "reason", [warn("it melts")])
    store.remove([sealed.id])

    with pytest.raises(UnknownError):
        store.judgements(sealed.id)
