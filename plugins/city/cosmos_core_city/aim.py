"""Where a camera looks: which house a blast should hit so that the clip shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosmos_core import controls
from cosmos_core_city import camera

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from cosmos_core_city.camera import Path
    from cosmos_core_city.spec import City, CitySpec

TRIED = 6
"""Attempts whose paths have a say in where the blast is."""
LEAST = 0.3
"""Share of a path's attention that its blast must have."""
MORE = 5
"""How many times the attempts at a path there are with a blast: most look elsewhere, which costs next to nothing."""


def seconds(spec: CitySpec) -> float:
    """How long the clip is."""
    profile = controls.PROFILES[spec.profile]
    return (spec.frames or profile.frames) / float(spec.fps or profile.fps)


def watched(spec: CitySpec, city: City) -> int:
    """The row of the house that the camera's first paths look at most.

    Where the spec says where along the block the blast is, it is the house there on the side that they look at.
    """
    fronts = np.array(
        [(h.x + h.width / 2, h.side * city.facade, min(h.top, 9.0) * 0.6) for h in city.buildings]
    )
    score = np.zeros(len(fronts))
    frames = max(2, round(seconds(spec) * 4))
    for attempt in range(TRIED):
        taken = camera.path(spec, city, frames, frames / seconds(spec), attempt)
        score += attention(taken, fronts) * size(taken, fronts) * (TRIED if attempt == 0 else 1)
    if spec.blast is None:
        return int(np.argmax(score))
    there = [h.x <= spec.blast <= h.x + h.width + 0.01 for h in city.buildings]
    return int(np.argmax(np.where(there, score + 1e-6, 0.0)))


def refuse_aim(city: City, path: Path) -> Iterator[str]:
    """Why *path* shows too little of the blast."""
    if city.blast is None:
        return
    x, y, z = city.blast.center
    share = float(attention(path, [(x, np.sign(y) * city.facade, z)])[0])
    if share < LEAST:
        yield f"the path gives the blast {share:.0%} of its attention; {LEAST:.0%} is the least"


def attention(path: Path, points: ArrayLike) -> NDArray[np.float64]:
    """How much *path* shows each of *points* (N, 3), 0 to 1: the share of its frames that have the point well in view,
    the later ones counting more, as that is when most of it shows.

    Well in view is in the middle of the picture, 8 to 75 m away, best at 13 to 40 m.
    """
    turn, eye = path.poses[:, :3, :3], path.poses[:, :3, 3]
    arm = np.asarray(points, dtype=np.float64)[None] - eye[:, None]
    x, y, z = np.moveaxis(np.einsum("fnk,fka->fna", arm, turn), 2, 0)
    reach = np.tan(np.radians(path.fov) / 2)
    off = np.abs(x) / np.maximum(z, 1e-6) / reach
    tall = np.abs(y) / np.maximum(z, 1e-6) / reach
    near = np.clip((z - 8.0) / 5.0, 0.0, 1.0) * np.clip((75.0 - z) / 35.0, 0.0, 1.0)
    late = np.linspace(0.2, 1.8, len(eye))[:, None]
    return np.asarray((late * near * ((off < 0.85) & (tall < 0.7))).mean(axis=0))


def size(path: Path, fronts: NDArray[np.float64]) -> NDArray[np.float64]:
    """How large fronts along the street at points (N, 3) look from the middle of *path*, 1 for head-on at 18 m."""
    arm = fronts - path.poses[len(path.poses) // 2, :3, 3]
    away = np.linalg.norm(arm, axis=1)
    return np.asarray(np.abs(arm[:, 1]) * 18.0 / np.maximum(away, 9.0) ** 2)
