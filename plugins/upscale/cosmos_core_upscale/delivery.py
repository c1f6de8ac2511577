"""A step of ours after the upscaler: a copy at a delivery size, such as true UHD, cropped, padded or stretched.

The upscaler makes 3840x2112 of 1280x704, which is no size that a television knows. The copy lies beside the artifact
with a record of its own, and the artifact stays as it is: nobody takes a cut for what the model made.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
from attrs.validators import in_, matches_re

from cosmos_core.errors import CosmosError, fail, ok
from cosmos_core.extend import Followed
from cosmos_core_upscale.backend import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cosmos_core.extend import Artifact, Finding, Run
    from cosmos_core.media import Pixels

WAYS = ("crop", "pad", "scale")
UHD = "3840x2160"
ENLARGERS = frozenset({"resample", "transfer1-upscale"})


@attrs.frozen(kw_only=True)
class Delivery:
    """How an enlarged video becomes one of a delivery size."""

    how: str = attrs.field(
        default="pad",
        validator=in_(WAYS),
        metadata={
            "help": "pad: black at two sides, no pixel changed where it fits; crop: filled, two sides cut off; "
            "scale: stretched to fit"
        },
    )
    size: str = attrs.field(
        default=UHD,
        validator=matches_re(r"\d+x\d+"),
        metadata={"help": "width and height, such as 3840x2160"},
    )

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.size.partition("x")[0])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.size.partition("x")[2])


@attrs.frozen(kw_only=True)
class Copy:
    """What the step writes down about the file it made, in ``<file>.json`` beside it."""

    schema: int = 1
    step: str = "deliver"
    run: str
    source: str
    """SHA-256 of the file it was made from."""
    source_size: str
    file: str
    digest: str
    """SHA-256 of the new file."""
    size: str
    frames: int
    fps: str
    how: str
    what: str
    """What was done, in words."""


def review(chosen: Delivery) -> Iterator[Finding]:
    """What stands against a delivery, before anything is made."""
    for side, value in (("width", chosen.width), ("height", chosen.height)):
        if not 64 <= value <= LARGEST or value % 2:
            yield fail(
                f"a delivery's {side} of {value} is not an even number from 64 to {LARGEST}",
                hint=f"--size {UHD}",
                where="deliver",
            )


def follow(artifact: Artifact, run: Run, folder: Path, options: Delivery) -> Followed:
    """Write the copy of an enlarged video; other videos are left alone."""
    if run.spec.backend not in ENLARGERS:
        return Followed()
    made = deliver(artifact, run, folder, options)
    if made is None:
        return Followed()
    return Followed(findings=(ok(f"{made.file} is {made.size}: {made.what}"),))


def deliver(artifact: Artifact, run: Run, folder: Path, chosen: Delivery) -> Copy | None:
    """Write ``<stem>.<size>-<how>.mp4`` and its record; None when the artifact has that size already.

    What is there already and unchanged is not made again.

    Raises:
        CosmosError: when the copy does not decode to as many frames as the artifact has.
    """
    from cosmos_core import controls, media

    if (artifact.width, artifact.height) == (chosen.width, chosen.height):
        return None
    out = folder / f"{artifact.path.stem}.{chosen.size}-{chosen.how}.mp4"
    record = out.with_suffix(".mp4.json")
    known = _known(record)
    if (
        known is not None
        and out.is_file()
        and (known.source, known.digest) == (artifact.digest, media.file_digest(out))
    ):
        return known
    fit, what = fitting(artifact.width, artifact.height, chosen)
    frames = (fit(frame) for frame in media.read_frames(artifact.path))
    controls.write_video(
        out, frames, artifact.fps, metadata={"title": f"Delivery copy: {what}", "comment": what}
    )
    decoded = media.survey(out).decoded
    if decoded != artifact.frames:
        raise CosmosError(
            f"{out.name} has {decoded} frames, not the {artifact.frames} that were to be written"
        )
    made = Copy(
        run=run.id,
        source=artifact.digest,
        source_size=f"{artifact.width}x{artifact.height}",
        file=out.name,
        digest=media.file_digest(out),
        size=chosen.size,
        frames=decoded,
        fps=str(artifact.fps),
        how=chosen.how,
        what=what,
    )
    media.write_bytes(record, (json.dumps(attrs.asdict(made), indent=2, sort_keys=True) + "\n").encode())
    return made


def fitting(width: int, height: int, chosen: Delivery) -> tuple[Callable[[Pixels], Pixels], str]:
    """How a frame (height, width, 3) is brought to the delivery size, and that in words."""
    to_width, to_height = chosen.width, chosen.height
    if chosen.how == "scale":
        return (lambda frame: _resized(frame, to_width, to_height)), (
            f"stretched from {width}x{height}, {to_width / width:.4g} times in width and "
            f"{to_height / height:.4g} in height"
        )
    ratios = to_width / width, to_height / height
    ratio = max(ratios) if chosen.how == "crop" else min(ratios)
    inner = round(width * ratio / 2) * 2, round(height * ratio / 2) * 2
    resized = "" if inner == (width, height) else f"resampled to {inner[0]}x{inner[1]}, then "
    if chosen.how == "crop":
        left, top = (inner[0] - to_width) // 2, (inner[1] - to_height) // 2
        cut = f"{inner[0] - to_width} columns and {inner[1] - to_height} rows cut off"
        return (
            lambda frame: _resized(frame, *inner)[top : top + to_height, left : left + to_width]
        ), f"{resized}{cut}"
    left, top = (to_width - inner[0]) // 2, (to_height - inner[1]) // 2
    added = f"{to_width - inner[0]} columns and {to_height - inner[1]} rows of black added"
    return (
        lambda frame: _padded(_resized(frame, *inner), left, top, to_width, to_height)
    ), f"{resized}{added}"


def _resized(frame: Pixels, width: int, height: int) -> Pixels:
    import cv2
    import numpy as np

    if frame.shape[:2] == (height, width):
        return frame
    smaller = width * height < frame.shape[0] * frame.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(frame, (width, height), interpolation=way), np.uint8)


def _padded(frame: Pixels, left: int, top: int, width: int, height: int) -> Pixels:
    import numpy as np

    made = np.zeros((height, width, 3), np.uint8)
    made[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return made


def _known(record: Path) -> Copy | None:
    try:
        return Copy(**json.loads(record.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
