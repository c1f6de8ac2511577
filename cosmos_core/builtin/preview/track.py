"""What must not change from frame to frame: the ground plane, the world's axes and which window is which.

Frames are told in order, once each; everything is a function of the frames told so far, so two runs agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cosmos_core.builtin.preview.augment import Scene
from cosmos_core.builtin.preview.geometry import FOCAL, NEAREST, default_plane, fit_ground, shape_of, shrink
from cosmos_core.builtin.preview.lamps import pane_colours, window_regions

if TYPE_CHECKING:
    from cosmos_core.builtin.preview.geometry import Bytes, Floats, Passes, Plane, Shape
    from cosmos_core.builtin.preview.words import Look

_SETTLE = 0.15
"""Share of a new estimate that the ground plane takes on in a frame."""
_FADE = 0.10
"""Share of the way to its own light that a window goes in a frame: one that is missed or mistaken fades, none blinks."""
_LINGER = 0.8
"""What is left after a frame of light whose pane was not found again."""


class Tracker:
    """Follows the ground, the camera and the windows of one clip under one look."""

    def __init__(self, look: Look, seed: int) -> None:
        self._look = look
        self._seed = seed
        self._plane: Plane | None = None
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._grey: Bytes | None = None
        self._labels: Any = None
        self._idents: Any = None
        self._shown: Any = None
        self._depth: Bytes | None = None
        self._motion: Floats = np.eye(4)
        self._pose: Floats = np.eye(4)
        self._next = 1

    def follow(self, passes: Passes) -> Scene:
        """Take the next frame and tell what holds for it."""
        self._plane = self._settled(passes)
        if self._look.windows <= 0 and self._look.wetness <= 0:
            return Scene(plane=self._plane)
        shape = shape_of(passes, trust=1.0, plane=self._plane)
        grey = cv2.cvtColor(shrink(passes.color, shape.small), cv2.COLOR_RGB2GRAY)
        flow = self._flow_back(grey)
        if passes.depth is not None:
            self._move(grey, flow, shrink(passes.depth, shape.small))
        glow = self._glow(passes, shape, flow) if self._look.windows > 0 else None
        self._grey = grey
        return Scene(plane=self._plane, pose=self._pose, glow=glow)

    def _settled(self, passes: Passes) -> Plane:
        found = fit_ground(passes.depth) if passes.depth is not None else None
        if found is None:
            return self._plane or default_plane(*passes.color.shape[:2])
        return found if self._plane is None else self._plane.blend(found, _SETTLE)

    def _flow_back(self, grey: Bytes) -> Floats | None:
        """How far every pixel of the reduced frame has come since the last, h×w×2; None at the first frame."""
        if self._grey is None or min(grey.shape) < 32:
            return None
        return self._flow.calc(grey, self._grey, np.zeros((*grey.shape, 2), np.float32))

    def _move(self, grey: Bytes, flow: Floats | None, depth: Bytes) -> None:
        """Bring the camera's pose up to date; where it cannot be told, the last motion goes on."""
        if flow is not None and self._depth is not None:
            self._motion = camera_motion(grey, flow, self._depth, otherwise=self._motion)
            self._pose = self._motion @ self._pose
        self._depth = depth

    def _glow(self, passes: Passes, shape: Shape, flow: Floats | None) -> Floats:
        """Light of the windows, h×w×3 at half size: what was shown, carried along by the flow, and on its way."""
        labels, _, centres = window_regions(passes, shape)
        back = None if flow is None or self._shown is None else _sources(flow, *labels.shape)
        idents = self._matched(centres, back)
        wanted = pane_colours(idents, self._look, self._seed)
        if back is None:
            shown = np.vstack([np.zeros((1, 3), np.float32), wanted])[labels]
        else:
            before = cv2.remap(
                self._shown, back[..., 0], back[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            shown = _onward(before, labels, wanted)
        # Grown by two pixels: a pane that moved a little between its pixels is found all the same.
        self._labels = cv2.dilate(labels.astype(np.uint16), np.ones((5, 5), np.uint8))
        self._idents, self._shown = idents, shown
        return shown

    def _matched(self, centres: Any, back: Floats | None) -> Any:
        """An ident for each pane: that of the pane its centre was in a frame ago, or a new one."""
        if back is None or not len(centres):
            return self._fresh(len(centres))
        height, width = back.shape[:2]
        x, y = np.clip(np.rint(centres).astype(int), 0, (width - 1, height - 1)).T
        place = np.clip(np.rint(back[y, x]).astype(int), 0, (width - 1, height - 1))
        old = self._labels[place[:, 1], place[:, 0]].astype(np.int64)
        known = old > 0
        idents = np.zeros(len(centres), np.uint64)
        idents[known] = self._idents[old[known] - 1]
        idents[~known] = self._fresh(int((~known).sum()))
        return idents

    def _fresh(self, count: int) -> Any:
        first = self._next
        self._next += count
        return np.arange(first, first + count, dtype=np.uint64)


def camera_motion(grey: Bytes, flow: Floats, depth_before: Bytes, *, otherwise: Floats) -> Floats:
    """The camera's step between two frames as a 4×4 from the earlier axes to the later ones.

    Points with texture are lifted from the earlier depth and matched with where they are now (perspective from n
    points, RANSAC). Gives *otherwise* where fewer than 40 agree or the step is implausible.
    """
    height, width = grey.shape
    rows, columns = (grid.ravel() for grid in np.mgrid[4 : height - 4 : 4, 4 : width - 4 : 4])
    before = np.stack([columns, rows], axis=1) + flow[rows, columns]
    slope = cv2.Sobel(grey, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(grey, cv2.CV_32F, 0, 1) ** 2
    x, y = (np.ascontiguousarray(before[None, :, axis], np.float32) for axis in (0, 1))
    level = cv2.remap(depth_before.astype(np.float32), x, y, cv2.INTER_LINEAR)[0]
    usable = (level > 8) & (slope[rows, columns] > 200)
    if usable.sum() < 40:
        return otherwise
    focal = FOCAL * width
    away = NEAREST * 255.0 / level[usable]
    lens = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    points = np.column_stack([(before[usable] - (width / 2, height / 2)) * (away / focal)[:, None], away])
    seen = np.stack([columns, rows], axis=1)[usable].astype(np.float64)
    found, turn, shift, agreed = cv2.solvePnPRansac(
        points.astype(np.float64),
        seen,
        lens,
        None,
        iterationsCount=80,
        reprojectionError=0.8,
        flags=cv2.SOLVEPNP_EPNP,
    )
    agreeing = len(agreed) if found else 0
    if agreeing < 40 or np.linalg.norm(shift) > 3 or np.linalg.norm(turn) > 0.3:
        return otherwise
    step = np.eye(4)
    step[:3, :3], step[:3, 3] = cv2.Rodrigues(turn)[0], shift.ravel()
    return step


def _sources(flow: Floats, height: int, width: int) -> Floats:
    """Where every pixel of a height×width picture was a frame ago, as x and y."""
    grown: Floats = cv2.resize(cv2.blur(flow, (3, 3)), (width, height), interpolation=cv2.INTER_LINEAR)
    grown *= width / flow.shape[1]
    grown[..., 0] += np.arange(width, dtype=np.float32)[None, :]
    grown[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return grown


def _onward(before: Floats, labels: Any, wanted: Floats) -> Floats:
    """The light of a frame from the light *before*: even within each pane, fading where no pane is found any more."""
    flat = labels.ravel()
    count = len(wanted) + 1
    size = np.maximum(np.bincount(flat, minlength=count), 1)
    had = np.stack(
        [np.bincount(flat, before[..., channel].ravel(), count) / size for channel in range(3)], axis=1
    )
    table = had[1:] + _FADE * (wanted - had[1:])
    lit = np.vstack([np.zeros((1, 3)), table]).astype(np.float32)[labels]
    return np.where((labels > 0)[..., None], lit, before * np.float32(_LINGER))
