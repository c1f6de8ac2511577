"""Pose files: what is read is what was written, and every malformed file is refused with a sentence."""

from __future__ import annotations

import hashlib
import json
import zipfile

import numpy as np
import pytest
from cosmos_core_city import posefile
from cosmos_core_city.posefile import ARRAYS, Header
from cosmos_core_city.schema import of

from cosmos_core.errors import InputError, RefusedError

HEADER = {
    "format": "cosmos-poses",
    "version": 1,
    "made_by": {"program": "test", "build": "1"},
    "city_sha256": "0" * 64,
    "units": "metres",
    "handedness": "right",
    "up": "z",
    "quaternion": "wxyz",
    "winding": "counter-clockwise",
    "fps": 24,
    "frames": 2,
    "points": 8,
    "polygons": 2,
    "corners": 8,
    "bodies": ["a"],
    "groups": [{"name": "house", "rubble": "rubble"}, {"name": "rubble"}],
    "instances": [{"name": "house", "group": "house"}],
    "materials": [{"color": [0.5, 0.5, 0.5]}],
    "labels": ["building"],
}


@pytest.fixture
def arrays():
    """Two squares, of which one rides the body."""
    square = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], float)
    poses = np.zeros((2, 1, 7))
    poses[..., 3] = 1
    return {
        "points": np.concatenate([square, square + 2]),
        "rides": np.array([-1] * 4 + [0] * 4),
        "sizes": np.array([4, 4]),
        "corners": np.arange(8),
        "labels": np.zeros(2, int),
        "materials": np.zeros(2, int),
        "instances": np.zeros(2, int),
        "pivots": np.array([(2.5, 2.5, 2.0)]),
        "starts": np.array([np.inf]),
        "poses": poses,
    }


def blobs(arrays):
    return {
        name: np.ascontiguousarray(arrays[name], dtype=kind).tobytes() for name, (kind, _) in ARRAYS.items()
    }


def packed(path, header, parts, **changes):
    """A file by hand, so that it may be wrong; *changes* are members to replace, None to leave out."""
    digests = {name: hashlib.sha256(blob).hexdigest() for name, blob in parts.items()}
    members = {"poses.json": json.dumps({"arrays": digests, **header}).encode()}
    members |= {f"{name}.bin": blob for name, blob in parts.items()} | changes
    with zipfile.ZipFile(path, "w") as archive:
        for name, blob in members.items():
            if blob is not None:
                archive.writestr(name, blob)
    return path


def test_what_is_read_is_what_was_written(arrays, tmp_path):
    """Every array comes back, the digest is the file's own, and equal contents give equal files."""
    one, two = tmp_path / "a.poses", tmp_path / "b.poses"

    sha256 = posefile.write(one, HEADER, arrays)
    posefile.write(two, HEADER, arrays)
    file = posefile.read(one)

    assert hashlib.sha256(one.read_bytes()).hexdigest() == sha256 == file.sha256
    assert one.read_bytes() == two.read_bytes()
    for name, (kind, _) in ARRAYS.items():
        assert np.array_equal(np.asarray(arrays[name], dtype=kind), file.arrays[name]), name
    assert {"a.poses", "b.poses"} == {path.name for path in tmp_path.iterdir()}


def test_a_deflated_file_is_read(arrays, tmp_path):
    """Whoever writes with another program may compress."""
    path = tmp_path / "a.poses"
    posefile.write(path, HEADER, arrays)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, blob in members.items():
            archive.writestr(name, blob)

    assert 2 == posefile.read(path).header.frames


def test_the_published_schema_says_the_same(arrays, tmp_path):
    """A validator by other people accepts a header that we wrote, and refuses what we refuse."""
    jsonschema = pytest.importorskip("jsonschema", reason="validating needs the package jsonschema")
    posefile.write(tmp_path / "a.poses", HEADER, arrays)
    with zipfile.ZipFile(tmp_path / "a.poses") as archive:
        header = json.loads(archive.read("poses.json"))
    judge = jsonschema.Draft202012Validator(of(Header))
    jsonschema.Draft202012Validator.check_schema(of(Header))

    assert judge.is_valid(header)
    for change in (
        {"up": "x"},
        {"units": "feet"},
        {"fps": 0},
        {"frames": 1},
        {"bodies": []},
        {"city_sha256": "1"},
    ):
        assert not judge.is_valid(header | change), change


