"""Does the picture move?"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Check, Finding, Output, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.media import Pixels
    from cosmos_core.spec import Spec


_SETTLED = 4
"""Repeats on each side of a jump before it counts as a key frame's in a still picture."""


@attrs.frozen(kw_only=True)
class Frozen:
    """When a picture counts as standing still."""

    difference: float = attrs.field(
        default=0.05,
        metadata={
            "help": "mean absolute difference of luma, 0 to 255, below which a frame repeats the last one"
        },
    )
    jump: float = attrs.field(
        default=1.0,
        metadata={"help": "difference below which one jump between many repeats is a key frame's"},
    )
    share: float = attrs.field(
        default=0.1, metadata={"help": "share of a clip that may stand still in one piece"}
    )


DEFAULTS = Frozen()


def longest_hold(small: Pixels, *, difference: float, jump: float) -> float:
    """The longest run of repeated frames as a share of the steps from frame to frame, 0 to 1.

    *small* is (N, H, W) grey, 0 to 255. Real videos change by 0.077 and more, a repeated frame by 0. Encoders redraw a
    still picture at each key frame, which changes it by 0.1 to 0.8: a single step below *jump* with repeats on both
    sides does not end a run. One frame alone holds nothing.
    """
    steps = [_step(one, two) for one, two in pairwise(small)]
    if not steps:
        return 0.0
    return max((stop - start for start, stop in _holds(steps, difference, jump)), default=0) / len(steps)


def _holds(steps: list[float], difference: float, jump: float) -> list[tuple[int, int]]:
    """Give runs of steps that change nothing, as (first, one after the last)."""
    runs: list[tuple[int, int]] = []
    still = 0
    for index, step in enumerate([*steps, float("inf")]):
        if step < difference:
            still += 1
            continue
        start = index - still
        if runs and _is_key_frame(runs[-1], (start, index), steps, jump):
            start = runs.pop()[0]
        if still:
            runs.append((start, index))
        still = 0
    return runs


def _is_key_frame(before: tuple[int, int], after: tuple[int, int], steps: list[float], jump: float) -> bool:
    settled = min(before[1] - before[0], after[1] - after[0]) >= _SETTLED
    return settled and after[0] - before[1] == 1 and steps[before[1]] < jump


def _step(one: Pixels, two: Pixels) -> float:
    import cv2

    return float(cv2.norm(one, two, cv2.NORM_L1)) / one.size


def moves(output: Output, _spec: Spec | None, *, options: Frozen = DEFAULTS) -> Iterator[Finding]:
    """Refuse a video that stands still for longer than its input does."""
    held = longest_hold(output.survey.small, difference=options.difference, jump=options.jump)
    if held <= options.share:
        return
    source = output.input_survey
    allowed = options.share
    if source is not None:
        allowed += longest_hold(source.small, difference=options.difference, jump=options.jump)
    if held > allowed:
        theirs = "" if source is None else f", its input for {allowed - options.share:.0%}"
        yield fail(
            f"{output.name} stands still for {held:.0%} of its length{theirs}; at most {allowed:.0%} is accepted",
            hint="try another seed",
        )


CHECKS = (Check(name="content.frozen", summary="The picture moves.", look=moves, options=Frozen, order=20),)
