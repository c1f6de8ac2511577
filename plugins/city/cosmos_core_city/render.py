"""A frame of a scene: visibility, colour and distance as arrays.

The kernels run over ranges of rows in a few threads; they release the GIL and write only their own rows.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core_city import raster, shade
from cosmos_core_city.kernels import LANES, f32
from cosmos_core_city.materials import lettering, noise

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from cosmos_core_city.poses import PoseCache
    from cosmos_core_city.scene import Scene

NEAR = 0.2
SHADOW = 2048
RADIUS = 1.1
"""How far, in metres, surfaces take skylight from each other."""
_STEPS = 4


def threads() -> int:
    """How many threads render: what COSMOS_CITY_THREADS says, or the cores this process may use, at most four."""
    told = os.environ.get("COSMOS_CITY_THREADS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, usable)


@attrs.frozen(eq=False)
class View:
    """A pinhole camera: its pose (4, 4), camera to world, x right, y down, z forward; focal lengths and centre in pixels."""

    pose: NDArray[np.float64]
    lens: tuple[float, float, float, float]
    size: tuple[int, int]

    def scaled(self, width: int, height: int) -> View:
        """The same view on another number of pixels."""
        sx, sy = width / self.size[0], height / self.size[1]
        fx, fy, cx, cy = self.lens
        return View(self.pose, (fx * sx, fy * sy, cx * sx, cy * sy), (width, height))


@attrs.frozen(eq=False)
class Picture:
    """What a view sees at its pixel centres. (H, W) each.

    ``ids`` is the triangle, -1 for sky; ``inverse`` is 1 over the planar distance in metres, 0 for sky.
    """

    ids: NDArray[np.int32]
    inverse: NDArray[np.float32]


class Renderer:
    """Draws one scene under one light. Use it as a context: it owns threads.

    Where *motion* says how bodies move, a frame is drawn as it is then; otherwise all frames are the scene at rest.
    The result does not depend on the number of threads, nor on the frames drawn before.
    """

    def __init__(
        self,
        scene: Scene,
        light: shade.Light,
        exposure: float,
        *,
        motion: PoseCache | None = None,
        workers: int | None = None,
    ) -> None:
        self._scene = scene
        self._motion = motion if motion is not None and motion.poses.shape[1] else None
        self._vertices, self._normals = scene.vertices, scene.normals
        self._rides = np.ascontiguousarray(scene.rides)
        self._back = np.zeros((1, 3, 4), dtype=np.float32)
        self._frame = -1
        self._turned = -1
        self._riding = np.flatnonzero(scene.body >= 0).astype(np.int32)
        if self._motion is not None:
            self._vertices, self._normals = scene.vertices.copy(), scene.normals.copy()
            self._shadows = np.empty((SHADOW, SHADOW), dtype=np.float32)
            self._touched = slice(0, SHADOW)
        self._light = shade.narrow(light)
        self._sun, self._texel = sun_camera(scene, np.array(light.sun))
        self._workers = workers or threads()
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="city")
        self._exposure = exposure
        self._taps = _taps(10)
        self._boxes = np.array([(item.low, item.high) for item in scene.instances])
        self._moves = np.zeros(len(scene.instances), dtype=bool)
        self._moves[scene.instance[scene.still :]] = True
        self._owner = np.zeros(len(scene.vertices), dtype=np.int32)
        self._owner[scene.triangles] = scene.instance[:, None]
        count = len(scene.triangles)
        self._seen = np.empty((len(scene.vertices), 3))
        self._screen = np.empty((len(scene.vertices), 2))
        self._poly = np.empty((count, 4, 2))
        self._counts = np.zeros(count, dtype=np.uint8)
        self._plane = np.empty((count, 5))
        self._rows = np.zeros((count, 2), dtype=np.int32)
        self._looks: shade.Looks | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def look(self, view: View, frame: int = 0) -> Picture:
        """Visibility and distance only."""
        self._move(frame)
        order, starts = self._bin(view)
        return self._visible(view, order, starts)

    def draw(self, view: View, frame: int = 0) -> tuple[Picture, NDArray[np.uint8]]:
        """Visibility, distance and the anti-aliased picture (H, W, 3), RGB."""
        self._move(frame)
        self._turn(frame)
        if self._looks is None:
            self._looks = self._look_of_scene()
        looks = self._looks_now(self._looks)
        order, starts = self._bin(view)
        seen = self._visible(view, order, starts)
        shaded = self._shade(view, seen, looks)
        smooth = shaded.copy()
        self._each(
            len(smooth),
            lambda a, b: raster.soften(
                a,
                b,
                seen.ids,
                self._poly,
                self._counts,
                self._plane,
                looks.faces,
                np.empty((5, view.size[0])),
                shaded,
                smooth,
            ),
        )
        return seen, smooth

    def _each(self, count: int, work: Callable[[int, int], None], least: int = 1) -> None:
        """Call *work* on ranges that cover *count*, a few for each thread."""
        pieces = max(1, min(self._workers * _STEPS, count // least))
        edges = [count * i // pieces for i in range(pieces + 1)]
        for done in [self._pool.submit(work, a, b) for a, b in pairwise(edges)]:
            done.result()

    def _move(self, frame: int) -> None:
        """Put everything where it is in *frame*."""
        if self._motion is None or frame == self._frame:
            return
        scene, poses = self._scene, self._motion.matrices(frame)
        self._each(
            len(self._riding),
            lambda a, b: raster.pose(a, b, self._riding, scene.vertices, scene.body, poses, self._vertices),
            4096,
        )
        self._frame = frame

    def _turn(self, frame: int) -> None:
        """Turn what rides bodies, and its textures, as it is turned in *frame*."""
        if self._motion is None or frame == self._turned:
            return
        scene, poses = self._scene, self._motion.matrices(frame)
        still = scene.still
        self._each(
            len(scene.triangles) - still,
            lambda a, b: raster.turn(a + still, b + still, scene.normals, self._rides, poses, self._normals),
            4096,
        )
        turn = np.swapaxes(poses[:, :, :3].astype(np.float64), 1, 2)
        shift = -np.einsum("bij,bj->bi", turn, poses[:, :, 3].astype(np.float64))
        self._back = np.concatenate([turn, shift[:, :, None]], axis=2).astype(np.float32, order="C")
        self._turned = frame

    def _looks_now(self, looks: shade.Looks) -> shade.Looks:
        """*looks* with the shadows of what moves where it is now."""
        if self._motion is None:
            return looks
        self._shadows[self._touched] = looks.shadows[self._touched]
        self._touched = self._cast(self._sun, self._shadows, self._scene.still, len(self._scene.triangles))
        return looks._replace(normals=self._normals, shadows=self._shadows, back=self._back)

    def _prepare(
        self,
        camera: NDArray[np.float64],
        lens: tuple[float, float, float, float],
        size: tuple[int, int],
        *,
        perspective: bool,
        first: int = 0,
        last: int | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        scene = self._scene
        stop = len(scene.triangles) if last is None else last
        hidden = (
            outside(self._boxes, camera, lens, size) if perspective else np.full(len(self._boxes), first > 0)
        )
        hidden &= ~self._moves
        self._each(
            len(scene.vertices),
            lambda a, b: raster.project(
                a, b, self._vertices, self._owner, hidden, camera, lens, perspective, self._seen, self._screen
            ),
            4096,
        )
        self._each(
            stop - first,
            lambda a, b: raster.setup(
                a + first, b + first, scene.triangles, scene.thin, scene.instance, hidden, self._seen, self._screen, lens, perspective, NEAR, 0.0, size,
                self._poly, self._counts, self._plane, self._rows,
            ),
            2048,
        )  # fmt: skip
        starts = np.empty((size[1] + raster.BAND - 1) // raster.BAND + 1, dtype=np.int64)
        order = raster.sort(self._rows[first:stop], starts)
        order += np.int32(first)
        return order, starts

    def _bin(self, view: View) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        return self._prepare(_inverse(view.pose), view.lens, view.size, perspective=True)

    def _visible(self, view: View, order: NDArray[np.int32], starts: NDArray[np.int64]) -> Picture:
        width, height = view.size
        ids = np.empty((height, width), dtype=np.int32)
        inverse = np.empty((height, width), dtype=np.float32)
        self._each(
            len(starts) - 1,
            lambda a, b: raster.visibility(
                a, b, order, starts, self._poly, self._counts, self._plane, _keys(width), ids, inverse
            ),
        )
        return Picture(ids, inverse)

    def _look_of_scene(self) -> shade.Looks:
        scene = self._scene
        sun, texel = self._sun, self._texel
        shadows = np.zeros((SHADOW, SHADOW), dtype=np.float32)
        self._cast(sun, shadows, 0, scene.still)
        return shade.Looks(
            normals=self._normals,
            material=scene.material,
            table=scene.materials,
            tile=noise(),
            letters=lettering(),
            tones=shade.curve(self._exposure),
            shadows=shadows,
            sun=sun.astype(np.float32),
            texel=f32(texel),
            rest=scene.normals,
            rides=self._rides,
            back=self._back,
            faces=faces(scene),
        )

    def _cast(
        self, camera: NDArray[np.float64], nearest: NDArray[np.float32], first: int, last: int
    ) -> slice:
        """Draw triangles *first* to *last* into the shadow map *nearest*: how near to the sun each texel's surface is.

        Gives the rows that may have changed.
        """
        order, starts = self._prepare(
            camera, (1.0, 1.0, 0.0, 0.0), (SHADOW, SHADOW), perspective=False, first=first, last=last
        )
        self._each(
            len(starts) - 1,
            lambda a, b: raster.values(
                a, b, order, starts, self._poly, self._counts, self._plane, _keys(SHADOW), nearest
            ),
        )
        bands = np.flatnonzero(np.diff(starts))
        return slice(bands[0] * raster.BAND, (bands[-1] + 1) * raster.BAND) if len(bands) else slice(0, 0)

    def _shade(self, view: View, seen: Picture, looks: shade.Looks) -> NDArray[np.uint8]:
        height, width = seen.ids.shape
        camera = view.pose[:3].astype(np.float32)
        fx, fy, cx, cy = view.lens
        lens = f32(fx), f32(fy), f32(cx), f32(cy)
        rough = np.empty(((height + 1) // 2, (width + 1) // 2), dtype=np.float32)
        open_sky, half = np.empty_like(rough), np.empty_like(rough)
        shaded = np.empty((height, width, 3), dtype=np.uint8)
        self._each(
            len(rough),
            lambda a, b: shade.occlusion(
                a, b, seen.ids, seen.inverse, looks.normals, camera, lens, self._taps, RADIUS, half, rough
            ),
        )
        self._each(len(rough), lambda a, b: shade.calm(a, b, half, rough, open_sky))
        self._each(
            height,
            lambda a, b: shade.shade(
                a, b, seen.ids, seen.inverse, half, open_sky, camera, lens, self._light, looks, shaded
            ),
        )
        return shaded


def faces(scene: Scene) -> NDArray[np.int32]:
    """The number of the flat surface that each triangle is a part of (T,): one plane, one material, one body.

    The numbers are hashes: two surfaces beside each other share one by chance once in four thousand million.
    """
    normals = scene.normals.astype(np.float64)
    offset = (normals * scene.vertices[scene.triangles[:, 0]]).sum(axis=1)
    mixed = np.rint(offset * 1e3).astype(np.int64) * 1048583
    for column, factor in zip(np.rint(normals * 1e4).T, (1, 20011, 400440121), strict=True):
        mixed += column.astype(np.int64) * factor
    mixed += scene.material.astype(np.int64) * 39916801 + scene.rides.astype(np.int64) * 479001599
    return np.asarray(mixed * np.int64(-7046029254386353131) >> 32, dtype=np.int32)


def sun_camera(scene: Scene, towards: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """World points to columns, rows and depth of the shadow map (3, 4), and the size of a texel in metres.

    Depth grows away from the sun and is negative, so that ``0 - depth`` grows towards it.
    """
    forward = -towards
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), forward])
    low, high = scene.core
    corners = np.array([[(low, high)[k >> a & 1][a] for a in range(3)] for k in range(8)]) @ axes.T
    start, end = corners.min(axis=0), corners.max(axis=0)
    texel = float(max(end[0] - start[0], end[1] - start[1]) / (SHADOW - 8))
    camera = np.empty((3, 4))
    camera[:2, :3] = axes[:2] / texel
    camera[:2, 3] = 4.0 - start[:2] / texel
    camera[2, :3], camera[2, 3] = axes[2], -end[2] - 400.0
    return camera, texel


def outside(
    boxes: NDArray[np.float64],
    camera: NDArray[np.float64],
    lens: tuple[float, float, float, float],
    size: tuple[int, int],
) -> NDArray[np.bool_]:
    """Which of the *boxes* (N, 2, 3) lie wholly outside what a camera sees, world to camera (3, 4); none by a pixel."""
    corners = np.stack([boxes[:, (k & 1, k >> 1 & 1, k >> 2 & 1), (0, 1, 2)] for k in range(8)], axis=1)
    x, y, z = (corners @ axis[:3] + axis[3] for axis in camera)
    (fx, fy, cx, cy), (width, height) = lens, size
    planes = (
        z - NEAR,
        fx * x + (cx + 1.0) * z,
        (width + 1.0 - cx) * z - fx * x,
        fy * y + (cy + 1.0) * z,
        (height + 1.0 - cy) * z - fy * y,
    )
    return np.asarray(np.any([(plane < 0.0).all(axis=1) for plane in planes], axis=0))


def _inverse(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """World to camera (3, 4) from camera to world (4, 4)."""
    turn = pose[:3, :3].T
    return np.ascontiguousarray(np.column_stack([turn, -turn @ pose[:3, 3]]))


def _keys(width: int) -> NDArray[np.int64]:
    """Room for what a band of pixels sees."""
    return np.empty((raster.BAND, width), dtype=np.int64)


def _taps(count: int) -> NDArray[np.float32]:
    """Sixteen rotations of a spiral within the unit circle: (4, count, 2, LANES), by row and column."""
    angle = np.arange(count) * 2.399963
    reach = np.sqrt((np.arange(count) + 0.7) / count)
    turns = (np.arange(16) * 7 % 16) * (2 * np.pi / 16)
    both = angle[None] + turns[:, None]
    spiral = np.stack([np.cos(both) * reach, np.sin(both) * reach], axis=2).reshape(4, 4, count, 2)
    return np.tile(np.moveaxis(spiral, 1, 3), LANES // 4).astype(np.float32)
