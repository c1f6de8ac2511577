"""A Houdini that has our package: assets, modules, the ``cosmos`` command of this very checkout."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "houdini"
ASSETS = ROOT / "hda"
_CITIES = {}
MODULES = PACKAGE / "scripts" / "python"


@pytest.fixture
def program():
    """The ``cosmos`` command beside the Python that runs the tests."""
    found = shutil.which("cosmos", path=sysconfig.get_path("scripts"))
    assert found
    return found


@pytest.fixture
def packaged(houdini, program, monkeypatch):
    """The fake Houdini with our assets installed and our modules importable, all imported anew."""
    monkeypatch.syspath_prepend(str(MODULES))
    monkeypatch.setenv("COSMOS_CLI", program)
    for name in [name for name in sys.modules if name.split(".")[0] == "cosmos_houdini"]:
        monkeypatch.delitem(sys.modules, name)
    for library in sorted(ASSETS.glob("*.hda")):
        houdini.install_asset(library)
    # Cities that another test asked the command for are not asked for again.
    importlib.import_module("cosmos_houdini.city_sop")._KEPT = _CITIES
    yield houdini
    for name in [name for name in sys.modules if name.split(".")[0] == "cosmos_houdini"]:
        del sys.modules[name]


@pytest.fixture
def saved_scene(packaged, tmp_path):
    """A scene with a camera, saved; gives its path."""
    hou = packaged.hou
    hou.node("/obj").createNode("cam", "cam1")
    packaged.frame_range = (1.0, 93.0)
    path = tmp_path / "show" / "shot 7.hip"
    path.parent.mkdir()
    hou.hipFile.save(path.as_posix())
    return path


@pytest.fixture
def application(monkeypatch):
    """A Qt without a screen."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from PySide6 import QtWidgets

    return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])


def writer():
    """``hda/write.py`` as a module."""
    spec = importlib.util.spec_from_file_location("hda_write", ASSETS / "write.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def write():
    return writer()
