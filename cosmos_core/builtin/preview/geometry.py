"""What the depth pass says about a frame: distance, sky, ground, height and the way surfaces face.

A depth control is inverse depth, near bright, sky 0, with one scale per clip that the file does not state. Distances
here are therefore relative: white is taken to be :data:`NEAREST` metres away and the lens to see 65 degrees across.
Angles, horizon and occlusion do not depend on the first guess, because inverse depth is an affine function of the
pixel's place on any plane; fog densities and heights do.

Soft maps are kept at a fraction of the frame's size (:func:`reduction`); what needs a crisp border is full size.
Imports OpenCV and NumPy; nothing light imports this package's pixel modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Bytes = Any
"""uint8 array. OpenCV's own annotations are too loose to say it better."""
Floats = Any
"""float32 array."""

NEAREST = 3.0
"""Metres that white in the depth pass is taken to mean; the city generator keeps its camera 2.5 m clear."""
FARTHEST = 300.0
"""Metres beyond which air gets no thicker; the sky counts as this far."""
FOCAL = 0.785
"""Focal length over frame width, for 65 degrees."""


@attrs.frozen(kw_only=True, eq=False)
class Passes:
    """One frame of a clip, sizes equal: colour and segmentation H×W×3, depth and edge H×W, vis H×W×3, all uint8."""

    color: Bytes
    depth: Bytes | None = None
    seg: Bytes | None = None
    edge: Bytes | None = None
    vis: Bytes | None = None


@attrs.frozen
class Plane:
    """The ground: its inverse depth in grey levels is ``level + across * u + down * v`` for pixel u, v."""

    level: float
    across: float
    down: float

    def blend(self, other: Plane, share: float) -> Plane:
        """This plane, moved towards *other* by *share*."""
        return Plane(
            self.level + share * (other.level - self.level),
            self.across + share * (other.across - self.across),
            self.down + share * (other.down - self.down),
        )

    def horizon(self, width: int) -> float:
        """Row of the horizon in the middle column; it may lie outside the frame."""
        return -(self.level + self.across * width / 2) / self.down


@attrs.frozen(kw_only=True, eq=False)
class Shape:
    """The geometry of one frame. ``near``, ``sky`` and ``ground`` are full size, the rest reduced."""

    near: Bytes
    """Inverse depth that the effects use, uint8."""
    sky: Floats
    """1 where the sky is, 0 elsewhere, soft by a pixel."""
    ground: Floats
    """1 on the ground plane, soft by a pixel or two."""
    normal: Floats
    """h×w×3: x right, y down, z into the picture, unit length, facing the camera."""
    up: Floats
    """h×w: 1 where a surface lies flat like the ground, 0 where it stands."""
    height: Floats
    """h×w: metres above the ground plane, 0 to 80."""
    place: Floats
    """h×w×2: metres to the right of and ahead of the first frame's camera, along the ground."""
    metres: Floats
    """h×w: distance along the axis of view."""
    horizon: float
    """Row at full size."""
    small: int
    """How many times smaller the reduced maps are."""


def reduction(height: int) -> int:
    """How many times smaller soft maps are: 4 for a 704-line frame, 1 for a tiny one."""
    return 4 if height >= 400 else 2 if height >= 160 else 1


def shrink(image: Any, factor: int) -> Any:
    """*image* averaged down by *factor*."""
    if factor == 1:
        return image
    height, width = image.shape[:2]
    return cv2.resize(
        image, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA
    )


def grow(image: Any, height: int, width: int) -> Any:
    """*image* enlarged to height×width, bilinear."""
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def segment_keys(seg: Bytes) -> Any:
    """A number below 4096 for each colour of a segmentation, H×W; 0 is black. Colours 16 levels apart differ."""
    high = (seg >> 4).astype(np.uint16)
    return (high[..., 0] << 8) | (high[..., 1] << 4) | high[..., 2]


def fidelity(weight: float) -> float:
    """How far depth is believed at a control weight: 0 at 0, 0.59 at 0.2, 0.87 at 0.4, 1 at 1."""
    return float(1.0 - (1.0 - min(1.0, max(0.0, weight))) ** 4)


def distance_table() -> NDArray[np.float32]:
    """Metres for each of the 256 levels of inverse depth."""
    level = np.arange(256, dtype=np.float32)
    return np.minimum(NEAREST * 255.0 / np.maximum(level, 0.5), FARTHEST).astype(np.float32)


def default_plane(height: int, width: int) -> Plane:
    """The ground of a level camera at eye height, for clips without a usable depth pass."""
    down = 225.0 / (0.53 * height)
    return Plane(level=-0.47 * height * down, across=0.0 * width, down=down)


