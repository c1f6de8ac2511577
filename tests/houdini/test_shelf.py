"""The shelf's buttons: one dialog with every finding and its way out, a copy of the scene, a process, and no waiting."""

from __future__ import annotations

import importlib
import json
import os
import socket
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hython_stubs.module import make

SHELF = Path(__file__).parents[2] / "houdini" / "toolbar" / "cosmos.shelf"
WORDS = ("a street in fog", "", "", "", "1", "93", "1280", "704")
"""What is typed into the dialog: prompt, negative, model, workspace, frames, size."""


@pytest.fixture
def desk(packaged, saved_scene):
    """Somebody sits before a saved scene with a camera."""
    packaged.desk.here = True
    return packaged.desk


@pytest.fixture
def no_process(packaged, monkeypatch):
    """The command is not started; gives what would have been."""
    command = importlib.import_module("cosmos_houdini.command")
    started = []
    monkeypatch.setattr(command, "start", lambda words, **_: started.append(list(words)) or os.getpid())
    return started


def press(tool, **kwargs):
    """Run the very script that stands in the shelf file."""
    root = ET.parse(SHELF).getroot()
    script = next(
        one.find("script").text for one in root.iter("tool") if one.get("name") == f"cosmos::{tool}"
    )
    exec(compile(script, tool, "exec"), {"kwargs": kwargs})


def _jobs(scene):
    return sorted((scene.parent / "cosmos").glob("*/job.json"))


def test_build_city_makes_the_asset_in_an_object_of_its_own(desk, packaged):
    """Displayed, rendered and selected, ready to be turned."""
    press("build_city")

    (node,) = packaged.selected
    assert "cosmos::city_destruction::1.0" == node.row.name
    assert "/obj/city/city_destruction" == node.path
    assert node.flags["display"]


def test_one_dialog_then_a_job_and_a_process(desk, packaged, saved_scene, no_process):
    """The job names the copy by its digest and says everything that was typed; the artist's file is as it was."""
    packaged.hou.node("/obj").createNode("geo", "unsaved_work")
    before = saved_scene.read_bytes()
    desk.answers.append((0, WORDS))

    press("render_and_submit")

    (path,) = _jobs(saved_scene)
    job = json.loads(path.read_text())
    assert "shot-7-001" == path.parent.name
    assert ("a street in fog", "/obj/cam1", 1, 93) == (
        job["ask"]["prompt"], job["camera"], job["start"], job["end"]
    )  # fmt: skip
    assert "unsaved_work" in (path.parent / "scene.hip").read_text()
    assert before == saved_scene.read_bytes()
    assert packaged.hou.hipFile.hasUnsavedChanges()
    assert saved_scene.as_posix() == packaged.hou.hipFile.path()
    assert [["houdini", "run", str(path.parent)]] == no_process
    assert 1 == len(desk.dialogs)


def test_the_button_takes_no_time(desk, saved_scene, no_process):
    """From the press to Houdini being free again, the dialog aside: 200 ms of this processor, fake included."""
    desk.answers.append((0, WORDS))
    begun = time.process_time()

    press("render_and_submit")

    assert time.process_time() - begun < 0.2


def test_the_job_is_one_that_the_command_understands(desk, saved_scene, no_process):
    """What the shelf writes and what cosmos houdini run reads are the same words."""
    from cosmos_core_houdini import job as reader

    desk.answers.append((0, WORDS))
    press("render_and_submit")
    (path,) = _jobs(saved_scene)

    job = reader.load(path.parent)

    assert ("/obj/cam1", 93, "a street in fog", ("houdini",)) == (
        job.camera, job.frames, job.ask.prompt, job.ask.tags
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.hou.node("/obj/cam1").destroy(), "There is no camera"),
        (lambda s: setattr(s, "licence", "Apprentice"), "draws a watermark"),
        (lambda s: setattr(s, "frame_range", (5.0, 5.0)), "are no clip"),
        (lambda s: s.hou.node("/obj").createNode("geo")._fake.errors.append("no geometry"), "no geometry"),
    ],
)
def test_what_stands_against_it_is_said_before_anything_is_written(
    desk, packaged, saved_scene, no_process, change, words
):
    """Without a button to go on, with all that is wrong in one text."""
    change(packaged)
    desk.answers.append((-1, WORDS))

    press("render_and_submit")

    (dialog,) = desk.dialogs
    assert words in dialog.text
    assert "Render and Submit" not in dialog.buttons
    assert [] == no_process == _jobs(saved_scene)


