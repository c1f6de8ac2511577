"""What the checks say of right videos, and of wrong ones that look right at a glance."""

from __future__ import annotations

import attrs
import cosmos_core_adherence
import cv2
import numpy as np
import pytest
from cosmos_core_adherence import checks

from cosmos_core import controls, media
from cosmos_core.checks import cosmos_checks
from cosmos_core.examine import examine, sizes_of
from cosmos_core.extend import Control, Level
from cosmos_core.record import Ruling
from cosmos_core.testing.checks import CheckContract, make_output
from cosmos_core.testing.media import scene

CHECKS = {check.name: check for check in cosmos_core_adherence.cosmos_checks()}
CPU = ("control.edge-f1", "control.blur-ssim", "control.motion")


def street(seed):
    """Frames of another street, of the clip's size and length."""
    return [moment.rgb for moment in scene(frames=25, width=640, height=352, seed=seed)]


def darker(frames):
    """The same by night: a tenth of the light, bluish, a little noise."""
    rng = np.random.default_rng(1)
    tint = np.array([0.25, 0.3, 0.45])
    return [
        np.clip(frame * tint + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8) for frame in frames
    ]


@pytest.mark.parametrize("name", CHECKS)
class TestContract(CheckContract):
    @pytest.fixture
    def check(self, name):
        return CHECKS[name]


@pytest.mark.parametrize("name", CPU)
class TestContractWithItsInput(CheckContract):
    @pytest.fixture
    def check(self, name):
        return CHECKS[name]

    @pytest.fixture
    def whole(self, made, frames):
        return made(darker(frames))


def said(name, output, spec):
    """The one finding of a check."""
    (finding,) = CHECKS[name].look(output, spec)
    return finding


@pytest.mark.parametrize("name", CPU)
def test_another_light_is_no_fault(made, frames, spec, name):
    """
    A night with a tenth of the light has the edges, the structure and the motion of its input.
    """
    assert Level.OK is said(name, made(darker(frames)), spec).level


@pytest.mark.parametrize("name", ["control.edge-f1", "control.blur-ssim"])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda frames: frames[12:] + frames[:12],
        lambda frames: frames[::-1],
        lambda frames: frames[:1] * len(frames),
        lambda _: street(8),
    ],
    ids=["shifted", "reversed", "frozen", "another"],
)
def test_a_wrong_video_is_never_called_right(made, frames, spec, name, wrong):
    """
    Too late, reversed, standing still, another street: each is pointed at, with a value, its bounds and a way out.
    """
    finding = said(name, made(wrong(frames)), spec)

    assert finding.level in {Level.WARN, Level.FAIL}
    assert "and more is close, below" in finding.message
    assert finding.hint


def test_another_street_is_refused(made, spec, clip):
    """
    Its edges are so far from the input's that the output is rejected.
    """
    output = made(street(8), sizes=sizes_of(CHECKS.values()))
    verdict = examine(output, spec, [*cosmos_checks(), *CHECKS.values()])

    assert Ruling.REJECTED is verdict.ruling
    assert "the edges of street.mp4 are hardly its input's" in verdict.reason


def test_a_frozen_video_gets_no_score_for_its_motion(made, frames, spec):
    """
    It invents no motion, so the score alone would be perfect.
    """
    finding = said("control.motion", made(frames[:1] * len(frames)), spec)

    assert Level.WARN is finding.level
    assert "stands still at 100% of the steps" in finding.message


def test_a_video_that_stands_still_in_part_gets_none_either(made, frames, spec):
    """
    A third of its steps are held, which is more than the tenth that may be.
    """
    finding = said("control.motion", made(frames[:16] + frames[15:16] * (len(frames) - 16)), spec)

    assert Level.WARN is finding.level
    assert "stands still at 3" in finding.message


def test_motion_of_its_own_is_pointed_at(made, frames, spec):
    """
    Another street moves elsewhere; no fault of the input's, so a person decides.
    """
    finding = said("control.motion", made(street(8)), spec)

    assert Level.WARN is finding.level
    assert "moves where its input does not" in finding.message


