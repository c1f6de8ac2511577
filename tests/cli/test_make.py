"""Clips, datasets and verdicts on files: ``generate``, ``clip``, ``verify``, ``export``, ``init``."""

from __future__ import annotations

import itertools
import os
import platform
import re
import signal
import time

import cv2
import pytest

from cosmos_core.cli.generate import Sweep
from cosmos_core.cli.progress import Silence
from cosmos_core.testing import media

BOXES = """
import time
import attrs
from cosmos_core import hookimpl
from cosmos_core.errors import fail
from cosmos_core.extend import Generator

@attrs.frozen(kw_only=True)
class Boxes:
    seed: int = attrs.field(default=1, metadata={"help": "which boxes"})
    width: int = 64
    pause: float = 0.0
    passes: tuple[str, ...] = ("edge",)
    at: tuple[int, int] = (0, 0)

@hookimpl
def cosmos_generators():
    yield Generator(name="boxes", summary="Moving boxes.", options=Boxes, generate=make, review=review)

def review(options):
    if options.width > 128:
        yield fail("boxes are at most 128 wide", where="width")

def make(options, folder, report):
    from cosmos_core.testing.media import make_clip
    for done in range(4):
        report(done, 4, "rendering")
        time.sleep(options.pause)
    make_clip(folder, frames=4, width=options.width, seed=options.seed)
    report(4, 4, "rendering")
    return {"prompt": f"boxes number {options.seed}"}
"""


def _asked(made):
    return [clip["source"]["options"] for clip in made.facts["clips"]]


def test_an_option_that_is_a_list_takes_several_values(say, boxes):
    """Joined by commas or given again, it is one list and one clip; other options still vary."""
    one = say("generate", "boxes", "-p", "passes=depth, seg", "-p", "passes=edge", "-p", "at=3,4", "--json")
    two = say("generate", "boxes", "-p", "seed=1,2", "-p", "passes=depth,seg", "--json")

    assert 0 == one.code, one.out
    assert [(["depth", "seg", "edge"], [3, 4])] == [(each["passes"], each["at"]) for each in _asked(one)]
    assert [(1, ["depth", "seg"]), (2, ["depth", "seg"])] == [
        (each["seed"], each["passes"]) for each in _asked(two)
    ]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("at=1", "has 1 values, and takes 2"),
        ("at=1,x", "is not a whole number"),
        ("seed=1", "seed is given twice"),
    ],
)
def test_a_list_that_cannot_be_one_says_so(say, boxes, word, said):
    """The finding names the option and what it takes; an option of one value is still given once."""
    made = say("generate", "boxes", "-p", "seed=3", "-p", word)

    assert made.code
    assert said in made.out + made.err


@pytest.fixture
def boxes(plugin, here):
    """A generator that makes small clips, installed as a plugin."""
    plugin("cosmos-core-boxes", {"boxes": "boxes_plugin"}, {"boxes_plugin.py": BOXES})
    return here.clips


def test_a_clip_is_made_and_the_next_step_is_said(say, boxes):
    """Where it lies, what it holds and the prompt that its maker suggests."""
    said = say("generate", "boxes", "--name", "first")

    assert 0 == said.code, said.err
    assert "clips/first" in said.out
    assert "boxes number 1" in said.out
    assert "rendering" in said.err
    assert "--clip clips/first" in said.err
    assert (boxes / "first" / "clip.json").is_file()


def test_several_values_make_every_combination_and_none_twice(say, boxes):
    """``1..2`` and ``64,80`` are four clips; typed again with more, only the new ones are made."""
    first = say("generate", "boxes", "-p", "seed=1..2", "-p", "width=64,80", "--name", "b", "--json").facts[
        "clips"
    ]
    again = say("generate", "boxes", "-p", "seed=1..3", "-p", "width=64,80", "--name", "b", "--json").facts[
        "clips"
    ]

    assert ["b-seed1-width64", "b-seed1-width80", "b-seed2-width64", "b-seed2-width80"] == [
        clip["name"] for clip in first
    ]
    assert {"b-seed3-width64", "b-seed3-width80"} == {clip["name"] for clip in again if clip["is_new"]}