WRONG_HEADERS = {
    "another format": ({"format": "alembic"}, "it is 'alembic' version 1"),
    "another version": ({"version": 2}, "version 2; this reads 'cosmos-poses' version 1"),
    "other units": ({"units": "feet"}, "units is 'feet'; allowed is metres"),
    "a left hand": ({"handedness": "left"}, "handedness is 'left'"),
    "another axis": ({"up": "x"}, "up is 'x'; allowed is z, y"),
    "another order": ({"quaternion": "zyxw"}, "allowed is wxyz, xyzw"),
    "another winding": ({"winding": "none"}, "winding is 'none'"),
    "no rate": ({"fps": 0}, "fps is 0"),
    "a rate in words": ({"fps": "24"}, "header.fps is '24', not a float"),
    "a rate that is a flag": ({"fps": True}, "header.fps is True, not a float"),
    "one frame": ({"frames": 1}, "frames is 1"),
    "far too many frames": ({"frames": 10**9}, "frames is 1000000000"),
    "far too many points": ({"points": 10**12}, "points is 1000000000000"),
    "bytes without end": (
        {"points": 20_000_000, "polygons": 10_000_000, "corners": 40_000_000, "frames": 5000, "bodies": [str(n) for n in range(60_000)]},
        "2147483648 is the most",
    ),
    "another count": ({"points": 9}, "points has 96 bytes; its shape (9, 3) needs 108"),
    "no bodies": ({"bodies": []}, "bodies has a length of 0"),
    "a body twice": ({"bodies": ["a", "a"], "frames": 2}, "poses has 56 bytes"),
    "a stranger": ({"weather": "fine"}, "nothing called 'weather' is known in header"),
    "a city by name": ({"city_sha256": "new york"}, "64 hexadecimal digits"),
    "an unknown class": ({"labels": ["lava"]}, "there is no class 'lava'"),
    "sky": ({"labels": ["sky"]}, "labelled sky"),
    "an unknown kind": ({"materials": [{"color": [0, 0, 0], "kind": "gold"}]}, "kind is 'gold'"),
    "a loud colour": ({"materials": [{"color": [2, 0, 0]}]}, "not from 0 to 1"),
    "a colour of two": ({"materials": [{"color": [0, 0]}]}, "has 2 values, not 3"),
    "nine parameters": ({"materials": [{"color": [0, 0, 0], "parameters": [0] * 9}]}, "length of 9"),
    "an unknown group": ({"instances": [{"name": "x", "group": "gone"}]}, "there is no group 'gone'"),
    "an instance of nothing": (
        {"instances": [{"name": "house", "group": "house"}, {"name": "car", "group": "house"}]}, "'car' has no polygon"
    ),
    "unknown rubble": ({"groups": [{"name": "house", "rubble": "dust"}]}, "no group 'dust'"),
    "a group twice": ({"groups": [{"name": "house"}, {"name": "house"}]}, "two groups have one name"),
    "made by nobody": ({"made_by": {"program": ""}}, "made_by has no build"),
    "a list for an object": ({"made_by": []}, "header.made_by is [], not an object"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG_HEADERS)
def test_a_wrong_header_is_refused(arrays, tmp_path, what):
    """By the sentence that says what is wrong with it."""
    changes, words = WRONG_HEADERS[what]
    path = packed(tmp_path / "a.poses", HEADER | changes, blobs(arrays))

    with pytest.raises(RefusedError) as raised:
        posefile.read(path)

    assert any(words in finding.message for finding in raised.value.findings), raised.value.findings


def _put(name, at, value):
    def change(arrays):
        arrays[name] = np.array(arrays[name], dtype=float if ARRAYS[name][0] == "<f4" else int)
        arrays[name][at] = value

    return change


WRONG_ARRAYS = {
    "a point that is none": (_put("points", (0, 0), np.nan), "points holds what is no number"),
    "a point at the moon": (_put("points", (0, 0), 4e8), "farther than 100000 m"),
    "a pose that is none": (_put("poses", (1, 0, 0), np.inf), "poses holds what is no number"),
    "a quaternion of no length": (
        _put("poses", (1, 0, 3), 0),
        "body 'a' in frame 1 has a length of 0, not 1",
    ),
    "a start that is none": (_put("starts", 0, np.nan), "starts holds"),
    "a pivot that is none": (_put("pivots", (0, 1), np.nan), "pivots holds"),
    "a body that is not there": (_put("rides", 4, 1), "rides holds 1 at 4; allowed is -1 to 0"),
    "a corner that is not there": (_put("corners", 2, 8), "corners holds 8 at 2; allowed is 0 to 7"),
    "a corner below": (_put("corners", 2, -1), "corners holds -1 at 2"),
    "a label that is not there": (_put("labels", 1, 1), "labels holds 1 at 1"),
    "a material that is not there": (_put("materials", 1, 3), "materials holds 3 at 1"),
    "an instance that is not there": (_put("instances", 0, 7), "instances holds 7 at 0"),
    "a polygon of two": (_put("sizes", 0, 2), "polygon 0 has less than three corners"),
    "corners too few": (_put("sizes", 1, 5), "the polygons have 9 corners, and 8 are there"),
    "a polygon on two bodies": (_put("rides", 5, -1), "the corners of polygon 1 ride two bodies"),
}


@pytest.mark.parametrize("what", WRONG_ARRAYS)
def test_wrong_numbers_are_refused(arrays, tmp_path, what):
    """Neither the reader nor the writer lets them through; the writer leaves what was there."""
    change, words = WRONG_ARRAYS[what]
    before = tmp_path / "b.poses"
    before.write_bytes(b"as it was")
    change(arrays)
    path = packed(tmp_path / "a.poses", HEADER, blobs(arrays))

    with pytest.raises(RefusedError) as read:
        posefile.read(path)
    with pytest.raises(RefusedError):
        posefile.write(before, HEADER, arrays)

    assert any(words in finding.message for finding in read.value.findings), read.value.findings
    assert b"as it was" == before.read_bytes()
    assert {"a.poses", "b.poses"} == {one.name for one in tmp_path.iterdir()}


MEMBERS = {
    "no header": ({"poses.json": None}, "holds no poses.json"),
    "no array": ({"poses.bin": None}, "holds no poses.bin"),
    "a stranger": ({"virus.exe": b"MZ"}, "nothing called 'virus.exe' is known"),
    "another place": ({"../poses.bin": b""}, "nothing called '../poses.bin' is known"),
    "other bytes": ({"starts.bin": b"\0\0\0\0"}, "starts does not have the digest that the header says"),
    "bytes too many": ({"starts.bin": b"\0" * 8}, "starts has 8 bytes"),
    "no JSON": ({"poses.json": b"{"}, "its header is not JSON"),
    "deep JSON": ({"poses.json": b"[" * 200_000}, "its header is not JSON"),
    "no number": ({"poses.json": b'{"fps": NaN}'}, "NaN is no number"),
    "a list": ({"poses.json": b"[]"}, "header is [], not an object"),
    "nothing": ({"poses.json": b"{}"}, "it is None version None"),
}


@pytest.mark.parametrize("what", MEMBERS)
def test_an_archive_of_something_else_is_refused(arrays, tmp_path, what):
    """Members too many, too few, or other than the header says."""
    changes, words = MEMBERS[what]
    path = packed(tmp_path / "a.poses", HEADER, blobs(arrays), **changes)

    with pytest.raises(RefusedError) as raised:
        posefile.read(path)

    assert any(words in finding.message for finding in raised.value.findings), raised.value.findings


def test_every_cut_and_every_flipped_byte_is_refused(arrays, tmp_path):
    """A file that lost its end, or whose bytes changed anywhere, is refused or says the same; nothing else is raised."""
    path = tmp_path / "a.poses"
    posefile.write(path, HEADER, arrays)
    whole = path.read_bytes()
    told = posefile.read(path)
    broken = [whole[:size] for size in range(0, len(whole), 37)]
    broken += [whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :] for at in range(0, len(whole), 5)]
    for content in broken:
        path.write_bytes(content)
        try:
            found = posefile.read(path)
        except RefusedError:
            continue
        # Dates and other remarks of the archive are nobody's business.
        assert told.header == found.header
        assert all(np.array_equal(told.arrays[name], found.arrays[name]) for name in ARRAYS)


@pytest.mark.parametrize("content", [None, b"", b"PK", b"not an archive"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    """Missing, empty and foreign files are refused by name."""
    path = tmp_path / "a.poses"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=r"a\.poses"):
        posefile.read(path)


def test_an_encrypted_member_is_refused(arrays, tmp_path):
    """Its flag is set in both places where an archive says so."""
    path = tmp_path / "a.poses"
    posefile.write(path, HEADER, arrays)
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)

    with pytest.raises(RefusedError, match="damaged"):
        posefile.read(path)
