"""Scenes built by code: the destruction chain, the export, and what happens on a Houdini that lacks something."""

from __future__ import annotations

import importlib
from pathlib import Path

import hython_stubs.catalog as catalogs
import pytest

PARMS = {"seed": 3, "damage": 0.8}


def _built(parms=PARMS):
    module = importlib.import_module("cosmos_houdini.build_scene")
    return module.city(parms, width=1280, height=704, frames=93, fps=24.0)


@pytest.mark.parametrize(
    ("houdini_profile", "fracture"),
    [("21.0", "rbdmaterialfracture::3.0"), ("22.0", "rbdmaterialfracture::4.0")],
)
def test_the_chain_is_wired_as_it_was_cooked(packaged, fracture):
    """Fracture, constraints and proxy run side by side into the solver; its fourth output moves the rest pieces."""
    built = _built()
    hou = packaged.hou
    street = hou.node("/obj/city")

    def wires(name):
        node = street.node(name)._fake
        return {at: (source.name, output) for at, (source, output) in node.inputs.items()}

    assert fracture == street.node("fracture").type().name()
    assert {0: ("victims", 0), 3: ("impact", 0)} == wires("fracture")
    assert {0: ("fracture", 0), 1: ("fracture", 1), 2: ("fracture", 2)} == wires("configure")
    assert {0: ("launch", 0), 1: ("configure", 1), 2: ("configure", 2), 3: ("rest", 0)} == wires("solver")
    assert {0: ("fracture", 0), 1: ("solver", 3), 2: ("frozen", 0)} == wires("moved")
    assert built.chain.solver is street.node("solver")
    assert street.renderNode() is street.node("OUT_RENDER")


def test_expressions_that_houdini_puts_there_are_gone(packaged):
    """The frozen copy stands still only if its frame holds no $F any more."""
    _built()
    frame = packaged.hou.node("/obj/city/frozen").parm("frame")
    before = frame.eval()
    packaged.frame = 50.0

    assert before == frame.eval()
    assert 9.0 == before  # the blast comes a third of a second after frame 1


def test_the_blast_is_the_citys(packaged):
    """Seed, place and moment come from the resolved description."""
    from cosmos_core_city.spec import CitySpec, resolve

    _built()
    blast = resolve(CitySpec(**PARMS)).blast
    x, y, z = blast.center

    assert pytest.approx((x, z, -y)) == packaged.hou.node("/obj/city/blast").parmTuple("t").eval()
    assert f"{z:.4f}, {-y:.4f}" in packaged.hou.node("/obj/city/launch").parm("snippet").eval()


def test_without_damage_nothing_is_simulated(packaged):
    """A street that stays whole is only built and filmed."""
    built = _built({"seed": 3})

    assert built.chain is None
    assert packaged.hou.node("/obj/city/fracture") is None


def test_the_camera_walks(packaged):
    """From the first frame to the last, along the street, with the clip's own size."""
    _built()
    camera = packaged.hou.node("/obj/cosmos_camera")
    packaged.frame = 1.0
    first = camera.parm("tx").eval()
    packaged.frame = 93.0
    last = camera.parm("tx").eval()

    assert (1280, 704) == camera.parmTuple("res").eval()
    assert 10 < last - first < 20


@pytest.mark.parametrize("houdini_profile", ["20.5"])
def test_a_houdini_that_nobody_vouched_for_is_refused_by_name(packaged):
    """The error says what is missing and in which Houdini."""
    nodes = importlib.import_module("cosmos_houdini.nodes")

    with pytest.raises(nodes.CatalogError, match=r"Houdini 20\.5.*none of rbdmaterialfracture::4\.0"):
        _built()


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("Sop/rbdbulletsolver", "numiteration", "numiterations"),
        ("Sop/rbdmaterialfracture", "materialtype", "material_type"),
        ("Sop/rbdconfigure", "createpackedfragments", "createpacked"),
        ("Object/cam", "focal", "focallength"),
        ("Sop/xformpieces", "attribstotransform", "attribs"),
    ],
)
def test_one_renamed_parameter_in_the_table_stops_the_build(packaged, key, old, new):
    """A Houdini in which it is called otherwise gets no scene, but a sentence with what is near."""
    table = {name: dict(row) for name, row in catalogs.shipped().items()}
    parms = dict(table[key]["parms"])
    parms[new] = parms.pop(old)
    table[key] = table[key] | {"parms": parms}
    ours = [row for library in packaged.libraries.values() for row in library]
    packaged.catalog = catalogs.Catalog("21.0", table)
    for asset in ours:
        packaged.catalog.add(asset.row)
    nodes = importlib.import_module("cosmos_houdini.nodes")

    with pytest.raises(nodes.CatalogError, match=f"no parameter {old}; near is .*{new}"):
        _built()


def test_a_menu_item_that_is_not_there_stops_the_build(packaged):
    """A token that Houdini would refuse, or worse take for another, is looked up first."""
    nodes = importlib.import_module("cosmos_houdini.nodes")
    rop = nodes.make(packaged.hou.node("/stage"), "usd_rop", "r")

    with pytest.raises(nodes.CatalogError, match="no menu item flatten; there is flattenimplicitlayers"):
        nodes.put(rop, "savestyle", "flatten")


