"""The whole way with real processes: a button in Houdini, hython, husk, a sealed clip, a worker, a sealed video, a plate.

Only ``hou`` is a fake, in this process and in hython; husk is a program that draws the stage it is given. Everything
between them is what an artist runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hython_stubs.module import make

from cosmos_core import Cosmos, media
from cosmos_core.clip import Clip
from cosmos_core.run import State

DOUBLES = Path(__file__).parents[2] / "plugins" / "houdini" / "tests" / "doubles"
WORDS = ("a street after the storm", "blur", "", "", "1", "6", "160", "96")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """hython and husk of a Houdini that is none."""
    for name in ("hython", "husk"):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(DOUBLES)!r})\n"
            f"import {name}_double\nsys.exit({name}_double.main())\n"
        )
        path.chmod(0o755)
    monkeypatch.setenv("COSMOS_HYTHON", str(tmp_path / "bin" / "hython"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("HFS", raising=False)


@pytest.fixture
def scene(packaged, tmp_path):
    """A crate before a camera, saved in a show with a workspace, and somebody at the desk."""
    hou = packaged.hou
    hou.node("/obj").createNode("cam", "cam1").parmTuple("t").set((0.0, 2.0, 12.0))
    box = hou.node("/obj").createNode("geo", "crate").createNode("box", "box1")
    box.parmTuple("size").set((3.0, 2.0, 2.0))
    box.parmTuple("t").set((0.0, 1.0, 0.0))
    ground = hou.node("/obj").createNode("geo", "ground").createNode("box", "box1")
    ground.parmTuple("size").set((40.0, 0.1, 30.0))
    ground.parmTuple("t").set((0.0, 0.0, -5.0))
    packaged.frame_range = (1.0, 6.0)
    path = tmp_path / "show" / "shot7.hip"
    Cosmos.create(path.parent).close()
    hou.hipFile.save(path.as_posix())
    packaged.desk.here = True
    packaged.desk.panes["SceneViewer"] = make(hou.SceneViewer, "view")
    return path


def _follow(desk, folder, seconds=240.0):
    """Let Houdini idle until the one message at the end has come."""
    end = time.monotonic() + seconds
    while desk.callbacks:
        assert time.monotonic() < end, (folder / "log.txt").read_text()
        desk.pump()
        time.sleep(0.1)


def test_from_the_shelf_to_a_verified_video_behind_the_camera(packaged, scene, programs):
    """
    One press, one dialog, Houdini free at once; the process that it started does the rest; one message, and Load
    Result shows a video whose bytes are those of the sealed artifact, traced back to scene, prompt and model.
    """
    import importlib

    shelf = importlib.import_module("cosmos_houdini.shelf")
    desk = packaged.desk
    desk.answers.extend([(0, WORDS), 2])

    watch = shelf.render_and_submit({})
    folder = watch.folder
    _follow(desk, folder)

    facts = json.loads((folder / "result.json").read_text())
    assert (True, "sealed") == (facts["verified"], facts["state"]), (folder / "log.txt").read_text()
    clip = Clip.load(folder / "clip")
    assert {"color", "depth", "seg", "edge", "vis"} == set(clip.modalities)
    assert (6, 160, 96) == (clip.frames, clip.width, clip.height)
    assert media.file_digest(folder / "scene.hip") == clip.source["hip_sha256"]
    assert scene.as_posix() == clip.source["hip"]
    with Cosmos(scene.parent) as cosmos:
        run = cosmos.store.run(facts["run"])
    assert (State.SEALED, clip.digest, "a street after the storm") == (
        run.state, run.spec.clip, run.spec.prompt.text
    )  # fmt: skip
    assert run.artifact.digest == media.file_digest(folder / facts["video"]) == facts["video_sha256"]
    assert 6 == len(list((folder / "plate").iterdir()))
    assert {("Perspective", 1): (folder / "plate/frame.$F4.jpg").as_posix()} == desk.backgrounds
    assert ["Cosmos", "Cosmos"] == [dialog.title for dialog in desk.dialogs]
    assert any("rendering" in said for said, _ in desk.statuses)


def test_closing_houdini_kills_nothing(packaged, scene, programs):
    """
    The process that Houdini started lives in a session of its own: a signal to Houdini's whole group does not reach
    it, and the passes are sealed although nobody looks any more.
    """
    source = f"""
import os, signal, sys
sys.path[:0] = [{str(Path(__file__).parents[2] / "houdini" / "scripts" / "python")!r}]
import hython_stubs
session = hython_stubs.install(desk=True)
session.hou.hipFile.load({scene.as_posix()!r})
session.desk.answers.append((1, {WORDS!r}))
from cosmos_houdini import shelf
print(shelf.render_and_submit({{}}).folder, flush=True)
os.killpg(0, signal.SIGKILL)
"""
    houdini = subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ,
    )
    said, _ = houdini.communicate(timeout=60)
    folder = Path(said.strip())
    assert -9 == houdini.returncode

    end = time.monotonic() + 240
    while not (folder / "result.json").is_file():
        assert time.monotonic() < end, (folder / "log.txt").read_text()
        time.sleep(0.2)

    facts = json.loads((folder / "result.json").read_text())
    assert True is facts["verified"], facts
    assert Clip.load(folder / "clip").digest == facts["clip"]


def test_a_mishap_comes_back_as_one_message(packaged, scene, programs, monkeypatch):
    """What husk said stands in the log, what it means in the dialog."""
    import importlib

    monkeypatch.setenv("DOUBLE_HUSK", "licence")
    settings = scene.parent / "cosmos.toml"
    settings.write_text(settings.read_text() + "\n[plugins.houdini]\nlicence_tries = 0\n")
    shelf = importlib.import_module("cosmos_houdini.shelf")
    packaged.desk.answers.extend([(0, WORDS), 0])

    watch = shelf.render_and_submit({})
    _follow(packaged.desk, watch.folder)

    dialog = packaged.desk.dialogs[-1]
    assert ("Error", True) == (dialog.severity, "husk found no licence" in dialog.text)
    assert "Failed to acquire license for Karma" in (watch.folder / "log.txt").read_text()
