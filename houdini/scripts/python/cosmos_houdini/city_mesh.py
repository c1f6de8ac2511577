"""A resolved city (``cosmos city resolve --json``) as closed solids: pure Python, no ``hou``.

Everything is a convex solid with outward faces, so that fracture and rigid bodies can take it. The description is in
metres with Z up and the street along x; what comes out has Y up, as Houdini has it: (x, y, z) becomes (x, z, -y).
Polygons are clockwise seen from outside, which is how Houdini tells a front.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Point = tuple[float, float, float]

CLASSES = {
    "road": 1, "sidewalk": 2, "building": 4, "window": 5, "door_storefront": 6, "cornice_roof": 7, "vehicle": 13,
    "pole": 14, "traffic_light": 15, "street_furniture": 16, "vegetation": 17, "water_tower": 18, "sign_awning": 19,
    "background_building": 20,
}  # fmt: skip
"""Numbers of the classes we build; those of the city plugin's label table."""

SIZES: dict[str, tuple[float, float, float]] = {
    "sedan": (4.7, 1.8, 1.45), "taxi": (4.7, 1.8, 1.5), "police": (4.7, 1.8, 1.5), "suv": (4.8, 1.95, 1.75),
    "hatchback": (4.1, 1.75, 1.5), "pickup": (5.3, 2.0, 1.85), "van": (6.0, 2.1, 2.6), "truck": (6.5, 2.3, 3.1),
    "lamp": (0.18, 0.18, 5.6), "signal": (0.2, 0.2, 3.6), "bench": (1.7, 0.5, 0.8), "mailbox": (0.5, 0.5, 1.2),
    "rack": (0.9, 0.1, 0.85), "bin": (0.55, 0.55, 0.95), "hydrant": (0.3, 0.3, 0.75), "meter": (0.16, 0.16, 1.35),
    "bags": (0.9, 0.7, 0.55), "newsbox": (0.45, 0.45, 1.1), "planter": (0.8, 0.8, 0.7),
}  # fmt: skip
"""Length, width and height of vehicles and street furniture, metres."""

SLAB = 0.3
"""Thickness of floors and ground, metres."""


@dataclass
class Mesh:
    """Points, polygons over them, and one value of each attribute for each polygon."""

    points: list[Point] = field(default_factory=list)
    polygons: list[tuple[int, ...]] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    """The piece, such as ``building_03/floor_02``: unique for each solid."""
    thing: list[int] = field(default_factory=list)
    """The object it is of: one number for a whole building or vehicle; what segmentation colours."""
    building: list[int] = field(default_factory=list)
    """The row among the city's buildings, -1 for everything else."""
    kind: list[int] = field(default_factory=list)
    """The class, of :data:`CLASSES`."""
    color: list[tuple[float, float, float]] = field(default_factory=list)
    """Linear RGB."""
    active: list[int] = field(default_factory=list)
    """1 for pieces that may break and fall."""

    def add(self, shape: tuple[Sequence[Point], Sequence[Sequence[int]]], look: Look) -> None:
        """Add a solid; its corners have Z up, its faces are counter-clockwise seen from outside."""
        corners, faces = shape
        start = len(self.points)
        self.points.extend((x, z, -y) for x, y, z in corners)
        for face in faces:
            self.polygons.append(tuple(start + one for one in reversed(face)))
            self.name.append(look.name)
            self.thing.append(look.thing)
            self.building.append(look.building)
            self.kind.append(CLASSES[look.kind])
            self.color.append(look.color)
            self.active.append(look.active)


@dataclass(frozen=True)
class Look:
    """What a solid's polygons say of themselves."""

    name: str
    thing: int
    kind: str
    color: tuple[float, float, float]
    building: int = -1
    active: int = 0


def linear(text: str) -> tuple[float, float, float]:
    """``#rrggbb`` as linear RGB from 0 to 1 (IEC 61966-2-1)."""
    values = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return red, green, blue


_BOX_FACES = ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))


