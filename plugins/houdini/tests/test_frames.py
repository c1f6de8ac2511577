"""Channels of an EXR file: whatever a renderer calls them, each is found, and nothing else is taken for it."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig

import numpy as np
import pytest
from cosmos_core_houdini import doctor, frames
from cosmos_core_houdini.ends import Failed

NAMES = {
    "as our double writes": ["R", "G", "B", "A", "depth", "segment", "normal.x", "normal.y", "normal.z"],
    "a layer each": ["C.R", "C.G", "C.B", "C.A", "depth.Z", "segment.R", "normal.x"],
    "small letters": ["C.r", "C.g", "C.b", "depth.z", "segment.r"],
    "single letters": ["r", "g", "b", "a", "depth.V", "segment.V"],
    "by their sources": ["Ci.r", "Ci.g", "Ci.b", "ray:hitPz", "primvars:cosmos_segment"],
    "sources with parts": ["R", "G", "B", "hitPz.x", "cosmos_segment.x", "Pz"],
    "three equal channels": ["R", "G", "B", "depth.R", "depth.G", "depth.B", "segment.R", "segment.G", "segment.B"],
    "parts": ["beauty.R", "beauty.G", "beauty.B", "depth.depth", "segment.segment.R"],
    "words": ["color.red", "color.green", "color.blue", "depth.y", "segment.red"],
}  # fmt: skip


@pytest.mark.parametrize("how", NAMES)
def test_every_pass_is_found(how):
    """In each plausible way of naming, five different channels of the right layers."""
    found = frames.taken(NAMES[how])

    assert list(frames.WANTED) == list(found)
    assert 5 == len(set(found.values()))
    assert "segment" in found["segment"]
    assert "depth" in found["depth"].lower() or "pz" in found["depth"].lower()
    assert not {"A", "a", "C.A", "normal.x", "depth.B"} & set(found.values())


@pytest.mark.parametrize(
    ("names", "lacking"),
    [
        (["R", "G", "B", "A"], ["depth", "segment"]),
        (["R", "G", "B", "normal.z", "P.z", "segment"], ["depth"]),
        (["depth", "segment", "normal.r", "normal.g", "normal.b"], ["R", "G", "B"]),
        (["R", "G", "B", "Z", "primid"], ["depth", "segment"]),
    ],
)
def test_nothing_else_is_taken_for_a_pass(names, lacking):
    """Normals are no colour, a height is no depth, and a renderer's own number is none of ours."""
    found = frames.taken(names)

    assert lacking == [name for name in frames.WANTED if name not in found]


@pytest.fixture
def write(tmp_path):
    """Write an EXR file of named parts, each with channels of one value."""

    def made(parts):
        import OpenEXR

        path = tmp_path / "render.0001.exr"
        head = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        filled = {
            name: {key: np.full((4, 6), value, np.float32) for key, value in channels.items()}
            for name, channels in parts.items()
        }
        if len(parts) == 1:
            OpenEXR.File(head, *filled.values()).write(str(path))
        else:
            OpenEXR.File([OpenEXR.Part(dict(head), each, name) for name, each in filled.items()]).write(
                str(path)
            )
        return path

    return made


def test_a_file_of_several_parts_is_read(write):
    """A part a pass: depth and numbers are found in theirs."""
    path = write({"beauty": {"R": 0.1, "G": 0.2, "B": 0.3}, "depth": {"Z": 7.0}, "segment": {"V": 3.0}})

    frame = frames.read(path)

    assert [0.1, 0.2, 0.3] == pytest.approx(frame.color[0, 0].tolist())
    assert (7.0, 3) == (float(frame.depth[0, 0]), int(frame.segments[0, 0]))


def test_what_is_there_is_said_when_something_is_missing(write):
    """The error lists the channels, so that one look tells how this build names them."""
    path = write({"": {"R": 0.1, "G": 0.2, "B": 0.3, "Pz_other": 7.0}})

    with pytest.raises(Failed, match="has no depth: it has B, G, Pz_other, R"):
        frames.read(path)


def test_doctor_says_what_a_frame_holds(write):
    """Every channel, which is taken for what, and what is missing; through the command, too."""
    path = write({"": {"R": 0.0, "G": 0.5, "B": 1.0, "hitPz": 7.0}})
    said = {(finding.level, finding.message) for finding in doctor.frame(path)}
    done = subprocess.run(
        [shutil.which("cosmos", path=sysconfig.get_path("scripts")), "houdini", "doctor", "--exr", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ("ok", "render.0001.exr holds B, G, R, hitPz") in said
    assert ("ok", "depth is hitPz: 6x4, float32, 7 to 7") in said
    assert ("fail", "nothing in it is taken for segment") in said
    assert 1 == done.returncode
    assert "depth is hitPz" in done.stdout


@pytest.mark.parametrize("parts", [1, 3])
def test_a_frame_that_was_cut_is_no_frame(write, parts):
    """Wherever it ends it is refused; of several parts the decoder may leave out those that it lost."""
    wanted = {"beauty": {"R": 0.1, "G": 0.2, "B": 0.3}, "depth": {"Z": 7.0}, "segment": {"V": 3.0}}
    joined = {"": {"R": 0.1, "G": 0.2, "B": 0.3, "depth": 7.0, "segment": 3.0}}
    path = write(joined if parts == 1 else wanted)
    whole = path.read_bytes()

    for size in range(0, len(whole) - 1, 11):
        path.write_bytes(whole[:size])
        with pytest.raises(Failed, match="cannot be decoded" + ("" if parts == 1 else "|has no")):
            frames.read(path)


def test_what_is_no_frame_is_said(tmp_path):
    """A damaged file is one finding."""
    path = tmp_path / "render.0001.exr"
    path.write_bytes(b"no")

    (finding,) = doctor.frame(path)

    assert ("fail", True) == (finding.level, "cannot be decoded" in finding.message)
