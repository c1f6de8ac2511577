"""A contact sheet: one row a clip with its first, middle and last frame, as one picture. Imports OpenCV: import it late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cosmos_core import media

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

WIDTH, GAP, BAR = 320, 4, 18
"""Pixels of a picture's width, between pictures, and of the line with the name."""
MOST = 200
"""Rows; of more clips, as many at even distances are shown. JPEG ends at 65,535 lines."""


def write(path: Path, clips: Sequence[tuple[str, Path, int]]) -> int:
    """Write the sheet of *clips*, each a name, a colour video and its number of frames; gives the number of rows.

    Raises:
        InputError: when one of the videos cannot be read.
    """
    shown = spread(clips)
    sheet = np.concatenate([row(*clip) for clip in shown])
    good, data = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not good:
        raise OSError(f"{path.name} cannot be encoded")
    media.write_bytes(path, data.tobytes())
    return len(shown)


def spread(clips: Sequence[Any]) -> Sequence[Any]:
    """At most :data:`MOST` of *clips*, the first and the last among them."""
    if len(clips) <= MOST:
        return clips
    return [clips[round(i * (len(clips) - 1) / (MOST - 1))] for i in range(MOST)]


def row(name: str, video: Path, frames: int) -> Pixels:
    """A name over the first, middle and last frame of *video*, (height, 3 WIDTH + 2 GAP, 3) RGB."""
    facts = media.probe(video)
    height = max(2, round(facts.height * WIDTH / facts.width))
    wanted = (0, frames // 2, frames - 1)
    pictures = enumerate(media.read_frames(video, width=WIDTH, height=height))
    found = {number: picture for number, picture in pictures if number in wanted}
    whole = np.zeros((BAR + height + GAP, 3 * WIDTH + 2 * GAP, 3), dtype=np.uint8)
    # OpenCV's letters are ASCII; what is not, becomes a question mark.
    text = name.encode("ascii", "replace").decode()
    cv2.putText(whole, text, (4, BAR - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    for place, number in enumerate(wanted):
        left = place * (WIDTH + GAP)
        whole[BAR : BAR + height, left : left + WIDTH] = found[number]
    return whole
