"""The city asset cooks: parameters, the resolved city, closed solids with attributes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from cosmos_core_city.labels import Label
from cosmos_core_city.schema import plain
from cosmos_core_city.spec import CitySpec, resolve


@pytest.fixture
def city(packaged):
    """A node of the asset, and the fake it is in."""
    geo = packaged.hou.node("/obj").createNode("geo")
    return geo.createNode("cosmos::city_destruction::1.0", "city", exact_type_name=True)


def _mesh(**parms):
    import importlib

    module = importlib.import_module("cosmos_houdini.city_mesh")
    return module.build(plain(resolve(CitySpec(**parms))))


def test_the_node_has_every_parameter_at_its_default(city, packaged):
    """What a fresh node says is what CitySpec() says."""
    import importlib

    sop = importlib.import_module("cosmos_houdini.city_sop")
    said = sop.parameters(city)

    assert CitySpec() == CitySpec(**said)


def test_parameters_that_are_switched_on_reach_the_city(city, packaged):
    """Optional ones stay away until their switch is on, and menus come as words."""
    import importlib

    sop = importlib.import_module("cosmos_houdini.city_sop")
    city.parm("light").set("dusk")
    city.parm("blast").set(30.0)
    before = sop.parameters(city)
    city.parm("use_blast").set(1)
    city.parm("boxes").set(1)
    after = sop.parameters(city)

    assert ("dusk", False) == (before["light"], "blast" in before)
    assert (30.0, True) == (after["blast"], after["boxes"])


def test_the_cook_builds_the_same_street_as_everybody(city, packaged):
    """The node asks the command itself; its houses are those of the resolved city, with their attributes."""
    city.parm("seed").set(7)
    city.parm("damage").set(0.7)
    expected = resolve(CitySpec(seed=7, damage=0.7))

    geometry = city.geometry()

    buildings = set(geometry.primIntAttribValues("bldg_id")) - {-1}
    assert set(range(len(expected.buildings))) == buildings
    assert len(expected.vehicles) == len(
        {
            name.split("/")[0]
            for name in geometry.primStringAttribValues("name")
            if name.startswith("vehicle_")
        }
    )
    active = {
        building
        for building, on in zip(
            geometry.primIntAttribValues("bldg_id"), geometry.primIntAttribValues("active"), strict=True
        )
        if on
    }
    assert set(expected.blast.victims) == active
    x, y, z = expected.blast.center
    assert pytest.approx((x, z, -y)) == geometry.attribValue("blast_center")
    assert 7 == geometry.attribValue("city_seed")


def test_what_the_city_refuses_is_an_error_on_the_node(city, packaged):
    """In the city's own words, not a traceback."""
    city.parm("use_blast").set(1)
    city.parm("blast").set(500.0)

    with pytest.raises(packaged.hou.OperationFailed):
        city.cook()

    assert "blast is 500" in city.errors()[0]


def test_without_the_command_the_error_says_what_to_type(city, packaged, monkeypatch):
    """The most likely first mishap."""
    monkeypatch.setenv("COSMOS_CLI", "")
    monkeypatch.setenv("PATH", "")
    city.parm("seed").set(99)

    with pytest.raises(packaged.hou.OperationFailed, match="cosmos houdini install"):
        city.cook()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_piece_is_a_closed_solid_that_faces_outwards(packaged, seed):
    """
    Each edge is shared by two faces, once in each direction, and clockwise faces enclose a negative volume: what
    fracture and rigid bodies need, and what Houdini takes for a front.
    """
    mesh = _mesh(seed=seed, damage=0.5)
    pieces = {}
    for name, polygon in zip(mesh.name, mesh.polygons, strict=True):
        pieces.setdefault(name, []).append(polygon)

    for name, polygons in pieces.items():
        edges = Counter(edge for p in polygons for edge in zip(p, (*p[1:], p[0]), strict=True))
        assert all(1 == count and 1 == edges[b, a] for (a, b), count in edges.items()), name
        assert _volume(mesh.points, polygons) < -1e-4, name


def _volume(points, polygons):
    total = 0.0
    for polygon in polygons:
        a = points[polygon[0]]
        for second, third in pairwise(polygon[1:]):
            b, c = points[second], points[third]
            total += (
                a[0] * (b[1] * c[2] - b[2] * c[1])
                - a[1] * (b[0] * c[2] - b[2] * c[0])
                + a[2] * (b[0] * c[1] - b[1] * c[0])
            ) / 6
    return total


def test_classes_are_the_citys_own(packaged):
    """The numbers in the geometry are those of the label table."""
    import importlib

    module = importlib.import_module("cosmos_houdini.city_mesh")

    assert {name: int(Label[name.upper()]) for name in module.CLASSES} == module.CLASSES


def test_every_kind_of_thing_has_a_size(packaged):
    """No vehicle and no piece of furniture that some seed makes is unknown to the builder."""
    for seed in range(12):
        assert _mesh(seed=seed).polygons


def test_equal_parameters_give_equal_meshes(packaged):
    """And another seed another street."""
    assert _mesh(seed=5) == _mesh(seed=5)
    assert _mesh(seed=5) != _mesh(seed=6)


def test_the_street_has_y_up(packaged):
    """The ground lies at zero, roofs above it."""
    mesh = _mesh(seed=1)
    heights = [point[1] for point in mesh.points]

    assert -0.3 == pytest.approx(min(heights))
    assert max(heights) > 15
