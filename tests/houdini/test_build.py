"""Scenes built by code: the destruction chain, the export, and what happens on a Houdini that lacks something."""

from __future__ import annotations

import importlib

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
    assert built.solver is street.node("solver")
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

    assert built.solver is None
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

    assert rbd.digest(built.solver, range(1, 4)) == rbd.digest(built.solver, range(1, 4))
