"""Camera paths through the street, from the keys of a family, and how far they stay from walls.

A path is a function of the spec and an attempt. What a gate refuses is drawn again with the next attempt, whose
number goes into the facts of the clip.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core_city.families import keys
from cosmos_core_city.render import View
from cosmos_core_city.spec import draw

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from cosmos_core_city.scene import Scene
    from cosmos_core_city.spec import City, CitySpec

CLEARANCE = 2.5
"""Metres that a camera stays away from the boxes of solid things."""
ATTEMPTS = 40
"""Paths that are drawn before the scene counts as impossible; most refusals cost no picture."""


@attrs.frozen(eq=False)
class Path:
    """Poses of a camera (N, 4, 4), camera to world, x right, y down, z forward, and its field of view in degrees."""

    poses: NDArray[np.float64]
    fov: float
    attempt: int

    def view(self, frame: int, width: int, height: int) -> View:
        """What the camera is at *frame*; the field of view is horizontal and pixels are square."""
        focal = width / 2 / math.tan(math.radians(self.fov) / 2)
        return View(self.poses[frame], (focal, focal, width / 2, height / 2), (width, height))


def path(spec: CitySpec, city: City, frames: int, fps: float, attempt: int) -> Path:
    """The path of *attempt*: two to three keys, eased in and out, with the tremor of a hand or a mount."""
    numbers = draw(spec, f"camera {spec.camera} {attempt}")
    where, target, fov, shake = keys(spec.camera, city, numbers, frames / fps)
    t = ease(np.linspace(0.0, 1.0, frames), soft=0.12 if spec.camera == "dashcam" else 0.3)
    seconds = np.arange(frames) / fps
    eyes = along(where, t) + tremor(numbers, seconds, 3) * shake * 0.035
    targets = along(target, t) + tremor(numbers, seconds, 3) * shake * 0.10
    roll = tremor(numbers, seconds, 1)[:, 0] * shake * 0.004
    return Path(np.stack([look(*each) for each in zip(eyes, targets, roll, strict=True)]), fov, attempt)


def ease(t: NDArray[np.float64], soft: float) -> NDArray[np.float64]:
    """From 0 to 1 with constant speed but for the first and last *soft* of the time, where it starts and stops."""
    ramp = np.clip(t / soft, 0.0, 1.0)
    brake = np.clip((1.0 - t) / soft, 0.0, 1.0)
    speed = (ramp * ramp * (3 - 2 * ramp)) * (brake * brake * (3 - 2 * brake)) + 0.04
    way = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2)])
    return np.asarray(way / way[-1])


def along(keys: Sequence[Sequence[float]], t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 3) on a smooth curve through two or three *keys*: a line, or a parabola through the middle one."""
    points = np.asarray(keys, dtype=np.float64)
    s = t[:, None]
    if len(points) == 2:
        return np.asarray(points[0] * (1 - s) + points[1] * s)
    a, b, c = points
    return np.asarray(a * (1 - s) * (1 - 2 * s) + b * 4 * s * (1 - s) + c * s * (2 * s - 1))


def tremor(numbers: random.Random, seconds: NDArray[np.float64], axes: int) -> NDArray[np.float64]:
    """Slow noise about 0 within ±1, (N, axes): a few sines that share no period."""
    total = np.zeros((len(seconds), axes))
    for axis in range(axes):
        for rate, size in ((0.31, 0.5), (0.83, 0.3), (1.9, 0.2)):
            phase, pitch = numbers.uniform(0, 2 * math.pi), rate * numbers.uniform(0.8, 1.2)
            total[:, axis] += size * np.sin(2 * math.pi * pitch * seconds + phase)
    return total


def look(eye: NDArray[np.float64], target: NDArray[np.float64], roll: float = 0.0) -> NDArray[np.float64]:
    """The pose (4, 4) at *eye* that looks at *target*, turned about its axis by *roll* radians."""
    forward = target - eye
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    right, down = (
        right * math.cos(roll) + down * math.sin(roll),
        down * math.cos(roll) - right * math.sin(roll),
    )
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, down, forward, eye
    return pose


def clearance(scene: Scene, eyes: NDArray[np.float64]) -> float:
    """The least distance in metres from the points (N, 3) to the box of a solid thing; 0 inside one."""
    low, high = scene.solids[:, 0], scene.solids[:, 1]
    away = np.maximum(np.maximum(low[None] - eyes[:, None], eyes[:, None] - high[None]), 0.0)
    return float(np.sqrt((away**2).sum(axis=2)).min())
