"""Does the picture move?"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import attrs

from cosmos_core.checks.source import survey_of_input
from cosmos_core.extend import Check, Finding, Output, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.media import Pixels
    from cosmos_core.spec import Spec


@attrs.frozen(kw_only=True)
class Frozen:
    """When a picture counts as standing still."""

    difference: float = attrs.field(
        default=0.05,
        metadata={"help": "mean absolute difference of luma, 0 to 255, below which a frame repeats the last one"},
    )
    share: float = attrs.field(default=0.1, metadata={"help": "share of a clip that may stand still in one piece"})


DEFAULTS = Frozen()


def longest_hold(small: Pixels, *, difference: float) -> float:
    """The longest run of repeated frames as a share of the steps from frame to frame, 0 to 1.

    *small* is (N, H, W) grey, 0 to 255. Real videos change by 0.077 and more, a repeated frame by 0. One frame alone
    holds nothing.
    """
    import numpy as np

    if len(small) < 2:
        return 0.0
    steps = np.array([_step(one, two) for one, two in pairwise(small)])
    longest = run = 0
    for repeats in steps < difference:
        run = run + 1 if repeats else 0
        longest = max(longest, run)
    return longest / len(steps)


def _step(one: Pixels, two: Pixels) -> float:
    import cv2

    return float(cv2.norm(one, two, cv2.NORM_L1)) / one.size


def moves(output: Output, _spec: Spec | None, *, options: Frozen = DEFAULTS) -> Iterator[Finding]:
    """Refuse a video that stands still for longer than its input does."""
    held = longest_hold(output.survey.small, difference=options.difference)
    if held <= options.share:
        return
    source = survey_of_input(output)
    allowed = options.share
    if source is not None:
        allowed += longest_hold(source.small, difference=options.difference)
    if held > allowed:
        theirs = "" if source is None else f", its input for {allowed - options.share:.0%}"
        yield fail(
            f"{output.name} stands still for {held:.0%} of its length{theirs}; at most {allowed:.0%} is accepted",
            hint="try another seed",
        )


CHECKS = (
    Check(name="content.frozen", summary="The picture moves.", look=moves, options=Frozen, order=20),
)