def test_clips_are_made_side_by_side(program, boxes):
    """Two processes, and a failure of one is told with its own findings while the other is kept."""
    told = program("generate", "boxes", "-p", "seed=1..2", "-p", "width=64,200", "-j", "2", "--json")

    assert 4 == told.code
    assert "refused" == told.facts["error"]["kind"]
    assert "boxes are at most 128 wide" == told.facts["error"]["findings"][0]["message"]
    assert {1, 2} == {clip["source"]["options"]["seed"] for clip in told.facts["clips"]}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_whole_clips_only(begin, say, boxes, jobs):
    """Exit code 130, no half clip under a final name, and the same words finish the rest."""
    words = ("generate", "boxes", "-p", "seed=1..2", "-p", "pause=0.5", "--name", "slow", "-j", jobs)
    process = begin(*words)
    while not list(boxes.glob(".slow*.part")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert 130 == process.returncode
    assert "type the same again" in err
    assert "Traceback" not in err
    assert all((clip / "clip.json").is_file() for clip in boxes.glob("slow*"))
    assert 0 == say(*words[:5], "pause=0", "--name", "other").code


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_sweep_goes_on_after_a_kill(begin, say, boxes, jobs):
    """After kill -9 the same words make only what is missing, and what was sealed keeps its very files.

    Half a clip that the kill left is never mistaken for one, and goes with the next clip made once its maker is gone.
    """
    words = ("generate", "boxes", "-p", "seed=1..4", "-p", "pause=0.4", "--name", "long", "-j", jobs)
    process = begin(*words)
    begun, seen = set(), set()
    # One is whole, and one has only begun: it was not there at the last look.
    while not list(boxes.glob("long-*/clip.json")) or not begun - seen:
        assert process.poll() is None
        seen |= begun
        time.sleep(0.02)
        begun = set(boxes.glob(".long*.part"))
    process.kill()
    process.communicate(timeout=60)
    sealed = {path: path.stat().st_mtime_ns for path in boxes.glob("long-*/*")}
    left = sorted(boxes.glob(".*.part"))
    told = say(*words, "--json").facts["clips"]

    assert [f"long-seed{seed}" for seed in (1, 2, 3, 4)] == sorted(clip["name"] for clip in told)
    assert {path.parent.name for path in sealed} <= {clip["name"] for clip in told if not clip["is_new"]}
    assert any(clip["is_new"] for clip in told)
    assert sealed == {path: path.stat().st_mtime_ns for path in sealed}
    assert 1 <= len(left) <= int(jobs)
    until = time.monotonic() + 60
    for number in itertools.count():
        # Processes that the killed one had begun end by themselves, as soon as they have something to say to it.
        say("generate", "boxes", "-p", "pause=0", "--name", f"later-{number}")
        if not set(left) & set(boxes.glob(".*.part")):
            break
        assert time.monotonic() < until


def test_what_another_machine_has_under_way_is_let_be(say, boxes):
    """Only a process of this machine can be known to be gone; what others left is nobody's after a day."""
    fresh, old = boxes / ".a.elsewhere~99999999~0123abcd.part", boxes / ".b.elsewhere~99999999~0123abcd.part"
    gone = boxes / f".c.d.{platform.node()}~99999999~0123abcd.part"
    for part in (fresh, old, gone):
        part.mkdir(parents=True)
    os.utime(old, (0, 0))
    say("generate", "boxes", "-p", "pause=0", "--name", "e")

    assert [fresh] == list(boxes.glob(".*.part"))


def test_a_sweep_has_a_contact_sheet_and_a_sum(say, boxes):
    """One row a clip, three frames wide; the path is told, and so is how fast all of it went."""
    said = say("generate", "boxes", "-p", "seed=1..3", "--name", "s")
    (sheet,) = boxes.glob("s-*.jpg")
    whole = cv2.imread(str(sheet))

    assert f"clips/{sheet.name}" in said.out
    assert re.search(r"3 clips made in .*: 12 frames, [0-9.]+ frames/s", said.out)
    assert re.search(r"all: 3 of 3 clips, 12 of 12 frames", said.err)
    assert 3 * 320 + 2 * 4 == whole.shape[1]
    assert 0 == whole.shape[0] % 3
    assert str(sheet) == say("generate", "boxes", "-p", "seed=1..3", "--name", "s", "--json").facts["sheet"]


def test_one_clip_has_no_contact_sheet(say, boxes):
    """There is nothing to compare."""
    said = say("generate", "boxes", "--name", "one")

    assert "sheet" not in said.out
    assert [] == list(boxes.glob("*.jpg"))


def test_a_sweep_is_estimated_from_the_clips_that_began():
    """Clips that wait count as long as those that have begun, and those made before cost nothing."""
    heard = []

    class Heard(Silence):
        def show(self, key, label, done, total, note="", *, unit=""):
            heard.append((label, done, total, note))

    sweep = Sweep(Heard(), 4)
    sweep.drop("made before")
    sweep.show("a", "a", 5, 10)
    sweep.drop("a")
    sweep.show("b", "b", 10, 10)

    assert [
        ("all", 0.0, 0, "1 of 4 clips"),
        ("a", 5, 10, ""),
        ("all", 5, 30, "1 of 4 clips"),
        ("all", 5, 30, "2 of 4 clips"),
        ("b", 10, 10, ""),
        ("all", 15, 30, "2 of 4 clips"),
    ] == heard


def test_wrong_options_are_named_with_the_right_ones(say, boxes):
    """Every unknown name and unreadable value at once; nothing is made."""
    said = say("generate", "boxes", "-p", "sed=1", "-p", "width=wide")

    assert 4 == said.code
    assert "boxes has no option 'sed'" in said.err
    assert "one of seed, width, pause" in said.err
    assert "is not a whole number" in said.err
    assert [] == list(boxes.iterdir())


def test_a_folder_is_sealed_without_a_workspace(say, outside):
    """Sealing needs nothing but the folder; whether a workspace knows it now is said."""
    media.make_clip(outside / "street")
    said = say("clip", "seal", "street", "--name", "broadway")

    assert 0 == said.code
    assert "there is no workspace here" in said.err
    assert {"color", "depth", "seg", "edge", "vis"} == {
        file["modality"] for file in say("clip", "show", "street", "--json").facts["clip"]["files"]
    }


def test_a_folder_that_is_no_clip_is_told_everything_at_once(say, outside):
    """Every file's fault is a finding; exit code 4."""
    media.make_clip(outside / "bad", seg=False)
    media.make_pointer(outside / "bad" / "segmentation.mp4")
    media.make_video(outside / "bad" / "edge.mp4", frames=5)
    told = say("clip", "seal", "bad", "--json")

    assert 4 == told.code
    assert len(told.facts["error"]["findings"]) >= 2
    assert not (outside / "bad" / "clip.json").exists()


def test_clips_are_listed_with_what_became_of_them(say, street):
    """A clip whose folder is gone is listed as gone."""
    assert "color, depth, seg, edge, vis" in say("clip", "list").out
    street.path("color").unlink()
    assert "gone or changed" in say("clip", "list").out


def test_a_folder_of_videos_is_verified_anywhere(say, outside):
    """Whole ones pass; a pointer and a cut one do not, each with its reason; exit code 9."""
    folder = outside / "videos"
    folder.mkdir()
    media.make_video(folder / "whole.mp4", frames=24)
    assert 0 == say("verify", "videos").code

    media.make_pointer(folder / "pointer.mp4")
    media.make_cut(folder / "cut.mp4")
    said, told = say("verify", "videos"), say("verify", "videos", "--json")
    report = told.facts["report"]
    assert 9 == said.code == told.code
    assert (3, 1, 2, 1) == (report["files"], report["verified"], report["rejected"], report["pointers"])
    assert "rejected  cut.mp4" in said.out
    assert "error: 2 of 3 files not verified" in said.err


def test_a_folder_without_videos_verifies_nothing(say, outside):
    """An empty answer is not a good one."""
    said = say("verify", ".")

    assert 9 == said.code
    assert "there is no video in" in said.err


def test_sealed_runs_become_a_dataset_that_verifies(say, program, double, here):
    """What was exported passes every check again, and a target that exists is left alone."""
    program("run", "a street", "--backend", "double", "--frames", "8", "--tag", "keep")
    made = say("export", "night", "--tag", "keep", "--json")

    assert 0 == made.code, made.out
    assert 0 == say("verify", "night", "--review-is-fine").code
    assert 2 == say("export", "night").code
    assert 2 == say("export", "none", "--tag", "never").code
    assert not (here.root / "none").exists()


def test_a_workspace_is_made_once(say, outside):
    """The second time nothing is touched, and what to type next is said the first time."""
    first, second = say("init", "shots"), say("init", "shots", "--json")

    assert 0 == first.code
    assert "cd shots" in first.out
    assert (outside / "shots" / "cosmos.toml").is_file()
    assert {"made": False, "workspace": str(outside / "shots")} == second.facts
    assert 0 == say("-C", "shots", "status").code
