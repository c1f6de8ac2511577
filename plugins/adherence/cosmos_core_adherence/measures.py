"""How closely one video follows another: edges, blurred light, motion, depth, regions. Pure; arrays in, numbers out.

Two videos are compared as stacks of grey pictures (N, H, W), 0 to 255, frame by frame, as far as both go. Pixels in
the arguments below are those of the stacks, which are 640x360 for every check of this package.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Real = NDArray[np.float32]

STRONG = 200
"""Upper threshold of NVIDIA's edge control; its lower one is half of it."""

_FAINTEST = 24
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def edge_f1(output: Pixels, source: Pixels, *, tolerance: int = 2) -> float:
    """F1 of the Canny edges of two videos, 0 to 1; an edge counts as met within *tolerance* pixels.

    Counted over all frames together. Edges of the source are those of NVIDIA's edge control (thresholds 100 and 200).
    Those of the output are its strongest ones, as many as the source has: night and fog weaken every edge, and are no
    fault of the drawing. Exact agreement (a tolerance of 0) hardly separates right from wrong videos.
    """
    drawn = explained = asked = met = 0
    for mine, theirs in zip(output, source, strict=False):
        a, b = _edges_of_both(mine, theirs)
        drawn += cv2.countNonZero(a)
        explained += cv2.countNonZero(a & _near(b, tolerance))
        asked += cv2.countNonZero(b)
        met += cv2.countNonZero(b & _near(a, tolerance))
    if not drawn or not asked:
        return float(drawn == asked)
    precision, recall = explained / drawn, met / asked
    return 2 * precision * recall / (precision + recall) if met else 0.0


def _near(mask: Pixels, reach: int) -> Pixels:
    """Where *mask* is, and up to *reach* pixels from it."""
    return np.asarray(cv2.dilate(mask, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), np.uint8)


def _edges_of_both(mine: Pixels, theirs: Pixels) -> tuple[Pixels, Pixels]:
    x, y = _gradient(theirs)
    edges = cv2.Canny(x, y, STRONG / 2, STRONG)
    wanted = int(np.count_nonzero(_strength(x, y) > STRONG))
    x, y = _gradient(mine)
    at = min(STRONG, max(_FAINTEST, _strongest(_strength(x, y), wanted)))
    return np.asarray(cv2.Canny(x, y, at / 2, at), np.uint8), np.asarray(edges, np.uint8)


def _gradient(picture: Pixels) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    x, y = (cv2.Sobel(picture, cv2.CV_16S, *along) for along in ((1, 0), (0, 1)))
    return np.asarray(x, np.int16), np.asarray(y, np.int16)


def _strength(x: NDArray[np.int16], y: NDArray[np.int16]) -> NDArray[np.int16]:
    """The sum of both directions, which is how Canny measures; at most 2040."""
    return np.asarray(cv2.add(cv2.absdiff(x, 0), cv2.absdiff(y, 0)), np.int16)  # type: ignore[call-overload]


def _strongest(strength: NDArray[np.int16], count: int) -> int:
    """The least strength that no more than *count* pixels exceed."""
    above = strength.size - np.cumsum(np.bincount(strength.ravel(), minlength=1))
    return int(np.argmax(above <= count))


@attrs.frozen(kw_only=True)
class Likeness:
    """How alike two blurred videos are."""

    structure: float
    """The structure factor of SSIM, weighted by the source's contrast: whether it gets lighter and darker in the same
    places, whatever the light. 1 when it does, 0 when it has nothing to do with the source."""
    ssim: float
    """Plain SSIM, to 1. It also asks for the same brightness and contrast, and counts empty sky as agreement."""


def blur_likeness(output: Pixels, source: Pixels, *, sigma: float = 4.0) -> Likeness:
    """Structural similarity of two videos that were blurred alike, mean over frames.

    What is left after a Gaussian blur of *sigma* pixels is where light and dark areas lie: what the control ``vis``
    steers. Blurred pictures are compared at half their size, in Gaussian windows (Wang et al., 2004).
    """
    scores = [
        _likeness(_blurred(mine, sigma), _blurred(theirs, sigma))
        for mine, theirs in zip(output, source, strict=False)
    ]
    if not scores:
        return Likeness(structure=0.0, ssim=0.0)
    structure, ssim = np.mean(scores, axis=0)
    return Likeness(structure=float(structure), ssim=float(ssim))


def _blurred(picture: Pixels, sigma: float) -> Real:
    height, width = picture.shape
    half = cv2.resize(picture, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(half.astype(np.float32), (0, 0), sigma / 2), np.float32)


