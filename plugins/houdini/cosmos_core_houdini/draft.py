"""What OpenGL drew: looked at pixel by pixel before it is called depth or segmentation, and never called exact."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cosmos_core import controls
from cosmos_core_houdini.ends import Failed
from cosmos_core_houdini.frames import SMALLEST_SHARE, channels_of, missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cosmos_core.extend import Report

UNKNOWN_SHARE = 0.002
"""Of all pixels that may have a colour of no object; more, and light or blending made them."""
_STEPS = 16
"""Values of a channel that tell numbers apart; ``cosmos_houdini.draft.colour_code`` makes them."""
_BACK = pow(1103, -1, _STEPS**3)
"""Undoes the shuffle of numbers in that code."""
_TOLERANCE = 2


def encode_color(paths: Sequence[Path], into: Path, size: tuple[int, int], fps: int, report: Report) -> None:
    """Write ``color.mp4``.

    Raises:
        Failed: a picture is missing, damaged, of another size, or all are of one colour.
    """
    _there(paths)
    plain = True
    with controls.VideoWriter(into / "color.mp4", *size, Fraction(fps), "colour") as video:
        for at, path in enumerate(paths):
            picture = _picture(path, size)[..., :3]
            plain = plain and bool(picture.min() == picture.max())
            video.write(np.ascontiguousarray(picture))
            report(at + 1, len(paths), "encoding")
        if plain:
            raise Failed("output", "every picture is of one colour: nothing was drawn")


@attrs.frozen(kw_only=True)
class Depth:
    """What the depth of a draft turned out to be; metres, if Houdini's units are."""

    depth_range: tuple[float, float]
    nearest: float
    farthest: float


def encode_depth(
    paths: Sequence[Path], into: Path, size: tuple[int, int], fps: int, far: float, report: Report
) -> Depth:
    """Write ``depth.mp4`` of pictures in which *far*, the camera's far plane, is background.

    Raises:
        Failed: what was drawn is no depth in the scene's own units.
    """
    _there(paths)
    near, farthest = np.inf, 0.0

    def inverses() -> Any:
        nonlocal near, farthest
        for at, path in enumerate(paths):
            inverse = _inverse(path, size, far)
            seen = 1 / inverse[inverse > 0]
            if seen.size:
                near, farthest = min(near, float(seen.min())), max(farthest, float(seen.max()))
            report(at + 1, len(paths), "looking at the depth")
            yield inverse

    low, high = controls.depth_range(inverses())
    if not farthest:
        raise Failed("output", "the depth pass is empty: the camera sees nothing")
    if not near < farthest:
        raise Failed("output", f"depth is {near:g} everywhere: that is a constant, not a depth pass")
    if farthest <= 1:
        raise Failed(
            "output", "depth lies between 0 and 1: that is the graphics card's own, not the scene's distances"
        )
    with controls.VideoWriter(into / "depth.mp4", *size, Fraction(fps), "exact") as video:
        for path in paths:
            video.write(controls.depth(_inverse(path, size, far), low, high))
    return Depth(depth_range=(low, high), nearest=near, farthest=farthest)


def _inverse(path: Path, size: tuple[int, int], far: float) -> NDArray[np.float32]:
    found = channels_of(path)
    name = next((one for one in ("Z", "depth", "depth.Z", "R", "Y") if one in found), "")
    if not name:
        raise Failed("output", f"{path.name} has no depth: it has {', '.join(sorted(found))}")
    z = found[name].astype(np.float32)
    if z.shape != (size[1], size[0]):
        raise Failed("output", f"{path.name} is {z.shape[1]}x{z.shape[0]}, not {size[0]}x{size[1]}")
    return controls.inverse_depth(np.where(z < far * 0.999, z, np.inf))


