"""What Houdini does not know, the fake refuses; what it knows and nobody wrote down, the fake does not invent."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hython_stubs.catalog import PROFILES, Catalog, shipped
from hython_stubs.module import Hou
from hython_stubs.spec import load, parse


@pytest.fixture
def geo(hou):
    return hou.node("/obj").createNode("geo")


REFUSED = {
    "a misspelt function": (lambda hou, geo: hou.noode("/obj"), AttributeError, "has no attribute 'noode'"),
    "a misspelt method": (lambda hou, geo: geo.creatNode("box"), AttributeError, "creatNode"),
    "a method of another class": (lambda hou, geo: geo.render(), AttributeError, "render"),
    "a new attribute": (lambda hou, geo: setattr(geo, "note", 1), AttributeError, "note"),
    "a new module attribute": (lambda hou, geo: setattr(hou, "note", 1), AttributeError, "note"),
    "a missing argument": (lambda hou, geo: geo.createNode(), TypeError, "node_type_name"),
    "a surplus argument": (lambda hou, geo: geo.path(1), TypeError, "too many"),
    "an unknown word": (lambda hou, geo: geo.createNode("box", nam="b"), TypeError, "nam"),
    "a wrong type": (lambda hou, geo: hou.node(3), TypeError, "path is 3"),
    "a text for an enumeration": (lambda hou, geo: hou.ui.setStatusMessage("x", "Error"), TypeError, "severity"),
    "a text for a list": (lambda hou, geo: geo.createNode("box").parmTuple("size").set("123"), TypeError, "Sequence"),
    "a constructor": (lambda hou, geo: hou.SopNode(), AttributeError, "No constructor"),
    "a wrong parent": (lambda hou, geo: hou.node("/obj").createNode("box"), None, "it is a Sop"),
    "an unknown type": (lambda hou, geo: geo.createNode("boxx"), None, "near are box"),
    "a child of a leaf": (lambda hou, geo: geo.createNode("box").createNode("box"), None, "cannot have children"),
    "one of several versions": (
        lambda hou, geo: geo.createNode("rbdmaterialfracture"), None, "exact_type_name=True"
    ),
    "a socket that is not there": (lambda hou, geo: geo.createNode("grid").setInput(0, geo), None, "0 inputs"),
    "a wire across networks": (
        lambda hou, geo: geo.createNode("null").setInput(0, hou.node("/obj").createNode("geo")), None, "different"
    ),
    "a token that is not there": (lambda hou, geo: geo.createNode("box").parm("type").set("cube"), None, "cube"),
    "a text for a number": (lambda hou, geo: geo.createNode("box").parm("scale").set("2"), TypeError, "a number"),
    "a component too many": (lambda hou, geo: geo.createNode("box").parmTuple("t").set((1, 2)), None, "3 components"),
    "a window in hython": (lambda hou, geo: hou.ui.displayMessage("hello"), None, "not available"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused(hou, geo, what):
    """Each mistake is an error, of Houdini's class where Houdini has one."""
    mistake, kind, words = REFUSED[what]

    with pytest.raises(kind or hou.Error) as raised:
        mistake(hou, geo)

    assert words in str(raised.value)


def test_an_unknown_parameter_is_none_as_in_houdini(geo):
    """So code that does not look fails on None, as it would at the artist's."""
    assert geo.createNode("box").parm("sizes") is None


def test_what_nobody_wrote_down_is_said_and_not_mocked(hou):
    """A name that exists gives no made-up answer."""
    with pytest.raises(NotImplementedError, match="exists in Houdini"):
        hou.playbar.setPlaybackRange(1, 10)


def test_a_behaviour_that_lies_about_its_type_is_caught(hou, houdini):
    """What a test registers is held to the stubs too."""
    houdini.behaviours["fps"] = lambda: "24"

    with pytest.raises(AssertionError, match="the fake lies"):
        hou.fps()


def test_components_and_instances_have_houdinis_names(geo, hou):
    """``sizex``, ``f1``, and instances only as many as the folder counts."""
    box = geo.createNode("box")
    box.parmTuple("size").set((1, 2, 3))
    fracture = geo.createNode("rbdmaterialfracture::3.0", exact_type_name=True)
    fracture.parm("concrete_fracturelevel").set(2)
    rop = hou.node("/out").createNode("opengl")

    assert 2 == box.parm("sizey").eval()
    assert fracture.parm("concrete_fractureseed2") is not None
    assert fracture.parm("concrete_fractureseed3") is None
    assert rop.parm("res1") is not None
    assert rop.parm("resx") is None


def test_an_expression_outlives_a_set(hou):
    """The trap of ROPs: a value set over ``$FSTART`` is not seen until the keyframes are deleted."""
    rop = hou.node("/out").createNode("opengl")
    rop.parm("f1").set(12)
    before = rop.parm("f1").eval()
    rop.parmTuple("f").deleteAllKeyframes()

    assert (1.0, 12.0) == (before, rop.parm("f1").eval())


