"""``cosmos review``: people's words, given, listed, shown, and heard by the export."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs
import pytest

from cosmos_core.errors import warn
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


def test_a_page_has_all_that_is_said_of_each_video_the_worst_first(say, cosmos, runs):
    """
    It reaches for nothing elsewhere but the videos beside it, and what people and models wrote is text on it.
    """
    cosmos.store.judge(runs[1].id, "reason", [warn("<img src=x onerror=alert(1)> melts")], score=0.25)
    say("review", runs[2].id, "--reject", "--note", "</script><script>alert(1)</script> {{title}}")
    made = say("--json", "review", "page", "look.html", "--all")
    page = Path("look.html").read_text("utf-8")
    order = re.findall(r'<article data-run="(\w+)"', page)
    videos = re.findall(r'data-video="([^"]+)"', page)

    assert (3, 0, len(page.encode())) == tuple(made.facts[name] for name in ("videos", "left", "bytes"))
    assert [runs[1].id, runs[0].id, runs[2].id] == order
    assert {run.artifact.path for run in runs} == {Path(video).resolve() for video in videos}
    assert 3 == page.count('src="data:image/jpeg;base64,')
    assert [] == re.findall(r"(?:src|href)=\"(?!data:)[^\"]+", page)
    assert "&lt;img src=x onerror=alert(1)&gt; melts" in page
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; {{title}}" in page
    assert 1 == page.count("<script>")


def test_a_page_has_those_that_wait_and_says_how_many_it_leaves_out(say, runs):
    """
    What was reviewed is on it when that is asked for.
    """
    say("review", runs[0].id, "--approve")
    few = say("review", "page", "look.html", "--limit", "1")
    approved = say("--json", "review", "page", "approved.html", "--approved")
    say("review", *(run.id for run in runs), "--approve")
    none = say("review", "page", "none.html")

    assert "wrote look.html: 1 video" in few.out
    assert "1 are left out: --limit" in few.out
    assert "1 more are not on this page" in Path("look.html").read_text("utf-8")
    assert 1 == approved.facts["videos"]
    assert (2, True) == (none.code, "no sealed run waits for a review" in none.err)
    assert not Path("none.html").exists()


def test_pictures_get_smaller_where_there_are_many(cosmos, runs, tmp_path):
    """
    A page that nobody can open helps nobody.
    """
    from cosmos_core.cli import review_page
    from cosmos_core.testing.media import make_video

    noise = make_video(tmp_path / "noise.mp4", frames=6, width=640, height=480)
    made = attrs.evolve(runs[0].artifact, path=noise, frames=6)
    entry = review_page.Entry(run=runs[0], made=made, clip=None, findings=(), judgements=(), reviews=())
    large = len(review_page._picture(entry, 960, 150_000))
    small = len(review_page._picture(entry, 960, large // 3))

    assert large // 30 < small <= large // 3


def saved(path, *words, schema=1):
    path.write_text(json.dumps({"schema": schema, "reviews": words}))
    return path


def test_what_was_said_on_a_page_is_kept_once(say, cosmos, runs, tmp_path):
    """
    In the name of whoever applies it; of a video that was made anew nothing is.
    """
    first, second, third = ({"run": run.id, "digest": run.artifact.digest} for run in runs)
    file = saved(
        tmp_path / "review.json",
        first | {"approval": "approved", "rating": 4},
        second | {"approval": "rejected", "note": "two roofs"},
        third | {"digest": "0" * 64, "approval": "approved"},
    )
    once, twice = say("review", "apply", file), say("review", "apply", file)
    kept = [cosmos.store.reviews(run.id) for run in runs]

    assert (2, 2) == (once.code, twice.code)
    assert "another video was looked at" in once.out
    assert [1, 1, 0] == [len(each) for each in kept]
    assert ("ada", "approved", 4, "") == tuple(
        getattr(kept[0][0], name) for name in ("who", "approval", "rating", "note")
    )
    assert ("rejected", None, "two roofs") == tuple(
        getattr(kept[1][0], name) for name in ("approval", "rating", "note")
    )
    assert 2 == twice.out.count("it was said already")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read"),
        ("{}", "no review.json of this version"),
        ('{"schema": 2, "reviews": []}', "no review.json of this version"),
        ('{"schema": 1, "reviews": []}', "nothing was said"),
        (
            '{"schema": 1, "reviews": [{"run": "r1", "digest": "0", "approval": "perhaps"}]}',
            "is not understood",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(say, here, tmp_path, text, why):
    """
    In a sentence, and nothing is kept.
    """
    file = tmp_path / "review.json"
    file.write_text(text)
    said = say("review", "apply", file)

    assert (2, True) == (said.code, why in said.err), said.err
