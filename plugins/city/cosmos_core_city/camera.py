"""Camera paths through the street, and the gates that keep them out of walls.

A path is a function of the spec and an attempt. What a gate refuses is drawn again with the next attempt, whose
number goes into the facts of the clip.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core_city.render import View
from cosmos_core_city.spec import CROSSING, draw

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
    where, target, fov, shake = _FAMILIES[spec.camera](city, numbers, frames / fps)
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


Keys = tuple[list[tuple[float, float, float]], list[tuple[float, float, float]], float, float]


def _dolly(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Walking down the middle of the street, looking ahead and up at one side."""
    heading, side = numbers.choice((1, -1)), numbers.choice((1, 1, -1))
    way = min(1.5 * seconds + numbers.uniform(0.0, 3.0), 22.0)
    start = numbers.uniform(2.0, city.length - 34.0 - way)
    start = start if heading > 0 else city.length - start
    y = -side * numbers.uniform(0.2, 1.3)
    eye = [
        (start, y, 1.75),
        (start + heading * way, y + side * numbers.uniform(-0.3, 0.6), numbers.uniform(1.7, 2.3)),
    ]
    ahead, turn = numbers.uniform(15.0, 21.0), numbers.uniform(-3.0, 2.0)
    across = numbers.uniform(4.0, 8.5)
    target = [
        (eye[0][0] + heading * ahead, side * across, numbers.uniform(3.6, 5.2)),
        (
            eye[1][0] + heading * (ahead + turn),
            side * (across + numbers.uniform(-2.0, 1.5)),
            numbers.uniform(3.8, 6.0),
        ),
    ]
    return eye, target, numbers.uniform(60.0, 68.0), 1.0


def _dashcam(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Driving on the right, looking ahead through where the windscreen would be."""
    heading = numbers.choice((1, -1))
    way = min(numbers.uniform(6.0, 8.5) * seconds, city.length - 22.0)
    start = numbers.uniform(4.0, city.length - 16.0 - way)
    start = start if heading > 0 else city.length - start
    y = -heading * numbers.uniform(0.6, 1.05)
    eye = [(start, y, 1.45), (start + heading * way, y + numbers.uniform(-0.15, 0.15), 1.45)]
    target = [(x + heading * 30.0, y * 0.6, numbers.uniform(2.2, 3.2)) for x, _, _ in eye]
    return eye, target, numbers.uniform(64.0, 72.0), 0.45


def _drone(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Flying between the fronts, rising or sinking, turning towards one side."""
    heading, side = numbers.choice((1, -1)), numbers.choice((1, 1, -1))
    way = min(numbers.uniform(3.0, 5.0) * seconds, 34.0)
    start = numbers.uniform(2.0, city.length - 18.0 - way)
    start = start if heading > 0 else city.length - start
    low, high = numbers.uniform(6.5, 9.0), numbers.uniform(10.0, 14.0)
    z = (low, high) if numbers.random() < 0.5 else (high, low)
    y = -side * numbers.uniform(0.5, 3.2)
    eye = [(start, y, z[0]), (start + heading * way, y + side * numbers.uniform(-0.8, 1.2), z[1])]
    target = [
        (eye[0][0] + heading * 19.0, side * numbers.uniform(3.0, 7.0), z[0] * 0.62),
        (eye[1][0] + heading * numbers.uniform(12.0, 19.0), side * numbers.uniform(5.0, 9.0), z[1] * 0.55),
    ]
    return eye, target, numbers.uniform(62.0, 70.0), 0.8


def _aerial(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Flying over the roof line, looking down the block."""
    heading, side = numbers.choice((1, -1)), numbers.choice((1, -1))
    way = min(numbers.uniform(2.5, 5.0) * seconds, 26.0)
    start = numbers.uniform(-16.0, city.length - 58.0 - way)
    start = start if heading > 0 else city.length - start
    roof = max(house.top for house in city.buildings)
    z = max(numbers.uniform(28.0, 33.0), roof + numbers.uniform(3.0, 6.0))
    y = -side * numbers.uniform(1.0, 6.5)
    eye = [
        (start, y, z),
        (start + heading * way, y + side * numbers.uniform(-1.5, 3.0), z + numbers.uniform(-1.5, 2.5)),
    ]
    ahead, across = numbers.uniform(38.0, 52.0), numbers.uniform(1.0, 6.0)
    target = [
        (eye[0][0] + heading * ahead, side * across, numbers.uniform(6.0, 13.0)),
        (
            eye[1][0] + heading * (ahead + numbers.uniform(-4.0, 2.0)),
            side * (across + numbers.uniform(-1.0, 2.5)),
            numbers.uniform(6.0, 13.0),
        ),
    ]
    return eye, target, numbers.uniform(54.0, 64.0), 0.8


def _tripod(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Standing at eye level on a far corner of the crossing, looking into the block, with the tremor of a hand."""
    del seconds
    heading, side = numbers.choice((1, -1)), numbers.choice((1, -1))
    far = numbers.uniform(CROSSING + city.sidewalk + 0.6, CROSSING + city.sidewalk + 1.9)
    x = -far if heading > 0 else city.length + far
    eye = (x, -side * numbers.uniform(6.6, 13.0), numbers.uniform(1.62, 1.85))
    target = (
        x + heading * numbers.uniform(24.0, 34.0),
        side * numbers.uniform(1.0, 7.0),
        numbers.uniform(3.2, 5.4),
    )
    return [eye, eye], [target, target], numbers.uniform(52.0, 66.0), 0.7


_FAMILIES = {
    "dolly": _dolly,
    "dashcam": _dashcam,
    "drone": _drone,
    "aerial": _aerial,
    "tripod": _tripod,
}


def clearance(scene: Scene, eyes: NDArray[np.float64]) -> float:
    """The least distance in metres from the points (N, 3) to the box of a solid thing; 0 inside one."""
    low, high = scene.solids[:, 0], scene.solids[:, 1]
    away = np.maximum(np.maximum(low[None] - eyes[:, None], eyes[:, None] - high[None]), 0.0)
    return float(np.sqrt((away**2).sum(axis=2)).min())