def test_the_export_sets_what_it_needs_and_believes_only_the_file(packaged, tmp_path):
    """A node that says nothing and writes nothing is an error."""
    export = importlib.import_module("cosmos_houdini.export")
    packaged.buttons["Lop/usd_rop.execute"] = lambda node: None

    with pytest.raises(export.NothingWritten):
        export.usd(tmp_path, start=1, end=93)

    rop = packaged.hou.node("/stage/cosmos_export")
    assert (1.0, 93.0, 1.0) == rop.parmTuple("f").eval()
    assert "flattenstage" == rop.parm("savestyle").evalAsString()
    assert (tmp_path / "scene.usd").as_posix() == rop.parm("lopoutput").eval()


def test_equal_simulations_have_equal_digests(packaged):
    """The receipt tells two runs apart, or that they are one."""
    rbd = importlib.import_module("cosmos_houdini.rbd")
    built = _built()

    assert rbd.digest(built.chain.solver, range(1, 4)) == rbd.digest(built.chain.solver, range(1, 4))


def _drawn(packaged, part, tmp_path):
    """The ROP of *part*, pressed; what would be drawn is written as a byte a frame."""
    draft = importlib.import_module("cosmos_houdini.draft")
    seen = []

    def render(node, frame_range, **_):
        seen.append(node)
        for frame in range(frame_range[0], frame_range[1] + 1):
            Path(node.parm("picture").evalAtFrame(float(frame))).write_bytes(b"x")

    packaged.renderers["Driver/opengl"] = render
    made = draft.render(part, tmp_path, camera="/obj/cam1", start=5, end=7, size=(64, 48))
    return seen[0], made


@pytest.mark.parametrize("houdini_profile", ["20.5", "21.0", "22.0"])
def test_a_draft_is_drawn_in_every_houdini_we_know(packaged, tmp_path):
    """The same node types and parameters in all three; what blends or lights is off where values must stay apart."""
    draft = importlib.import_module("cosmos_houdini.draft")
    depth, files = _drawn(packaged, draft.DEPTH, tmp_path)
    numbers, _ = _drawn(packaged, draft.SEGMENTATION, tmp_path)

    assert ["depth.0005.exr", "depth.0006.exr", "depth.0007.exr"] == [path.name for path in files]
    assert ("zdepth", "none") == tuple(depth.parm(name).evalAsString() for name in ("imagetype", "aamode"))
    assert ("flat", "none") == tuple(numbers.parm(name).evalAsString() for name in ("shadingmode", "aamode"))
    assert [0, 0, 0] == [numbers.evalParm(name) for name in ("hqlighting", "shadows", "usetextures")]


def test_a_draft_on_a_houdini_that_renamed_a_parameter_stops_with_its_name(packaged, tmp_path):
    """A flat colour that is lit after all would be another number."""
    from dataclasses import replace

    nodes = importlib.import_module("cosmos_houdini.nodes")
    draft = importlib.import_module("cosmos_houdini.draft")
    row = packaged.catalog.find("Driver", "opengl")
    renamed = replace(row.parms["hqlighting"], name="hqlights")
    packaged.catalog.add(replace(row, parms=row.parms | {"hqlighting": renamed}))

    with pytest.raises(nodes.CatalogError, match="no parameter hqlighting; near is hqlights"):
        draft.build(draft.SEGMENTATION, tmp_path, camera="/obj/cam1", start=1, end=2, size=(64, 48))


def test_every_object_that_is_shown_gets_a_number(packaged):
    """Pieces keep theirs; what is hidden has none; the colour stands on what the object shows."""
    draft = importlib.import_module("cosmos_houdini.draft")
    hou = packaged.hou
    _built({"seed": 3})
    for name in ("crate", "hidden"):
        hou.node("/obj").createNode("geo", name).createNode("box", "box1").setDisplayFlag(True)
    hou.node("/obj/hidden").setDisplayFlag(False)
    pieces = set(hou.node("/obj/city/city").geometry().primIntAttribValues("segid")) - {0}

    names = draft.number_objects()

    assert pieces < names.keys()
    assert ["/crate"] == [name for number, name in names.items() if number > max(pieces) and "crate" in name]
    assert not [name for name in names.values() if "hidden" in name]
    shown = hou.node("/obj/crate").displayNode()
    assert ("cosmos_number", "vertex") == (shown.name(), shown.parm("class").evalAsString())
    assert "box1" == shown.input(0).name()


def test_too_many_objects_for_a_draft_are_said(packaged, monkeypatch):
    """Two objects with one colour would be one."""
    draft = importlib.import_module("cosmos_houdini.draft")
    monkeypatch.setattr(draft, "MOST", 1)
    for name in ("a", "b"):
        packaged.hou.node("/obj").createNode("geo", name).createNode("box").setDisplayFlag(True)

    with pytest.raises(packaged.hou.OperationFailed, match="too many for a draft: 1 at most"):
        draft.number_objects()
