"""From a folder to a sealed clip, or to everything that stands against it."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction

import numpy as np
import pytest

from cosmos_core import controls, media
from cosmos_core.clip import MANIFEST, Clip, inspect, seal
from cosmos_core.errors import InputError, Level, RefusedError
from cosmos_core.testing import media as make


@pytest.fixture
def folder(tmp_path):
    """An unsealed clip of colour, depth and segmentation."""
    return make.make_clip(tmp_path / "street")


def _listing(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _failures(findings):
    return [finding.message for finding in findings if finding.level is Level.FAIL]


def test_a_good_folder_has_no_findings(folder):
    """
    Inspecting decodes everything, changes nothing and has nothing to say.
    """
    before = _listing(folder)

    draft, findings = inspect(folder)

    assert () == findings
    assert (("color", "depth", "seg"), 12, Fraction(24)) == (draft.modalities, draft.frames, draft.fps)
    assert before == _listing(folder)


def test_sealing_derives_edges_and_blur_and_writes_the_manifest(folder):
    """
    Given videos stay as they are, missing controls are marked as derived, and nothing temporary stays.
    """
    before = _listing(folder)

    clip = seal(folder, name="Street", source={"seed": 3})

    after = _listing(folder)
    assert before.items() <= after.items()
    assert {"edge.mp4", "vis.mp4", MANIFEST} == after.keys() - before.keys()
    assert [("edge", True), ("vis", True)] == [(f.modality, f.derived) for f in clip.files[3:]]
    assert ("Street", {"seed": 3}) == (clip.name, clip.source)
    assert clip == Clip.load(folder)


def test_edges_are_derived_from_what_the_models_would_see(folder):
    """
    The derived edges are Canny of the decoded colour video, exactly.
    """
    clip = seal(folder, derive=["edge"])

    colour, edges = (media.read_frames(clip.path(modality)) for modality in ("color", "edge"))
    for rgb, found in zip(colour, edges, strict=True):
        assert np.array_equal(controls.edge(rgb), found[:, :, 0])


def test_given_controls_are_not_derived_again(folder):
    """
    An edge video that is there is the edge of the clip.
    """
    shutil.copy(folder / "depth.mp4", folder / "Edges.mp4")

    clip = seal(folder, derive=["edge"])

    assert ("Edges.mp4", False) == (clip.file("edge").name, clip.file("edge").derived)


def test_what_cannot_be_derived_is_said(folder):
    """
    Depth needs a scene or a network.
    """
    with pytest.raises(InputError, match="'depth' cannot be derived"):
        seal(folder, derive=["depth"])


def test_sealing_twice_gives_the_same_clip(folder):
    """
    A sealed folder is compared with its digests and opened; nothing is written.
    """
    clip = seal(folder, derive=["edge"])
    before = _listing(folder)

    assert clip == seal(folder)
    assert before == _listing(folder)


def test_two_folders_of_equal_frames_have_equal_digests(tmp_path):
    """
    Encoding and deriving are deterministic.
    """
    one, two = (seal(make.make_clip(tmp_path / name), derive=["edge"]) for name in ("one", "two"))

    assert one.digest == two.digest


def test_a_change_after_sealing_names_the_file(folder):
    """
    Same size, other bytes: only the digest sees it.
    """
    seal(folder, derive=())
    content = bytearray((folder / "depth.mp4").read_bytes())
    content[-1] ^= 1
    (folder / "depth.mp4").write_bytes(content)

    with pytest.raises(RefusedError, match=r"depth\.mp4 was changed after street was sealed"):
        seal(folder)


def test_a_pass_added_after_sealing_is_named(folder):
    """
    A clip does not silently lack what lies in its folder.
    """
    seal(folder, derive=())
    shutil.copy(folder / "color.mp4", folder / "vis.mp4")

    with pytest.raises(RefusedError, match=r"vis\.mp4 was added after street was sealed"):
        seal(folder)


def test_a_file_gone_after_sealing_is_a_refusal(folder):
    """
    It is told as every other refusal is, with findings.
    """
    seal(folder, derive=())
    (folder / "depth.mp4").unlink()

    with pytest.raises(RefusedError, match=r"depth\.mp4 of clip 'street' is gone") as refused:
        seal(folder)

    assert 1 == len(refused.value.findings)


def test_a_manifest_removed_means_derived_files_are_made_again(folder):
    """
    Derived edges of an older colour video never pass for the generator's own.
    """
    seal(folder, derive=["edge"])
    (folder / MANIFEST).unlink()
    make.make_video(folder / "color.mp4", seed=5)

    clip = seal(folder, derive=["edge"])

    assert clip.file("edge").derived
    rgb, found = (next(media.read_frames(clip.path(modality))) for modality in ("color", "edge"))
    assert np.array_equal(controls.edge(rgb), found[:, :, 0])


@pytest.mark.parametrize(
    ("maker", "words"),
    [
        (make.make_pointer, "depth.mp4 is a Git LFS pointer of 132 bytes (oid "),
        (make.make_html, "depth.mp4 is an HTML page"),
        (make.make_text, "depth.mp4 is a text file"),
        (make.make_empty, "depth.mp4 is an empty file"),
        (make.make_tail_cut, "depth.mp4 cannot be opened as a video"),
        (make.make_cut, "of the 24 frames that its header promises: it was cut"),
        (make.make_rotten, "depth.mp4 is damaged: 1 frame is corrupt"),
    ],
)
def test_broken_files_are_findings(folder, maker, words):
    """
    Each way of being broken has its own sentence.
    """
    maker(folder / "depth.mp4")

    _, findings = inspect(folder)

    assert [message for message in _failures(findings) if words in message]


def test_all_problems_are_told_at_once_and_nothing_is_changed(tmp_path):
    """
    A refusal carries every finding, so that one round of repairs is enough.
    """
    folder = tmp_path / "bad"
    make.make_clip(folder, depth=False, seg=False)
    make.make_video(folder / "depth.mp4", frames=11)
    make.make_video(folder / "seg.mp4", width=62)
    make.make_video(folder / "edge.mp4", fps=30)
    make.make_pointer(folder / "vis.mp4")
    before = _listing(folder)

    with pytest.raises(RefusedError, match=r"bad cannot be sealed: .*, and 3 more") as refused:
        seal(folder)

    said = _failures(refused.value.findings)
    assert any(message.startswith("vis.mp4 is a Git LFS pointer") for message in said)
    assert "the passes differ in frames: color.mp4 12, depth.mp4 11, seg.mp4 12, edge.mp4 12" in said
    assert (
        "the passes differ in size: color.mp4 64x48, depth.mp4 64x48, seg.mp4 62x48, edge.mp4 64x48" in said
    )
    assert "the passes differ in frames a second: color.mp4 24, depth.mp4 24, seg.mp4 24, edge.mp4 30" in said
    assert before == _listing(folder)


def test_colour_is_needed(folder):
    """
    The sentence says what is there instead.
    """
    (folder / "color.mp4").rename(folder / "colr.mp4")

    _, findings = inspect(folder)

    assert ["street has no colour video (it has depth.mp4, segmentation.mp4)"] == _failures(findings)
    assert any("colr.mp4 is left out" in finding.message for finding in findings)


def test_an_empty_folder_and_no_folder(tmp_path):
    """
    Nothing to seal is a refusal; no folder at all is the caller's mistake.
    """
    with pytest.raises(RefusedError, match="has no colour video"):
        seal(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        seal(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"frames": 1}, "the clip has 1 frame; a clip needs two or more"),
        ({"width": 63, "style": "exact"}, "the clip is 63x48: H.264 and the models need even sizes"),
    ],
)
def test_unfit_clips_are_refused(tmp_path, arguments, words):
    """
    One frame and odd sizes are refused.
    """
    make.make_video(tmp_path / "color.mp4", **arguments)

    assert [words] == _failures(inspect(tmp_path)[1])


def test_a_fractional_rate_is_a_warning(tmp_path):
    """
    29.97 works, but a model will play it at 29.
    """
    make.make_video(tmp_path / "color.mp4", fps=Fraction(30000, 1001))

    (finding,) = inspect(tmp_path)[1]

    assert Level.WARN is finding.level
    assert "29.970 frames a second: Transfer 2.5 cuts that to 29" in finding.message
    assert Fraction(30000, 1001) == seal(tmp_path, derive=()).fps


def test_a_capital_suffix_is_taken_with_a_warning(folder):
    """
    ``.MP4`` seals; the warning says what to rename.
    """
    (folder / "depth.mp4").rename(folder / "Depth.MP4")

    (finding,) = inspect(folder)[1]

    assert (Level.WARN, "rename it to Depth.mp4") == (finding.level, finding.hint)
    assert "Depth.MP4" == seal(folder, derive=()).file("depth").name


def test_far_bright_depth_is_suspicious(folder):
    """
    Depth with the sky white is probably the wrong way round.
    """
    flipped = [255 - frame for frame in media.read_frames(folder / "depth.mp4")]
    controls.write_video(folder / "depth.mp4", flipped, 24, "exact")

    (finding,) = inspect(folder)[1]

    assert Level.WARN is finding.level
    assert "is near dark and far bright in it?" in finding.message


def test_a_lossy_segmentation_is_suspicious(tmp_path):
    """
    Hundreds of colours are no objects.
    """
    folder = make.make_clip(tmp_path / "street", width=320, height=240)
    frames = list(media.read_frames(folder / "segmentation.mp4"))
    controls.write_video(folder / "segmentation.mp4", frames, 24, "proxy")

    (finding,) = inspect(folder)[1]

    assert Level.WARN is finding.level
    assert "it was encoded with loss, or shaded" in finding.message


def test_image_sequences_are_encoded(tmp_path):
    """
    PNGs become videos: colour nearly, depth and segmentation exactly, and the images stay.
    """
    make.make_images(tmp_path, "color.{:04}.png", frames=3)
    depth = make.make_images(tmp_path / "depth", "{:04}.png", frames=3, what="depth")
    make.make_images(tmp_path / "seg", "seg_{:04}.png", frames=3, what="seg")

    clip = seal(tmp_path, fps=30, derive=())

    assert ["color.mp4", "depth.mp4", "segmentation.mp4"] == [file.name for file in clip.files]
    assert ((3, Fraction(30)), False) == ((clip.frames, clip.fps), clip.file("depth").derived)
    assert all(path.exists() for path in depth)
    read = [frame[:, :, 0] for frame in media.read_frames(clip.path("depth"))]
    wanted = [frame[:, :, 0] for frame in _pictures(depth)]
    assert np.array_equal(wanted, read)


def _pictures(paths):
    from cosmos_core.clip import passes

    return [np.atleast_3d(passes.read_image(path)) for path in paths]


def test_images_without_a_rate_get_24_with_a_warning(tmp_path):
    """
    Images know no rate, so that somebody should say it.
    """
    make.make_images(tmp_path, frames=2)

    (finding,) = inspect(tmp_path)[1]

    assert (Level.WARN, Fraction(24)) == (finding.level, seal(tmp_path, derive=()).fps)


def test_images_take_the_rate_of_the_videos_beside_them(tmp_path):
    """
    A mixed folder has one rate, and another one that is asked for is a difference.
    """
    make.make_video(tmp_path / "color.mp4", frames=2, fps=30)
    make.make_images(tmp_path, "depth.{}.png", frames=2, what="depth")

    draft, findings = inspect(tmp_path)

    assert (Fraction(30), ()) == (draft.fps, findings)
    assert ["the passes differ in frames a second: color.mp4 30, the images 24"] == _failures(
        inspect(tmp_path, fps=24)[1]
    )


def test_a_frame_that_one_pass_lacks_is_named(tmp_path):
    """
    A gap, and a pass that starts a frame late, are told with their numbers.
    """
    make.make_images(tmp_path, "color.{}.png", frames=4, numbers=[1, 2, 3, 4])
    make.make_images(tmp_path, "depth.{}.png", frames=3, numbers=[1, 2, 4], what="depth")
    make.make_images(tmp_path, "seg.{}.png", frames=4, numbers=[2, 3, 4, 5], what="seg")

    said = _failures(inspect(tmp_path, fps=24)[1])

    assert "depth.#.png lacks 1 frame between 1 and 4: 3" in said
    assert "depth.#.png has no frame 3, 5, which other passes have" in said
    assert "seg.#.png has no frame 1, which other passes have" in said
    assert "the passes differ in frames: color.#.png 4, depth.#.png 3, seg.#.png 4" in said


def test_mixed_sizes_and_cut_images_are_named(tmp_path):
    """
    Each broken image is named with what is wrong with it.
    """
    paths = make.make_images(tmp_path, frames=3)
    make.make_images(tmp_path, frames=1, width=32, numbers=[2])
    paths[2].write_bytes(paths[2].read_bytes()[:-30])

    said = _failures(inspect(tmp_path, fps=24)[1])

    assert "color.####.png mixes sizes: 64x48 (color.0001.png), 32x48 (color.0002.png)" in said
    assert "color.0003.png cannot be decoded: it is cut or damaged" in said


def test_16_bit_depth_has_no_known_unit(tmp_path):
    """
    Millimetres, disparity or anything else: nobody guesses.
    """
    make.make_images(tmp_path, frames=2)
    for number in (1, 2):
        media.write_image(tmp_path / f"depth.{number}.png", np.full((48, 64), 4000, np.uint16))

    assert ["depth.#.png is 16-bit depth of no known unit"] == _failures(inspect(tmp_path, fps=24)[1])


def test_exr_metres_become_the_models_depth(tmp_path):
    """
    Planar metres in Z become near-bright grey with one range for the clip; linear colour becomes sRGB; ids in one
    channel become a palette.
    """
    exr = pytest.importorskip("OpenEXR", reason="EXR images need the extra cosmos-core[exr]")
    moments = list(make.scene(frames=2))
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    for number, moment in enumerate(moments):
        linear = np.full((48, 64, 3), 0.2140411, np.float32)
        exr.File(header, {"RGB": linear}).write(str(tmp_path / f"color.{number}.exr"))
        exr.File(header, {"Z": moment.z}).write(str(tmp_path / f"depth.{number}.exr"))
        exr.File(header, {"id": moment.ids.astype(np.uint32)}).write(str(tmp_path / f"seg.{number}.exr"))

    clip = seal(tmp_path, fps=24, derive=())

    inverse = [controls.inverse_depth(moment.z) for moment in moments]
    lo, hi = controls.depth_range(inverse)
    read = {name: list(media.read_frames(clip.path(name))) for name in clip.modalities}
    assert np.array_equal(controls.depth(inverse[1], lo, hi), read["depth"][1][:, :, 0])
    assert np.abs(read["color"][0].astype(int) - 128).max() <= 2
    assert len(np.unique(moments[0].ids)) == len(np.unique(read["seg"][0].reshape(-1, 3), axis=0))


def test_a_sealed_sequence_can_be_sealed_again(tmp_path):
    """
    Without its manifest the images are encoded again, and the old encoding is not taken for a second colour video.
    """
    make.make_images(tmp_path, frames=2)
    first = seal(tmp_path, fps=24, derive=["edge"])
    (tmp_path / MANIFEST).unlink()
    make.make_images(tmp_path, frames=2, seed=4)

    second = seal(tmp_path, fps=24, derive=["edge"])

    assert first.digest != second.digest
    assert ["color.mp4", "edge.mp4"] == [file.name for file in second.files]


def test_progress_is_reported(folder):
    """
    Checking and deriving say how far they are and end at their totals.
    """
    said = []

    seal(folder, derive=["edge"], on_progress=lambda done, total, note="": said.append((done, total, note)))

    assert (0, 3, "checking color.mp4") == said[0]
    assert (12, 12, "derived") == said[-1]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permissions that bind this user")
def test_a_folder_that_cannot_be_written_stays_unsealed(folder):
    """
    A read-only disk is an error of the system, and nothing is half-sealed.
    """
    folder.chmod(0o555)
    try:
        with pytest.raises(OSError, match="denied"):
            seal(folder)
    finally:
        folder.chmod(0o755)

    assert not (folder / MANIFEST).exists()


def test_an_interrupted_sealing_leaves_an_unsealed_folder(folder):
    """
    Whatever stops the deriving, neither derived files nor a manifest nor a temporary folder stay.
    """
    before = _listing(folder)

    def stop(done, total, note=""):
        if note.startswith("deriving") and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seal(folder, on_progress=stop)

    assert before == _listing(folder)
    assert [] == [path for path in folder.iterdir() if path.is_dir()]
