"""Which file of a folder is which modality."""

from __future__ import annotations

import pytest

from cosmos_core.clip import modality_of, passes
from cosmos_core.errors import InputError, Level
from cosmos_core.testing import media as make


@pytest.mark.parametrize(
    ("stem", "modality"),
    [
        ("color", "color"),
        ("Colour", "color"),
        ("RGB", "color"),
        ("clip_0000_rgb", "color"),
        ("color_video", "color"),
        ("depth", "depth"),
        ("shot7.depth_map", "depth"),
        ("Depth_control", "depth"),
        ("segmentation", "seg"),
        ("SEG", "seg"),
        ("shaded_seg", "seg"),
        ("Semantic Segmentation", "seg"),
        ("instance_segmentation", "seg"),
        ("canny", "edge"),
        ("edges", "edge"),
        ("blur", "vis"),
        ("vis-control", "vis"),
        ("hdmap_bbox", "hdmap"),
        ("normals", "normal"),
        ("depth_of_field", ""),
        ("colorful", ""),
        ("preview", ""),
        ("", ""),
        ("0001", ""),
    ],
)
def test_names_say_the_modality(stem, modality):
    """
    Case, numbers and words such as "video" do not matter; a name that only looks like one is not taken.
    """
    assert modality == modality_of(stem)


def _names(folder):
    sources, findings = passes.find(folder)
    return {modality: source.name for modality, source in sources.items()}, findings


def test_a_cosmos_writer_folder_is_understood(tmp_path):
    """
    Omniverse writes each pass as a video and as a folder of PNGs, and two segmentations: the videos are taken, the
    plain segmentation is the control, and the rest is said to be left out.
    """
    for name in ("rgb", "depth", "segmentation", "shaded_seg", "edges"):
        make.make_video(tmp_path / f"{name}.mp4", frames=2)
        make.make_images(tmp_path / name, f"{name}_{{:04}}.png", frames=2)

    names, findings = _names(tmp_path)

    assert {
        "color": "rgb.mp4",
        "depth": "depth.mp4",
        "seg": "segmentation.mp4",
        "edge": "edges.mp4",
    } == names
    assert {Level.WARN} == {finding.level for finding in findings}
    assert "shaded_seg.mp4 is left out: segmentation.mp4 is the seg" in [
        finding.message for finding in findings
    ]


def test_shaded_segmentation_stands_in(tmp_path):
    """
    Where there is no other segmentation, the shaded one is taken.
    """
    make.make_video(tmp_path / "shaded_seg.mp4", frames=2)

    assert ({"seg": "shaded_seg.mp4"}, ()) == _names(tmp_path)


def test_two_candidates_are_both_named(tmp_path):
    """
    Nobody guesses which of two colour videos was meant.
    """
    make.make_video(tmp_path / "color.mp4", frames=2)
    make.make_video(tmp_path / "RGB.mov", frames=2)

    _, (finding,) = _names(tmp_path)

    assert (Level.FAIL, "RGB.mov and color.mp4 are both color") == (finding.level, finding.message)


@pytest.mark.parametrize(
    ("place", "pattern", "name"),
    [
        (".", "color.{:04}.png", "color.####.png"),
        (".", "color_{:04}.png", "color_####.png"),
        (".", "Color{}.JPG", "Color#.JPG"),
        ("color", "{:04}.png", "color/####.png"),
        ("rgb", "rgb_{:04}.png", "rgb/rgb_####.png"),
        ("beauty", "shot.{:04}.png", "beauty/shot.####.png"),
    ],
)
def test_image_sequences_are_found(tmp_path, place, pattern, name):
    """
    Numbers may follow a dot, an underscore or nothing, in the folder or in one named after the pass.
    """
    make.make_images(tmp_path / place, pattern, frames=3)

    sources, findings = passes.find(tmp_path)

    assert (name, (1, 2, 3), ()) == (sources["color"].name, sources["color"].numbers, findings)


def test_a_video_of_unknown_name_is_mentioned_and_other_files_are_not(tmp_path):
    """
    A misspelt video is worth a word; notes, hidden files and half-written ones are not.
    """
    make.make_video(tmp_path / "colr.mp4", frames=2)
    make.make_video(tmp_path / ".color.mp4", frames=2)
    (tmp_path / "color.mp4.part").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("hello")

    names, (finding,) = _names(tmp_path)

    assert {} == names
    assert "colr.mp4 is left out" in finding.message


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([1, 2, 5], "lacks 2 frames between 1 and 5: 3, 4"),
        ([8, 10], "lacks 1 frame between 8 and 10: 9"),
        ([1, 20], "2, 3, 4, 5, 6, 7, 8, 9, …"),
    ],
)
def test_gaps_are_named(tmp_path, numbers, words):
    """
    The finding lists the missing numbers, and stops listing at some point.
    """
    make.make_images(tmp_path, frames=len(numbers), numbers=numbers)

    (finding,) = passes.numbering(passes.find(tmp_path)[0]["color"])

    assert words in finding.message


def test_double_numbers_are_named(tmp_path):
    """
    ``color.1.png`` and ``color.0001.png`` are the same moment twice.
    """
    make.make_images(tmp_path, frames=2)
    make.make_images(tmp_path, "color.{}.png", frames=1)

    (finding,) = passes.numbering(passes.find(tmp_path)[0]["color"])

    assert finding.message.endswith("has frame 1 more than once")


def test_cut_images_do_not_decode(tmp_path):
    """
    OpenCV would fill the rest with grey.
    """
    for path in (*make.make_images(tmp_path, frames=1), *make.make_images(tmp_path, "c{}.jpg", frames=1)):
        path.write_bytes(path.read_bytes()[:-20])

        with pytest.raises(InputError, match="cut or damaged"):
            passes.read_image(path)
