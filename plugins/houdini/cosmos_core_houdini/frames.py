"""From rendered EXR files to the control videos of a clip; every frame is looked at on the way."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core import controls
from cosmos_core_houdini.ends import Failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cosmos_core.extend import Report

SMALLEST_SHARE = 0.0005
"""Of some frame that an object must cover to get a colour; what is smaller stays black, as nobody would segment it."""
DARK = 1e-4
"""Mean of linear colour below which a picture is black."""


@attrs.frozen(eq=False)
class Rendered:
    """One frame: linear colour (H, W, 3), planar depth in metres (H, W), object numbers (H, W)."""

    color: NDArray[np.float32]
    depth: NDArray[np.float32]
    segments: NDArray[np.int32]


def read(path: Path) -> Rendered:
    """The passes of one EXR file.

    Raises:
        Failed: it cannot be decoded, or lacks a pass.
    """
    channels = channels_of(path)
    color = np.stack([_one(channels, path, *_color(letter)) for letter in "RGB"], axis=-1).astype(np.float32)
    segments = np.nan_to_num(
        _one(channels, path, *_single("segment")).astype(np.float32), posinf=0.0, neginf=0.0
    )
    return Rendered(
        color=color,
        depth=_one(channels, path, *_single("depth")).astype(np.float32),
        segments=np.rint(np.maximum(segments, 0)).astype(np.int32),
    )


def channels_of(path: Path) -> dict[str, NDArray[Any]]:
    """The channels of an EXR file, each (H, W).

    Raises:
        Failed: it cannot be decoded.
    """
    import OpenEXR

    try:
        return {
            name: np.asarray(one.pixels)
            for name, one in OpenEXR.File(str(path), separate_channels=True).channels().items()
        }
    except (RuntimeError, ValueError) as error:
        raise Failed("output", f"{path.name} cannot be decoded: {error}") from error


def _color(letter: str) -> tuple[str, ...]:
    return letter, f"C.{letter}", f"C.{letter.lower()}", letter.lower()


def _single(name: str) -> tuple[str, ...]:
    """How writers call the one channel of a pass: alone, or with a component."""
    return name, *(f"{name}.{part}" for part in ("Z", "R", "r", "x", "X", "Y", "V"))


def _one(channels: Mapping[str, NDArray[Any]], path: Path, *names: str) -> NDArray[Any]:
    for name in names:
        if name in channels:
            return channels[name]
    raise Failed("output", f"{path.name} has no {names[0]}: it has {', '.join(sorted(channels))}")


def expected(folder: Path, start: int, end: int, stem: str = "render", suffix: str = "exr") -> list[Path]:
    """The files that a render of these frames must leave."""
    return [folder / f"{stem}.{frame:04}.{suffix}" for frame in range(start, end + 1)]


def missing(paths: Sequence[Path]) -> list[str]:
    """Names of files that are not there or are empty."""
    return [path.name for path in paths if not path.is_file() or not path.stat().st_size]


@attrs.frozen(kw_only=True)
class Measured:
    """What all frames together say; enough to choose one depth range and one palette for the clip."""

    depth_range: tuple[float, float]
    nearest: float
    farthest: float
    segments: tuple[int, ...]
    """Numbers that cover enough of some frame."""


def measure(paths: Sequence[Path], size: tuple[int, int], report: Report) -> Measured:
    """Decode every frame once and refuse what is no control.

    Raises:
        Failed: a frame is missing, of another size, black, without depth, or of one object alone.
    """
    if absent := missing(paths):
        more = f" and {len(absent) - 1} more" if absent[1:] else ""
        raise Failed(
            "output", f"{absent[0]}{more} of {len(paths)} frames {'are' if more else 'is'} not there"
        )
    largest: Counter[int] = Counter()
    near, far, brightest = np.inf, 0.0, 0.0

    def inverses() -> Any:
        nonlocal near, far, brightest
        for at, path in enumerate(paths):
            frame = read(path)
            if frame.depth.shape != (size[1], size[0]):
                height, width = frame.depth.shape
                raise Failed("output", f"{path.name} is {width}x{height}, not {size[0]}x{size[1]}")
            inverse = controls.inverse_depth(frame.depth)
            seen = frame.depth[inverse > 0]
            if seen.size:
                near, far = min(near, float(seen.min())), max(far, float(seen.max()))
            brightest = max(brightest, float(np.nan_to_num(frame.color).mean()))
            numbers, counts = np.unique(frame.segments, return_counts=True)
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
                largest[number] = max(largest[number], count)
            report(at + 1, len(paths), "looking at the frames")
            yield inverse

    low, high = controls.depth_range(inverses())
    if not far:
        raise Failed("output", "no frame has any depth: the camera sees nothing")
    if not near < far:
        raise Failed("output", f"depth is {near:g} everywhere: that is a constant, not a depth pass")
    if brightest < DARK:
        raise Failed("output", "every frame is black: is there light, and is the camera free?")
    enough = size[0] * size[1] * SMALLEST_SHARE
    segments = tuple(sorted(number for number, count in largest.items() if number and count >= enough))
    if not segments:
        raise Failed("output", "no object has a number: the segmentation pass is empty")
    return Measured(depth_range=(low, high), nearest=near, farthest=far, segments=segments)


def encode(
    paths: Sequence[Path],
    into: Path,
    size: tuple[int, int],
    fps: int,
    found: Measured,
    seed: int,
    report: Report,
) -> dict[int, tuple[int, int, int]]:
    """Write ``color.mp4``, ``depth.mp4`` and ``segmentation.mp4`` into *into*; gives the palette.

    The conventions are the models', from :mod:`cosmos_core.controls`, as for every other generator.
    """
    colours = controls.palette(found.segments, seed)
    width, height = size
    rate = Fraction(fps)
    with (
        controls.VideoWriter(into / "color.mp4", width, height, rate, "colour") as color,
        controls.VideoWriter(into / "depth.mp4", width, height, rate, "exact") as depth,
        controls.VideoWriter(into / "segmentation.mp4", width, height, rate, "exact") as segmentation,
    ):
        for at, path in enumerate(paths):
            frame = read(path)
            color.write(srgb(frame.color))
            depth.write(controls.depth(controls.inverse_depth(frame.depth), *found.depth_range))
            segmentation.write(controls.segmentation(frame.segments, colours))
            report(at + 1, len(paths), "encoding")
    return colours


def srgb(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """8-bit sRGB (IEC 61966-2-1) of scene-linear values of which 1.0 is white."""
    x = np.clip(np.nan_to_num(linear), 0, 1)
    curved = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(curved * 255), np.uint8)
