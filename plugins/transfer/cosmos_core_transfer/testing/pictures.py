"""Videos for the stand-ins: their input in other colours, which follow from a seed. Standard library, and PyAV where it is."""

from __future__ import annotations

import random
from fractions import Fraction
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def write(path: Path, *, seed: str, frames: int, fps: int, width: int, height: int, like: str = "") -> None:
    """Write a video, or a picture where it is one frame and the name says so.

    It shows the video at *like* in a light and colours of its own, as a model that follows its input does; without one
    a moving pattern.
    """
    if av is None:
        path.write_bytes(b"\x00\x00\x00\x18ftypisom" + seed.encode())
        return
    shown = _followed(like, seed, width, height) if like else _patterned(seed, width, height)
    codec = "mjpeg" if path.suffix == ".jpg" else "libx264"
    with av.open(str(path), "w", format="image2" if path.suffix == ".jpg" else "mp4") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "23"}
        for index, frame in enumerate(islice(shown, frames)):
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _followed(path: str, seed: str, width: int, height: int) -> Iterator[Any]:
    """Frames of a video in other colours, lit unevenly from top to bottom; the last one for ever."""
    chance = random.Random(seed)  # noqa: S311 (a pattern, no secret)
    at = sorted(chance.sample(range(1, height), 2))
    light = [chance.randint(-30, 30) for _ in range(4)]
    lit = [_table(_between(row, [0, *at, height], light)) for row in range(height)]
    tint = [_table(chance.randint(-40, 40)) for _ in range(2)]
    frame = None
    with av.open(path) as container:
        for decoded in container.decode(video=0):
            frame = decoded.reformat(width, height, "yuv420p")
            _recolour(frame, lit, tint)
            yield frame
    while frame is not None:
        yield frame


def _between(row: int, at: list[int], values: list[int]) -> int:
    """The value at *row*, on straight lines between those at the rows *at*."""
    part = max(index for index in range(3) if at[index] <= row)
    share = (row - at[part]) / (at[part + 1] - at[part])
    return round(values[part] + share * (values[part + 1] - values[part]))


def _table(added: int) -> bytes:
    return bytes(min(235, max(16, value + added)) for value in range(256))


def _recolour(frame: Any, light: list[bytes], tint: list[bytes]) -> None:
    luma, *chroma = frame.planes
    size, whole = luma.line_size, bytes(luma)
    luma.update(
        b"".join(whole[row * size : (row + 1) * size].translate(light[row]) for row in range(frame.height))
    )
    for plane, table in zip(chroma, tint, strict=True):
        plane.update(bytes(plane).translate(table))


def _patterned(seed: str, width: int, height: int) -> Iterator[Any]:
    rows = _pattern(seed, width, height)
    index = 0
    while True:
        yield _frame(rows, index * 2, width, height)
        index += 1


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
