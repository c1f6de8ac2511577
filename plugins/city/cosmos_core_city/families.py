"""Where the five kinds of camera go: over an untouched street, and towards a blast.

A family gives the keys of a path: two or three places of the eye, as many of what it looks at, the field of view in
degrees, and how much it trembles. What comes of the keys is :mod:`cosmos_core_city.camera`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core_city.spec import CROSSING

if TYPE_CHECKING:
    import random

    from cosmos_core_city.spec import City

    Keys = tuple[list[tuple[float, float, float]], list[tuple[float, float, float]], float, float]

INSET = 4.0
"""Metres from the ends of the block that a path towards a blast stays inside."""
HIGH = 26.0
"""Metres above the street that an aerial camera stays at least."""


def keys(family: str, city: City, numbers: random.Random, seconds: float) -> Keys:
    """The keys of a path of *family*, drawn from *numbers*; towards the blast where *city* has one."""
    return (_STROLLS if city.blast is None else _VISITS)[family](city, numbers, seconds)


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
    z = max(numbers.uniform(28.0, 33.0), _roofs(city) + numbers.uniform(3.0, 6.0))
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


def _roofs(city: City) -> float:
    """The height that three in four roofs stay below: one tower does not send the camera into the clouds."""
    tops = sorted(house.top for house in city.buildings)
    return tops[len(tops) * 3 // 4]


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


_STROLLS = {
    "dolly": _dolly,
    "dashcam": _dashcam,
    "drone": _drone,
    "aerial": _aerial,
    "tripod": _tripod,
}


def _focus(city: City) -> tuple[float, int, float, float]:
    """Where the blast is along the street, on which side and how high; and how near a camera comes, 1 for a large one."""
    if city.blast is None:
        raise AssertionError("there is no blast to look at")
    x, y, z = city.blast.center
    return x, 1 if y > 0 else -1, z, 0.75 + 0.25 * min(1.0, city.blast.damage / 0.3)


def _approach(city: City, numbers: random.Random, gap: float, way: float) -> tuple[int, float, float]:
    """From which end to come, where along the street to stop, and how far to go, *way* metres at most.

    A path stops *gap* metres before the blast and stays between the signals at the two crossings.
    """
    x = _focus(city)[0]
    heading = numbers.choice((1, -1))
    room = {1: x - gap - INSET, -1: city.length - x - gap - INSET}
    if room[heading] < way and room[-heading] > room[heading]:
        heading = -heading
    return heading, x - heading * gap, max(1.0, min(way, room[heading]))


def _to_dolly(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Walking towards the house, in the middle of the street."""
    x, side, z, near = _focus(city)
    gap, way = numbers.uniform(9.0, 14.0) * near, min(1.2 * seconds + numbers.uniform(0.0, 2.0), 16.0)
    heading, end, way = _approach(city, numbers, gap, way)
    y = -side * numbers.uniform(0.1, 1.2)
    eye = [
        (end - heading * way, y, 1.75),
        (end, y + side * numbers.uniform(-0.2, 0.3), numbers.uniform(1.7, 2.3)),
    ]
    past = heading * numbers.uniform(1.0, 4.0)
    across = side * city.facade
    target = [
        (x + past, across * numbers.uniform(0.5, 0.7), numbers.uniform(3.8, 5.2)),
        (x + past, across * numbers.uniform(0.65, 0.85), max(4.6, z) + numbers.uniform(-0.6, 1.4)),
    ]
    return eye, target, numbers.uniform(60.0, 68.0), 1.0


def _to_dashcam(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Driving towards the house on the right, looking ahead and a little to its side."""
    _, side, _, near = _focus(city)
    gap, way = numbers.uniform(13.0, 18.0) * near, numbers.uniform(5.0, 7.5) * seconds
    heading, end, way = _approach(city, numbers, gap, way)
    y = -heading * numbers.uniform(0.5, 0.95)
    eye = [(end - heading * way, y, 1.45), (end, y + numbers.uniform(-0.1, 0.1), 1.45)]
    aside = side * numbers.uniform(4.0, 7.5)
    target = [
        (eye[0][0] + heading * 30.0, aside * 0.6, numbers.uniform(2.6, 3.6)),
        (eye[1][0] + heading * 24.0, aside, numbers.uniform(3.0, 4.4)),
    ]
    return eye, target, numbers.uniform(64.0, 72.0), 0.45


def _to_drone(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Flying between the fronts towards the house, rising or sinking."""
    x, side, z, near = _focus(city)
    gap, way = numbers.uniform(10.0, 16.0) * near, min(numbers.uniform(2.5, 4.5) * seconds, 26.0)
    heading, end, way = _approach(city, numbers, gap, way)
    low, high = numbers.uniform(6.0, 8.5), numbers.uniform(10.0, 14.0)
    heights = (low, high) if numbers.random() < 0.5 else (high, low)
    y = -side * numbers.uniform(0.0, 1.5)
    eye = [
        (end - heading * way, y, heights[0]),
        (end, y + side * numbers.uniform(-0.3, 0.8), heights[1]),
    ]
    past = heading * numbers.uniform(0.0, 3.0)
    target = [
        (x + past, side * city.facade * numbers.uniform(0.6, 0.8), z + numbers.uniform(0.0, 2.0)),
        (x + past, side * city.facade * numbers.uniform(0.75, 0.95), z + numbers.uniform(0.5, 2.5)),
    ]
    return eye, target, numbers.uniform(60.0, 68.0), 0.8


def _to_aerial(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Flying over the roof line past the house, looking down at it from over the street."""
    x, side, z, near = _focus(city)
    heading = numbers.choice((1, -1))
    end = x - heading * numbers.uniform(13.0, 20.0) * near
    way = min(numbers.uniform(2.0, 4.0) * seconds, 22.0)
    height = numbers.uniform(HIGH + 0.5, HIGH + 4.0)
    y = -side * numbers.uniform(2.0, 7.5)
    eye = [
        (end - heading * way, y, height),
        (end, y + side * numbers.uniform(-1.5, 1.5), height + numbers.uniform(0.0, 2.0)),
    ]
    past = heading * numbers.uniform(0.0, 4.0)
    target = [
        (x + past, side * city.facade * numbers.uniform(0.6, 0.9), z + numbers.uniform(1.0, 4.0)),
        (x + past, side * city.facade * numbers.uniform(0.8, 1.0), z + numbers.uniform(1.0, 4.0)),
    ]
    return eye, target, numbers.uniform(52.0, 60.0), 0.8


def _to_tripod(city: City, numbers: random.Random, seconds: float) -> Keys:
    """Standing in the road before the house, with the tremor of a hand."""
    del seconds
    x, side, z, near = _focus(city)
    heading, at, _ = _approach(city, numbers, numbers.uniform(10.0, 19.0) * near, 0.0)
    eye = (
        at,
        -side * numbers.uniform(0.0, 1.3),
        numbers.uniform(1.62, 1.85),
    )
    target = (
        x + heading * numbers.uniform(0.0, 3.0),
        side * city.facade * numbers.uniform(0.65, 0.85),
        max(4.4, z) + numbers.uniform(-0.4, 1.6),
    )
    return [eye, eye], [target, target], numbers.uniform(56.0, 68.0), 0.7


_VISITS = {
    "dolly": _to_dolly,
    "dashcam": _to_dashcam,
    "drone": _to_drone,
    "aerial": _to_aerial,
    "tripod": _to_tripod,
}
