"""Did the model change anything, or is the output its input again?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Check, Finding, Output, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from cosmos_core.media import Pixels
    from cosmos_core.spec import Spec

_FRAMES = 8
_SSIM_C1, _SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@attrs.frozen(kw_only=True)
class Unchanged:
    """When an output counts as its input again. Both must be exceeded."""

    ssim: float = attrs.field(default=0.99, metadata={"help": "similarity of the blurred pictures, 0 to 1"})
    edges: float = attrs.field(default=0.98, metadata={"help": "F1 of the edges, 0 to 1"})


DEFAULTS = Unchanged()


def likeness(one: Pixels, two: Pixels) -> tuple[float, float]:
    """Blurred SSIM and edge F1 of two videos, mean of eight moments.

    Both are (N, 90, 160) grey, 0 to 255; of videos of unequal length only what both have is compared. Canny edges
    count as met within one pixel, which is ten in a 1600 pixels wide frame.
    """
    import numpy as np

    count = min(len(one), len(two))
    if not count:
        return 0.0, 0.0
    moments = sorted(set(np.linspace(0, count - 1, _FRAMES).round().astype(int).tolist()))
    pairs = [(one[i], two[i]) for i in moments]
    return (
        float(np.mean([_blurred_ssim(a, b) for a, b in pairs])),
        float(np.mean([_edge_f1(a, b) for a, b in pairs])),
    )


def _blurred_ssim(one: Pixels, two: Pixels) -> float:
    import cv2
    import numpy as np

    def blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)

    a, b = (blurred(picture.astype(np.float32), 1.0) for picture in (one, two))
    mean_a, mean_b = blurred(a, 1.5), blurred(b, 1.5)
    var_a = blurred(a * a, 1.5) - mean_a**2
    var_b = blurred(b * b, 1.5) - mean_b**2
    shared = blurred(a * b, 1.5) - mean_a * mean_b
    score = ((2 * mean_a * mean_b + _SSIM_C1) * (2 * shared + _SSIM_C2)) / (
        (mean_a**2 + mean_b**2 + _SSIM_C1) * (var_a + var_b + _SSIM_C2)
    )
    return float(score.mean())


def _edge_f1(one: Pixels, two: Pixels) -> float:
    import cv2
    import numpy as np

    def near(edges: Pixels) -> Pixels:
        return np.asarray(cv2.dilate(edges, np.ones((3, 3), np.uint8)), np.uint8)

    a, b = (np.asarray(cv2.Canny(picture, 100, 200), np.uint8) for picture in (one, two))
    total = np.count_nonzero(a) + np.count_nonzero(b)
    if not total:
        return 1.0
    met = np.count_nonzero(a & near(b)) + np.count_nonzero(b & near(a))
    return met / total


def changed(output: Output, _spec: Spec | None, *, options: Unchanged = DEFAULTS) -> Iterator[Finding]:
    """Ask a person to look at an output that shows what its input shows.

    An enlargement should, and is not asked. Known from Transfer 2.5 (nvidia-cosmos/cosmos-transfer2.5#11): strong controls can give the input back.
    """
    if (output.expected is not None and output.expected.keeps_input) or output.input_survey is None:
        return
    source = output.input_survey
    ssim, edges = likeness(output.survey.small, source.small)
    if ssim > options.ssim and edges > options.edges:
        yield warn(
            f"{output.name} is its input again: similarity {ssim:.3f} (above {options.ssim:g}), edges {edges:.3f} "
            f"(above {options.edges:g})",
            hint="lower the weight of vis, or say in the prompt what should be different",
        )


CHECKS = (
    Check(
        name="content.equals-input",
        summary="The output differs from its input.",
        look=changed,
        options=Unchanged,
        required=False,
        order=50,
    ),
)
