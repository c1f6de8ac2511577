"""The line in the corner that says what this picture is."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from cosmos_core.builtin.preview.geometry import Bytes

TEXT = "COSMOS-CORE PREVIEW - not a Cosmos model"
SHORT = "PREVIEW"
LARGEST_SHARE = 0.04
"""The label never covers more of the frame than this."""


def stamp(frame: Bytes) -> None:
    """Draw the label into the lower left corner of *frame*, in place."""
    label = _label(*frame.shape[:2])
    height, width = label.shape[:2]
    margin = min(round(frame.shape[0] * 0.02), frame.shape[0] - height, frame.shape[1] - width)
    corner = frame[frame.shape[0] - margin - height : frame.shape[0] - margin, margin : margin + width]
    corner[:] = np.maximum(cv2.convertScaleAbs(corner, alpha=0.30), label)


@functools.lru_cache(maxsize=4)
def _label(height: int, width: int) -> Bytes:
    """The label for a frame of this size: the whole sentence where it can be read, else one word."""
    for text, smallest in ((TEXT, 9), (SHORT, 1)):
        drawn = _drawn(text)
        tall = max(height * 0.048, 9.0)
        tall = min(tall, (LARGEST_SHARE * height * width * drawn.shape[0] / drawn.shape[1]) ** 0.5)
        tall = min(tall, 0.9 * width * drawn.shape[0] / drawn.shape[1])
        if tall >= smallest:
            break
    size = (max(1, int(tall * drawn.shape[1] / drawn.shape[0])), max(1, int(tall)))
    return cv2.cvtColor(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)


def _drawn(text: str) -> Bytes:
    """*text* in light grey on black, several times larger than it will be shown."""
    font, scale, thick = cv2.FONT_HERSHEY_SIMPLEX, 3.0, 6
    (wide, tall), below = cv2.getTextSize(text, font, scale, thick)
    pad = tall * 2 // 5
    canvas = np.zeros((tall + below + 2 * pad, wide + 2 * pad), np.uint8)
    return cv2.putText(canvas, text, (pad, pad + tall), font, scale, 235, thick, cv2.LINE_AA)
