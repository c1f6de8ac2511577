"""Is there light in the picture?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Check, Finding, Output, fail, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.spec import Spec

_NIGHT = re.compile(
    r"\b(night|nights|nighttime|night-time|midnight|nocturnal|moonlight|moonlit|starlight|starlit|dark|darkness|blackout)\b"
)


@attrs.frozen(kw_only=True)
class Black:
    """When a frame counts as black, and how many may be."""

    luma: float = attrs.field(
        default=16.0, metadata={"help": "mean luma, 0 to 255, below which a frame is dark"}
    )
    std: float = attrs.field(
        default=4.0, metadata={"help": "spread of luma below which a dark frame is black"}
    )
    share: float = attrs.field(default=0.02, metadata={"help": "share of frames that may be"})


DEFAULTS = Black()


def shares(means: object, stds: object, *, luma: float, std: float) -> tuple[float, float]:
    """Share of frames that are dark, and of frames that are dark and without any structure, which is black.

    *means* and *stds* are one number a frame, 0 to 255.
    """
    import numpy as np

    dark = np.asarray(means) < luma
    return float(dark.mean()), float((dark & (np.asarray(stds) < std)).mean())


def says_night(spec: Spec | None) -> bool:
    """Whether the prompt asks for a dark picture."""
    return spec is not None and _NIGHT.search(spec.prompt.text.lower()) is not None


def not_black(output: Output, spec: Spec | None, *, options: Black = DEFAULTS) -> Iterator[Finding]:
    """Refuse black frames. Dark ones with structure are for a person to judge, unless the prompt asks for night."""
    survey = output.survey
    dark, black = shares(survey.luma_mean, survey.luma_std, luma=options.luma, std=options.std)
    if black > options.share:
        yield fail(
            f"{black:.0%} of the frames of {output.name} are black (mean luma below {options.luma:g}, spread below "
            f"{options.std:g}); at most {options.share:.0%} may be",
            hint="try another seed",
        )
    elif dark > options.share and spec is not None and not says_night(spec):
        yield warn(
            f"{dark:.0%} of the frames of {output.name} are dark (mean luma below {options.luma:g}), and the prompt "
            "does not speak of night",
            hint="look at it; say night in the prompt if it should be dark",
        )


CHECKS = (
    Check(name="content.black", summary="Frames are not black.", look=not_black, options=Black, order=10),
)
