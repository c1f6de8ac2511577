"""Trim and retime: new files beside the artifact, frame for frame, and the model's file untouched."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fractions import Fraction

import attrs
import cosmos_core_predict
import numpy as np
import pytest
from cosmos_core_predict import backend, steps

from cosmos_core import controls, media
from cosmos_core.extend import Artifact, Prompt, Run, Spec
from cosmos_core.run import State

TRIM, RETIME = cosmos_core_predict.cosmos_steps()


def sealed(folder, frames, **options):
    """An artifact whose frames carry their number, tens left and ones right, as brightness; and its run."""
    path = folder / "street.mp4"
    controls.write_video(path, [numbered(index) for index in range(frames)], 16)
    spec = Spec(
        backend="predict2.5",
        prompt=Prompt("a street"),
        frames=93,
        fps=24,
        width=64,
        height=48,
        options=attrs.asdict(backend.Predict(**options)),
    )
    made = Artifact(
        run="r1",
        attempt=1,
        digest=media.file_digest(path),
        path=path,
        bytes=path.stat().st_size,
        frames=frames,
        fps=Fraction(16),
        width=64,
        height=48,
    )
    now = datetime.now(UTC)
    return made, Run(id="r1", seq=1, name="street", spec=spec, state=State.SEALED, created=now, changed=now)


def numbered(index):
    frame = np.empty((48, 64, 3), np.uint8)
    frame[:, :32], frame[:, 32:] = 20 + 20 * (index // 10), 20 + 20 * (index % 10)
    return frame


def numbers(path):
    """The number of each frame, as it was encoded."""
    halves = [
        [round((float(half.mean()) - 20) / 20) for half in (frame[:, :32], frame[:, 32:])]
        for frame in media.read_frames(path)
    ]
    return [10 * tens + ones for tens, ones in halves]


def test_trim_keeps_the_first_frames_exactly(tmp_path):
    """
    Five seconds are the first 80 frames; the record says what it was made from, and the artifact is as it was.
    """
    artifact, run = sealed(tmp_path, 93, seconds=5)
    TRIM.follow(artifact, run, tmp_path, None)
    record = json.loads((tmp_path / "street.trim.mp4.json").read_text())

    assert list(range(80)) == numbers(tmp_path / "street.trim.mp4")
    assert (artifact.digest, 80, "16", 5.0) == (
        record["source"],
        record["frames"],
        record["fps"],
        record["requested_seconds"],
    )
    assert record["digest"] == media.file_digest(tmp_path / "street.trim.mp4")
    assert artifact.digest == media.file_digest(artifact.path)


def test_retime_shows_frames_again_so_that_motion_keeps_its_speed(tmp_path):
    """
    16 frames of one second become 24, every second one of them twice; the four numbers stand in the record.
    """
    artifact, run = sealed(tmp_path, 16, seconds=1, enable_autoregressive=True, delivery_fps=24)
    RETIME.follow(artifact, run, tmp_path, steps.Retime())
    made = tmp_path / "street.24fps.mp4"
    record = json.loads((tmp_path / "street.24fps.mp4.json").read_text())

    assert [0, 0, 1, 2, 2, 3] == numbers(made)[:6]
    assert (24, 24) == (media.survey(made).decoded, media.probe(made).fps)
    assert (1.0, 16, 16, 24, "repeat") == (
        record["requested_seconds"],
        record["model_frames"],
        record["model_fps"],
        record["delivery_fps"],
        record["how"],
    )


def test_retime_can_play_the_same_frames_faster_and_says_so(tmp_path):
    """
    93 frames at 24 are 3.875 s of motion that looks fast.
    """
    artifact, run = sealed(tmp_path, 93)
    RETIME.follow(artifact, run, tmp_path, steps.Retime(fps=24, how="speed"))
    record = json.loads((tmp_path / "street.24fps.mp4.json").read_text())

    assert list(range(93)) == numbers(tmp_path / "street.24fps.mp4")
    assert (3.875, "speed") == (record["seconds"], record["how"])


def test_retime_follows_the_trimmed_copy(tmp_path):
    """
    Five seconds at 24 are 120 frames, from the 80 that trim left.
    """
    artifact, run = sealed(tmp_path, 93, seconds=5, delivery_fps=24)
    TRIM.follow(artifact, run, tmp_path, None)
    RETIME.follow(artifact, run, tmp_path, steps.Retime())

    assert 120 == len(numbers(tmp_path / "street.24fps.mp4"))
    assert 79 == numbers(tmp_path / "street.24fps.mp4")[-1]


@pytest.mark.parametrize("step", [TRIM, RETIME], ids=["trim", "retime"])
def test_a_step_writes_nothing_where_nothing_is_to_be_done(tmp_path, step):
    """
    A native pass of 93 frames at 16 is what it is.
    """
    artifact, run = sealed(tmp_path, 93)
    before = sorted(tmp_path.iterdir())
    step.follow(artifact, run, tmp_path, steps.Retime())

    assert before == sorted(tmp_path.iterdir())


def test_a_step_done_twice_changes_nothing(tmp_path):
    """
    The second time it finds its record, and the file as it left it.
    """
    artifact, run = sealed(tmp_path, 20, num_output_frames=10)
    TRIM.follow(artifact, run, tmp_path, None)
    before = (tmp_path / "street.trim.mp4").stat().st_mtime_ns
    TRIM.follow(artifact, run, tmp_path, None)

    assert before == (tmp_path / "street.trim.mp4").stat().st_mtime_ns


def test_a_video_of_another_backend_is_left_alone(tmp_path):
    """
    These steps know one model's lengths.
    """
    artifact, run = sealed(tmp_path, 93, seconds=5)
    other = attrs.evolve(run, spec=attrs.evolve(run.spec, backend="preview"))
    before = sorted(tmp_path.iterdir())
    TRIM.follow(artifact, other, tmp_path, None)

    assert before == sorted(tmp_path.iterdir())
