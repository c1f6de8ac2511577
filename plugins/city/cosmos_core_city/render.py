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
from cosmos_core_city.materials import lettering, noise

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

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

    The result does not depend on the number of threads.
    """

    def __init__(
        self, scene: Scene, light: shade.Light, exposure: float, *, workers: int | None = None
    ) -> None:
        self._scene = scene
        self._light = light
        self._workers = workers or threads()
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="city")
        self._exposure = exposure
        self._taps = _taps(10)
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

    def look(self, view: View) -> Picture:
        """Visibility and distance only."""
        order, starts = self._bin(view)
        return self._visible(view, order, starts)

    def draw(self, view: View) -> tuple[Picture, NDArray[np.uint8]]:
        """Visibility, distance and the anti-aliased picture (H, W, 3), RGB."""
        if self._looks is None:
            self._looks = self._look_of_scene()
        order, starts = self._bin(view)
        seen = self._visible(view, order, starts)
        shaded = self._shade(view, seen, self._looks)
        smooth = np.empty_like(shaded)
        self._each(
            len(starts) - 1,
            lambda a, b: raster.soften(
                a, b, order, starts, self._poly, self._counts, self._plane, seen.ids, shaded, smooth
            ),
        )
        return seen, smooth

    def _each(self, count: int, work: Callable[[int, int], None], least: int = 1) -> None:
        """Call *work* on ranges that cover *count*, a few for each thread."""
        pieces = max(1, min(self._workers * _STEPS, count // least))
        edges = [count * i // pieces for i in range(pieces + 1)]
        for done in [self._pool.submit(work, a, b) for a, b in pairwise(edges)]:
            done.result()

    def _prepare(
        self,
        camera: NDArray[np.float64],
        lens: tuple[float, float, float, float],
        size: tuple[int, int],
        *,
        perspective: bool,
        far: float,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        scene = self._scene
        self._each(
            len(scene.vertices),
            lambda a, b: raster.project(
                scene.vertices[a:b], camera, lens, perspective, self._seen[a:b], self._screen[a:b]
            ),
            4096,
        )
        self._each(
            len(scene.triangles),
            lambda a, b: raster.setup(
                a, b, scene.triangles, scene.thin, self._seen, self._screen, lens, perspective, NEAR, far, size,
                self._poly, self._counts, self._plane, self._rows,
            ),
            2048,
        )  # fmt: skip
        starts = np.empty((size[1] + raster.BAND - 1) // raster.BAND + 1, dtype=np.int64)
        return raster.sort(self._rows, starts), starts

    def _bin(self, view: View) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        return self._prepare(_inverse(view.pose), view.lens, view.size, perspective=True, far=0.0)

    def _visible(self, view: View, order: NDArray[np.int32], starts: NDArray[np.int64]) -> Picture:
        width, height = view.size
        ids = np.empty((height, width), dtype=np.int32)
        inverse = np.empty((height, width), dtype=np.float32)
        self._each(
            len(starts) - 1,
            lambda a, b: raster.visibility(
                a, b, order, starts, self._poly, self._counts, self._plane, ids, inverse
            ),
        )
        return Picture(ids, inverse)

    def _look_of_scene(self) -> shade.Looks:
        scene = self._scene
        sun, texel = sun_camera(scene, np.array(self._light.sun))
        return shade.Looks(
            normals=scene.normals,
            material=scene.material,
            table=scene.materials,
            tile=noise(),
            letters=lettering(),
            tones=shade.curve(self._exposure),
            shadows=self._cast(sun),
            sun=sun,
            texel=texel,
        )

    def _cast(self, camera: NDArray[np.float64]) -> NDArray[np.float32]:
        """The shadow map: for each texel, how near to the sun its nearest surface is."""
        order, starts = self._prepare(
            camera, (1.0, 1.0, 0.0, 0.0), (SHADOW, SHADOW), perspective=False, far=0.0
        )
        nearest = np.empty((SHADOW, SHADOW), dtype=np.float32)
        self._each(
            len(starts) - 1,
            lambda a, b: raster.values(a, b, order, starts, self._poly, self._counts, self._plane, nearest),
        )
        return nearest

    def _shade(self, view: View, seen: Picture, looks: shade.Looks) -> NDArray[np.uint8]:
        height, width = seen.ids.shape
        camera = np.ascontiguousarray(view.pose[:3])
        rough = np.empty(((height + 1) // 2, (width + 1) // 2), dtype=np.float32)
        open_sky = np.empty_like(rough)
        shaded = np.empty((height, width, 3), dtype=np.uint8)
        self._each(
            len(rough),
            lambda a, b: shade.occlusion(
                a, b, seen.ids, seen.inverse, looks.normals, camera, view.lens, self._taps, RADIUS, rough
            ),
        )
        self._each(len(rough), lambda a, b: shade.calm(a, b, seen.inverse, rough, open_sky))
        self._each(
            height,
            lambda a, b: shade.shade(
                a, b, seen.ids, seen.inverse, open_sky, camera, view.lens, self._light, looks, shaded
            ),
        )
        return shaded


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


def _inverse(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """World to camera (3, 4) from camera to world (4, 4)."""
    turn = pose[:3, :3].T
    return np.ascontiguousarray(np.column_stack([turn, -turn @ pose[:3, 3]]))


def _taps(count: int) -> NDArray[np.float64]:
    """Sixteen rotations (16, count, 2) of a spiral within the unit circle."""
    angle = np.arange(count) * 2.399963
    reach = np.sqrt((np.arange(count) + 0.7) / count)
    turns = (np.arange(16) * 7 % 16) * (2 * np.pi / 16)
    both = angle[None] + turns[:, None]
    return np.stack([np.cos(both) * reach, np.sin(both) * reach], axis=2)
