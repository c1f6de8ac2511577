"""Asks into queued runs, all or none."""

from __future__ import annotations

import shutil

import pytest

from cosmos_core import submission
from cosmos_core.accept import accept
from cosmos_core.errors import InputError, Level, RefusedError
from cosmos_core.run import State
from cosmos_core.submission import Ask
from cosmos_core.testing import media
from cosmos_core.work import ACCEPTED, REFUSED, accept_inbox


@pytest.fixture
def clip_folder(tmp_path):
    """A clip that nobody sealed yet."""
    return media.make_clip(tmp_path / "shot", frames=6)


def queued(cosmos):
    return cosmos.store.counts().get(State.QUEUED, 0)


def test_an_ask_becomes_a_run_that_asks_for_what_its_clip_is(cosmos, clip_folder):
    """
    Frames, rate and size come from the clip; weights are equal parts of what it has.
    """
    (run,) = accept(cosmos, [Ask(prompt="snow on a street", clip=str(clip_folder))], base=clip_folder)

    assert (6, 24, 64, 48) == (run.spec.frames, run.spec.fps, run.spec.width, run.spec.height)
    assert {"depth": 0.25, "edge": 0.25, "seg": 0.25, "vis": 0.25} == run.spec.weights
    assert (State.QUEUED, "preview", "snow-street") == (run.state, run.spec.backend, run.name)
    assert (clip_folder / "clip.json").is_file()


def test_a_length_may_be_said_in_seconds(cosmos, clip_folder):
    """
    They are as many frames as last so long at the clip's rate; said twice, or for no time at all, it is refused.
    """
    (run,) = accept(cosmos, [Ask(prompt="snow", clip=str(clip_folder), seconds=0.125)], base=clip_folder)
    wrong = [
        Ask(prompt="snow", clip=str(clip_folder), seconds=0.125, frames=3),
        *(
            Ask(prompt="snow", clip=str(clip_folder), seconds=each)
            for each in (0, -1, float("inf"), float("nan"))
        ),
    ]
    with pytest.raises(RefusedError) as refused:
        accept(cosmos, wrong, base=clip_folder)

    assert 3 == run.spec.frames
    assert ["both frames and seconds say how long it is"] + ["are no length of a video"] * 4 == [
        finding.message.partition(" s ")[2] or finding.message
        for finding in refused.value.findings
        if finding.level is Level.FAIL
    ]


def test_the_same_request_has_the_same_seed_and_another_one_another(cosmos, clip_folder):
    """
    A seed that nobody gave is the request's own.
    """
    asks = [Ask(prompt=text, clip=str(clip_folder)) for text in ("snow", "snow", "rain")]
    one, same, other = accept(cosmos, asks, base=clip_folder)

    assert one.spec == same.spec
    assert one.spec.seed != other.spec.seed


def test_every_finding_of_every_ask_comes_at_once_and_nothing_is_queued(cosmos, clip_folder):
    """
    One bad ask stops the submission; all that is wrong in any of them is said, with its name.
    """
    asks = [
        Ask(prompt="snow", clip=str(clip_folder)),
        Ask(prompt="", clip=str(clip_folder), weights={"edge": 2.0, "lidar": 0.5}, name="second"),
        Ask(prompt="rain", clip="no/such/folder", name="third"),
        Ask(prompt="rain", clip=str(clip_folder), backend="transfer9", name="fourth"),
    ]

    with pytest.raises(RefusedError) as caught:
        accept(cosmos, asks, base=clip_folder)

    said = [
        (finding.where, finding.message) for finding in caught.value.findings if finding.level is Level.FAIL
    ]
    assert {"second", "third", "fourth"} == {where.partition(":")[0] for where, _ in said}
    assert 4 <= sum(where.startswith("second") for where, _ in said)
    assert 0 == queued(cosmos)
    assert () == tuple(cosmos.store.clips())


def test_a_clip_is_known_by_folder_name_and_digest(cosmos, clip_folder):
    """
    Once it was used, a clip can be named.
    """
    clip = cosmos.clip(clip_folder)
    runs = accept(
        cosmos,
        [Ask(prompt="fog", clip=ref) for ref in (str(clip_folder), clip.name, clip.digest, clip.digest[:12])],
        base=clip_folder,
    )

    assert {clip.digest} == {run.spec.clip for run in runs}


