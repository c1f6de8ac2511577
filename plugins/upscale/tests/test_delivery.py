"""Delivery: a new file of the delivery size beside the artifact, and the artifact untouched."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from fractions import Fraction

import cosmos_core_upscale
import numpy as np
import pytest
from cosmos_core_upscale.delivery import Delivery, deliver, fitting, review

from cosmos_core import controls, media
from cosmos_core.extend import Artifact, Prompt, Run, Spec
from cosmos_core.run import State
from cosmos_core.testing.checks import StepContract

(DELIVER,) = cosmos_core_upscale.cosmos_steps()


class TestStep(StepContract):
    @pytest.fixture
    def step(self):
        return DELIVER


def sealed(folder, backend="transfer1-upscale", width=384, height=212):
    """An artifact as the upscaler leaves it, a tenth of its size: white, with a red first row and a green last column."""
    frame = np.full((height, width, 3), 255, np.uint8)
    frame[:8] = (255, 0, 0)
    frame[:, -8:] = (0, 255, 0)
    path = controls.write_video(folder / "street.mp4", [frame] * 3, 24)
    spec = Spec(backend=backend, prompt=Prompt("a street"), frames=3, fps=24, width=128, height=70)
    made = Artifact(
        run="r1",
        attempt=1,
        digest=media.file_digest(path),
        path=path,
        bytes=path.stat().st_size,
        frames=3,
        fps=Fraction(24),
        width=width,
        height=height,
    )
    now = datetime.now(UTC)
    return made, Run(id="r1", seq=1, name="street", spec=spec, state=State.SEALED, created=now, changed=now)


SMALL_UHD = "384x216"


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("pad", "0 columns and 4 rows of black added"),
        ("crop", "resampled to 392x216, then 8 columns and 0 rows cut off"),
        ("scale", "stretched from 384x212, 1 times in width and 1.019 in height"),
    ],
)
def test_each_way_is_named_and_done(tmp_path, how, what):
    """
    The record says what was done, of which bytes, and the artifact is as it was.
    """
    artifact, run = sealed(tmp_path)
    copy = deliver(artifact, run, tmp_path, Delivery(how=how, size=SMALL_UHD))
    path = tmp_path / f"street.{SMALL_UHD}-{how}.mp4"
    found = media.survey(path)
    record = json.loads(path.with_suffix(".mp4.json").read_text())

    assert (3, 384, 216, 24) == (found.decoded, found.facts.width, found.facts.height, found.facts.fps)
    assert (what, artifact.digest, media.file_digest(path)) == (
        record["what"],
        record["source"],
        record["digest"],
    )
    assert copy.what in found.facts.metadata["title"]
    assert artifact.digest == media.file_digest(artifact.path)


def edges_of(path):
    """Mean colour of the first rows, the last columns and the middle."""
    frame = next(media.read_frames(path)).astype(int)
    return [
        part.reshape(-1, 3).mean(axis=0) for part in (frame[:2], frame[40:-40, -4:], frame[100:110, 100:110])
    ]


def test_pad_adds_black_and_changes_no_pixel(tmp_path):
    """
    Two rows above and below.
    """
    artifact, run = sealed(tmp_path)
    deliver(artifact, run, tmp_path, Delivery(how="pad", size=SMALL_UHD))
    top, right, middle = edges_of(tmp_path / f"street.{SMALL_UHD}-pad.mp4")

    assert top.max() < 60
    assert right[1] > 200
    assert right[0] < 60
    assert middle.min() > 250


def test_crop_cuts_the_sides_and_keeps_the_height(tmp_path):
    """
    Four columns at each side of a picture that was made a little larger.
    """
    artifact, run = sealed(tmp_path)
    deliver(artifact, run, tmp_path, Delivery(how="crop", size=SMALL_UHD))
    top, _, middle = edges_of(tmp_path / f"street.{SMALL_UHD}-crop.mp4")

    assert top[0] > 200
    assert top[1] < 60
    assert middle.min() > 250


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("pad", "0 columns and 48 rows of black added"),
        ("crop", "resampled to 3928x2160, then 88 columns and 0 rows cut off"),
        ("scale", "stretched from 3840x2112, 1 times in width and 1.023 in height"),
    ],
)
def test_true_uhd_of_what_the_upscaler_makes(how, what):
    """
    3840x2112 becomes 3840x2160 and nothing else, by default.
    """
    fit, said = fitting(3840, 2112, Delivery(how=how))

    assert what == said
    assert (2160, 3840, 3) == fit(np.zeros((2112, 3840, 3), np.uint8)).shape


@pytest.mark.parametrize(("width", "height"), [(704, 1280), (960, 960), (1280, 704), (854, 480)])
@pytest.mark.parametrize("how", ["crop", "pad", "scale"])
def test_any_shape_fits(how, width, height):
    """
    Portrait and square too, smaller and larger.
    """
    fit, _ = fitting(width, height, Delivery(how=how, size="640x360"))

    assert (360, 640, 3) == fit(np.zeros((height, width, 3), np.uint8)).shape


def test_what_is_there_is_not_made_again(tmp_path):
    """
    Unless it, or what it was made of, is another file now.
    """
    artifact, run = sealed(tmp_path)
    chosen = Delivery(how="pad", size=SMALL_UHD)
    deliver(artifact, run, tmp_path, chosen)
    path = tmp_path / f"street.{SMALL_UHD}-pad.mp4"
    os.utime(path, ns=(1, 1))
    deliver(artifact, run, tmp_path, chosen)
    assert 1 == path.stat().st_mtime_ns

    path.write_bytes(b"broken")
    deliver(artifact, run, tmp_path, chosen)
    assert 3 == media.survey(path).decoded


@pytest.mark.parametrize("backend", ["preview", "transfer2.5"])
def test_the_step_leaves_other_videos_alone(tmp_path, backend):
    """
    Only what was enlarged is brought to a delivery size.
    """
    artifact, run = sealed(tmp_path, backend)
    before = sorted(tmp_path.iterdir())
    DELIVER.follow(artifact, run, tmp_path, Delivery())

    assert before == sorted(tmp_path.iterdir())


def test_a_video_of_that_size_already_is_not_copied(tmp_path):
    """
    There is nothing to deliver.
    """
    artifact, run = sealed(tmp_path, width=384, height=216)

    assert None is deliver(artifact, run, tmp_path, Delivery(size=SMALL_UHD))


@pytest.mark.parametrize(("size", "where"), [("3841x2160", "3841"), ("32x32", "32"), ("9000x2160", "9000")])
def test_a_size_that_cannot_be_delivered_is_refused(size, where):
    """
    The finding says which number is wrong.
    """
    assert where in next(iter(review(Delivery(size=size)))).message


def test_a_way_that_is_none_is_refused():
    """
    So is a size in other words.
    """
    with pytest.raises(ValueError, match="how"):
        Delivery(how="zoom")
    with pytest.raises(ValueError, match="size"):
        Delivery(size="uhd")
