"""What is found before a job, and the buttons that mend it: each does one thing, and Undo takes it back at once."""

from __future__ import annotations

import importlib
import re
import time
from pathlib import Path

import pytest
from hython_stubs.module import make


@pytest.fixture
def desk(packaged, saved_scene):
    """Somebody sits before a saved scene with a camera."""
    packaged.desk.here = True
    return packaged.desk


@pytest.fixture
def module(packaged):
    """``module("talk")``: a module of the package."""
    return lambda name: importlib.import_module(f"cosmos_houdini.{name}")


@pytest.fixture
def talk(desk, module):
    """``talk(rops, camera="", ...)``: a request of this scene that is otherwise without fault, being talked about."""

    def _talk(rops=(), **changes):
        facts = {"camera": "/obj/cam1", "ask": module("job").Ask(prompt="fog")} | changes
        return module("talk").Talk(module("job").Request(**facts), rops)

    return _talk


def _messages(talk):
    return [finding.message for finding in talk.findings]


def _fix(talk, label):
    (fix,) = [finding.fix for finding in talk.findings if finding.fix and label == finding.fix.label]
    return fix


@pytest.fixture
def submit_node(packaged):
    """A node Cosmos Submit whose range is its own."""
    node = packaged.hou.node("/out").createNode("cosmos::submit::1.0", "send", exact_type_name=True)
    node.parm("trange").set("normal")
    node.parmTuple("f").deleteAllKeyframes()
    node.parmTuple("f").set((1, 93, 1))
    return node


def test_nothing_stands_against_a_job_without_fault(talk, submit_node):
    """And nothing is said of it."""
    found = talk([submit_node])

    assert ([], False) == (_messages(found), found.stands)


@pytest.mark.parametrize(
    ("harm", "words", "label", "stands"),
    [
        (lambda node: node.bypass(True), "/out/send is bypassed", "Switch send On", False),
        (lambda node: node.setLocked(True), "/out/send is locked", "Unlock send", False),
        (lambda node: node.parm("f3").set(2), "in steps of 2 frames", "Every Frame in send", True),
    ],
)
def test_a_render_node_is_mended_and_undo_takes_that_back(
    packaged, talk, submit_node, harm, words, label, stands
):
    """One press, one step of Undo with the button's own words; then the finding is gone, and after Undo it is back."""
    harm(submit_node)
    found = talk([submit_node])
    assert [True] == [words in message for message in _messages(found)]
    assert stands == found.stands
    before = len(packaged.steps)

    found.mend(_fix(found, label))

    assert [] == _messages(found)
    assert [f"Cosmos: {label}"] == [step.label for step in packaged.steps[before:]]
    packaged.hou.undos.performUndo()
    found.look()
    assert [True] == [words in message for message in _messages(found)]


def test_render_nodes_upstream_are_looked_at_too(packaged, talk, submit_node):
    """What is wired into the node is part of what it is about; another one is nobody's business."""
    out = packaged.hou.node("/out")
    cache, stranger = out.createNode("opengl", "cache"), out.createNode("opengl", "stranger")
    submit_node.setInput(0, cache)
    cache.bypass(True)
    stranger.bypass(True)

    assert [True] == ["/out/cache is bypassed" in message for message in _messages(talk([submit_node]))]


def test_without_submit_nodes_the_selected_render_nodes_count(packaged, desk, module):
    """A ROP that somebody selected is one they mean."""
    node = packaged.hou.node("/out").createNode("opengl", "draft")
    node.setCurrent(True)

    assert [node] == module("scene").concerned()


def test_a_camera_is_made_where_the_view_is(packaged, desk, talk):
    """When there is none at all; one step of Undo takes it away again."""
    packaged.hou.node("/obj/cam1").destroy()
    desk.panes["SceneViewer"] = make(packaged.hou.SceneViewer, "view")
    found = talk(camera="")
    before = len(packaged.steps)

    found.mend(_fix(found, "Make One from the View"))

    assert ("/obj/cam1", []) == (found.request.camera, _messages(found))
    assert ["/obj/cam1"] == [camera.path() for camera in desk.viewed_through]
    assert 1 == len(packaged.steps) - before
    packaged.hou.undos.performUndo()
    assert None is packaged.hou.node("/obj/cam1")


def test_another_camera_is_chosen_without_touching_the_scene(packaged, talk):
    """What changes the request alone is no step of Undo."""
    found = talk(camera="/obj/gone")
    before = len(packaged.steps)

    found.mend(_fix(found, "Use /obj/cam1"))

    assert ("/obj/cam1", before) == (found.request.camera, len(packaged.steps))


def test_a_scene_is_saved_where_somebody_says(packaged, talk, tmp_path):
    """Nobody says: nothing happens, and it still stands against the job."""
    packaged.hip = "untitled.hip"
    found = talk()
    found.mend(_fix(found, "Save Scene"))
    assert found.stands
    packaged.desk.files.append(str(tmp_path / "shot9.hip"))

    found.mend(_fix(found, "Save Scene"))

    assert not found.stands
    assert (tmp_path / "shot9.hip").is_file()


def _touch(folder, name, frames):
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        (folder / name.format(frame)).touch()


