"""The arithmetic of Transfer 1: buckets, clips of 121 frames, the size of the upscaler's output.

Source: nvidia-cosmos/cosmos-transfer1: cosmos_transfer1/diffusion/inference/inference_utils.py,
cosmos_transfer1/diffusion/inference/world_generation_pipeline.py.
"""

from __future__ import annotations

import math

from cosmos_core_transfer.transfer25 import sizes
from cosmos_core_transfer.transfer25.sizes import MOST_FRAMES, Size

__all__ = ["CLIP", "MOST_FRAMES", "UPSCALED", "borders", "bucket", "clips", "upscaled"]

CLIP = 121
"""Frames that one clip of the model has; each further one adds 120."""
UPSCALED = 3


def clips(frames: int) -> int:
    """Clips that *frames* cost: ``1 + ceil((frames - 121) / 120)``, one for anything up to 121."""
    return 1 if frames <= CLIP else 1 + math.ceil((frames - CLIP) / (CLIP - 1))


def borders(frames: int) -> tuple[int, ...]:
    """Indexes of the first new frame of each later clip."""
    return tuple(CLIP + index * (CLIP - 1) for index in range(clips(frames) - 1))


def bucket(width: int, height: int) -> Size:
    """The size the model works in and delivers: that of Transfer 2.5's tier 720. The input is stretched to it."""
    return sizes.bucket(width, height, "720")


def upscaled(width: int, height: int) -> Size:
    """The size the upscaler delivers: three times the bucket, so 3840x2112 at 16:9 and never 2160 high."""
    size = bucket(width, height)
    return Size(size.width * UPSCALED, size.height * UPSCALED)