def test_each_finding_has_a_button_of_its_own(desk, packaged, saved_scene, no_process):
    """A press does that one thing, and the list is shown again without it."""
    packaged.fps = 30.0
    typed = ("fog", "", "", "", "1", "40", "641", "704")
    desk.answers.extend(
        [
            (0, typed),
            (0, typed),
            (2, ("fog", "", "", "", "1", "40", "1280", "704")),
            (0, ("fog", "", "", "", "1", "93", "1280", "704")),
        ]
    )

    press("render_and_submit")

    assert "641 x 704: both must be even" in desk.dialogs[1].text
    assert ("Use 1280 x 704", "Use Frames 1 to 93", "Cancel") == desk.dialogs[1].buttons
    assert ("Render and Submit", "Passes Only", "Use Frames 1 to 93", "Cancel") == desk.dialogs[2].buttons
    assert ("Render and Submit", "Passes Only", "Cancel") == desk.dialogs[3].buttons
    (path,) = _jobs(saved_scene)
    job = json.loads(path.read_text())
    assert (1280, 704, 93, 30) == (job["width"], job["height"], job["end"], job["fps"])


def test_a_video_needs_a_prompt(desk, saved_scene, no_process):
    """Whoever submits without one is asked again, and does not get passes alone without having wished for them."""
    empty = ("", *WORDS[1:])
    desk.answers.extend([(0, empty), (0, WORDS)])

    press("render_and_submit")

    assert "The prompt is empty" in desk.dialogs[1].text
    assert "a street in fog" == json.loads(_jobs(saved_scene)[0].read_text())["ask"]["prompt"]


def test_cancel_leaves_nothing_behind(desk, saved_scene, no_process):
    """Not even a folder."""
    desk.answers.append((2, WORDS))

    press("render_and_submit")

    assert [] == no_process
    assert not (saved_scene.parent / "cosmos").exists()


def test_passes_only_asks_for_no_video(desk, saved_scene, no_process):
    """Rendering and submitting are two wishes."""
    desk.answers.append((1, WORDS))

    press("render_and_submit")

    assert json.loads(_jobs(saved_scene)[0].read_text())["ask"] is None


def test_the_last_words_are_remembered(desk, saved_scene, no_process):
    """Nobody types a prompt twice."""
    desk.answers.append((0, WORDS))
    press("render_and_submit")
    shelf = importlib.import_module("cosmos_houdini.shelf")

    assert "a street in fog" == shelf.request_of_scene().ask.prompt


def test_a_scene_that_was_never_saved_is_refused(packaged, no_process):
    """Its job would have no place."""
    packaged.desk.here = True
    packaged.hou.node("/obj").createNode("cam", "cam1")
    packaged.desk.answers.append((-1, WORDS))

    press("render_and_submit")

    assert "never saved" in packaged.desk.dialogs[0].text
    assert [] == no_process


def test_without_the_command_one_sentence_says_what_to_type(desk, monkeypatch, no_process):
    """Before any dialog."""
    monkeypatch.setenv("COSMOS_CLI", "")
    monkeypatch.setenv("PATH", "")

    press("render_and_submit")

    assert ["Error"] == [dialog.severity for dialog in desk.dialogs]
    assert "cosmos houdini install" in desk.dialogs[0].text


def test_the_driver_asset_says_it_all(desk, packaged, saved_scene, no_process):
    """Its parameters go before the scene's, and its button is the shelf's."""
    hou = packaged.hou
    node = hou.node("/out").createNode("cosmos::submit::1.0", "send", exact_type_name=True)
    node.parm("trange").set("normal")
    node.parmTuple("f").deleteAllKeyframes()
    node.parmTuple("f").set((10, 102, 1))
    node.parm("prompt").set("snow")
    node.parm("modelseed").set(5)
    desk.answers.append((0, ("snow", "", "", "", "10", "102", "1280", "704")))

    node.parm("submit").pressButton()

    job = json.loads(_jobs(saved_scene)[0].read_text())
    assert (10, 102, "snow", 5) == (job["start"], job["end"], job["ask"]["prompt"], job["ask"]["seed"])