@pytest.mark.parametrize(
    ("pattern", "there", "said", "label"),
    [
        ("smoke.$F4.vdb", range(1, 41), "53 of 93 frames are not there, the first is {}/smoke.0041.vdb", "Use Frames 1 to 40"),
        ("smoke.${F4}.vdb", [1, 2, *range(50, 94)], "47 of 93 frames are not there", "Use Frames 50 to 93"),
        ("smoke.$F.vdb", [5], "92 of 93 frames", None),
        ("smoke.$F4.vdb", [], "93 of 93 frames", None),
        ("smoke.`padzero(4, $F)`.vdb", [], "not there", None),
        ("one.vdb", [], "A file is not there: /obj/geo/box/scale: {}/one.vdb", None),
    ],
)  # fmt: skip
def test_every_frame_of_what_the_scene_reads_is_looked_for(
    packaged, talk, tmp_path, pattern, there, said, label
):
    """Gaps in the middle too; the button takes the longest part that is there."""
    _touch(tmp_path, "smoke.{}.vdb" if "$F." in pattern else "smoke.{:04}.vdb", there)
    parm = packaged.hou.node("/obj").createNode("geo").createNode("box").parm("scale")
    packaged.references.append((parm, f"{tmp_path}/{pattern}"))

    (finding,) = talk().findings

    assert said.format(tmp_path) in finding.message
    assert label == (finding.fix.label if finding.fix else None)


def test_the_frames_that_are_there_can_be_taken(packaged, talk, tmp_path):
    """After the press the range is whole, and what is said next is of its length alone."""
    _touch(tmp_path, "smoke.{:04}.vdb", range(11, 60))
    parm = packaged.hou.node("/obj").createNode("geo").createNode("box").parm("scale")
    packaged.references.append((parm, f"{tmp_path}/smoke.$F4.vdb"))
    found = talk()

    found.mend(_fix(found, "Use Frames 11 to 59"))

    assert (11, 59) == (found.request.start, found.request.end)
    assert [True] == ["The clip has 49 frames" in message for message in _messages(found)]


def test_a_half_filled_output_is_said_and_one_not_begun_is_not(packaged, talk, submit_node, tmp_path):
    """What a node upstream stopped writing would be read half by the scene."""
    cache = packaged.hou.node("/out").createNode("opengl", "cache")
    cache.parm("picture").set(f"{tmp_path}/cache/c.$F4.exr")
    submit_node.setInput(0, cache)
    assert [] == _messages(talk([submit_node]))
    _touch(tmp_path / "cache", "c.{:04}.exr", range(1, 31))

    (finding,) = talk([submit_node]).findings

    assert "Half-filled output: /out/cache: 63 of 93 frames" in finding.message
    assert "Use Frames 1 to 30" == finding.fix.label


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"color": range(1, 11)}, None),
        ({"color": range(1, 11), "depth": range(1, 11)}, None),
        ({"color": [1, 2, 5, 6]}, "color lacks frame 3 and 1 more"),
        ({"color": range(1, 11), "depth": range(1, 6)}, "depth has frames 1 to 5, colour 1 to 10"),
        ({"color": range(1, 11), "thumb": [1, 9]}, None),
    ],
)
def test_a_half_filled_folder_of_passes_is_refused_before_a_process_starts(talk, tmp_path, files, words):
    """Gaps and unequal lengths; what is no pass is not looked at."""
    for name, frames in files.items():
        _touch(tmp_path / "passes", name + ".{:04}.png", frames)

    found = talk(clip=str(tmp_path / "passes"))

    assert ([words] if words else []) == _messages(found)
    assert bool(words) == found.stands


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"end": 6000}, "6000 frames are too many"),
        ({"end": 10**9}, "frames are too many"),
        ({"width": -1280}, "-1280 x 704: both must be even, and from 64 to 4096"),
        ({"height": 8192}, "both must be even, and from 64 to 4096"),
    ],
)
def test_what_the_command_would_refuse_is_said_at_once(talk, changes, words):
    """No process is started for it, and Houdini does not count to a billion."""
    found = talk(**changes)

    assert found.stands
    assert any(words in message for message in _messages(found))


def test_a_rate_that_no_clip_can_have_gets_no_button(packaged, talk):
    """23.976 stays odd: a button that changes nothing would be pressed for ever."""
    packaged.fps = 23.976
    odd = talk(fps=24).findings
    packaged.fps = 30.0
    found = talk(fps=24)

    assert [None] == [finding.fix for finding in odd]
    found.mend(_fix(found, "Use 30 Frames a Second"))
    assert [] == found.findings


def test_a_draft_becomes_karma(talk):
    """One press."""
    found = talk(renderer="opengl")

    found.mend(_fix(found, "Use Karma"))

    assert ("karma", []) == (found.request.renderer, found.findings)


def test_a_fix_that_houdini_refuses_is_a_sentence(packaged, talk, submit_node):
    """The node went away between the look and the press."""
    submit_node.bypass(True)
    found = talk([submit_node])
    fix = _fix(found, "Switch send On")
    found._rops = ()
    submit_node.destroy()

    found.mend(fix)

    assert [True] == ["Switch send On did not work: There is no node" in words for words in _messages(found)]


def test_every_button_knows_what_it_does(module):
    """Each name that a finding may use stands in the table, and the other way round."""
    text = Path(module("scene").__file__).read_text()

    assert module("fixes").IN_SCENE.keys() == set(re.findall(r'does="([^"]+)"', text))


def test_a_press_takes_no_time(packaged, desk, talk, submit_node, tmp_path):
    """Thirty sequences of a thousand frames, all looked for again: 200 ms of this processor, fake included."""
    _touch(tmp_path, "smoke.{:04}.vdb", range(1, 501))
    parm = packaged.hou.node("/obj").createNode("geo").createNode("box").parm("scale")
    packaged.references.extend((parm, f"{tmp_path}/smoke.$F4.vdb") for _ in range(30))
    submit_node.bypass(True)
    found = talk([submit_node], end=1000)
    fix = _fix(found, "Switch send On")
    begun = time.process_time()

    found.mend(fix)

    assert time.process_time() - begun < 0.2
