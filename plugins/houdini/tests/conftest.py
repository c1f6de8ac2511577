"""A Houdini that is none: hython and husk as programs of their own, which misbehave when they are told to."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def _program(path, module):
    """An executable file that runs a module of this folder with this Python."""
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(HERE / 'doubles')!r})\n"
        f"import {module}\nsys.exit({module}.main())\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def programs_in(folder):
    """Both programs in *folder*; gives hython's path."""
    folder.mkdir(parents=True)
    _program(folder / "husk", "husk_double")
    return _program(folder / "hython", "hython_double")


def save_scene(path):
    """A scene that the fake saved: a box and a ground before a camera."""
    from hython_stubs.session import install, uninstall

    session = install()
    hou = session.hou
    obj = hou.node("/obj")
    camera = obj.createNode("cam", "cam1")
    camera.parmTuple("t").set((0.0, 2.0, 12.0))
    camera.parm("far").set(500.0)
    box = obj.createNode("geo", "crate").createNode("box", "box1")
    box.parmTuple("size").set((2.0, 2.0, 2.0))
    box.parmTuple("t").set((0.0, 1.0, 0.0))
    ground = obj.createNode("geo", "ground").createNode("box", "box1")
    ground.parmTuple("size").set((40.0, 0.1, 30.0))
    ground.parmTuple("t").set((0.0, 0.0, -5.0))
    path.parent.mkdir(exist_ok=True)
    hou.hipFile.save(str(path))
    uninstall()
    return path


@pytest.fixture
def houdini_bin(tmp_path, monkeypatch):
    """``$HFS/bin`` with both programs; COSMOS_HYTHON names the first."""
    folder = tmp_path / "hfs" / "bin"
    monkeypatch.setenv("COSMOS_HYTHON", str(programs_in(folder)))
    monkeypatch.delenv("HFS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in [name for name in os.environ if name.startswith(("DOUBLE_", "HYTHON_STUBS_"))]:
        monkeypatch.delenv(name)
    return folder


@pytest.fixture
def scene(tmp_path, houdini_bin):
    """A scene before which both programs stand ready; gives its path."""
    return save_scene(tmp_path / "show" / "shot7.hip")


@pytest.fixture(scope="session")
def a_houdini(tmp_path_factory):
    """For jobs that several tests look at: the environment of a Houdini, and a scene."""
    root = tmp_path_factory.mktemp("houdini")
    hython = programs_in(root / "hfs" / "bin")
    return {"COSMOS_HYTHON": str(hython), "XDG_DATA_HOME": str(root / "data")}, save_scene(
        root / "show" / "shot7.hip"
    )
