"""Statistics of a dataset's features, by which training scales them.

The names and shapes are those of huggingface/lerobot, src/lerobot/datasets/compute_stats.py: ``min max mean std count`` and
five quantiles; of a camera three channels of 0 to 1 in shape (3, 1, 1), and ``count`` is frames. Bytes have 256 values, so a
histogram holds all there is to know, and those of all videos add up to the dataset's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core import media

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
MOST_FRAMES = 100
"""Of a video that are looked at, evenly spaced."""
WIDTH = 150
"""Pixels that are looked at along the longer side of a frame, or a few more."""

Stats = dict[str, Any]
"""Lists of numbers by name, as JSON and Parquet take them."""


@attrs.frozen(kw_only=True, eq=False)
class Seen:
    """How often each value was seen in some frames."""

    counts: NDArray[np.int64]
    """Shape (3, 256): by channel and value."""
    frames: int

    def __add__(self, other: Seen) -> Seen:
        return Seen(counts=self.counts + other.counts, frames=self.frames + other.frames)


def look(video: Path, frames: int) -> Seen:
    """What is seen in *video*, which has so many *frames*.

    Raises:
        InputError: it cannot be decoded.
    """
    wanted = set(np.linspace(0, frames - 1, min(frames, MOST_FRAMES)).round().astype(int).tolist())
    counts = np.zeros((3, 256), np.int64)
    for index, frame in enumerate(media.read_frames(video)):
        if index in wanted:
            step = max(1, max(frame.shape[:2]) // WIDTH)
            few = frame[::step, ::step]
            counts += [np.bincount(few[..., channel].ravel(), minlength=256) for channel in range(3)]
    return Seen(counts=counts, frames=len(wanted))


def of_pictures(seen: Seen) -> Stats:
    """Statistics of a camera."""
    values = np.arange(256) / 255
    whole = seen.counts.sum(axis=1)
    mean = (seen.counts * values).sum(axis=1) / whole
    spread = (seen.counts * (values - mean[:, None]) ** 2).sum(axis=1) / whole
    least = [values[channel.nonzero()[0][0]] for channel in seen.counts]
    most = [values[channel.nonzero()[0][-1]] for channel in seen.counts]
    below = seen.counts.cumsum(axis=1)
    quantiles = {
        name: [values[np.searchsorted(channel, share * channel[-1])] for channel in below]
        for name, share in QUANTILES.items()
    }
    found = {"min": least, "max": most, "mean": mean, "std": np.sqrt(spread)} | quantiles
    shaped = {name: [[[float(each)]] for each in channels] for name, channels in found.items()}
    return shaped | {"count": [seen.frames]}


def of_numbers(numbers: Iterable[float]) -> Stats:
    """Statistics of a feature that is one number a frame."""
    array = np.fromiter(numbers, np.float64)
    quantiles = dict(zip(QUANTILES, np.quantile(array, [*QUANTILES.values()]).tolist(), strict=True))
    found = {"min": array.min(), "max": array.max(), "mean": array.mean(), "std": array.std()} | quantiles
    return {name: [float(each)] for name, each in found.items()} | {"count": [len(array)]}


def together(seen: Sequence[Seen]) -> Seen:
    """All of *seen*, of which there is at least one."""
    whole = seen[0]
    for each in seen[1:]:
        whole += each
    return whole
