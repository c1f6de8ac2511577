"""Whether depth and regions are those the input was rendered with: one side is exact, a model of yours sees the other.

Without a model nothing is compared, and the finding says so. A model is named by ``model`` in ``cosmos.toml``::

    [plugins."control.depth-sirmse"]
    model = "depth_anything_v2_vits.onnx"       # a file, with the package's extra [onnx]

    [plugins."control.seg-miou"]
    model = "my_models.sam:labels"              # or a function of yours

See :mod:`cosmos_core_adherence.models` for what either must take and give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.extend import Check, Finding, Output, ok, warn
from cosmos_core_adherence.checks import weight_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.extend import Spec
    from cosmos_core.media import Pixels

MOMENTS = 8


@attrs.frozen(kw_only=True)
class Depth:
    """Who sees depth, and when it counts as followed."""

    model: str = attrs.field(
        default="", metadata={"help": "an .onnx file, or package.module:function; empty: not asked"}
    )
    error: float = attrs.field(
        default=0.5, metadata={"help": "scale-invariant error that is accepted: 0 is equal, 1.4 unrelated"}
    )
    weight: float = attrs.field(default=0.3, metadata={"help": "weight of depth from which on it is asked"})


@attrs.frozen(kw_only=True)
class Regions:
    """Who sees regions, and when they count as followed."""

    model: str = attrs.field(
        default="", metadata={"help": "an .onnx file, or package.module:function; empty: not asked"}
    )
    overlap: float = attrs.field(
        default=0.4, metadata={"help": "mean overlap of regions, 0 to 1, that is accepted"}
    )
    weight: float = attrs.field(default=0.3, metadata={"help": "weight of seg from which on it is asked"})


DEPTH, REGIONS = Depth(), Regions()


def follows_depth(output: Output, spec: Spec | None, *, options: Depth = DEPTH) -> Iterator[Finding]:
    """Compare the depth that a model sees with the rendered one, at eight moments."""
    if (pairs := _pairs(output, spec, "depth", options.weight)) is None:
        return
    if not options.model:
        yield ok(f"the depth of {output.name} was not compared: no model is set that sees it", hint=_HOW)
        return
    import numpy as np

    from cosmos_core_adherence.measures import depth_error
    from cosmos_core_adherence.models import load

    sees = load(options.model)
    errors = [
        depth_error(_at_size_of(sees(frame), true), true[..., 0].astype(np.float32)) for frame, true in pairs
    ]
    error = float(np.mean(errors)) if errors else 0.0
    said = f"error {error:.3f} without scale and shift ({options.error:g} and less is close)"
    if error <= options.error:
        yield ok(f"the depth of {output.name} is its input's: {said}")
        return
    yield warn(
        f"the depth of {output.name} is not its input's: {said}",
        hint="look at both side by side; try another seed, or more weight for depth",
    )


def follows_regions(output: Output, spec: Spec | None, *, options: Regions = REGIONS) -> Iterator[Finding]:
    """Compare the regions that a model sees with the rendered ones, at eight moments."""
    if (pairs := _pairs(output, spec, "seg", options.weight)) is None:
        return
    if not options.model:
        yield ok(f"the regions of {output.name} were not compared: no model is set that sees them", hint=_HOW)
        return
    import numpy as np

    from cosmos_core_adherence.measures import region_iou
    from cosmos_core_adherence.models import labels_of, load

    sees = load(options.model)
    overlaps = []
    for frame, true in pairs:
        colours = true.astype(np.int64)
        wanted = colours[..., 0] << 16 | colours[..., 1] << 8 | colours[..., 2]
        overlaps.append(region_iou(_at_size_of(labels_of(sees(frame)), true), wanted))
    overlap = float(np.mean(overlaps)) if overlaps else 1.0
    said = f"mean overlap {overlap:.3f} ({options.overlap:g} and more is close)"
    if overlap >= options.overlap:
        yield ok(f"the regions of {output.name} are its input's: {said}")
        return
    yield warn(
        f"the regions of {output.name} are not its input's: {said}",
        hint="look at both side by side; try another seed, or more weight for seg",
    )


_HOW = "set model for this check in cosmos.toml; see the docs: check control adherence"


def _pairs(
    output: Output, spec: Spec | None, kind: str, least: float
) -> Iterator[tuple[Pixels, Pixels]] | None:
    """Frames (H, W, 3) of the output and of the rendered pass, at eight moments; None where nothing is to be asked."""
    clip = output.clip
    if clip is None or kind not in clip.modalities or weight_of(spec, kind) < least:
        return None
    import numpy as np

    from cosmos_core.media import read_frames

    count = min(output.survey.decoded, clip.frames)
    moments = set(np.linspace(0, max(count - 1, 0), MOMENTS).round().astype(int).tolist())
    both = zip(read_frames(output.path), read_frames(clip.path(kind)), strict=False)
    return (pair for index, pair in enumerate(both) if index in moments)


def _at_size_of(found: Any, true: Pixels) -> Any:
    """What a model gave, at the size of the rendered frame; each pixel takes the nearest one's value."""
    import cv2
    import numpy as np

    array = np.asarray(found)
    if array.ndim != 2:
        raise ValueError(f"the model gave an array of shape {array.shape}, not (height, width)")
    kind = np.float32 if array.dtype.kind == "f" else np.int32
    size = (true.shape[1], true.shape[0])
    return np.asarray(cv2.resize(array.astype(kind), size, interpolation=cv2.INTER_NEAREST))


CHECKS = (
    Check(
        name="control.depth-sirmse",
        summary="Depth, as a model of yours sees it, is the rendered one.",
        look=follows_depth,
        options=Depth,
        level="control",
        required=False,
        order=40,
    ),
    Check(
        name="control.seg-miou",
        summary="Regions, as a model of yours sees them, are the rendered ones.",
        look=follows_regions,
        options=Regions,
        level="control",
        required=False,
        order=50,
    ),
)