def test_a_prompt_of_the_library_brings_its_clip(cosmos, clip_folder):
    """
    `@name` is the newest version; the run remembers which one it was.
    """
    cosmos.create_prompt("Cyberpunk city", clip_folder)
    cosmos.edit_prompt("cyberpunk-city", text="Cyberpunk city in the rain")
    (run,) = accept(cosmos, [Ask(prompt="@cyberpunk-city")], base=clip_folder)

    assert ("cyberpunk-city@2", "Cyberpunk city in the rain") == (run.prompt_ref, run.spec.prompt.text)
    assert run.spec.clip


def test_the_same_token_queues_once(cosmos, clip_folder):
    """
    Submitting again after a lost answer gives the first runs.
    """
    ask = Ask(prompt="fog", clip=str(clip_folder))
    first = accept(cosmos, [ask], base=clip_folder, token="t1")
    again = accept(cosmos, [ask], base=clip_folder, token="t1")

    assert [run.id for run in first] == [run.id for run in again]
    assert 1 == queued(cosmos)


def test_nothing_is_not_a_submission(cosmos):
    """
    An empty list is a mistake, and said to be one.
    """
    with pytest.raises(InputError, match="nothing to submit"):
        accept(cosmos, [], base=cosmos.workspace.root)


def test_the_inbox_is_accepted_with_its_clips_and_answered_beside(cosmos, clip_folder):
    """
    A submission that travels with its clips is queued once, and its writer finds the runs' ids.
    """
    folder = submission.write([Ask(prompt="fog", clip="clips/shot")], into=cosmos.workspace.inbox)
    shutil.copytree(clip_folder, folder / "clips" / "shot")

    accept_inbox(cosmos.site)
    accept_inbox(cosmos.site)

    assert 1 == queued(cosmos)
    assert next(iter(cosmos.each_run())).id in (folder / ACCEPTED).read_text()


def test_a_refused_submission_says_why_beside_itself(cosmos):
    """
    The findings lie where the writer looks, and nothing is queued.
    """
    folder = submission.write([Ask(prompt="", clip="clips/shot")], into=cosmos.workspace.inbox)

    accept_inbox(cosmos.site)

    assert 0 == queued(cosmos)
    assert "no clip 'clips/shot'" in (folder / REFUSED).read_text()


def test_what_stops_nothing_is_said_all_the_same(cosmos, clip_folder):
    """
    A warning reaches whoever asked, and the run is queued.
    """
    heard = []
    ask = Ask(prompt="word " * 301, clip=str(clip_folder))

    accept(cosmos, [ask], base=clip_folder, on_warning=heard.append)

    assert ["301 words"] == [finding.message[15:24] for finding in heard]
    assert 1 == queued(cosmos)


@pytest.mark.parametrize("became", ["gone", "damaged", "another"])
def test_a_token_gives_its_runs_whatever_became_of_the_clip(cosmos, clip_folder, became):
    """
    Handing the same submission in again is answered as the first time, though its clip could not be sealed now.
    """
    asks = [Ask(prompt="snow", clip=str(clip_folder))]
    (first,) = accept(cosmos, asks, base=clip_folder, token="once")
    if became == "gone":
        shutil.rmtree(clip_folder)
    elif became == "damaged":
        (clip_folder / "color.mp4").write_bytes(b"rot")
    else:
        shutil.rmtree(clip_folder)
        media.make_clip(clip_folder, frames=9)

    assert (first,) == accept(cosmos, asks, base=clip_folder, token="once")
    assert 1 == queued(cosmos)


def test_a_token_whose_runs_were_removed_brings_none(cosmos, clip_folder):
    """
    What a person removed does not come back by handing it in again.
    """
    asks = [Ask(prompt="snow", clip=str(clip_folder))]
    (run,) = accept(cosmos, asks, base=clip_folder, token="once")
    cosmos.remove([run.id])

    assert () == accept(cosmos, asks, base=clip_folder, token="once")
    assert 0 == queued(cosmos)