def fit_ground(depth: Bytes) -> Plane | None:
    """The ground plane of an inverse depth map, or None where too little of it shows.

    The vertical gradient at a pixel and its value tell where the plane through it meets the horizon. On the ground all
    pixels agree on both, so the ground is the highest peak over horizon and gradient; least squares then refines it.
    """
    factor = reduction(depth.shape[0])
    near = shrink(depth, factor).astype(np.float32)
    height, width = near.shape
    if height < 24 or width < 24:
        return None
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    reach = 3
    down = np.zeros_like(near)
    across = np.zeros_like(near)
    down[reach:-reach] = (near[2 * reach :] - near[: -2 * reach]) / (2 * reach)
    across[:, reach:-reach] = (near[:, 2 * reach :] - near[:, : -2 * reach]) / (2 * reach)
    likely = (down > 0.06) & (np.abs(across) < 0.25 * down) & (near > 4) & (rows > 0.3 * height)
    if likely.sum() < 0.005 * near.size:
        return None
    vanish = (rows[likely] - near[likely] / down[likely]) / height
    steep = np.log2(down[likely])
    votes, at, rates = np.histogram2d(vanish, steep, bins=(98, 32), range=((-1.5, 0.95), (-4.0, 4.0)))
    votes = cv2.blur(votes, (3, 3))
    row, rate = np.unravel_index(int(votes.argmax()), votes.shape)
    chosen = np.zeros(near.shape, bool)
    chosen[likely] = (np.abs(vanish - at[row] - 0.0125) < 0.04) & (np.abs(steep - rates[rate] - 0.125) < 0.4)
    return _refined(near, rows, columns, chosen, factor)


def _refined(near: Floats, rows: Floats, columns: Floats, chosen: Any, factor: int) -> Plane | None:
    """The plane through the *chosen* pixels, then through all that fit it; None where few do."""
    plane = None
    for _ in range(4):
        if chosen.sum() < 0.004 * near.size:
            return plane
        system = np.stack([np.ones_like(rows[chosen]), columns[chosen], rows[chosen]], axis=1)
        level, right, below = np.linalg.lstsq(system, near[chosen], rcond=None)[0]
        if abs(right) > 0.1 * below:
            # A roll of more than six degrees is a wall that got in.
            right = 0.0
            level, below = np.linalg.lstsq(system[:, ::2], near[chosen], rcond=None)[0]
        if below <= 0.02:
            return plane
        plane = Plane(float(level), float(right) / factor, float(below) / factor)
        fitted = level + right * columns + below * rows
        chosen = (np.abs(near - fitted) < 1.5 + 0.05 * fitted) & (fitted > 3)
    return plane


def shape_of(
    passes: Passes, *, trust: float, plane: Plane | None = None, pose: Floats | None = None
) -> Shape:
    """The geometry of one frame.

    Args:
        passes: the frame; without depth, or with *trust* 0, objects stand on a guessed ground at one distance.
        trust: how far the depth pass is believed, 0 to 1; see :func:`fidelity`.
        plane: the ground, smoothed over time; fitted to this frame when None.
        pose: 4×4 from the first frame's camera axes to this one's; the same axes when None.
    """
    height, width = passes.color.shape[:2]
    small = reduction(height)
    if plane is None:
        plane = (fit_ground(passes.depth) if passes.depth is not None else None) or default_plane(
            height, width
        )
    sky = _sky(passes, plane.horizon(width))
    expected = np.clip(_levels(plane, height, width), 0.0, 255.0)
    near = _near(passes.depth, sky, expected, trust)
    # Weights may doubt how far things are; what faces where, and how high, comes from the pass itself.
    reduced = shrink(near if passes.depth is None else passes.depth, small)
    metres = cv2.LUT(reduced, distance_table())
    normal = _normals(reduced)
    return Shape(
        near=near,
        sky=cv2.GaussianBlur(sky.astype(np.float32), (3, 3), 0),
        ground=_ground(near if passes.depth is None else passes.depth, expected),
        normal=normal,
        up=np.clip(normal @ _upright(plane, height, width), 0.0, 1.0),
        height=_heights(reduced, plane, width, small),
        place=_places(metres, plane.horizon(width) / height - 0.5, pose),
        metres=metres,
        horizon=plane.horizon(width),
        small=small,
    )


def _sky(passes: Passes, horizon: float) -> Bytes:
    """1 where depth is 0 and segmentation black; without both, what is bright and bluish down from the upper border."""
    if passes.depth is not None or passes.seg is not None:
        sky = np.ones(passes.color.shape[:2], bool)
        if passes.depth is not None:
            sky &= passes.depth == 0
        if passes.seg is not None:
            sky &= cv2.transform(passes.seg, np.ones((1, 3), np.float32)) < 60
        if passes.depth is None:
            sky[max(0, int(horizon)) :] = False
        # The colour pass is anti-aliased where the others are not: its mixed pixels go to the sky.
        return cv2.dilate(sky.astype(np.uint8), np.ones((3, 3), np.uint8))
    color = cv2.blur(passes.color, (5, 5))
    bright = (color.max(axis=2) > 120) & (color[..., 2] + 6.0 >= color[..., 0])
    bright[max(1, int(horizon)) :] = False
    return np.minimum.accumulate(bright.astype(np.uint8), axis=0)


