"""Stands in for ``utils/misc.py`` of Cosmos Transfer 1: what its prompt upsampler takes from there.

As the original it writes the first frames under fixed names into the folder of temporary files, so that two jobs of one
folder would look at each other's; and of a video that cannot be read it gives no frame and says nothing.
"""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

cv2: Any
try:
    cv2 = import_module("cv2")
except ImportError:  # in a container with Python and nothing else
    cv2 = None


def extract_video_frames(video_path: str, number_of_frames: int = 2) -> list[str]:
    """Paths of the first frames."""
    frames = _opened(video_path, number_of_frames) if cv2 else _copied(video_path, number_of_frames)
    places = [Path(tempfile.gettempdir(), f"frame_{index + 1}.png") for index in range(len(frames))]
    for place, frame in zip(places, frames, strict=True):
        place.write_bytes(frame)
    return [str(place) for place in places]


def _opened(video_path: str, count: int) -> list[bytes]:
    capture = cv2.VideoCapture(video_path)
    read = [capture.read() for _ in range(count)]
    capture.release()
    return [cv2.imencode(".png", frame)[1].tobytes() for is_there, frame in read if is_there]


def _copied(video_path: str, count: int) -> list[bytes]:
    content = Path(video_path).read_bytes()
    return [content[:1000]] * count if b"ftyp" in content[:12] else []
