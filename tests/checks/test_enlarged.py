"""An enlargement looks like what it was made of, and that is no fault of either."""

from __future__ import annotations

import attrs
import cv2
import pytest

from cosmos_core import controls, media
from cosmos_core.checks import cosmos_checks
from cosmos_core.examine import examine
from cosmos_core.record import Ruling
from cosmos_core.testing.checks import make_output, make_sealed, make_spec

CHECKS = tuple(cosmos_checks())


@pytest.fixture
def item(tmp_path):
    """A sealed video."""
    return make_sealed(tmp_path / "sealed", seed=1)


@pytest.fixture
def larger(tmp_path, item):
    """The same, twice as large, as another request's output."""
    frames = [
        cv2.resize(frame, (128, 96), interpolation=cv2.INTER_LANCZOS4)
        for frame in media.read_frames(item.artifact.path)
    ]
    path = controls.write_video(tmp_path / "larger.mp4", frames, 24)
    spec = make_spec(width=128, height=96, seed=2)
    facts = {"others": [item.artifact], "recipes": {item.run.id: item.run.spec.digest}}
    return make_output(path, spec, **facts), spec


def findings(output, spec):
    return {finding.check for finding in examine(output, spec, CHECKS).findings}


def test_it_is_no_duplicate_of_what_it_was_made_of(larger):
    """
    Neither by its hashes nor frame for frame.
    """
    output, spec = larger
    output.expected = attrs.evolve(output.expected, keeps_input=True)

    assert Ruling.VERIFIED is examine(output, spec, CHECKS).ruling


def test_what_it_was_made_of_is_no_duplicate_of_it(larger, item):
    """
    Asked again, the smaller one is compared with videos of its own size.
    """
    output, _ = larger
    facts = {"others": [attrs.evolve(item.artifact, path=output.path, width=128, height=96, digest="0" * 64)]}
    again = make_output(item.artifact.path, item.run.spec, **facts)

    assert "dup.perceptual" not in findings(again, item.run.spec)


def test_a_look_alike_of_its_own_size_is_still_found(item):
    """
    That is what the question is for.
    """
    facts = {"others": [attrs.evolve(item.artifact, digest="0" * 64)], "recipes": {item.run.id: "another"}}
    again = make_output(item.artifact.path, item.run.spec, **facts)

    assert "dup.perceptual" in findings(again, item.run.spec)


def test_it_may_be_its_input_again(tmp_path, make_clip):
    """
    Anything else that gives its input back is pointed at.
    """
    clip = make_clip()
    spec = make_spec(clip=clip.digest)
    output = make_output(clip.path("color"), spec, clip=clip)
    assert "content.equals-input" in findings(output, spec)

    output = make_output(clip.path("color"), spec, clip=clip)
    output.expected = attrs.evolve(output.expected, keeps_input=True)

    assert "content.equals-input" not in findings(output, spec)
