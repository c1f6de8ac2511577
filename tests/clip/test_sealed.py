"""A sealed clip and its manifest."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction

import attrs
import pytest

from cosmos_core import canonical
from cosmos_core.clip import MANIFEST, Clip, ClipFile, seal
from cosmos_core.errors import InputError, UnknownError
from cosmos_core.testing import media as make


@pytest.fixture
def clip(tmp_path):
    """A sealed clip of colour, depth and segmentation."""
    return seal(make.make_clip(tmp_path / "street"), derive=())


def test_a_clip_knows_its_files(clip):
    """
    Files are asked for by modality.
    """
    assert ("color", "depth", "seg") == clip.modalities
    assert clip.folder / "segmentation.mp4" == clip.path("seg")
    assert (12, 64, 48, Fraction(24)) == tuple(
        getattr(clip.file("depth"), name) for name in ("frames", "width", "height", "fps")
    )
    assert 0.5 == clip.seconds


def test_a_modality_it_lacks_is_unknown(clip):
    """
    The hint says what the clip has.
    """
    with pytest.raises(UnknownError, match="'street' has no vis") as unknown:
        clip.path("vis")

    assert "it has color, depth, seg" == unknown.value.hint


def test_the_digest_is_of_the_pixels_alone(clip, tmp_path):
    """
    A copy elsewhere under another name, told of another source, is the same clip.
    """
    copy = tmp_path / "elsewhere"
    shutil.copytree(clip.folder, copy, ignore=shutil.ignore_patterns(MANIFEST))

    other = seal(copy, name="another", source={"seed": 8}, derive=())

    assert (clip.digest, "another", {"seed": 8}) == (other.digest, other.name, other.source)


@pytest.mark.parametrize("change", [{"frames": 13}, {"fps": Fraction(25)}, {"width": 66}, {"files": ()}])
def test_the_digest_covers_what_a_model_sees(clip, change):
    """
    Another length, rate, size or file is another clip.
    """
    assert clip.digest != attrs.evolve(clip, **change).digest


def test_load_gives_the_clip_back(clip):
    """
    What was sealed is what is loaded, from an absolute folder.
    """
    assert clip == Clip.load(clip.folder)
    assert clip.folder.is_absolute()


def test_a_clip_goes_through_json(clip):
    """
    The store and the command line keep clips as JSON.
    """
    assert clip == canonical.restore(Clip, canonical.plain(clip))


def test_what_is_not_sealed_does_not_load(tmp_path):
    """
    An unsealed folder and a missing one are told apart.
    """
    with pytest.raises(InputError, match="is not a sealed clip"):
        Clip.load(make.make_clip(tmp_path / "street"))
    with pytest.raises(InputError, match="does not exist"):
        Clip.load(tmp_path / "nowhere")


def _edit(clip, **change):
    path = clip.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 99}, "has schema 99; this version reads 1"),
        ({"frames": 93}, "its digest is not that of what it lists"),
        ({"frames": "many"}, "is no manifest"),
        ({"files": "none"}, "is no manifest"),
        ({"mood": "dark"}, "is no manifest"),
    ],
)
def test_a_manifest_that_was_edited_is_refused(clip, change, words):
    """
    Each sentence names the manifest and what is wrong in it.
    """
    _edit(clip, **change)

    with pytest.raises(InputError, match=words):
        Clip.load(clip.folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\ufeff{}"])
def test_a_manifest_that_is_no_json_is_refused(clip, content):
    """
    Garbage is a sentence, not a traceback.
    """
    (clip.folder / MANIFEST).write_text(content, "utf-8")

    with pytest.raises(InputError, match=MANIFEST):
        Clip.load(clip.folder)


def test_a_changed_or_missing_file_is_named(clip):
    """
    Loading sees a file of another size, and one that is gone, without reading any.
    """
    clip.path("depth").write_bytes(b"shorter")
    with pytest.raises(InputError, match=r"depth\.mp4 of clip 'street' was changed: 7 bytes"):
        Clip.load(clip.folder)

    clip.path("depth").unlink()
    with pytest.raises(InputError, match=r"depth\.mp4 of clip 'street' is gone"):
        Clip.load(clip.folder)


@pytest.mark.parametrize("name", ["../secret.mp4", "a/b.mp4", "a\\b.mp4", "C:x.mp4", "..", "", "a\0"])
def test_a_file_name_never_leaves_the_folder(name):
    """
    A manifest from elsewhere cannot point at other files.
    """
    with pytest.raises(InputError, match="not the name of a file"):
        ClipFile(
            modality="color", name=name, sha256="", bytes=0, frames=1, fps=Fraction(1), width=1, height=1
        )


def test_a_manifest_that_points_elsewhere_is_refused(clip):
    """
    The same rule holds for what is read from disk.
    """
    files = json.loads((clip.folder / MANIFEST).read_text())["files"]
    files[0]["name"] = "../color.mp4"
    _edit(clip, files=files)

    with pytest.raises(InputError):
        Clip.load(clip.folder)