def encode_segmentation(
    paths: Sequence[Path],
    into: Path,
    size: tuple[int, int],
    fps: int,
    names: Mapping[int, str],
    seed: int,
    report: Report,
) -> dict[str, list[int]]:
    """Write ``segmentation.mp4`` of pictures whose colours are numbers of *names*; gives each object's colour.

    Raises:
        Failed: too many pixels have a colour of no object, or nothing of any object is seen.
    """
    _there(paths)
    curve = _curve(_picture(paths[0], size), names)
    largest: Counter[int] = Counter()
    strange = 0
    for at, path in enumerate(paths):
        numbers, unknown = read_numbers(_picture(path, size), names, curve)
        strange += int(unknown.sum())
        for number, count in zip(*np.unique(numbers, return_counts=True), strict=True):
            largest[int(number)] = max(largest[int(number)], int(count))
        report(at + 1, len(paths), "looking at the segmentation")
    share = strange / (len(paths) * size[0] * size[1])
    if share > UNKNOWN_SHARE:
        raise Failed(
            "output",
            f"{100 * share:.1f} % of the segmentation's pixels have colours of no object: light or blending made them",
        )
    enough = size[0] * size[1] * SMALLEST_SHARE
    kept = sorted(number for number, count in largest.items() if number and count >= enough)
    if not kept:
        raise Failed("output", "no object has a number: the segmentation pass is empty")
    colours = controls.palette(kept, seed)
    with controls.VideoWriter(into / "segmentation.mp4", *size, Fraction(fps), "exact") as video:
        for path in paths:
            numbers, _ = read_numbers(_picture(path, size), names, curve)
            video.write(controls.segmentation(numbers, colours))
    return {names[number]: list(colours[number]) for number in kept}


def _curves() -> tuple[NDArray[np.int32], ...]:
    """The values that the 16 steps of a channel have in a picture: as they are, or through the curve of sRGB."""
    steps = np.arange(_STEPS) / (_STEPS - 1)
    bent = np.where(steps <= 0.0031308, 12.92 * steps, 1.055 * steps ** (1 / 2.4) - 0.055)
    return tuple(np.rint(255 * values).astype(np.int32) for values in (steps, bent))


def _curve(picture: NDArray[np.uint8], names: Mapping[int, str]) -> NDArray[np.int32]:
    """The curve under which fewest pixels are strange."""
    return min(_curves(), key=lambda curve: int(read_numbers(picture, names, curve)[1].sum()))


def read_numbers(
    picture: NDArray[np.uint8], names: Mapping[int, str], curve: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Of each pixel the number that its colour says, 0 for background; and where it says none that there is."""
    values = picture[..., :3].astype(np.int32)
    nearest = np.abs(values[..., None] - curve).argmin(axis=-1)
    off = np.abs(values - curve[nearest]).max(axis=-1) > _TOLERANCE
    code = (nearest[..., 0] * _STEPS + nearest[..., 1]) * _STEPS + nearest[..., 2]
    numbers = (code * _BACK % _STEPS**3).astype(np.int32)
    if picture.shape[-1] == 4:
        outside = picture[..., 3] < 128
        numbers, off = np.where(outside, 0, numbers), off & ~outside
    unknown = off | ~np.isin(numbers, [0, *names])
    return np.where(unknown, 0, numbers).astype(np.int32), unknown


def _there(paths: Sequence[Path]) -> None:
    if absent := missing(paths):
        raise Failed("output", f"{absent[0]} of {len(paths)} frames is not there")


def _picture(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """RGB or RGBA, (H, W, 3 or 4)."""
    import cv2

    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise Failed("output", f"{path.name} cannot be decoded")
    if picture.ndim != 3 or picture.dtype != np.uint8:
        raise Failed("output", f"{path.name} is no picture of 8-bit colours")
    if picture.shape[:2] != (size[1], size[0]):
        raise Failed(
            "output", f"{path.name} is {picture.shape[1]}x{picture.shape[0]}, not {size[0]}x{size[1]}"
        )
    order = [2, 1, 0, 3][: picture.shape[2]]
    return np.asarray(picture[..., order], np.uint8)