def _likeness(one: Real, two: Real) -> tuple[float, float]:
    def mean(picture: Real) -> Real:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), 3.0), np.float32)

    mean_one, mean_two = mean(one), mean(two)
    product, squares = mean_one * mean_two, mean_one * mean_one + mean_two * mean_two
    var_one = np.maximum(mean(one * one) - mean_one * mean_one, 0)
    var_two = np.maximum(mean(two * two) - mean_two * mean_two, 0)
    shared = mean(one * two) - product
    ssim = (2 * product + _C1) / (squares + _C1) * (2 * shared + _C2) / (var_one + var_two + _C2)
    contrast = np.sqrt(var_two)
    if contrast.max() < 1:
        return 1.0, float(ssim.mean())
    structure = shared / (np.sqrt(var_one * var_two) + 1)
    return float((structure * contrast).sum() / contrast.sum()), float(ssim.mean())


@attrs.frozen(kw_only=True)
class Motion:
    """What two videos have in common in where something moves."""

    score: float
    """1 less the share of the output's motion that lies far from any motion of the input. 1 when nothing moves."""
    beyond_chance: float
    """The same, with 0 for motion that lies anywhere at random and 1 for motion where the input's is. When a camera
    moves, there is motion near every place, and the score alone is high for any video."""
    held: float
    """Share of the steps at which the input moves and the output repeats its frame. Both numbers are blind to them."""


def motion(
    output: Pixels, source: Pixels, *, reach: int = 7, difference: int = 10, still: float = 0.05
) -> Motion:
    """Compare where two videos move, by the method of NVIDIA's cosmos-evaluator (its check "hallucination").

    Frames are subtracted from the next ones, blurred over 7 pixels, cut at *difference* and opened over 3: that is
    where it moves. Motion of the output farther than *reach* pixels from the input's was made up.

    Args:
        output: what was made.
        source: its input.
        reach: in pixels.
        difference: grey levels of a step that count as motion.
        still: mean difference of a step below which a frame repeats the last one.
    """
    moved = made_up = steps = holds = 0
    by_chance = 0.0
    pairs = zip(_steps(output, difference), _steps(source, difference), strict=False)
    for (mine, mine_mean), (theirs, theirs_mean) in pairs:
        near = _near(theirs, reach)
        count = cv2.countNonZero(mine)
        moved += count
        made_up += cv2.countNonZero(mine & ~near)
        by_chance += count * cv2.countNonZero(near) / near.size
        steps += theirs_mean >= still
        holds += theirs_mean >= still > mine_mean
    score = 1 - made_up / moved if moved else 1.0
    chance = by_chance / moved if moved else 0.0
    return Motion(
        score=score,
        beyond_chance=(score - chance) / (1 - chance) if chance < 1 else 1.0,
        held=holds / steps if steps else 0.0,
    )


def _steps(stack: Pixels, difference: int) -> Iterator[tuple[Pixels, float]]:
    """Where each step moves, 0 or 255, and by how much it changes on average."""
    opening = np.ones((3, 3), np.uint8)
    for before, after in pairwise(stack):
        step = cv2.absdiff(before, after)
        blurred = cv2.GaussianBlur(step, (7, 7), 0)
        mask = cv2.threshold(blurred, difference, 255, cv2.THRESH_BINARY)[1]
        yield np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, opening), np.uint8), float(cv2.mean(step)[0])


def depth_error(found: Real, true: Real) -> float:
    """Root mean square difference of two inverse depths (H, W), after the scale and shift of each were taken away.

    A model knows neither, so each map has its median subtracted and is divided by its mean distance from it. Where
    *true* is 0, the sky, nothing is compared. 0 is equal, about 1.4 unrelated.
    """
    seen = true > 0
    if np.count_nonzero(seen) < 2:
        return 0.0
    one, two = (_normalized(np.asarray(each, np.float64)[seen]) for each in (found, true))
    return float(np.sqrt(np.mean((one - two) ** 2)))


def _normalized(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - np.median(values)
    return centred / max(float(np.abs(centred).mean()), 1e-9)


def region_iou(found: NDArray[np.int64], true: NDArray[np.int64], *, least: float = 0.005) -> float:
    """Mean over the regions of *true* of the best overlap (IoU) that any region of *found* has with it, 0 to 1.

    Both are labels (H, W). What a label means counts for nothing, since a model has its own. Regions smaller than the
    share *least* of the picture are left out. 1 when there is no region.
    """
    _, theirs = np.unique(true, return_inverse=True)
    _, mine = np.unique(found, return_inverse=True)
    theirs, mine = theirs.ravel(), mine.ravel()
    table = np.zeros((theirs.max() + 1, mine.max() + 1), np.int64)
    np.add.at(table, (theirs, mine), 1)
    sizes = table.sum(axis=1)
    overlap = table / (sizes[:, None] + table.sum(axis=0)[None, :] - table)
    large = sizes >= least * true.size
    return float(overlap[large].max(axis=1).mean()) if large.any() else 1.0
