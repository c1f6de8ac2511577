"""Every XML, shelf script, menu and panel of the package: parsed, compiled, and what they import exists."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cosmos_core_houdini import package
from hython_stubs.spec import stub_file

ROOT = Path(__file__).parents[2] / "houdini"
MODULES = ROOT / "scripts" / "python" / "cosmos_houdini"
SOURCES = sorted(MODULES.glob("*.py"))
XML = sorted([*ROOT.glob("*.xml"), *ROOT.glob("toolbar/*.shelf"), *ROOT.glob("python_panels/*.pypanel")])
HOUDINI = {"hou", "hdefereval", "soptoolutils", "drivertoolutils", "PySide2", "PySide6", "cosmos_houdini"}
DOUBLES = ROOT.parent / "plugins" / "houdini" / "tests" / "doubles"
OTHER_PYTHONS = ("3.11", "3.12", "3.13")


def _scripts(path):
    """The pieces of Python in an XML file, with the name of what holds each."""
    for element in ET.parse(path).getroot().iter():
        for child in element:
            if child.tag in ("script", "scriptCode", "expression") and child.text:
                name = element.get("name") or element.get("id") or element.tag
                yield name, child.tag, child.text


SCRIPTS = [
    pytest.param(path, kind, text, id=f"{path.name}:{name}")
    for path in XML
    for name, kind, text in _scripts(path)
]


def test_there_is_a_shelf_a_menu_and_a_panel():
    """None of them is forgotten by the tests below."""
    assert {"MainMenuCommon.xml", "OPmenu.xml", "cosmos.shelf", "cosmos.pypanel"} == {
        path.name for path in XML
    }
    assert len(SCRIPTS) >= 12


@pytest.mark.parametrize(("path", "kind", "text"), SCRIPTS)
def test_a_script_compiles_and_names_what_exists(packaged, path, kind, text):
    """A button that imports something that is not there would fail at the artist's, not here."""
    if kind == "expression":
        compile(text.strip(), path.name, "eval")
        return
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name != "panel":  # needs Qt; read below
                    importlib.import_module(f"{node.module}.{alias.name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id != "kwargs":
            source = (MODULES / f"{node.value.id}.py").read_text("utf-8")
            assert f"def {node.attr}(" in source, f"{node.value.id}.{node.attr}"


def test_every_button_of_the_shelf_has_its_tool():
    """And no tool is left lying about; names are ours, for they are global."""
    root = ET.parse(ROOT / "toolbar" / "cosmos.shelf").getroot()
    members = [one.get("name") for one in root.iter("memberTool")]

    assert members == [one.get("name") for one in root.iter("tool")]
    assert [
        "Build City", "Render and Submit", "Submit Rendered Clip", "Open Queue", "Load Result"
    ] == [one.get("label") for one in root.iter("tool")]  # fmt: skip
    assert all(name.startswith("cosmos::") for name in members)


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_inside_houdini_there_is_only_the_standard_library(path):
    """A foreign package on Houdini's path has broken Houdini before."""
    assert [] == [name for name in _imported(path) if name not in sys.stdlib_module_names | HOUDINI]


def test_only_the_panel_touches_qt():
    """Everything else runs in hython, which has no windows."""
    assert ["qt.py"] == [path.name for path in SOURCES if {"PySide2", "PySide6"} & set(_imported(path))]


BLOCKING = {
    "run",
    "check_output",
    "check_call",
    "communicate",
    "wait",
    "sleep",
    "result",
    "render",
    "ask",
}


@pytest.mark.parametrize("name", ["shelf.py", "watch.py", "scene.py", "callbacks.py"])
def test_nothing_on_the_main_thread_waits(name):
    """No button, callback or dialog calls what blocks."""
    tree = ast.parse((MODULES / name).read_text("utf-8"))
    called = [
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]

    assert [] == [one for one in called if one in BLOCKING]


@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_the_sources_compile_under_the_pythons_of_houdini(version, tmp_path):
    """20.5 and 21 have 3.11, 22 has 3.13; a Python that this machine lacks is skipped."""
    python = _python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    source = "import sys; from pathlib import Path; [compile(Path(p).read_text('utf-8'), p, 'exec') for p in sys.argv[1:]]"

    done = subprocess.run(
        [python, "-W", "error", "-c", source, *map(str, SOURCES)], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_everything_is_built_under_the_pythons_of_houdini(version, tmp_path, program):
    """The doctor's whole round, in a Houdini that is none but under the Python that the real one has."""
    python = _python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    package.build(tmp_path / "package")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "hou-stubs").symlink_to(stub_file().parent)
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join(
            map(str, [ROOT.parent / "tests" / "hython-stubs", tmp_path / "site", DOUBLES])
        ),
        "HYTHON_STUBS_WITH": "rbd_double",
        "HOUDINI_PATH": str(tmp_path / "package"),
        "COSMOS_CLI": program,
    }
    script = tmp_path / "package" / "scripts" / "python" / "cosmos_houdini" / "doctor.py"

    done = subprocess.run(
        [python, "-W", "error", "-m", "hython_stubs.hython", str(script)],
        capture_output=True, text=True, check=False, env=environ, cwd=tmp_path,
    )  # fmt: skip

    (line,) = [line for line in done.stdout.splitlines() if line.startswith("cosmos-doctor: ")]
    answers = json.loads(line.partition(": ")[2])
    assert [] == [answer for answer in answers if answer["level"] != "ok"]
    assert f"Python {version}." in answers[0]["message"]


def _python(version):
    """A Python of that version: on PATH, or among those that pyenv keeps."""
    import shutil

    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for candidate in [*map(str, kept), shutil.which(f"python{version}")]:
        if candidate:
            done = subprocess.run([candidate, "-c", "import sys"], capture_output=True, check=False)
            if done.returncode == 0:
                return candidate
    return None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_sources_are_python_3_11(path):
    """Whatever Python the tests run under, nothing newer than 3.11 is used."""
    ast.parse(path.read_text("utf-8"), feature_version=(3, 11))
