"""Videos for the stand-ins: a moving pattern that follows from a seed. Standard library, and PyAV where it is."""

from __future__ import annotations

import random
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

av: Any
try:
    av = import_module("av")
except ImportError:  # the programs still run, and what they write is no video
    av = None

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 1234567\n"
_BLOCK = 8


def source(path: str) -> tuple[int, Fraction, int, int]:
    """Frames, rate, width and height of a video."""
    if av is None:
        return 93, Fraction(24), 1280, 704
    with av.open(path) as container:
        stream = container.streams.video[0]
        count = stream.frames or sum(1 for _ in container.decode(stream))
        return count, Fraction(stream.average_rate or 24), stream.width, stream.height


def write(path: Path, *, seed: str, frames: int, fps: int, width: int, height: int) -> None:
    """Write a video, or a picture where it is one frame and the name says so."""
    if av is None:
        path.write_bytes(b"\x00\x00\x00\x18ftypisom" + seed.encode())
        return
    rows = _pattern(seed, width, height)
    codec = "mjpeg" if path.suffix == ".jpg" else "libx264"
    with av.open(str(path), "w", format="image2" if path.suffix == ".jpg" else "mp4") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "23"}
        for index in range(frames):
            container.mux(stream.encode(_frame(rows, index * 2, width, height)))
        container.mux(stream.encode(None))


def _pattern(seed: str, width: int, height: int) -> list[bytes]:
    """Rows of coloured blocks, twice as wide as the picture."""
    chance = random.Random(seed)  # noqa: S311 (a pattern, no secret)
    count = -(-2 * width // _BLOCK)
    return [
        b"".join(bytes(chance.choices(range(256), k=3)) * _BLOCK for _ in range(count))
        for _ in range(-(-height // _BLOCK))
    ]


def _frame(rows: list[bytes], shift: int, width: int, height: int) -> Any:
    frame = av.VideoFrame(width, height, "rgb24")
    plane = frame.planes[0]
    start = 3 * (shift % width)
    padding = bytes(plane.line_size - 3 * width)
    lines = [row[start : start + 3 * width] + padding for row in rows]
    plane.update(b"".join(lines[index // _BLOCK] for index in range(height)))
    return frame
