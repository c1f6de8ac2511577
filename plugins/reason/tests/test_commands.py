"""``cosmos reason``: judged runs of a workspace, ranked, and shown where runs are shown."""

from __future__ import annotations

import json

import attrs
import pytest

from cosmos_core.testing import double
from cosmos_core.work import Worker


@pytest.fixture
def runs(cosmos, endpoint):
    """Three sealed runs of a workspace whose judge is the endpoint."""
    with cosmos.workspace.settings.open("a") as out:
        out.write(f'\n[plugins.reason]\nurl = "{endpoint.url}"\ntimeout = 5.0\ntrials = 2\n')
    cosmos.plugins.register("double", double)
    asks = [
        cosmos.submit(text, backend="double", frames=6, tags=tags, name=text)
        for text, tags in (("a street", ()), ("rain", ("subject=rain",)), ("fog", ("hero",)))
    ]
    Worker(cosmos.site).work(until_idle=True)
    return [cosmos.store.run(run.id) for run in asks]


def test_runs_are_judged_and_the_worst_comes_first(say, cosmos, runs, endpoint):
    """
    Score, findings and tags stand beside the run; the checks' findings, its state and a person's tags do not change.
    """
    endpoint.script(plausibility=["5", "5", "2", "2", "4", "4"])
    before = [cosmos.store.attempts(run.id)[-1].findings for run in runs]
    code, out, _ = say("--json", "reason", "--all", "-q", "plausibility")
    told = json.loads(out)["runs"]
    judged = [cosmos.store.run(run.id) for run in runs]

    assert 0 == code
    assert sorted(each["score"] for each in told) == [each["score"] for each in told] == [0.25, 0.75, 1.0]
    assert {"sealed"} == {str(run.state) for run in judged}
    assert before == [cosmos.store.attempts(run.id)[-1].findings for run in runs]
    worst = cosmos.store.run(told[0]["id"])
    assert {"reason:doubtful"} <= set(worst.tags)
    assert set(worst.tags) - {"reason:doubtful"} == set(next(run for run in runs if run.id == worst.id).tags)
    (judgement,) = (each for each in cosmos.store.judgements(worst.id) if each.step == "reason")
    assert ("reason", 0.25, worst.artifact.digest) == (judgement.step, judgement.score, judgement.digest)


def test_a_run_is_judged_by_its_name_and_shown(say, runs, endpoint):
    """
    ``cosmos reason RUN`` needs no further word; ``cosmos show`` says what was said.
    """
    endpoint.script(attributes=["No"])
    code, out, err = say("reason", runs[1].id)

    assert 0 == code, err
    assert "subject is rain: 0 of 3 frames say so" in out
    assert "plausibility 4.00 of 5" in out
    shown = say("show", runs[1].id)[1]
    assert "subject is rain" in shown
    assert "score 0.00" in shown
    assert runs[1].id in say("list", "--tag", "reason:wrong-subject")[1]


def test_what_other_runs_show_is_what_one_could_be_taken_for(say, cosmos, runs, endpoint):
    """
    Runs that are judged together lend each other the wrong answers.
    """
    for run, place in zip(runs, ("street", "harbour", "bridge"), strict=True):
        cosmos.store.tag(run.id, add=[f"place={place}"])
    endpoint.script(attributes={"choose": ["harbour"]})
    told = json.loads(say("--json", "reason", "--all", "-q", "attributes")[1])["runs"]
    right = {each["id"] for each in told if "reason:wrong-place" not in each["tags"]}

    assert {runs[1].id} == right
    assert any("(A)" in each["text"] and "bridge" in each["text"] for each in endpoint.asked())


def test_a_better_judgement_takes_the_old_tags_off(say, cosmos, runs, endpoint):
    """
    Tags of the judge go with what it said; those of a person stay, also where the judge would give the same.
    """
    cosmos.store.tag(runs[0].id, add=["reason:doubtful"])
    for run in runs[::2]:
        endpoint.script(plausibility="1")
        say("reason", run.id, "-q", "plausibility")
        assert "reason:doubtful" in cosmos.store.run(run.id).tags
        endpoint.script(plausibility="5")
        say("reason", run.id, "-q", "plausibility", "--again")

    assert ("reason:doubtful",) == cosmos.store.run(runs[0].id).tags
    assert ("hero",) == cosmos.store.run(runs[2].id).tags


def test_an_endpoint_that_is_gone_ends_in_an_error_and_changes_nothing(say, cosmos, runs):
    """
    With what to do, and the runs as they were.
    """
    code, out, err = say("reason", "--all", "-o", "url=http://127.0.0.1:9/v1")

    assert 8 == code
    assert "nobody listens" in out
    assert "did not answer about 3 of 3" in err
    assert {"sealed"} == {str(cosmos.store.run(run.id).state) for run in runs}


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ((), 2, "name runs, or say --all"),
        (("r4k2m9xq",), 3, "no run"),
        (("--all", "-o", "trails=3"), 4, "trails"),
        (("--all", "-q", "nothing"), 2, "there are no questions"),
        (("--all", "-o", "url=http://me:secret@judge"), 4, "belongs into a variable"),
    ],
)
def test_what_cannot_be_asked_is_refused(say, runs, endpoint, words, code, why):
    """
    Before anything is asked.
    """
    found, out, err = say("reason", "ask", *words)

    assert code == found
    assert why in out + err
    assert "secret" not in out + err
    assert [] == endpoint.asked()


def test_the_step_follows_each_sealed_run(cosmos, endpoint):
    """
    With "reason" among the steps a worker judges what it seals; an endpoint that is gone costs no artifact.
    """
    settings = attrs.evolve(
        cosmos.settings,
        steps=("reason",),
        plugins={"reason": {"url": endpoint.url, "questions": ["plausibility"], "trials": 1}},
    )
    cosmos.settings = settings
    cosmos.plugins.register("double", double)
    first = cosmos.submit("a street", backend="double", frames=6)
    Worker(cosmos.site).work(until_idle=True)
    cosmos.settings.plugins["reason"]["url"] = "http://127.0.0.1:9/v1"
    second = cosmos.submit("a tram", backend="double", frames=6)
    Worker(cosmos.site).work(until_idle=True)

    assert [0.75] == [each.score for each in cosmos.store.judgements(first.id)]
    assert ("sealed", ("reason:unanswered",)) == (
        str(cosmos.store.run(second.id).state),
        cosmos.store.run(second.id).tags,
    )


CANARY = "sk-canary-77ab12"


def test_the_key_is_nowhere_but_in_the_environment(say, cosmos, runs, endpoint, monkeypatch):
    """
    Not in what is said, nor in any file of the workspace, though the endpoint repeats it.
    """
    endpoint.set(key=CANARY)
    monkeypatch.setenv("COSMOS_REASON_KEY", CANARY)
    endpoint.script(plausibility=[{"say": "4", "echo": True}, {"status": 500, "echo": True}])
    said = [
        say("-vv", "reason", "--all", "-q", "plausibility", "-o", "tries=1"),
        say("--json", "show", runs[0].id),
    ]
    cosmos.store.close()
    files = [path for path in cosmos.workspace.root.rglob("*") if path.is_file()]

    assert f"Bearer {CANARY}" in endpoint.lines("authorized")
    assert CANARY not in str(said)
    assert any("Bearer ***" in path.read_text("utf-8") for path in files if path.name == "reason.json")
    assert [] == [path for path in files if CANARY.encode() in path.read_bytes()]
