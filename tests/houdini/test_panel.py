"""The panel in a real Qt: made by the very script of the panel file, filled by a process, never waited for."""

from __future__ import annotations

import importlib
import os
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cosmos_core import Cosmos
from cosmos_core.testing import media as make

pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed here; Houdini brings its own")

PANEL = Path(__file__).parents[2] / "houdini" / "python_panels" / "cosmos.pypanel"


def _idle(application, until, seconds=60.0):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        application.processEvents()
        time.sleep(0.02)


def _panel(hip, packaged):
    packaged.hip = str(hip)
    names = {}
    exec(ET.parse(PANEL).getroot().find("interface/script").text, names)
    return names["onCreateInterface"]()


def test_the_queue_of_the_scene_is_shown(packaged, application, tmp_path):
    """A row a run, of the workspace in which the scene lies."""
    clip = tmp_path / "clip"
    clip.mkdir()
    make.make_video(clip / "color.mp4", frames=5)
    with Cosmos.create(tmp_path / "show") as cosmos:
        cosmos.submit("a street in fog", clip=clip, name="foggy")

    panel = _panel(tmp_path / "show" / "shot7.hip", packaged)
    _idle(application, panel.table.rowCount)

    assert ("foggy", "queued") == tuple(panel.table.item(0, column).text() for column in (0, 1))
    assert "1 run" == panel.said.text()
    panel.close()


def test_what_goes_wrong_is_a_sentence_in_the_panel(packaged, application, tmp_path, monkeypatch):
    """No workspace, no command: neither is an exception in Houdini's event loop."""
    panel = _panel(tmp_path / "a.hip", packaged)
    _idle(application, panel.said.text)
    assert "workspace" in panel.said.text()
    monkeypatch.setenv("COSMOS_CLI", "")
    monkeypatch.setenv("PATH", os.devnull)

    panel.look()

    assert "cosmos houdini install" in panel.said.text()
    assert importlib.import_module("cosmos_houdini.panel").EVERY >= 1000
    panel.close()