def test_a_rendered_clip_is_handed_over_where_it_lies(desk, saved_scene, no_process, tmp_path):
    """No scene is copied; a folder without colour is refused at once."""
    passes = tmp_path / "passes"
    passes.mkdir()
    desk.files.extend([str(passes), str(passes)])
    press("submit_clip")
    assert "no colour" in desk.dialogs[-1].text
    (passes / "color.mp4").write_bytes(b"x")
    desk.answers.append((0, WORDS))

    press("submit_clip")

    (path,) = _jobs(saved_scene)
    job = json.loads(path.read_text())
    assert (str(passes), None) == (job["clip"], job["scene"])
    assert not (path.parent / "scene.hip").exists()


@pytest.fixture
def watch(desk, packaged, saved_scene, no_process):
    """A job that was just handed over, its folder to play the command in, and a clock to turn."""
    module = importlib.import_module("cosmos_houdini.watch")
    desk.answers.append((0, WORDS))
    press("render_and_submit")
    (watch,) = module.watched()
    clock = [0.0]
    watch._clock = lambda: clock[0]
    watch._looked = watch._heard = 0.0

    def tell(*events, seconds=1.0):
        with (watch.folder / "events.ndjson").open("a") as out:
            out.writelines(json.dumps(event) + "\n" for event in events)
        clock[0] += seconds
        desk.pump()

    return watch, tell


def test_progress_stands_in_the_status_line(watch, desk):
    """Read twice a second, never more."""
    _, tell = watch
    tell({"type": "progress", "note": "rendering", "share": 0.5, "left": 600})
    said = desk.statuses[-1][0]
    tell({"type": "progress", "note": "rendering", "share": 0.6}, seconds=0.1)

    assert "Cosmos: shot-7-001: rendering 50 %, 10 min left" == said == desk.statuses[-1][0]


@pytest.mark.parametrize(
    ("event", "severity", "buttons"),
    [
        ({"type": "done", "message": "it is finished"}, "Message", ("Behind the Camera", "COP File Node")),
        ({"type": "error", "message": "no licence"}, "Error", ("Show Log",)),
    ],
)
def test_one_message_at_the_end_and_the_callback_is_gone(watch, desk, event, severity, buttons):
    """Nobody is told twice, and Houdini's event loop is left as it was."""
    _, tell = watch
    desk.answers.append(0)

    tell(event)
    tell({"type": "done", "message": "again"})

    dialog = desk.dialogs[-1]
    assert (severity, ("Close", "Show Folder", *buttons)) == (dialog.severity, dialog.buttons)
    assert event["message"] in dialog.text
    assert [] == desk.callbacks
    assert 2 == len(desk.dialogs)


def test_a_command_that_vanished_is_noticed(watch, desk):
    """A process that is gone and left no result did not end well."""
    watched, tell = watch
    watched.pid = 2**22 - 1
    desk.answers.append(0)

    tell()

    assert "ended without a result" in desk.dialogs[-1].text


def _finished(scene, number, *, verified=True):
    folder = scene.parent / "cosmos" / f"shot-7-{number:03}"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({"verified": verified, "plate": "plate/frame.$F4.jpg"}))
    os.utime(folder / "result.json", (number, number))
    return folder


def test_load_result_puts_the_newest_video_behind_the_camera(desk, packaged, saved_scene):
    """Only one that was verified."""
    _finished(saved_scene, 1)
    newest = _finished(saved_scene, 2)
    _finished(saved_scene, 3, verified=False)
    desk.panes["SceneViewer"] = make(packaged.hou.SceneViewer, "view")
    desk.answers.append(0)

    press("load_result")

    assert {("Perspective", 1): (newest / "plate/frame.$F4.jpg").as_posix()} == desk.backgrounds


