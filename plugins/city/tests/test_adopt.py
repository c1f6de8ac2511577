"""Our own wreck as a file and back: whoever simulated, the frames are those that the renderer draws of its own."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from cosmos_core_city import adopt, posefile
from cosmos_core_city.adopt import adopted, lend
from cosmos_core_city.generate import generate
from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.spec import CityOptions, CitySpec, resolve
from cosmos_core_city.wreck import wreck

from cosmos_core import media
from cosmos_core.errors import RefusedError
from cosmos_core.extend import silent

FRAMES = 20
SPEC = CitySpec(
    seed=4, camera="drone", width=320, height=176, frames=FRAMES, damage=0.9, truth=("all",), boxes=True
)


@pytest.fixture(scope="module")
def city():
    return resolve(SPEC)


@pytest.fixture(scope="module")
def made(city):
    return wreck(city, FRAMES, 24.0)


@pytest.fixture(scope="module")
def own(made, city, tmp_path_factory):
    """The wreck as a file, and its digest."""
    path = tmp_path_factory.mktemp("own") / "street.poses"
    return path, lend(made, city, path)


def said_otherwise(path, target, *, up="y", quaternion="xyzw", winding="clockwise"):
    """The same street as a program with other conventions writes it."""
    file = posefile.read(path)
    arrays = dict(file.arrays)
    corners = arrays["corners"].reshape(-1, 3)
    if winding == "clockwise":
        arrays["corners"] = corners[:, ::-1].reshape(-1)
    poses = arrays["poses"].copy()
    if up == "y":
        for name in ("points", "pivots"):
            arrays[name] = arrays[name][:, [0, 2, 1]] * np.float32([1, 1, -1])
        poses[..., :3] = poses[..., [0, 2, 1]] * np.float32([1, 1, -1])
        poses[..., 4:] = poses[..., [4, 6, 5]] * np.float32([1, 1, -1])
    if quaternion == "xyzw":
        poses[..., 3:] = poses[..., [4, 5, 6, 3]]
    arrays["poses"] = poses
    header = attrs.asdict(file.header) | {"up": up, "quaternion": quaternion, "winding": winding}
    del header["arrays"]
    return posefile.write(target, header, arrays)


def same(one, other, path=""):
    for field in attrs.fields(type(one)):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert (a.dtype, a.shape) == (b.dtype, b.shape), path + field.name
            assert np.array_equal(a, b), path + field.name
        else:
            assert a == b, path + field.name


@pytest.mark.parametrize(
    "conventions",
    [
        None,
        {},
        {"up": "z"},
        {"quaternion": "wxyz"},
        {"winding": "counter-clockwise"},
    ],
    ids=["ours", "Houdini's", "Z up", "w first", "counter-clockwise"],
)
def test_every_array_comes_back_whatever_the_conventions(own, made, city, tmp_path, conventions):
    """Axes, quaternions and windings are only names of one thing: what they mean is equal to the last bit."""
    path = own[0]
    if conventions is not None:
        path = tmp_path / "theirs.poses"
        said_otherwise(own[0], path, **conventions)

    back = adopted(posefile.read(path), city, FRAMES, 24.0)

    same(made.scene, back.scene)
    same(attrs.evolve(made.motion, bodies=back.motion.bodies), back.motion)


def test_the_frames_of_a_file_are_those_of_the_simulation(own, tmp_path):
    """Every pass, all ground truth, the boxes and the camera: byte for byte what the direct clip has."""
    path, sha256 = own
    folders = [tmp_path / "direct", tmp_path / "filmed"]
    for folder in folders:
        folder.mkdir()

    direct = generate(SPEC, folders[0], silent)
    filmed = generate(
        CityOptions(**attrs.asdict(SPEC), poses=str(path), poses_sha256=sha256), folders[1], silent
    )

    files = {
        each.relative_to(folders[0]): each.read_bytes() for each in folders[0].rglob("*") if each.is_file()
    }
    assert len(files) > 12
    assert files == {
        each.relative_to(folders[1]): each.read_bytes() for each in folders[1].rglob("*") if each.is_file()
    }
    told = filmed["destruction"]
    assert (sha256, "cosmos-core-city") == (told["file_sha256"], told["made_by"]["program"])
    assert {key: value for key, value in direct.items() if key not in ("destruction", "versions")} == {
        key: value for key, value in filmed.items() if key not in ("destruction", "versions")
    }
    assert "rapier3d" not in filmed["versions"]


@pytest.mark.parametrize(
    ("changes", "frames", "words"),
    [
        ({"seed": 5}, FRAMES, "the poses are of the city"),
        ({"damage": 0.5}, FRAMES, "the poses are of the city"),
        ({}, FRAMES + 1, "the poses are 20 frames at 24 a second, and the clip is 21 at 24"),
    ],
)
def test_poses_of_another_street_or_length_are_refused(own, changes, frames, words):
    """A street is not filmed with the fall of another."""
    other = resolve(attrs.evolve(SPEC, **changes))

    with pytest.raises(RefusedError, match=words):
        adopted(posefile.read(own[0]), other, frames, 24.0)


def test_the_input_is_named_by_digest(own, tmp_path):
    """A file without its digest, with another, gone, or for a street where nothing falls is refused before any work."""
    path, sha256 = own
    spec = attrs.asdict(SPEC)

    def told(**options):
        return [finding.message for finding in adopt.review(CityOptions(**(spec | options)))]

    assert [] == told(poses=str(path), poses_sha256=sha256)
    assert "not named by digest" in told(poses=str(path))[0]
    assert f"has the digest {sha256}" in told(poses=str(path), poses_sha256="0" * 64)[0]
    assert "cannot be read" in told(poses=str(tmp_path / "gone"), poses_sha256=sha256)[0]
    assert "no file" in told(poses_sha256=sha256)[0]
    assert "nothing falls" in told(poses=str(path), poses_sha256=sha256, damage=0.0)[0]


def test_a_file_that_changed_meanwhile_is_refused(own, tmp_path):
    """The digest is asked for again when the file is read; the folder stays empty."""
    path = tmp_path / "street.poses"
    path.write_bytes(own[0].read_bytes())
    theirs = said_otherwise(own[0], path)
    folder = tmp_path / "clip"
    folder.mkdir()
    assert theirs == media.file_digest(path) != own[1]

    with pytest.raises(RefusedError, match="has the digest"):
        generate(CityOptions(**attrs.asdict(SPEC), poses=str(path), poses_sha256=own[1]), folder, silent)

    assert [] == list(folder.iterdir())


def test_a_street_that_stands_lends_nothing(tmp_path):
    """There is nothing to write, and nothing is written."""
    city = resolve(attrs.evolve(SPEC, damage=0.0))

    with pytest.raises(RefusedError, match="nothing of this city moves"):
        lend(wreck(city, FRAMES, 24.0), city, tmp_path / "a.poses")

    assert [] == list(tmp_path.iterdir())


def test_a_plain_material_looks_as_its_class_does(own, city, tmp_path):
    """
    A program that knows classes and colours only: walls wear what the city says of their building, cuts show brick,
    roads are asphalt, and what nobody told a look is painted.
    """
    file = posefile.read(own[0])
    header = attrs.asdict(file.header)
    del header["arrays"]
    header["materials"] = [{"color": (0.2, 0.3, 0.4)}, {"color": (0.5, 0.5, 0.5), "cut": True}]
    row = next(at for at, each in enumerate(header["instances"]) if each["name"].startswith("building"))
    header["instances"][row]["building"] = 2
    arrays = dict(file.arrays)
    mine = arrays["instances"] == row
    arrays["materials"] = np.where(mine & (np.arange(len(mine)) % 2 > 0), 1, 0)
    posefile.write(tmp_path / "plain.poses", header, arrays)

    scene = adopted(posefile.read(tmp_path / "plain.poses"), city, FRAMES, 24.0).scene

    def kinds(label, of=None):
        rows = (scene.label == label) & ((scene.instance == row) if of else (scene.instance != row))
        return {Kind(int(kind)) for kind in scene.materials[scene.material[rows], 0]}

    wall = Kind.BRICK if city.buildings[2].wall.kind == "brick" else Kind.PLASTER
    assert {Kind.ASPHALT} == kinds(Label.ROAD)
    assert {Kind.PAINT} == kinds(Label.STREET_FURNITURE)
    assert {wall, Kind.BRICK} == kinds(Label.BUILDING, of=row)
