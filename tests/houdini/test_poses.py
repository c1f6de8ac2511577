"""Houdini's simulation as a pose file: written by hou and the standard library, read by the city's own reader."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from cosmos_core_city import posefile
from cosmos_core_city.adopt import adopted
from cosmos_core_city.labels import Label
from cosmos_core_city.spec import CitySpec, resolve

DOUBLES = Path(__file__).parents[2] / "plugins" / "houdini" / "tests" / "doubles"
FRAMES = 24
PARMS = {"seed": 4, "damage": 0.8, "frames": FRAMES}


@pytest.fixture
def module(packaged, monkeypatch):
    """``cosmos_houdini.poses`` in a Houdini whose chain does something."""
    monkeypatch.syspath_prepend(str(DOUBLES))
    monkeypatch.delenv("DOUBLE_RBD", raising=False)
    sys.modules.pop("rbd_double", None)
    importlib.import_module("rbd_double").prepare(packaged)
    return importlib.import_module("cosmos_houdini.poses")


def _built(parms=PARMS, first=1):
    build = importlib.import_module("cosmos_houdini.build_scene")
    return build.city(parms, width=320, height=176, frames=FRAMES, fps=24.0, first=first)


def _written(module, path, *, first=1, parms=PARMS):
    built = _built(parms, first)
    frames = range(first, first + FRAMES)
    counts = module.write(
        path, built.chain, built.resolved, frames=frames, fps=24.0, told={"scene": "a test"}
    )
    return built, counts, posefile.read(path)


def test_what_houdini_writes_the_city_reads(module, tmp_path):
    """The strict reader has nothing against it; it is of the very city, says who made it, and has every piece once."""
    _, counts, file = _written(module, tmp_path / "street.poses")

    header = file.header
    made = adopted(file, resolve(CitySpec(**PARMS)), FRAMES, 24.0)
    assert ("Houdini", "21.0.671", "Commercial", "a test") == (
        header.made_by.program, header.made_by.build, header.made_by.licence, header.made_by.scene,
    )  # fmt: skip
    assert ("y", "xyzw", "clockwise", 1) == (header.up, header.quaternion, header.winding, header.first)
    assert "rbdmaterialfracture::3.0" in header.made_by.simulation
    assert (len(header.bodies), header.polygons) == (counts["bodies"], counts["polygons"])
    assert 0 < counts["moved"] < counts["bodies"]
    assert {Label.ROAD, Label.BUILDING, Label.VEHICLE} <= set(made.scene.label.tolist())
    assert (made.scene.body >= 0).any()


def test_poses_put_pieces_where_houdini_itself_puts_them(module, packaged, tmp_path):
    """Each vertex, moved by its pose, is where ``xformpieces`` has it: pivots, orders and signs are right together."""
    built, _, file = _written(module, tmp_path / "street.poses")
    made = adopted(file, resolve(CitySpec(**PARMS)), FRAMES, 24.0)
    moving = np.flatnonzero(made.scene.body >= 0)
    for frame in (0, 9, 14, 23):
        packaged.frame = float(1 + frame)
        expected = np.array(built.chain.moved.geometry()._fake.points)
        matrix = made.motion.matrices(frame).astype(float)[made.scene.body[moving]]
        rest = made.scene.vertices[moving].astype(float)

        found = np.einsum("nij,nj->ni", matrix[:, :, :3], rest) + matrix[:, :, 3]

        assert np.abs(found[:, [0, 2, 1]] * [1, 1, -1] - expected).max() < 2e-4


def test_a_face_looks_outwards(module, tmp_path):
    """Clockwise in Houdini is counter-clockwise here: each piece encloses a volume that is positive."""
    _, _, file = _written(module, tmp_path / "street.poses")
    scene = adopted(file, resolve(CitySpec(**PARMS)), FRAMES, 24.0).scene

    corners = scene.vertices[scene.triangles].astype(float)
    volume = np.einsum("ti,ti->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    pieces = np.bincount(scene.rides[scene.rides >= 0], volume[scene.rides >= 0])

    assert pieces.min() > 1e-6


def test_a_piece_knows_its_house_and_its_cuts(module, tmp_path):
    """Faces that fracture made have lost their attributes; the piece is of its house all the same."""
    _, _, file = _written(module, tmp_path / "street.poses")
    city = resolve(CitySpec(**PARMS))
    scene = adopted(file, city, FRAMES, 24.0).scene
    victims = {f"building_{row:02}" for row in city.blast.victims}

    of = {scene.instances[number].name for number in set(scene.instance[scene.rides >= 0].tolist())}
    cut = [each.cut for each in file.header.materials]

    assert victims == of
    assert 1 == sum(cut)
    assert np.asarray(cut)[file.arrays["materials"]].sum() > len(file.header.bodies)
    assert {f"rubble of {name}" for name in victims} == {
        scene.groups[into] for at, into in enumerate(scene.rubble.tolist()) if at != into
    }


def test_nothing_moves_before_the_blast(module, tmp_path):
    """Frames up to the solver's start are the street at rest, and bodies say when they let go."""
    built, _, file = _written(module, tmp_path / "street.poses")
    made = adopted(file, resolve(CitySpec(**PARMS)), FRAMES, 24.0)
    late = built.chain.start - 1

    assert 8 == late
    assert not made.motion.moved(0.0)[late].any()
    assert made.motion.moved(0.0)[late + 1].any()
    assert (late + 1) / 24 == pytest.approx(made.motion.starts[np.isfinite(made.motion.starts)].min())
    assert np.isinf(made.motion.starts).any()