def box(low: Point, high: Point) -> tuple[Sequence[Point], Sequence[Sequence[int]]]:
    """An axis-aligned box; corners in order of y, x below and above."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    corners = [(x, y, z) for z in (z0, z1) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    return corners, _BOX_FACES


def crown(x: float, y: float, z: float, radius: float) -> tuple[Sequence[Point], Sequence[Sequence[int]]]:
    """An octahedron for the leaves of a tree."""
    r = radius
    corners = [(x + r, y, z), (x, y + r, z), (x - r, y, z), (x, y - r, z), (x, y, z + r), (x, y, z - r)]
    around = ((0, 1), (1, 2), (2, 3), (3, 0))
    return corners, [(a, b, 4) for a, b in around] + [(b, a, 5) for a, b in around]


def build(city: dict[str, Any]) -> Mesh:
    """All solids of a resolved city. Equal cities give equal meshes."""
    mesh = Mesh()
    for look, shape in _solids(city):
        mesh.add(shape, look)
    return mesh


_Solid = tuple[Look, tuple["Sequence[Point]", "Sequence[Sequence[int]]"]]


def _solids(city: dict[str, Any]) -> Iterator[_Solid]:
    things = iter(range(1, 1_000_000))
    yield from _ground(city, things)
    victims = set((city.get("blast") or {}).get("victims", ()))
    front = city["road"] + city["sidewalk"]
    for row, house in enumerate(city["buildings"]):
        yield from _house(f"building_{row:02}", house, front, next(things), row, active=int(row in victims))
    for row, house in enumerate(city["neighbours"]):
        yield from _far_house(f"neighbour_{row:02}", house, front, next(things))
    for row, vehicle in enumerate(city["vehicles"]):
        yield from _vehicle(f"vehicle_{row:02}", vehicle, next(things))
    for row, tree in enumerate(city["trees"]):
        yield from _tree(f"tree_{row:02}", tree, next(things))
    for row, prop in enumerate(city["props"]):
        yield from _prop(f"{prop['kind']}_{row:02}", prop, next(things))


def _ground(city: dict[str, Any], things: Iterator[int]) -> Iterator[_Solid]:
    end, road, walk = city["length"], city["road"], city["sidewalk"]
    far = 60.0
    yield (
        Look("road", next(things), "road", (0.05, 0.05, 0.055)),
        box((-far, -road, -SLAB), (end + far, road, 0.0)),
    )
    for side, word in ((1, "north"), (-1, "south")):
        ys = sorted((side * road, side * (road + walk + 24.0)))
        yield (
            Look(f"sidewalk_{word}", next(things), "sidewalk", (0.28, 0.27, 0.25)),
            box((-far, ys[0], -SLAB), (end + far, ys[1], 0.15)),
        )


def _storeys(house: dict[str, Any]) -> list[tuple[float, float]]:
    """Bottom and top of each storey above the sidewalk, the parapet with the last."""
    bottoms = [0.0, *(house["ground"] + storey * house["storey"] for storey in range(house["floors"] - 1))]
    top = house["ground"] + (house["floors"] - 1) * house["storey"] + 1.0
    return list(zip(bottoms, [*bottoms[1:], top], strict=True))


def _house(
    name: str, house: dict[str, Any], front: float, thing: int, row: int, *, active: int
) -> Iterator[_Solid]:
    side, x0, x1 = house["side"], house["x"], house["x"] + house["width"]
    near, back = side * front, side * (front + house["depth"])
    wall, trim = linear(house["wall"]["color"]), linear(house["wall"]["trim"])

    def look(piece: str, kind: str, color: tuple[float, float, float]) -> Look:
        return Look(f"{name}/{piece}", thing, kind, color, row, active)

    storeys = _storeys(house)
    for storey, (low, high) in enumerate(storeys):
        ys = sorted((near, back))
        yield (
            look(f"floor_{storey:02}", "building", wall),
            box((x0, ys[0], 0.15 + low), (x1, ys[1], 0.15 + high)),
        )
        yield from _openings(house, look, near, storey, (low, high))
    top = 0.15 + storeys[-1][1]
    ys = sorted((near - side * 0.35, near + side * 0.1))
    yield look("cornice", "cornice_roof", trim), box((x0, ys[0], top - 0.7), (x1, ys[1], top + 0.15))
    if house["water_tower"]:
        x, y = (x0 + x1) / 2, (near + back) / 2
        yield (
            look("water_tower", "water_tower", (0.12, 0.07, 0.04)),
            box((x - 1.2, y - 1.2, top), (x + 1.2, y + 1.2, top + 3.4)),
        )


def _openings(
    house: dict[str, Any], look: Any, near: float, storey: int, span: tuple[float, float]
) -> Iterator[_Solid]:
    """The panes of one storey, standing a hand's breadth out of the front."""
    side, bays = house["side"], house["bays"]
    bay = house["width"] / bays
    ys = sorted((near - side * 0.08, near + side * 0.04))
    glass, paint = (0.02, 0.03, 0.045), linear(house["paint"])
    if storey == 0:
        low, high = 0.3, house["ground"] - 0.8
        xs = (house["x"] + 0.4, house["x"] + house["width"] - 0.4)
        yield look("front", "door_storefront", paint), box((xs[0], ys[0], low), (xs[1], ys[1], high))
        if house["awning"] != "none":
            out = sorted((near - side * 1.2, near))
            yield (
                look("awning", "sign_awning", linear(house["accent"])),
                box((xs[0], out[0], high), (xs[1], out[1], high + 0.3)),
            )
        return
    low = 0.15 + span[0] + 0.9
    high = 0.15 + span[0] + house["storey"] - 0.55
    for number in range(bays):
        x = house["x"] + bay * (number + 0.5)
        half = min(0.55, bay * 0.32)
        yield (
            look(f"window_{storey:02}_{number:02}", "window", glass),
            box((x - half, ys[0], low), (x + half, ys[1], high)),
        )


