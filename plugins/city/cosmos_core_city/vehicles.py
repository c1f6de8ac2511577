"""Cars, taxis and vans: a body lofted through cross-sections, glass where its cabin is, wheels, lights and bumpers.

Built facing +u with the middle at the origin of the frame; u along the car, v across, z up from the road.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.mesh import INSET, Frame, boxes, cylinder, joined, part, quads
from cosmos_core_city.scene import Thing, thing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core_city.materials import Materials
    from cosmos_core_city.mesh import Floats, Part
    from cosmos_core_city.spec import Vehicle


@attrs.frozen
class Shape:
    """A kind of vehicle.

    Each station is (u, bonnet or waist height, roof height, half width, half width of the roof); where roof and
    waist agree there is no cabin. Glass lies between stations marked in ``glazed``.
    """

    stations: tuple[tuple[float, float, float, float, float], ...]
    glazed: frozenset[int]
    """Sections whose sides are glass."""
    screens: frozenset[int]
    """Sections whose top is a windscreen."""
    wheels: tuple[float, float]
    radius: float = 0.33


SHAPES = {
    "sedan": Shape(
        (
            (-2.34, 0.86, 0.86, 0.80, 0.70), (-2.28, 0.99, 0.99, 0.83, 0.72), (-1.55, 1.01, 1.01, 0.89, 0.76),
            (-0.98, 0.98, 1.38, 0.90, 0.60), (-0.86, 0.97, 1.42, 0.90, 0.62), (-0.10, 0.95, 1.46, 0.91, 0.63),
            (0.00, 0.95, 1.46, 0.91, 0.63), (0.58, 0.95, 1.42, 0.91, 0.62), (0.66, 0.95, 1.39, 0.91, 0.61),
            (1.28, 0.96, 0.96, 0.89, 0.76), (2.10, 0.84, 0.84, 0.86, 0.74), (2.28, 0.78, 0.78, 0.82, 0.70), (2.36, 0.66, 0.66, 0.76, 0.66),
        ),
        frozenset({4, 6}), frozenset({2, 8}), (-1.38, 1.42),
    ),
    "hatchback": Shape(
        (
            (-2.02, 0.80, 0.80, 0.74, 0.64), (-1.98, 0.98, 1.02, 0.82, 0.68), (-1.58, 1.00, 1.40, 0.88, 0.62),
            (-1.45, 0.99, 1.44, 0.88, 0.63), (-0.32, 0.97, 1.50, 0.88, 0.64), (-0.22, 0.97, 1.50, 0.88, 0.64),
            (0.50, 0.96, 1.45, 0.88, 0.63), (0.58, 0.96, 1.41, 0.88, 0.62), (1.22, 0.97, 0.97, 0.86, 0.72),
            (1.80, 0.84, 0.84, 0.82, 0.70), (2.04, 0.66, 0.66, 0.72, 0.62),
        ),
        frozenset({3, 5}), frozenset({1, 7}), (-1.28, 1.24), 0.32,
    ),
    "suv": Shape(
        (
            (-2.38, 0.86, 0.86, 0.80, 0.72), (-2.34, 1.10, 1.14, 0.88, 0.74), (-2.08, 1.12, 1.68, 0.94, 0.70),
            (-1.96, 1.12, 1.72, 0.94, 0.72), (-1.06, 1.10, 1.76, 0.95, 0.73), (-0.96, 1.10, 1.76, 0.95, 0.73),
            (-0.06, 1.09, 1.76, 0.95, 0.73), (0.04, 1.09, 1.76, 0.95, 0.73), (0.68, 1.08, 1.71, 0.95, 0.72),
            (0.76, 1.08, 1.67, 0.95, 0.71), (1.28, 1.10, 1.10, 0.94, 0.80), (2.14, 1.02, 1.02, 0.90, 0.78),
            (2.40, 0.78, 0.78, 0.80, 0.70),
        ),
        frozenset({3, 5, 7}), frozenset({1, 9}), (-1.40, 1.46), 0.38,
    ),
    "van": Shape(
        (
            (-3.00, 1.30, 2.52, 0.99, 0.94), (-2.90, 1.30, 2.58, 1.00, 0.95), (0.90, 1.30, 2.58, 1.00, 0.95),
            (1.00, 1.28, 2.58, 1.00, 0.94), (1.10, 1.22, 2.56, 1.00, 0.93), (1.80, 1.22, 2.40, 1.00, 0.88),
            (1.88, 1.22, 2.30, 1.00, 0.87), (2.55, 1.24, 1.24, 0.97, 0.86), (2.92, 1.02, 1.02, 0.92, 0.82),
            (3.00, 0.80, 0.80, 0.86, 0.78),
        ),
        frozenset({4}), frozenset({6}), (-1.85, 2.05), 0.37,
    ),
    "pickup": Shape(
        (
            (-2.62, 1.00, 1.00, 0.90, 0.84), (-2.58, 1.06, 1.06, 0.93, 0.86), (-0.72, 1.06, 1.06, 0.95, 0.87),
            (-0.66, 1.08, 1.70, 0.95, 0.72), (-0.52, 1.08, 1.76, 0.95, 0.74), (0.18, 1.07, 1.78, 0.95, 0.75),
            (0.28, 1.07, 1.78, 0.95, 0.75), (0.82, 1.07, 1.74, 0.95, 0.74), (0.92, 1.07, 1.70, 0.95, 0.73),
            (1.42, 1.10, 1.10, 0.95, 0.82), (2.42, 1.04, 1.04, 0.93, 0.80), (2.60, 0.84, 0.84, 0.86, 0.76),
        ),
        frozenset({4, 6}), frozenset({2, 8}), (-1.72, 1.70), 0.39,
    ),
    "truck": Shape(
        (
            (1.30, 1.34, 2.30, 1.02, 0.90), (1.40, 1.34, 2.36, 1.04, 0.92), (1.50, 1.30, 2.38, 1.04, 0.92),
            (2.30, 1.28, 2.34, 1.04, 0.91), (2.40, 1.28, 2.28, 1.04, 0.90), (2.80, 1.34, 1.34, 1.03, 0.92),
            (3.30, 1.18, 1.18, 1.00, 0.88), (3.40, 0.90, 0.90, 0.94, 0.84),
        ),
        frozenset({2}), frozenset({4}), (-1.55, 2.45), 0.44,
    ),
}  # fmt: skip
SHAPES["taxi"] = SHAPES["sedan"]
SHAPES["police"] = SHAPES["sedan"]
_TRUCK = 4.1
"""Metres of box behind the cab of a truck."""
FLOOR = 0.24
SILL = 0.52
SPOKES = 5


def vehicle(item: Vehicle, materials: Materials) -> Thing:
    """One parked vehicle."""
    name = f"{item.kind} {item.x:05.1f} {'N' if item.y > 0 else 'S'}"
    along = (float(item.facing), 0.0)
    frame = Frame((item.x, item.y, 0.0), along, (0.0, float(item.facing)))
    return thing(name, name, list(_parts(item, materials)), frame)


def _parts(item: Vehicle, materials: Materials) -> Iterator[Part]:
    shape = SHAPES[item.kind]
    paint = materials.row(Kind.METAL, item.color, "#000000", 0.03, shine=0.45)
    glass = materials.row(Kind.METAL, "#10161a", "#000000", 0.0, shine=0.85)
    dark = materials.row(Kind.PAINT, "#17181a", "#000000", 0.05)
    panels, panes = loft(shape)
    yield part(quads(panels), paint, Label.VEHICLE)
    yield part(quads(panes), glass, Label.VEHICLE)
    yield from _wheels(shape, materials, dark)
    yield from _lights(shape, materials, dark)
    yield from _extras(item, materials, dark)


def loft(shape: Shape) -> tuple[Floats, Floats]:
    """Quads (N, 4, 3) of the body, and of its glass.

    A cross-section is six points a side: floor, sill, crease, waist, and the roof's edge and shoulder.
    """
    rings = [_ring(station) for station in shape.stations]
    panels: list[list[tuple[float, float, float]]] = []
    panes: list[list[tuple[float, float, float]]] = []
    last = len(rings[0]) - 1
    for index, (back, front) in enumerate(pairwise(rings)):
        for k in range(last):
            quad = [back[k], front[k], front[k + 1], back[k + 1]]
            side = k in {3, last - 4}
            top = 3 < k < last - 4
            clear = (side and index in shape.glazed) or (top and index in shape.screens)
            (panes if clear else panels).append(quad)
    panels += _caps(rings[0], rings[-1])
    return np.array(panels), np.array(panes)


def _ring(station: tuple[float, float, float, float, float]) -> list[tuple[float, float, float]]:
    u, waist, roof, half, top = station
    right = [
        (half * 0.90, FLOOR),
        (half * 0.985, SILL - 0.08),
        (half, max(SILL, waist - 0.24)),
        (half * 0.965, waist - 0.03),
        (top, roof - 0.025),
        (top * 0.84, roof),
    ]
    # From the floor on the right over the roof to the floor on the left.
    points = [(v, z) for v, z in right] + [(-v, z) for v, z in reversed(right)]
    return [(u, -v, z) for v, z in points]


def _caps(
    back: Sequence[tuple[float, float, float]], front: Sequence[tuple[float, float, float]]
) -> list[list[tuple[float, float, float]]]:
    """The ends of the body as bands between left and right."""
    made = []
    for ring, turn in ((back, 1), (front, -1)):
        count = len(ring)
        for k in range(count // 2 - 1):
            quad = [ring[k], ring[k + 1], ring[count - 2 - k], ring[count - 1 - k]]
            made.append(quad[::turn])
    return made


def _wheels(shape: Shape, materials: Materials, dark: int) -> Iterator[Part]:
    rim = materials.row(Kind.METAL, "#a9adb0", "#000000", 0.0, shine=0.3)
    half = max(station[3] for station in shape.stations)
    tyres, rims, arches, spokes = [], [], [], []
    for u in shape.wheels:
        for side in (-1.0, 1.0):
            centre = np.array([u, 0.0, shape.radius])
            v = np.array([0.0, side, 0.0])
            arches.append(
                cylinder(
                    centre + v * (half - 0.2) + [0, 0, 0.03],
                    centre + v * (half + 0.004) + [0, 0, 0.03],
                    shape.radius * 1.22,
                    sides=16,
                )
            )
            tyres.append(
                cylinder(centre + v * (half - 0.22), centre + v * (half + 0.018), shape.radius, sides=18)
            )
            rims.append(
                cylinder(
                    centre + v * (half - 0.1), centre + v * (half + 0.026), shape.radius * 0.62, sides=12
                )
            )
            hub = centre + v * (half + 0.024)
            spokes += [
                _spoke(hub, shape.radius * 0.56, turn * 2 * np.pi / SPOKES, side) for turn in range(SPOKES)
            ]
    yield part(joined([*arches, *tyres]), dark, Label.VEHICLE)
    yield part(joined(rims), rim, Label.VEHICLE)
    yield part(quads(np.array(spokes)), dark, Label.VEHICLE)


def _spoke(hub: Floats, reach: float, angle: float, side: float) -> Floats:
    """The gap between two spokes of a wheel (4, 3), a dark wedge just outside its rim."""
    ring = [(0.28, -0.22), (1.0, -0.32), (1.0, 0.32), (0.28, 0.22)]
    turned = [(r * reach * np.cos(angle + t), r * reach * np.sin(angle + t)) for r, t in ring]
    corners = [(hub[0] + u, hub[1] + side * 0.004, hub[2] + z) for u, z in turned]
    return np.array(corners[:: -1 if side > 0 else 1])


def _lights(shape: Shape, materials: Materials, dark: int) -> Iterator[Part]:
    back, front = shape.stations[0], shape.stations[-1]
    end, start = front[0], back[0]
    low, wide = 0.56, front[3]
    head = materials.row(Kind.METAL, "#e9ecea", "#000000", 0.0, shine=0.5)
    tail = materials.row(Kind.METAL, "#8e1512", "#000000", 0.0, shine=0.4)
    z = front[1] - 0.14
    lamps = [
        (
            (end - 0.14, s * wide - 0.16 * (s + 1), z - 0.08),
            (end + 0.012, s * wide + 0.16 * (1 - s), z + 0.06),
        )
        for s in (-1, 1)
    ]
    yield part(boxes([a for a, _ in lamps], [b for _, b in lamps]), head, Label.VEHICLE)
    z = min(back[1], 1.1) - 0.12
    lamps = [
        (
            (start - 0.012, s * back[3] - 0.14 * (s + 1), z - 0.12),
            (start + 0.08, s * back[3] + 0.14 * (1 - s), z + 0.06),
        )
        for s in (-1, 1)
    ]
    yield part(boxes([a for a, _ in lamps], [b for _, b in lamps]), tail, Label.VEHICLE)
    bumpers = [
        ((end - 0.1, INSET - wide, 0.3), (end + 0.05, wide - INSET, low - 0.1)),
        ((start - 0.05, INSET - back[3], 0.32), (start + 0.1, back[3] - INSET, low)),
    ]
    bumpers.append(((end - 0.08, -wide * 0.5, low), (end + 0.02, wide * 0.5, low + 0.1)))
    yield part(boxes([a for a, _ in bumpers], [b for _, b in bumpers]), dark, Label.VEHICLE)
    slats = [
        (
            (end - 0.02, -wide * 0.42, low + 0.015 + 0.03 * k),
            (end + 0.032, wide * 0.42, low + 0.028 + 0.03 * k),
        )
        for k in range(3)
    ]
    chrome = materials.row(Kind.METAL, "#b9bdc0", "#000000", 0.0, shine=0.4)
    yield part(boxes([a for a, _ in slats], [b for _, b in slats]), chrome, Label.VEHICLE)
    plate = materials.row(Kind.PAINT, "#e3dfcf", "#000000", 0.0)
    plates = [
        ((end + 0.03, -0.16, 0.36), (end + 0.058, 0.16, 0.44)),
        ((start - 0.058, -0.16, 0.38), (start - 0.03, 0.16, 0.48)),
    ]
    yield part(boxes([a for a, _ in plates], [b for _, b in plates]), plate, Label.VEHICLE)


def _extras(item: Vehicle, materials: Materials, dark: int) -> Iterator[Part]:
    shape = SHAPES[item.kind]
    half = max(station[3] for station in shape.stations)
    at = next(s for s in reversed(shape.stations) if s[2] > s[1] + 0.2)
    mirrors = [
        ((at[0] + 0.12, s * (half + 0.02), at[1] + 0.02), (at[0] + 0.22, s * (half + 0.19), at[1] + 0.15))
        for s in (-1, 1)
    ]
    yield part(boxes([a for a, _ in mirrors], [b for _, b in mirrors]), dark, Label.VEHICLE)
    yield from _doors(item, shape, half, dark)
    if item.kind == "taxi":
        lamp = materials.row(Kind.PAINT, "#f3ead0", "#000000", 0.0)
        yield part(boxes((-0.10, -0.24, 1.45), (0.08, 0.24, 1.58)), lamp, Label.VEHICLE)
        check = materials.row(Kind.STRIPES, "#17181a", "#f2b40c", 0.08)
        bands = [((-0.8, s * (half - 0.02), 0.66), (0.9, s * (half + 0.008), 0.74)) for s in (-1, 1)]
        yield part(boxes([a for a, _ in bands], [b for _, b in bands]), check, Label.VEHICLE)
    elif item.kind == "police":
        yield from _beacons(half, materials)
    elif item.kind == "truck":
        yield from _cargo(item, materials, dark)
    elif item.kind == "pickup":
        bed = [((-2.5, -0.78, 1.045), (-0.8, 0.78, 1.075))]
        yield part(boxes([a for a, _ in bed], [b for _, b in bed]), dark, Label.VEHICLE)
    elif item.kind in {"suv", "van"}:
        top = max(station[2] for station in shape.stations)
        rack = [((-1.5, s * 0.62, top - 0.01), (0.3, s * 0.58, top + 0.05)) for s in (-1, 1)]
        yield part(boxes([a for a, _ in rack], [b for _, b in rack]), dark, Label.VEHICLE)


def _doors(item: Vehicle, shape: Shape, half: float, dark: int) -> Iterator[Part]:
    """Handles, and the gaps around the doors and along the sills, on both sides."""
    ends = {"truck": (1.55, 2.3), "van": (0.95, 2.0), "pickup": (-0.55, 0.23, 0.95)}.get(
        item.kind, (-0.92, -0.05, 0.85)
    )
    waist = min(station[1] for station in shape.stations if abs(station[0]) < 2.0) - 0.24
    low = SILL - 0.06
    gaps = [
        ((u - 0.008, s * (half - 0.03), low), (u + 0.008, s * (half + 0.004), waist))
        for u in ends
        for s in (-1, 1)
    ]
    gaps += [
        ((ends[0], s * (half - 0.05), low - 0.012), (ends[-1], s * (half + 0.004), low + 0.004))
        for s in (-1, 1)
    ]
    handles = [
        ((u - 0.26, s * (half - 0.03), waist - 0.03), (u - 0.08, s * (half + 0.014), waist + 0.005))
        for u in ends[1:]
        for s in (-1, 1)
    ]
    both = [*gaps, *handles]
    yield part(boxes([a for a, _ in both], [b for _, b in both]), dark, Label.VEHICLE)


def _beacons(half: float, materials: Materials) -> Iterator[Part]:
    """What makes a car a police car: a bar of lights on the roof, a stripe along its sides."""
    for color, v in (("#2a4fc9", -0.5), ("#c92a2a", 0.06)):
        lamp = materials.row(Kind.PAINT, color, "#000000", 0.0, 1.0)
        yield part(boxes((-0.3, v, 1.45), (-0.05, v + 0.44, 1.56)), lamp, Label.VEHICLE)
    blue = materials.row(Kind.PAINT, "#27458f", "#000000", 0.0)
    bands = [((-1.9, s * (half - 0.06), 0.60), (1.1, s * (half + 0.006), 0.70)) for s in (-1, 1)]
    yield part(boxes([a for a, _ in bands], [b for _, b in bands]), blue, Label.VEHICLE)


def _cargo(item: Vehicle, materials: Materials, dark: int) -> Iterator[Part]:
    """The box of a truck, its stripe, its frame, its tail lift and its roller door."""
    white = materials.row(Kind.METAL, "#d9dad6", "#000000", 0.05, shine=0.12)
    band = materials.row(Kind.PAINT, item.color, "#000000", 0.04)
    back, front = 1.2 - _TRUCK, 1.2
    yield part(boxes((back, -1.12, 0.98), (front, 1.12, 3.12)), white, Label.VEHICLE)
    stripes = [((back + 0.3, s * 1.11, 1.7), (front - 0.3, s * 1.128, 2.35)) for s in (-1, 1)]
    yield part(boxes([a for a, _ in stripes], [b for _, b in stripes]), band, Label.VEHICLE)
    beams = [((back, -0.95, 0.62), (front + 0.2, 0.95, 0.98)), ((back - 0.3, -1.0, 0.5), (back, 1.0, 0.58))]
    rims = [
        ((u, s * 1.10, 0.96), (u + 0.05, s * 1.135, 3.13))
        for u in (back - INSET, front + INSET - 0.05)
        for s in (-1, 1)
    ]
    slats = [((back - 0.02, -1.0, z), (back + 0.01, 1.0, z + 0.02)) for z in np.arange(1.15, 3.0, 0.22)]
    all_of = [*beams, *rims, *slats]
    yield part(boxes([a for a, _ in all_of], [b for _, b in all_of]), dark, Label.VEHICLE)
