"""The backend ``resample``: what it promises, what it refuses, and the job it makes."""

from __future__ import annotations

import json
from fractions import Fraction

import attrs
import cosmos_core_upscale
import pytest
from cosmos_core_upscale import backend

from cosmos_core.errors import Level
from cosmos_core.extend import Exit, Outcome, Request
from cosmos_core.testing.backend import BackendContract

(RESAMPLE,) = cosmos_core_upscale.cosmos_backends()


class TestBackend(BackendContract):
    @pytest.fixture
    def backend(self):
        return RESAMPLE

    @pytest.fixture
    def clip(self, make_clip):
        return make_clip(frames=8, width=128, height=96)

    def test_it_expects_the_clip_enlarged(self, backend, spec):
        """
        As long, as fast, three times as large, and the same picture.
        """
        expected = backend.expect(spec)

        assert (8, Fraction(24), 384, 288) == (
            expected.frames,
            expected.fps,
            expected.width,
            expected.height,
        )
        assert expected.keeps_input

    def test_only_colour_travels(self, backend, batch, slot, clip):
        """
        Controls steer nothing here; two runs of one clip share its video.
        """
        (source,) = backend.compile(batch, slot).inputs

        assert clip.file("color").sha256 == source.digest

    def test_a_larger_picture_costs_more(self, backend, spec):
        """
        In proportion to the pixels that are written.
        """
        twice = attrs.evolve(spec, options={"factor": 6.0, "sharpen": 0.0})

        assert 3.9 < (backend.seconds(twice, "") - 1) / (backend.seconds(spec, "") - 1) < 4.1


@pytest.mark.parametrize(
    ("width", "height", "factor", "size"),
    [(1280, 704, 3.0, (3840, 2112)), (1920, 1080, 2.0, (3840, 2160)), (854, 480, 1.5, (1280, 720))],
)
def test_sizes_are_even(width, height, factor, size):
    """
    Three times Transfer's own size is what NVIDIA's upscaler makes, too.
    """
    assert size == backend.enlarged(width, height, factor)


@pytest.mark.parametrize(
    ("options", "size", "said"),
    [
        ({"factor": 1.0}, {}, "a factor of 1 does not enlarge"),
        ({"factor": 0.5}, {}, "a factor of 0.5 does not enlarge"),
        ({"factor": 9.0}, {}, "from above 1 to 8"),
        ({"factor": 8.0}, {"width": 1280, "height": 704}, "1280x704 times 8 is 10240x5632"),
        ({"sharpen": -0.1}, {}, "sharpening by -0.1 is outside 0 to 2"),
        ({"sharpen": 3.0}, {}, "sharpening by 3 is outside 0 to 2"),
        ({}, {"width": 62, "height": 352}, "62x352 is too small"),
    ],
)
def test_what_cannot_be_meant_is_refused(spec_of, options, size, said):
    """
    Each with the value and what is allowed, and what to type.
    """
    spec, clip = spec_of(options, **size)
    (finding,) = RESAMPLE.review(spec, clip)

    assert Level.FAIL is finding.level
    assert said in finding.message
    assert finding.hint


def test_everything_is_said_at_once(spec_of):
    """
    Too many frames, a wrong factor and too much sharpening are three findings.
    """
    spec, clip = spec_of({"factor": 1.0, "sharpen": 9.0}, frames=4)
    found = list(RESAMPLE.review(attrs.evolve(spec, frames=5), clip))

    assert ["frames", "factor", "sharpen"] == [finding.where for finding in found]


def test_without_a_clip_there_is_nothing_to_enlarge(spec_of):
    """
    The hint says which command takes any video.
    """
    (finding,) = RESAMPLE.review(spec_of({})[0], None)

    assert "cosmos upscale" in finding.hint


@pytest.mark.parametrize("by", ["transfer1-upscale", "resample"])
@pytest.mark.parametrize("backend", ["transfer1-upscale", "resample"])
def test_cosmos_review_refuses_to_enlarge_an_enlargement(spec_of, by, backend):
    """
    Whichever backend is asked, and whichever made it.
    """
    spec, clip = spec_of({})
    twice = attrs.evolve(clip, source={"enlarged_by": by})
    (finding,) = cosmos_core_upscale.cosmos_review(attrs.evolve(spec, backend=backend), twice)

    assert Level.FAIL is finding.level
    assert f"enlarged already, by {by}" in finding.message
    assert [] == list(cosmos_core_upscale.cosmos_review(attrs.evolve(spec, backend=backend), clip))
    assert [] == list(cosmos_core_upscale.cosmos_review(attrs.evolve(spec, backend="preview"), twice))


def test_progress_names_the_run():
    """
    Lines of others, and halves of ours, say nothing.
    """
    tick = backend.progress("r1234567: frame 12/93\n")

    assert ("r1234567", 12, 93) == (tick.run, tick.done, tick.total)
    assert "r1234567" == backend.progress("[1/2] Resampling r1234567").run
    assert None is backend.progress("r1234567: frame 12/")


def test_why_it_failed_is_said_in_the_programs_words(tmp_path, spec_of):
    """
    A sentence in error.txt; midway when the request had been begun.
    """
    spec, clip = spec_of({})
    request = Request(run="r1", spec=spec, clip=clip)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "error.txt").write_text("x.mp4 cannot be decoded\n")
    before = backend.outcome(tmp_path, request, Exit(code=1))
    (tmp_path / "out" / "r1.json").write_text(json.dumps({}))
    midway = backend.outcome(tmp_path, request, Exit(code=1))

    assert (Outcome.MISSING, Outcome.FAILED) == (before.outcome, midway.outcome)
    assert midway.reason.endswith("midway: x.mp4 cannot be decoded")