@pytest.mark.parametrize(
    ("houdini_profile", "kind", "node"),
    [("20.5", "img", "Cop2/file"), ("21.0", "copnet", "Cop/file"), ("22.0", "copnet", "Cop/file")],
)
def test_load_result_makes_a_file_node_of_this_houdinis_kind(desk, packaged, saved_scene, kind, node):
    """In 20.5 an old compositing network, later a Copernicus one; the second time the same node, as one step of Undo."""
    newest = _finished(saved_scene, 2)
    desk.answers.extend([1, 1])
    press("load_result")
    press("load_result")

    (network,) = packaged.hou.node("/img").children()
    (made,) = network.children()
    assert (kind, "shot_7_002") == (network.type().name(), made.name())
    assert node == made.type().nameWithCategory()
    assert (newest / "plate/frame.$F4.jpg").as_posix() == made.parmTuple("filename")[0].rawValue()
    assert made.path() in desk.statuses[-1][0]
    packaged.hou.undos.performUndo()
    packaged.hou.undos.performUndo()
    assert () == packaged.hou.node("/img").children()


def test_load_result_refuses_a_houdini_without_file_nodes(desk, packaged, saved_scene, monkeypatch):
    """With a sentence, and nothing half made."""
    _finished(saved_scene, 2)
    desk.answers.append(1)
    kept = {key: row for key, row in packaged.catalog._types.items() if key[0] not in ("Cop", "Cop2")}
    monkeypatch.setattr(packaged.catalog, "_types", kept)

    press("load_result")

    assert "no file node: neither Cop/file nor Cop2/file" in desk.dialogs[-1].text
    assert "Behind the Camera works" in desk.dialogs[-1].text
    assert () == packaged.hou.node("/img").children()


def test_load_result_stops_at_a_renamed_parameter(desk, packaged, saved_scene, monkeypatch):
    """The guard of all nodes holds here too."""
    from dataclasses import replace

    _finished(saved_scene, 2)
    desk.answers.append(1)
    row = packaged.catalog.find("Cop", "file")
    renamed = replace(row.parms["filename"], name="path")
    packaged.catalog.add(replace(row, parms=row.parms | {"filename": renamed}))

    press("load_result")

    assert "has no parameter filename" in desk.dialogs[-1].text


def test_load_result_says_when_there_is_none(desk):
    """And where it looked."""
    press("load_result")

    assert "finished video yet" in desk.dialogs[0].text


def test_open_queue_shows_the_web_page_that_runs(desk, monkeypatch):
    """In Houdini's own browser, only when somebody answers at that address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/queue"
        monkeypatch.setenv("COSMOS_WEB", address)

        press("open_queue")

    assert [address] == desk.urls


def test_open_queue_shows_the_panel_otherwise(desk, monkeypatch):
    """Or says that it is not installed."""
    monkeypatch.setenv("COSMOS_WEB", "http://127.0.0.1:9/queue")
    press("open_queue")
    assert "cosmos houdini doctor" in desk.dialogs[-1].text
    desk.panels.add("cosmos_queue")

    press("open_queue")

    assert [] == desk.urls
    assert "PythonPanel" in desk.panes


def test_the_rows_of_the_panel_are_those_of_the_list(packaged):
    """Name, state, model and reason; an error is the command's own sentence."""
    queue = importlib.import_module("cosmos_houdini.queue")
    run = {"id": "r1", "name": "fog", "state": "queued", "spec": {"backend": "preview"}, "reason": ""}

    assert [("fog", "queued", "preview", "")] == queue.rows(json.dumps({"runs": [run], "total": 1}))
    with pytest.raises(ValueError, match="no workspace"):
        queue.rows(json.dumps({"error": {"message": "no workspace here"}}))


def test_a_new_node_runs_in_hython_without_a_window(packaged):
    """OnCreated fires there too; with nobody at the desk it opens nothing."""
    geo = packaged.hou.node("/obj").createNode("geo")

    geo.createNode("cosmos::city_destruction::1.0", exact_type_name=True)

    assert [] == packaged.desk.dialogs


def test_the_child_gets_none_of_houdinis_own_environment(packaged):
    """What Houdini sets for itself breaks other programs."""
    command = importlib.import_module("cosmos_houdini.command")
    given = {
        "PYTHONPATH": "/x", "QT_PLUGIN_PATH": "/x", "LD_LIBRARY_PATH": "/x", "HFS": "/opt/hfs21", "HOME": "/Users/me",
        "PATH": "/opt/hfs21/bin:/usr/bin",
    }  # fmt: skip

    kept = command.environment(given)

    assert {"HFS", "HOME", "PATH"} == kept.keys()
    assert ["/usr/bin", "/opt/hfs21/bin"] == kept["PATH"].split(os.pathsep)
