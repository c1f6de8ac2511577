"""Does every picture hold something?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Check, Finding, Output, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.spec import Spec


@attrs.frozen(kw_only=True)
class Flat:
    """When a picture counts as one flat tone."""

    std: float = attrs.field(
        default=5.0, metadata={"help": "spread of luma, 0 to 255, that a picture must exceed"}
    )
    share: float = attrs.field(default=0.9, metadata={"help": "share of frames that must exceed it"})


DEFAULTS = Flat()


def structured_share(stds: object, *, std: float) -> float:
    """Share of frames whose luma spreads wider than *std*. *stds* is one number a frame, 0 to 255."""
    import numpy as np

    return float((np.asarray(stds) > std).mean())


def not_flat(output: Output, _spec: Spec | None, *, options: Flat = DEFAULTS) -> Iterator[Finding]:
    """Refuse a video whose frames are mostly one tone: grey fog, a blank screen, latents that never resolved."""
    share = structured_share(output.survey.luma_std, std=options.std)
    if share < options.share:
        yield fail(
            f"{share:.0%} of the frames of {output.name} show more than one flat tone (luma spread above "
            f"{options.std:g}); at least {options.share:.0%} must",
            hint="try another seed; if every seed does it, look at the clip and its weights",
        )


CHECKS = (
    Check(
        name="content.flat",
        summary="Pictures hold more than one flat tone.",
        look=not_flat,
        options=Flat,
        order=40,
    ),
)