def _levels(plane: Plane, height: int, width: int, step: int = 1) -> Floats:
    """Inverse depth of the bare ground at every *step*-th pixel; negative above the horizon."""
    rows = (plane.level + plane.down * step * np.arange(height, dtype=np.float32))[:, None]
    columns = (plane.across * step * np.arange(width, dtype=np.float32))[None, :]
    return (rows + columns).astype(np.float32)


def _near(depth: Bytes | None, sky: Bytes, expected: Floats, trust: float) -> Bytes:
    if depth is not None and trust >= 0.999:
        return depth
    guess = np.maximum(expected, 16.0)
    guess[sky > 0] = 0.0
    if depth is None:
        return guess.astype(np.uint8)
    return cv2.addWeighted(depth, trust, guess.astype(np.uint8), 1.0 - trust, 0.0)


def _ground(near: Bytes, expected: Floats) -> Floats:
    off = np.abs(near - expected)
    band = 1.5 + 0.11 * expected
    mask = ((off < band) & (expected > 2.0)).astype(np.uint8)
    size = 7 if near.shape[0] >= 400 else 3
    # Depth has whole levels: the border of the band is a staircase, which the median rounds off.
    return cv2.blur(cv2.medianBlur(mask * 255, size).astype(np.float32) / 255, (3, 3))


def _normals(near: Bytes) -> Floats:
    """Camera-facing unit normals; the gradient that is smaller in size of two sides keeps borders out."""
    level = cv2.bilateralFilter(near.astype(np.float32), 7, 3.0, 3.0)
    height, width = level.shape
    focal = FOCAL * width
    across = cv2.blur(_inner_gradient(level, axis=1), (3, 3))
    down = cv2.blur(_inner_gradient(level, axis=0), (3, 3))
    columns = np.arange(width, dtype=np.float32)[None, :] - width / 2
    rows = np.arange(height, dtype=np.float32)[:, None] - height / 2
    normal = np.stack([focal * across, focal * down, level - columns * across - rows * down], axis=2)
    # The median keeps a wall's normals out of the tree before it, where a mean would draw a halo.
    normal = cv2.blur(cv2.medianBlur(_unit(normal), 5), (3, 3))
    return -_unit(normal)


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(axis=2, keepdims=True)), 1e-3)


def _upright(plane: Plane, height: int, width: int) -> Floats:
    """The ground's normal in camera axes, pointing up."""
    focal = FOCAL * width
    middle = plane.level + plane.across * width / 2 + plane.down * height / 2
    normal = np.array([focal * plane.across, focal * plane.down, middle], np.float32)
    return -normal / max(float(np.linalg.norm(normal)), 1e-6)


def _inner_gradient(level: Floats, axis: int) -> Floats:
    step = 3
    pad = [(step, step) if one == axis else (0, 0) for one in (0, 1)]
    wide = np.pad(level, pad, mode="edge")
    before, after = (
        (wide[step * 2 :], wide[: -2 * step]) if axis == 0 else (wide[:, step * 2 :], wide[:, : -2 * step])
    )
    ahead, behind = (before - level) / step, (level - after) / step
    return np.where(np.abs(ahead) < np.abs(behind), ahead, behind)


def _heights(near: Bytes, plane: Plane, width: int, step: int) -> Floats:
    """Metres above the ground: a pixel that is nearer than the ground behind it stands that much higher."""
    camera = 255.0 * NEAREST / (FOCAL * width * max(plane.down, 1e-4))
    bare = _levels(plane, near.shape[0], near.shape[1], step)
    return np.clip(camera * (1.0 - bare / np.maximum(near.astype(np.float32), 1.0)), 0.0, 80.0)


def _places(metres: Floats, tilt: float, pose: Floats | None) -> Floats:
    """Where pixels lie on the ground map of the first camera; *tilt* is the horizon's offset in frame heights."""
    height, width = metres.shape
    focal = FOCAL * width
    columns = ((np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal)[None, :]
    rows = ((np.arange(height, dtype=np.float32) + 0.5 - height / 2) / focal)[:, None]
    x, y, z = columns * metres, rows * metres, metres
    if pose is not None:
        # The inverse of a rigid motion: turn back after shifting back.
        back, shift = pose[:3, :3].T.astype(np.float32), pose[:3, 3].astype(np.float32)
        x, y, z = x - shift[0], y - shift[1], z - shift[2]
        x, y, z = (row[0] * x + row[1] * y + row[2] * z for row in back)
    down = np.arctan2(-tilt * height, focal)
    return np.stack([x, z * np.float32(np.cos(down)) - y * np.float32(np.sin(down))], axis=2).astype(
        np.float32
    )
