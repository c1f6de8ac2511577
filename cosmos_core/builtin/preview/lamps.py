"""What shines after dark: windows, signs, neon tubes, and the halo around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cosmos_core.builtin.preview.geometry import FOCAL, distance_table, grow, segment_keys, shrink
from cosmos_core.builtin.preview.light import plate_of, pour, scatter, smooth

if TYPE_CHECKING:
    from cosmos_core.builtin.preview.geometry import Floats, Passes, Shape
    from cosmos_core.builtin.preview.words import Look, Rgb


_LARGEST_PANE = 4.0
"""Metres; what is larger is a wall in the shade."""


def window_regions(passes: Passes, shape: Shape) -> tuple[Any, Any, Any]:
    """Window panes: labels H/2×W/2 (0 is none), boxes and centres as OpenCV's connected components give them.

    A pane is a compact patch, dark or cool against its wall, on a front: on a segment that reaches high or, without
    segments, two metres up.
    """
    half = shrink(passes.color, 2 if shape.small > 1 else 1)
    height, width = half.shape[:2]
    red, green, blue = (plane.astype(np.int16) for plane in cv2.split(half))
    leafy = green > np.maximum(red, blue) + 8
    glass = _glassy(half, red, blue) & _on_fronts(passes, shape, leafy)
    glass &= (grow(shape.sky, height, width) < 0.02) & ~leafy
    # Closed by a pixel, so that a sash window with its bars is one pane.
    mask = cv2.morphologyEx(glass.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, boxes, centres = cv2.connectedComponentsWithStats(mask, connectivity=4)
    area, wide, tall = boxes[:, cv2.CC_STAT_AREA], boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT]
    frame = height * width
    good = (area >= max(4, frame // 25000)) & (area <= frame // 28) & (area > 0.5 * wide * tall)
    good &= (wide < 5 * tall) & (tall < 6 * wide)
    good[0] = False
    if passes.depth is not None:
        x, y = np.clip(
            np.rint(centres * (shape.near.shape[1] / width)).astype(int),
            0,
            (shape.near.shape[1] - 1, shape.near.shape[0] - 1),
        ).T
        metres = distance_table()[shape.near[y, x]] / (FOCAL * width)
        good &= (tall * metres < _LARGEST_PANE) & (wide * metres < 1.3 * _LARGEST_PANE)
    keep = np.zeros(count, np.int32)
    keep[good] = np.arange(1, int(good.sum()) + 1)
    return keep[labels], boxes[good], centres[good]


def _glassy(image: Any, red: Any, blue: Any) -> Any:
    """Where a picture is darker than its surroundings, or greyish and cooler: glass shows the room or the sky."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.int16)
    cool = blue - red
    size = (max(9, image.shape[1] // 8) | 1,) * 2
    dark = ((grey < cv2.blur(grey, size) - 9) | (grey < 36)) & (grey < 112)
    sky_like = (cool > cv2.blur(cool, size) + 14) & (np.abs(cool) < 45) & (grey > 60) & (grey < 178)
    return dark | sky_like


def _on_fronts(passes: Passes, shape: Shape, leafy: Any) -> Any:
    """Where windows may be, given where leaves are: not on cars, whose dark panes stay dark, nor in trees."""
    height, width = leafy.shape
    level = grow(shape.height, height, width)
    if passes.seg is None:
        return level > 2.2
    key = segment_keys(cv2.resize(passes.seg, (width, height), interpolation=cv2.INTER_NEAREST))
    size, high, green = (
        np.bincount(key[where].ravel(), minlength=4096) for where in (..., level > 4.0, leafy)
    )
    fronts = (high > 0.2 * size) & (green < 0.15 * size) & (size > height * width // 1500)
    fronts[0] = False
    return fronts[key] & (level > 0.35)


_WARM: tuple[Rgb, ...] = (
    (1.0, 0.62, 0.28),
    (1.0, 0.70, 0.38),
    (1.0, 0.55, 0.20),
    (0.95, 0.82, 0.60),
    (0.62, 0.80, 1.0),
)
_NEON: tuple[Rgb, ...] = (
    (1.0, 0.10, 0.55),
    (0.10, 0.75, 1.0),
    (0.55, 0.15, 1.0),
    (1.0, 0.48, 0.12),
    (0.15, 1.0, 0.75),
)


def pane_colours(idents: Any, look: Look, seed: int) -> Floats:
    """Light of each pane as n×3; dark panes are 0. Which are lit and how depends on ident and seed alone."""
    draws = scatter(np.asarray(idents, np.uint64), seed)
    lit = draws[:, 0] < look.windows
    warm, neon = np.array(_WARM, np.float32), np.array(_NEON, np.float32)
    colour = warm[(draws[:, 1] * len(warm)).astype(int)]
    bright = draws[:, 2] < 0.55 * look.neon
    colour[bright] = neon[(draws[bright, 3] * len(neon)).astype(int)]
    return colour * (lit * (0.35 + 0.65 * draws[:, 3]))[:, None].astype(np.float32)


def signs(passes: Passes, shape: Shape, look: Look, seed: int) -> Floats | None:
    """Light of signs and of neon tubes along outlines, as a plate; None when the look has no neon.

    Signs are what was saturated in the clip between 2 and 7 m; tubes run down the seams between some fronts.
    """
    if not look.neon:
        return None
    height, width = passes.color.shape[:2]
    half = shrink(passes.color, 2 if shape.small > 1 else 1)
    small = plate_of(half)
    top = small.max(axis=0)
    red, green, blue = small
    vivid = smooth(0.70, 0.92, 1.0 - small.min(axis=0) / np.maximum(top, 0.02)) * smooth(0.03, 0.15, top)
    brick = (red > green) & (green > blue) & (green > 0.13 * red) & (green < 0.42 * red)
    leafy = (green > red) & (green > 1.6 * blue)
    level = grow(shape.height, *top.shape)
    vivid *= smooth(2.0, 2.6, level) * (1.0 - smooth(5.5, 7.5, level)) * ~(brick | leafy)
    glow = small / np.maximum(top, 0.05) * vivid * (1.1 * look.neon)
    glow = np.moveaxis(glow, 0, 2) + _tubes(passes, shape, look, seed, top.shape)
    return np.stack([grow(np.ascontiguousarray(glow[..., channel]), height, width) for channel in range(3)])


def _tubes(passes: Passes, shape: Shape, look: Look, seed: int, size: tuple[int, int]) -> Floats:
    """Neon tubes down the seams between neighbouring fronts, size×3: another segment, but hardly another distance."""
    height, width = size
    if passes.seg is None:
        return np.zeros((height, width, 3), np.float32)
    key = segment_keys(cv2.resize(passes.seg, (width, height), interpolation=cv2.INTER_NEAREST))
    near = cv2.resize(shape.near, (width, height), interpolation=cv2.INTER_NEAREST)
    seam = np.zeros((height, width), bool)
    seam[:, 2:] = (key[:, 2:] != key[:, :-2]) & (cv2.absdiff(near[:, 2:], near[:, :-2]) <= 2)
    level = grow(shape.height, height, width)
    seam &= (key > 0) & (near > 6) & (level > 3.4) & (level < 14.0)
    run = np.ones((max(3, height // 30), 1), np.uint8)
    seam = cv2.morphologyEx(seam.astype(np.uint8), cv2.MORPH_OPEN, run) > 0
    draws = scatter(np.arange(4096, dtype=np.uint64), seed + 5)
    colour = np.array(_NEON, np.float32)[(draws[:, 1] * len(_NEON)).astype(int)]
    colour[draws[:, 0] > 0.6] = 0.0
    return cv2.blur(colour[key] * seam[..., None].astype(np.float32), (1, 5)) * np.float32(1.5 * look.neon)


def add_glow(plate: Floats, source: Floats, look: Look) -> Floats:
    """Add the halo of *source* (h×w×3, reduced size) to *plate*; returns the widest halo for drops to catch."""
    wide = 1.0 + min(1.5, look.fog * 30 + look.rain * 0.5)
    sigma = source.shape[1] / 320
    tight = cv2.GaussianBlur(source, (0, 0), max(0.6, 2.2 * sigma))
    broad = cv2.GaussianBlur(source, (0, 0), max(0.8, 9.0 * sigma))
    vast = cv2.blur(
        cv2.blur(source, (_odd(60 * sigma), _odd(60 * sigma))), (_odd(40 * sigma), _odd(40 * sigma))
    )
    halo = 0.30 * tight + 0.22 * wide * broad + 0.16 * wide * vast
    pour(plate, halo)
    return broad + vast


def _odd(size: float) -> int:
    return max(3, int(size) | 1)