def test_another_first_frame_is_the_same_clip(module, tmp_path):
    """A show that begins at 1001 has the same poses; the header says where it began."""
    _, _, one = _written(module, tmp_path / "one.poses")
    for node in importlib.import_module("hou").node("/obj").children():
        node.destroy()
    _, _, other = _written(module, tmp_path / "other.poses", first=1001)

    assert (1, 1001) == (one.header.first, other.header.first)
    assert np.allclose(one.arrays["poses"], other.arrays["poses"], atol=1e-6)
    assert one.header.arrays.points == other.header.arrays.points


def test_after_the_blast_it_has_been_falling_for_long(module, tmp_path):
    """With the offset ``after`` the solver starts before the first frame, as the city's own simulation does."""
    built = _built(PARMS | {"offset": "after"})

    assert 1 - 12 * 24 == built.chain.start


def test_equal_simulations_are_equal_files(module, tmp_path):
    """Byte for byte, so that a digest names a simulation."""
    built, _, one = _written(module, tmp_path / "one.poses")
    module.write(
        tmp_path / "two.poses",
        built.chain,
        built.resolved,
        frames=range(1, 1 + FRAMES),
        fps=24.0,
        told={"scene": "a test"},
    )

    assert one.sha256 == posefile.read(tmp_path / "two.poses").sha256


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ("nameless", "have no attribute name"),
        ("lost", "has other pieces on frame 10 than at its start: 1 are gone, such as building_"),
    ],
)
def test_a_simulation_that_does_not_fit_is_said(module, tmp_path, monkeypatch, mood, words):
    """By the node and what it lacks; nothing is written."""
    built = _built()
    monkeypatch.setenv("DOUBLE_RBD", mood)

    with pytest.raises(module.Unfit, match=words):
        module.write(
            tmp_path / "a.poses", built.chain, built.resolved, frames=range(1, 25), fps=24.0, told={}
        )

    assert [] == list(tmp_path.iterdir())


def test_a_fracture_that_gives_no_polygons_is_said(module, packaged, tmp_path):
    """Packed pieces, or a volume, are no faces that could be filmed."""
    built = _built()
    packaged.behaviours["Prim.type"] = lambda _: packaged.hou.primType.PackedFragment

    with pytest.raises(module.Unfit, match="holds what is no polygon: PackedFragment"):
        module.write(
            tmp_path / "a.poses", built.chain, built.resolved, frames=range(1, 25), fps=24.0, told={}
        )
