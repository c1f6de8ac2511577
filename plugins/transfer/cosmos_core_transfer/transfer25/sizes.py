"""The arithmetic of Transfer 2.5: buckets, passes, frames out, panels. Pure numbers, no GPU.

Source: nvidia-cosmos/cosmos-transfer2.5: cosmos_transfer2/_src/predict2/datasets/utils.py (``VIDEO_RES_SIZE_INFO``),
cosmos_transfer2/_src/transfer2/inference/utils.py, cosmos_transfer2/_src/transfer2/inference/inference_pipeline.py.
"""

from __future__ import annotations

import math
from typing import NamedTuple

CHUNK = 93
"""Frames that one pass makes, and that the model was trained for."""
MOST_FRAMES = 5000
"""``NUM_MAX_FRAMES``: longer input is cut there without a word."""

RATIOS = {"16,9": 16 / 9, "4,3": 4 / 3, "1,1": 1.0, "3,4": 3 / 4, "9,16": 9 / 16}

# Width and height by tier and aspect ratio.
BUCKETS: dict[str, dict[str, tuple[int, int]]] = {
    "1080": {
        "1,1": (1024, 1024),
        "4,3": (1440, 1056),
        "3,4": (1056, 1440),
        "16,9": (1920, 1056),
        "9,16": (1056, 1920),
    },
    "1024": {
        "1,1": (1024, 1024),
        "4,3": (1280, 1024),
        "3,4": (1024, 1280),
        "16,9": (1280, 768),
        "9,16": (768, 1280),
    },
    "720": {
        "1,1": (960, 960),
        "4,3": (960, 704),
        "3,4": (704, 960),
        "16,9": (1280, 704),
        "9,16": (704, 1280),
    },
    "512": {"1,1": (512, 512), "4,3": (640, 512), "3,4": (512, 640), "16,9": (640, 384), "9,16": (384, 640)},
    "480": {"1,1": (480, 480), "4,3": (640, 480), "3,4": (480, 640), "16,9": (768, 432), "9,16": (432, 768)},
    "480p": {"1,1": (640, 640), "4,3": (640, 480), "3,4": (480, 640), "16,9": (832, 480), "9,16": (480, 832)},
    "720p": {
        "1,1": (960, 960),
        "4,3": (960, 720),
        "3,4": (720, 960),
        "16,9": (1280, 720),
        "9,16": (720, 1280),
    },
    "720robocasa": {
        "1,1": (720, 720),
        "4,3": (960, 720),
        "3,4": (720, 960),
        "16,9": (1280, 720),
        "9,16": (720, 1280),
    },
    "256": {"1,1": (256, 256), "4,3": (320, 256), "3,4": (256, 320), "16,9": (320, 192), "9,16": (192, 320)},
}


class Size(NamedTuple):
    """Pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def bucket(width: int, height: int, resolution: str) -> Size:
    """The size the model works in: that of the nearest aspect ratio of the tier. The input is stretched to it."""
    nearest = min(RATIOS, key=lambda name: (RATIOS[name] - width / height) ** 2)
    return Size(*BUCKETS[resolution][nearest])


def delivered(width: int, height: int, resolution: str, *, keep: bool, panels: int = 1) -> Size:
    """The size of the file: the input's, made even, or the bucket's; as many panels side by side as are shown."""
    size = Size(width - width % 2, height - height % 2) if keep else bucket(width, height, resolution)
    return Size(size.width * panels, size.height)


def frames_out(frames: int, max_frames: int | None = None) -> int:
    """How many frames come of an input of *frames*."""
    return min(frames, max_frames or MOST_FRAMES, MOST_FRAMES)


def chunks(frames: int, *, chunk: int = CHUNK, overlap: int = 1) -> int:
    """Passes that *frames* cost: ``1 + ceil((frames - chunk) / (chunk - overlap))``, one for anything up to a chunk."""
    if chunk == 1 or frames <= chunk:
        return 1
    return 1 + math.ceil((frames - chunk) / (chunk - overlap))


def borders(frames: int, *, chunk: int = CHUNK, overlap: int = 1) -> tuple[int, ...]:
    """Indexes of the first new frame of each later pass: where a jump would be seen."""
    return tuple(
        chunk + index * (chunk - overlap) for index in range(chunks(frames, chunk=chunk, overlap=overlap) - 1)
    )