@pytest.mark.parametrize(("name", "kind"), [("control.edge-f1", "edge"), ("control.blur-ssim", "vis")])
def test_what_steers_weakly_is_not_asked(made, spec, name, kind):
    """
    Below a weight of 0.3, or without the control, even another street is not held against the output.
    """
    wrong = made(street(8))
    weak = attrs.evolve(spec, controls=(Control(kind=kind, weight=0.2), Control(kind="seg", weight=0.8)))
    without = attrs.evolve(spec, controls=(Control(kind="seg"),))

    assert [] == list(CHECKS[name].look(wrong, weak))
    assert [] == list(CHECKS[name].look(wrong, without))


def test_motion_is_asked_of_what_a_control_steers(made, spec):
    """
    A world made from a text, or from a clip's first frame, owes the clip no motion.
    """
    assert [] == list(CHECKS["control.motion"].look(made(street(8)), attrs.evolve(spec, controls=())))


@pytest.mark.parametrize("name", CPU)
def test_thumbnails_are_not_compared(make_clip, spec, tmp_path, name):
    """
    A clip of 64x48 has no edge left at 640x360, whatever was made of it.
    """
    clip = make_clip(frames=4)
    output = make_output(controls.write_video(tmp_path / "a.mp4", street(8), 24), spec, clip=clip)

    assert [] == list(CHECKS[name].look(output, spec))


@pytest.mark.parametrize("name", CPU)
def test_without_the_input_nothing_is_claimed(made, frames, spec, name):
    """
    An artifact outlives its clip: there is nothing to compare with, and nothing is said.
    """
    assert [] == list(CHECKS[name].look(made(frames, clip=None), spec))


def test_one_decode_serves_them_all(made, frames, spec, monkeypatch):
    """
    The output is decoded once and its input once, whatever is asked; another output of the same input decodes one.
    """
    decoded = []
    measure = media._measure
    monkeypatch.setattr(
        media, "_measure", lambda path, larger: decoded.append(path.name) or measure(path, larger)
    )
    media.survey_kept.cache_clear()
    asked = [*cosmos_checks(), *CHECKS.values()]
    for _ in range(2):
        examine(made(darker(frames), sizes=sizes_of(asked)), spec, asked)

    assert ["street.mp4", "color.mp4", "street.mp4"] == decoded


@pytest.fixture
def larger(clip, spec, tmp_path):
    """``larger(frames)``: an output that should be those frames enlarged."""

    def _larger(pictures):
        big = [cv2.resize(frame, (1280, 704), interpolation=cv2.INTER_LANCZOS4) for frame in pictures]
        output = make_output(controls.write_video(tmp_path / "large.mp4", big, 24), spec, clip=clip)
        output.expected = attrs.evolve(output.expected, width=1280, height=704, keeps_input=True)
        return output

    return _larger


def test_an_enlargement_shows_what_it_was_made_of(larger, frames, spec):
    """
    It is compared whatever steers it, since all of it should be there; another street's is refused.
    """
    plain = attrs.evolve(spec, controls=())
    (close,) = CHECKS["control.kept"].look(larger(frames), plain)
    (wrong,) = CHECKS["control.kept"].look(larger(street(8)), plain)

    assert (Level.OK, Level.FAIL) == (close.level, wrong.level), (close.message, wrong.message)


def test_what_should_be_another_picture_is_not_asked_to_be_the_same(made, frames, spec):
    """
    Rain at night need not have the structure of the day.
    """
    assert [] == list(CHECKS["control.kept"].look(made(frames), spec))


def test_a_threshold_can_be_set(made, frames, spec):
    """
    What is asked for decides what is close.
    """
    strict = attrs.evolve(checks.EDGES, good=1.0, poor=0.999)
    (finding,) = CHECKS["control.edge-f1"].look(made(darker(frames)), spec, options=strict)

    assert Level.FAIL is finding.level


def test_cosmos_checks_offers_them():
    """
    The two that can reject are required; motion, depth and regions only point.
    """
    assert {
        "control.edge-f1": True,
        "control.blur-ssim": True,
        "control.motion": False,
        "control.kept": True,
        "control.depth-sirmse": False,
        "control.seg-miou": False,
    } == {name: check.required for name, check in CHECKS.items()}
