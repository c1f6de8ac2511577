"""``cosmos review``: people's words, given, listed, shown, and heard by the export."""

from __future__ import annotations

import json

import pytest

from cosmos_core.store import NewRun
from cosmos_core.testing import double
from cosmos_core.work import Worker


@pytest.fixture
def runs(cosmos):
    """Three sealed runs, of which a step judged two."""
    settings = cosmos.workspace.settings
    settings.write_text(f'user = "ada"\n{settings.read_text()}')
    cosmos.plugins.register("double", double)
    made = [cosmos.submit(name, backend="double", frames=6, name=name) for name in ("fog", "rain", "snow")]
    Worker(cosmos.site).work(until_idle=True)
    cosmos.store.judge(made[0].id, "reason", [], score=0.75)
    cosmos.store.judge(made[1].id, "reason", [], score=0.25)
    return [cosmos.store.run(run.id) for run in made]


def test_what_waits_is_listed_and_reviewed(say, runs):
    """
    The worst first; what was reviewed waits no longer, and is shown with who and why.
    """
    listed = say("review", "list", "--json").facts["runs"]
    given = say("review", runs[1].id, "--reject", "--rating", "2", "--note", "two roofs\x1b[31m")
    left = say("review", "list")
    shown = say("show", runs[1].id)

    assert [runs[1].id, runs[0].id, runs[2].id] == [each["id"] for each in listed]
    assert [0.25, 0.75, None] == [each["score"] for each in listed]
    assert (0, True) == (given.code, "rejected, rated 2 of 5" in given.out)
    assert runs[1].id not in left.out
    assert runs[0].id in left.out
    assert "ada  rejected  rated 2 of 5  two roofs\\x1b[31m" in shown.out
    (review,) = say("show", runs[1].id, "--json").facts["reviews"]
    assert ("ada", "rejected", 2, runs[1].artifact.digest) == tuple(
        review[name] for name in ("who", "approval", "rating", "digest")
    )


def test_runs_are_picked_by_what_was_said(say, runs):
    """
    Approved, rejected, open; the two ways of saying approved agree.
    """
    say("review", runs[0].id, runs[1].id, "--approve")
    say("review", runs[1].id, "--reject")

    def ids(*words):
        return {each["id"] for each in say("list", "--json", *words).facts["runs"]}

    assert {runs[0].id} == ids("--approved") == ids("--review", "approved")
    assert {runs[1].id} == ids("--review", "rejected")
    assert {runs[2].id} == ids("--review", "open")
    assert "approved" in say("list").out
    assert 2 == say("list", "--approved", "--review", "open").code


def test_an_export_leaves_out_what_was_rejected(say, cosmos, runs):
    """
    And says so; with --approved only what a person approved goes in, with their word in the metadata.
    """
    say("review", runs[0].id, "--approve", "--note", "fine")
    say("review", runs[1].id, "--reject")
    every = say("export", "every")
    approved = say("export", "approved", "--approved")
    rows = [
        json.loads(line) for line in (cosmos.workspace.root / "every/metadata.jsonl").read_text().splitlines()
    ]
    (row,) = (
        json.loads(line)
        for line in (cosmos.workspace.root / "approved/metadata.jsonl").read_text().splitlines()
    )

    assert {runs[0].id, runs[2].id} == {each["run"] for each in rows}
    assert "1 run left out" in every.err
    assert "left out" not in approved.err
    assert (runs[0].id, "approved", "ada", "fine", 0.75) == tuple(
        row[name] for name in ("run", "review", "reviewer", "review_note", "score")
    )
    assert row["reviewed"].endswith("+00:00")
    assert {"rejected"} == {
        json.loads(line)["review"] for line in _metadata(say, cosmos, "rejected", "--review", "rejected")
    }


def _metadata(say, cosmos, name, *words):
    assert 0 == say("export", name, *words).code
    return (cosmos.workspace.root / name / "metadata.jsonl").read_text().splitlines()


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("r0000000", "--approve"), 3, "no run"),
        (("give",), 2, "RUN"),
        (("SEALED",), 2, "nothing was said"),
        (("QUEUED", "--approve"), 2, "no video to look at"),
    ],
)
def test_what_cannot_be_said_is_refused(say, cosmos, runs, words, code, why):
    """
    With what to type next.
    """
    waiting = cosmos.store.accept([_new(runs[0])])[0]
    typed = [{"SEALED": runs[0].id, "QUEUED": waiting.id}.get(word, word) for word in words]
    said = say("review", *typed)

    assert code == said.code
    assert why in said.err + said.out


def _new(run):
    return NewRun(id="rzzzzzzzzz", name="waits", spec=run.spec, load_key="double", seconds=1.0)


def test_without_a_name_in_the_settings_it_is_the_accounts(cosmos, monkeypatch):
    """
    A container's account may have none.
    """
    monkeypatch.setenv("LOGNAME", "grace")
    assert "grace" == cosmos.user
    monkeypatch.setattr("getpass.getuser", lambda: (_ for _ in ()).throw(KeyError("uid")))
    assert "unknown" == cosmos.user
