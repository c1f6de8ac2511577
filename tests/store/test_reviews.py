"""What people say about videos: rows that are added, beside what the checks found."""

from __future__ import annotations

import pytest

from cosmos_core.errors import InputError, UnknownError, ok, warn
from cosmos_core.run import Approval, State
from cosmos_core.store import Query


@pytest.fixture
def seal(store, accept, take, bring_home, artifact):
    """``seal()``: a sealed run; ``seal(reject=True)``: one whose output the checks refused."""

    def made(*, reject=False):
        (run,) = accept()
        lease = take()
        bring_home(lease, run.id)
        if reject:
            return store.reject(lease, run.id, [warn("black")], reason="black")
        return store.seal(lease, run.id, artifact(run.id), [ok("12 frames decode", check="video.decode")])

    return made


def test_each_word_is_kept_and_the_last_one_holds(store, seal):
    """
    Who, when, about which bytes; what a review does not say stays as it was said before.
    """
    run = seal()
    store.review(run.id, who="ada", approval=Approval.APPROVED, rating=4, note="é")
    store.review(run.id, who="bob", approval=Approval.REJECTED)
    last = store.review(run.id, who="ada", note="look at the tram")
    said = store.reviews(run.id)

    assert (Approval.REJECTED, 4) == (last.approval, last.rating)
    assert [
        ("ada", Approval.APPROVED, 4, "é"),
        ("bob", Approval.REJECTED, None, ""),
        ("ada", None, None, "look at the tram"),
    ] == [(each.who, each.approval, each.rating, each.note) for each in said]
    assert {(run.artifact.digest, 1)} == {(each.digest, each.attempt) for each in said}
    assert said[0].at <= said[-1].at


def test_a_review_changes_nothing_that_was_found(store, seal):
    """
    Approving what the checks refused seals nothing, and rejecting what they sealed unseals nothing.
    """
    good, bad = seal(), seal(reject=True)
    before = [(store.attempts(run.id), store.run(run.id).state) for run in (good, bad)]
    store.review(good.id, who="ada", approval=Approval.REJECTED)
    store.review(bad.id, who="ada", approval=Approval.APPROVED)

    assert before == [(store.attempts(run.id), store.run(run.id).state) for run in (good, bad)]
    assert store.run(bad.id).artifact is None


def test_what_is_said_can_be_asked_for(store, seal):
    """
    By the last word, and by its absence.
    """
    one, two, three = seal(), seal(), seal()
    store.review(one.id, who="ada", approval=Approval.APPROVED)
    store.review(two.id, who="ada", approval=Approval.REJECTED)

    def ids(**asked):
        return {run.id for run in store.page(Query(**asked)).runs}

    assert {one.id} == ids(approval=Approval.APPROVED)
    assert {three.id} == ids(approval=Approval.OPEN, states=(State.SEALED,))
    assert {one.id, three.id} == ids(not_approval=Approval.REJECTED)
    store.review(one.id, who="ada", approval=Approval.OPEN)
    assert {one.id, three.id} == ids(approval=Approval.OPEN)


def test_what_waits_is_listed_worst_first(store, seal):
    """
    By the lowest score that a step gave; without a score last; reviewed and refused ones not at all.
    """
    plain, good, bad, done, _ = seal(), seal(), seal(), seal(), seal(reject=True)
    for run, score in ((good, 0.9), (bad, 0.1), (done, 0.0)):
        store.judge(run.id, "reason", [], score=score)
    store.judge(bad.id, "other", [], score=1.0)
    store.review(done.id, who="ada", approval=Approval.REJECTED)

    assert [bad.id, good.id, plain.id] == [run.id for run in store.unreviewed()]
    assert [bad.id] == [run.id for run in store.unreviewed(limit=1)]


def test_a_new_attempt_is_not_reviewed_yet(store, seal):
    """
    What was said of the video before stays written, and does not hold for the next one.
    """
    run = seal(reject=True)
    store.review(run.id, who="ada", approval=Approval.APPROVED)

    assert Approval.OPEN is store.retry(run.id).approval
    assert [Approval.APPROVED] == [each.approval for each in store.reviews(run.id)]


def test_ratings_are_said_by_somebody_too(store, accept):
    """
    Any run may be rated; that a rating was taken back is written as well.
    """
    (run,) = accept()
    store.rate(run.id, 5, who="ada")
    assert store.rate(run.id, None, who="bob").rating is None

    assert [("ada", 5), ("bob", 0)] == [(each.who, each.rating) for each in store.reviews(run.id)]


def test_what_cannot_be_said_is_refused(store, seal, accept):
    """
    Nothing, about nothing, or too much.
    """
    run, (queued,) = seal(), accept()
    for ref, words, kind in (
        (run.id, {}, InputError),
        (run.id, {"rating": 6}, InputError),
        (run.id, {"rating": 0}, InputError),
        (run.id, {"note": "x" * 10_001}, InputError),
        (queued.id, {"approval": Approval.APPROVED}, InputError),
        ("r0000000", {"note": "x"}, UnknownError),
    ):
        with pytest.raises(kind):
            store.review(ref, who="ada", **words)

    assert () == store.reviews(run.id)