@pytest.mark.parametrize(
    ("houdini_profile", "newest", "karma"),
    [
        ("20.5", None, False),
        ("21.0", "rbdmaterialfracture::3.0", True),
        ("22.0", "rbdmaterialfracture::4.0", True),
    ],
)
def test_each_houdini_has_its_own_types(hou, newest, karma):
    """Code that falls back is tested by choosing a Houdini."""
    sop, lop = hou.sopNodeTypeCategory(), hou.lopNodeTypeCategory()
    found = [
        f"rbdmaterialfracture::{n}.0" for n in (4, 3) if hou.nodeType(sop, f"rbdmaterialfracture::{n}.0")
    ]

    assert newest == (found[0] if found else None)
    assert karma == (hou.nodeType(lop, "karmarendersettings") is not None)


def test_a_scene_is_saved_and_opened_by_another_process(hou, geo, tmp_path):
    """The fake's scene file carries nodes, values and wires."""
    box = geo.createNode("box", "crate")
    box.parmTuple("t").set((0, 2.5, 0))
    end = geo.createNode("null", "OUT")
    end.setInput(0, box)
    hou.hipFile.save(str(tmp_path / "a.hip"))
    source = (
        "import hython_stubs,json,sys;h=hython_stubs.install().hou;h.hipFile.load(sys.argv[1]);"
        "n=h.node('/obj/geo/OUT').inputs()[0];print(json.dumps([n.name(), n.parmTuple('t').eval()]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", source, str(tmp_path / "a.hip")], capture_output=True, text=True, check=True
    )

    assert ["crate", [0, 2.5, 0]] == json.loads(done.stdout)


def test_a_backup_leaves_name_and_unsaved_changes(hou, geo, tmp_path):
    """``saveAsBackup`` is the one way to write a scene without touching the artist's file."""
    hou.hipFile.save(str(tmp_path / "a.hip"))
    geo.createNode("box")

    backup = hou.hipFile.saveAsBackup()

    assert (tmp_path / "backup" / "a_bak1.hip").as_posix() == backup
    assert hou.hipFile.path().endswith("a.hip")
    assert hou.hipFile.hasUnsavedChanges()


def test_geometry_is_made_in_bulk_and_attributes_are_held_to_their_type(hou):
    """Counts and types are checked as Houdini checks them."""
    geometry = hou.Geometry()
    geometry.createPoints([(0, 0, 0), (1, 0, 0), (0, 1, 0)])
    geometry.createPolygons(((0, 1, 2),))
    geometry.addAttrib(hou.attribType.Prim, "class_id", 0)

    geometry.setPrimIntAttribValues("class_id", [4])

    assert (4,) == geometry.primIntAttribValues("class_id")
    with pytest.raises(hou.InvalidSize):
        geometry.setPrimIntAttribValues("class_id", [4, 5])
    with pytest.raises(hou.OperationFailed):
        geometry.setPrimStringAttribValues("class_id", ["x"])


def test_the_event_loop_is_stepped_by_the_test(hou, at_the_desk):
    """Idle callbacks run when the test pumps, and a dialog nobody answered is an error."""
    seen = []
    hou.ui.addEventLoopCallback(lambda: seen.append(1))
    at_the_desk.pump(3)

    assert 3 == len(seen)
    with pytest.raises(AssertionError, match="what to answer"):
        hou.ui.displayMessage("Go?", buttons=("Yes", "No"))


def test_the_stubs_are_read_whole():
    """As many classes and functions as the published file has, none of them skipped."""
    spec = load()

    assert spec.version.startswith("21.0")
    assert len(spec.classes) > 450
    assert len(spec.functions) > 200
    assert "SopNode" in spec.classes


def test_a_stub_with_keyword_only_arguments_is_read():
    """Every kind of argument keeps its kind."""
    spec = parse("# Houdini 1.0\ndef f(a: int, *rest, b: str, c: str = ..., **more) -> int: ...\n")

    kinds = [(one.name, one.kind, one.optional) for one in spec.functions["f"].arguments]
    assert [
        ("a", "plain", False), ("rest", "star", True), ("b", "word", False), ("c", "word", True),
        ("more", "stars", True),
    ] == kinds  # fmt: skip
    assert Hou(spec, {"f": lambda a, *r, **w: a}).f(1, b="x") == 1


def test_every_row_of_the_table_names_its_evidence_and_can_be_built(houdini):
    """No row without a source, and each type and parameter of the newest Houdini can be created and read."""
    known = Catalog(PROFILES[-1])
    table = shipped()

    assert all(row["evidence"] for row in table.values())
    assert all(parm["evidence"] for row in table.values() for parm in row.get("parms", {}).values())
    assert sum(len(row.get("parms", {})) for row in table.values()) > 390
    for key in table:
        category, name = key.split("/", 1)
        assert known.versions(category, name.split("::")[0]), key
