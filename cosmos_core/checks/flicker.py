"""Does the brightness jump to and fro?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Check, Finding, Output, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.spec import Spec


@attrs.frozen(kw_only=True)
class Flicker:
    """When brightness counts as flickering."""

    jump: float = attrs.field(
        default=8.0,
        metadata={
            "help": "mean absolute second difference of the frames' mean luma that is no longer accepted"
        },
    )


DEFAULTS = Flicker()


def restlessness(means: object) -> float:
    """Mean absolute second difference of the frames' mean luma, 0 to 510; 0 for fewer than three frames.

    Real clips measure 0.15 to 0.8, one sharp cut in a clip 3.8, every second frame black 146.
    """
    import numpy as np

    second = np.diff(np.asarray(means, dtype=np.float64), n=2)
    return float(np.abs(second).mean()) if second.size else 0.0


def steady(output: Output, _spec: Spec | None, *, options: Flicker = DEFAULTS) -> Iterator[Finding]:
    """Ask a person to look at a video whose brightness jumps to and fro."""
    jump = restlessness(output.survey.luma_mean)
    if jump >= options.jump:
        yield warn(
            f"the brightness of {output.name} flickers: it jumps by {jump:.1f} from frame to frame; below "
            f"{options.jump:g} is steady",
            hint="look at it; lightning and strobes are fine, else try another seed",
        )


CHECKS = (
    Check(
        name="content.flicker",
        summary="Brightness does not jump to and fro.",
        look=steady,
        options=Flicker,
        required=False,
        order=30,
    ),
)