def _far_house(name: str, house: dict[str, Any], front: float, thing: int) -> Iterator[_Solid]:
    side = house["side"]
    ys = sorted((side * front, side * (front + house["depth"])))
    high = 0.15 + _storeys(house)[-1][1]
    yield (
        Look(name, thing, "background_building", linear(house["wall"]["color"])),
        box((house["x"], ys[0], 0.15), (house["x"] + house["width"], ys[1], high)),
    )


def _vehicle(name: str, vehicle: dict[str, Any], thing: int) -> Iterator[_Solid]:
    length, width, height = SIZES[vehicle["kind"]]
    x, y, color = vehicle["x"], vehicle["y"], linear(vehicle["color"])
    waist = height * 0.58

    def part(piece: str, low: Point, high: Point) -> _Solid:
        return Look(f"{name}/{piece}", thing, "vehicle", color), box(low, high)

    yield part("body", (x - length / 2, y - width / 2, 0.25), (x + length / 2, y + width / 2, waist))
    back, ahead = sorted((x - vehicle["facing"] * length * 0.4, x + vehicle["facing"] * length * 0.22))
    yield part("cabin", (back, y - width * 0.45, waist), (ahead, y + width * 0.45, height))


def _tree(name: str, tree: dict[str, Any], thing: int) -> Iterator[_Solid]:
    x, y, height = tree["x"], tree["y"], tree["height"]
    bark = (0.09, 0.06, 0.04)
    trunk = height * (0.95 if tree["leaves"] == "none" else 0.5)
    yield (
        Look(f"{name}/trunk", thing, "vegetation", bark),
        box((x - 0.12, y - 0.12, 0.15), (x + 0.12, y + 0.12, trunk)),
    )
    if tree["leaves"] != "none":
        color = (0.05, 0.12, 0.02) if tree["leaves"] == "green" else (0.35, 0.2, 0.03)
        radius = height * 0.26
        yield Look(f"{name}/crown", thing, "vegetation", color), crown(x, y, height - radius, radius)


def _prop(name: str, prop: dict[str, Any], thing: int) -> Iterator[_Solid]:
    length, width, height = SIZES[prop["kind"]]
    kind = {"lamp": "pole", "signal": "traffic_light"}.get(prop["kind"], "street_furniture")
    x, y = prop["x"], prop["y"]
    yield (
        Look(name, thing, kind, (0.06, 0.07, 0.06)),
        box((x - length / 2, y - width / 2, 0.15), (x + length / 2, y + width / 2, 0.15 + height)),
    )
