"""From rendered EXR files to the control videos of a clip; every frame is looked at on the way."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core import controls
from cosmos_core_houdini.ends import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
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
    chosen = taken(channels)
    if lacking := [name for name in WANTED if name not in chosen]:
        raise Failed("output", f"{path.name} has no {lacking[0]}: it has {', '.join(sorted(channels))}")
    color = np.stack([channels[chosen[letter]] for letter in "RGB"], axis=-1).astype(np.float32)
    segments = np.nan_to_num(channels[chosen["segment"]].astype(np.float32), posinf=0.0, neginf=0.0)
    return Rendered(
        color=color,
        depth=channels[chosen["depth"]].astype(np.float32),
        segments=np.rint(np.maximum(segments, 0)).astype(np.int32),
    )


def channels_of(path: Path) -> dict[str, NDArray[Any]]:
    """The channels of an EXR file, each (H, W); those of a part with a name behind that and a dot.

    Raises:
        Failed: it cannot be decoded.
    """
    import OpenEXR

    try:
        parts = OpenEXR.File(str(path), separate_channels=True).parts
        found = {
            f"{part.name()}.{name}" if len(parts) > 1 and part.name() else name: np.asarray(one.pixels)
            for part in parts
            for name, one in part.channels.items()
        }
    except (RuntimeError, ValueError) as error:
        raise Failed("output", f"{path.name} cannot be decoded: {error}") from error
    # Of a file that was cut, the decoder gives parts without channels, or none, and raises nothing.
    if not parts or not all(part.channels for part in parts):
        raise Failed("output", f"{path.name} cannot be decoded: it ends before its pixels do")
    return found


WANTED = ("R", "G", "B", "depth", "segment")
"""What a frame must hold, colour letter by letter."""
_COLOR = ("", "c", "ci", "cf", "color", "colour", "beauty", "rgba", "rgb")
_LAYERS: dict[str, tuple[str, ...]] = {
    "R": _COLOR,
    "G": _COLOR,
    "B": _COLOR,
    "depth": ("depth", "ray_hitpz", "hitpz", "pz"),
    "segment": ("segment", "cosmos_segment", "primvars_cosmos_segment", "primvar_cosmos_segment"),
}
"""How a renderer may call the layer of each: our name for it, or its source; nobody wrote down which husk takes."""
_PARTS = {"R": ("r", "red"), "G": ("g", "green"), "B": ("b", "blue")}
_ALONE = ("", "z", "r", "x", "y", "v", "red")
"""How the one channel of a layer may be called."""


def taken(names: Iterable[str]) -> dict[str, str]:
    """Which channel each of :data:`WANTED` is taken from, by name; what is not there is left out.

    Capitals, and what stands between words, make no difference. A layer of our name comes before one of its source's.
    """
    places = {_place(name): name for name in sorted(names, reverse=True)}
    found = {}
    for wanted in WANTED:
        looked = [(layer, part) for layer in _LAYERS[wanted] for part in _PARTS.get(wanted, _ALONE)]
        # A part called after its only channel: depth.depth.
        looked += [] if wanted in _PARTS else [(layer, layer) for layer in _LAYERS[wanted]]
        if (place := next((one for one in looked if one in places), None)) is not None:
            found[wanted] = places[place]
    return found


def _place(name: str) -> tuple[str, str]:
    """The layer and the part of it that a channel is, in small letters; a layer's only channel may have no part."""
    words = [re.sub(r"[^a-z0-9]+", "_", word) for word in name.lower().split(".")]
    alone = (*_LAYERS["depth"], *_LAYERS["segment"])
    if len(words) == 1:
        return (words[0], "") if words[0] in alone else ("", words[0])
    if len(words) > 2 and words[-2] in (*_COLOR, *alone):
        return words[-2], words[-1]
    return "_".join(words[:-1]), words[-1]


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
