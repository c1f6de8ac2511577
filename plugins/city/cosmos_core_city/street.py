"""The ground and what stands on it: road, kerbs, markings, trees, lamps, signals and small furniture."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.mesh import boxes, cylinder, joined, part, quads, tube
from cosmos_core_city.scene import Thing, thing
from cosmos_core_city.spec import CROSSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cosmos_core_city.materials import Materials
    from cosmos_core_city.mesh import Floats, Ints, Part
    from cosmos_core_city.spec import City, Prop, Tree

FAR = 420.0
PAINT_LIFT = 0.006
WALK = 0.15


def ground(city: City, materials: Materials) -> Iterator[Thing]:
    """Road, markings and the sidewalks of all blocks."""
    asphalt = materials.row(Kind.ASPHALT, "#6e6e6e", "#2b2b2d")
    yield thing(
        "road", "road", [part(_flat([(-FAR, -FAR, FAR, FAR)], 0.0), asphalt, Label.ROAD)], solid=False
    )
    yield thing("markings", "road", list(_markings(city, materials)), solid=False)
    yield thing("covers", "road", list(_covers(materials)), solid=False)
    kerb = materials.row(Kind.CONCRETE, "#8b8a86", "#000000", 0.0)
    slabs = materials.row(Kind.CONCRETE, "#a3a19b", "#000000", 1.52)
    for number, (x0, y0, x1, y1) in enumerate(blocks(city)):
        shapes = [
            part(
                boxes((x0, y0, -0.2), (x1, y1, WALK - 0.003), ("-x", "+x", "-y", "+y", "+z")),
                kerb,
                Label.SIDEWALK,
            ),
            part(_flat([(x0 + 0.18, y0 + 0.18, x1 - 0.18, y1 - 0.18)], WALK), slabs, Label.SIDEWALK),
        ]
        yield thing(f"sidewalk {number}", f"sidewalk {'N' if y0 > 0 else 'S'}", shapes, solid=False)


def blocks(city: City) -> list[tuple[float, float, float, float]]:
    """The raised rectangles (x0, y0, x1, y1) between the streets: this block's two sides, and the next ones."""
    deep, step = 52.0, CROSSING + 95.0
    start, end = -city.sidewalk, city.length + city.sidewalk
    spans = [(start, end), (start - step, start - CROSSING), (end + CROSSING, end + step)]
    spans += [(-FAR, start - step - CROSSING), (end + step + CROSSING, FAR)]
    return [
        (a, city.road if side > 0 else -city.road - deep, b, city.road + deep if side > 0 else -city.road)
        for a, b in spans
        for side in (1, -1)
    ]


def _flat(rectangles: list[tuple[float, float, float, float]], z: float) -> tuple[Floats, Ints]:
    return quads([[(a, b, z), (c, b, z), (c, d, z), (a, d, z)] for a, b, c, d in rectangles])


def _markings(city: City, materials: Materials) -> Iterator[Part]:
    white = materials.row(Kind.ASPHALT, "#c9c7be", "#2b2b2d")
    yellow = materials.row(Kind.ASPHALT, "#c79a2e", "#2b2b2d")
    start, end = -city.sidewalk, city.length + city.sidewalk
    near, far = start - CROSSING, end + CROSSING
    stops = [(start + 4.0, end - 4.0), (near - 90.0, near - 4.0), (far + 4.0, far + 90.0)]
    lines = [(a, y - 0.055, b, y + 0.055) for a, b in stops for y in (-0.13, 0.13)]
    yield part(_flat(lines, PAINT_LIFT), yellow, Label.LANE_MARKING)
    bars = []
    for a, b in ((start + 0.2, start + 2.9), (end - 2.9, end - 0.2)):
        bars += [(a, y, b, y + 0.55) for y in np.arange(-city.road + 0.45, city.road - 0.6, 1.1)]
    bars += [(start + 3.6, -city.road + 0.3, start + 4.0, -0.3), (end - 4.0, 0.3, end - 3.6, city.road - 0.3)]
    for x in (near - 2.9, far + 0.2):
        bars += [(x, y, x + 2.7, y + 0.55) for y in np.arange(-city.road + 0.45, city.road - 0.6, 1.1)]
    bars += [
        (x, s * (city.road - 2.35) - 0.05, x + 1.2, s * (city.road - 2.35) + 0.05)
        for x in np.arange(6.0, city.length - 6.0, 6.2)
        for s in (-1, 1)
    ]
    yield part(_flat(bars, PAINT_LIFT), white, Label.LANE_MARKING)


def _covers(materials: Materials) -> Iterator[Part]:
    iron = materials.row(Kind.CONCRETE, "#3f3d3a", "#000000", 0.0)
    patch = materials.row(Kind.ASPHALT, "#5a5a5b", "#2b2b2d")
    discs = [
        cylinder((x, y, -0.02), (x, y, 0.005), 0.38, sides=18)
        for x, y in ((13.0, 1.9), (37.5, -1.6), (61.0, 2.2), (77.0, -2.4))
    ]
    yield part(joined(discs), iron, Label.ROAD)
    patches = [(20.0, 0.6, 24.4, 2.6), (47.0, -3.0, 49.2, -0.6), (66.0, 0.5, 72.5, 1.7)]
    yield part(_flat(patches, 0.003), patch, Label.ROAD)


def tree(item: Tree, materials: Materials) -> Thing:
    """A street tree: trunk, limbs, and a crown of leaves in clumps, or of twigs."""
    random = np.random.default_rng(item.seed)
    name = f"tree {item.x:05.1f} {'N' if item.y > 0 else 'S'}"
    bark = materials.row(Kind.WOOD, "#5a4a3c", "#000000")
    fork = item.height * 0.42
    base = np.array([item.x, item.y, WALK])
    shapes = [cylinder(base, np.add(base, (0.05, 0.0, fork)), 0.15, 0.10, sides=7)]
    centres = []
    for k in range(6):
        angle, lift = k * 2.4 + random.random(), 0.45 + 0.5 * random.random()
        reach = item.height * (0.13 + 0.10 * random.random())
        rise = fork + (item.height - fork) * lift
        tip = np.add(base, (np.cos(angle) * reach, np.sin(angle) * reach, rise))
        shapes.append(cylinder(np.add(base, (0.05, 0.0, fork - 0.15 * k / 6)), tip, 0.06, 0.02, sides=5))
        centres.append(tip)
    centres.append(np.add(base, (0.0, 0.0, item.height * 0.88)))
    pit = materials.row(Kind.CONCRETE, "#4a3d31", "#000000", 0.0)
    parts = [
        part(joined(shapes), bark, Label.VEGETATION),
        _crown(item, np.array(centres), fork, random, materials),
        part(
            _flat([(item.x - 0.6, item.y - 0.6, item.x + 0.6, item.y + 0.6)], WALK + 0.004),
            pit,
            Label.SIDEWALK,
        ),
    ]
    return thing(name, name, parts, solid=True)


_LEAVES = {
    "green": (("#35602f", "#6b8f45"), ("#3f6a2a", "#7c9a3c")),
    "yellow": (("#a8471c", "#d98a2b"), ("#b98a1f", "#dcbb4a")),
}


def _crown(
    item: Tree, centres: Floats, fork: float, random: np.random.Generator, materials: Materials
) -> Part:
    """What grows at the tips of the limbs: leaves, or in winter twigs."""
    if item.leaves == "none":
        bark = materials.row(Kind.WOOD, "#5a4a3c", "#000000")
        return part(_twigs(centres, fork + WALK, random, item), bark, Label.VEGETATION)
    leaf = materials.row(Kind.LEAF, *_LEAVES[item.leaves][item.seed & 1])
    return part(_leaves(centres, random, item.height), leaf, Label.VEGETATION)


def _twigs(centres: Floats, fork: float, random: np.random.Generator, item: Tree) -> tuple[Floats, Ints]:
    """Thin branches that leave the limbs, upwards and outwards."""
    trunk = np.array([item.x + 0.05, item.y, fork])
    shapes = []
    for tip in centres:
        for share in (0.45, 0.6, 0.75, 0.9, 1.0, 1.0):
            root = trunk + (tip - trunk) * share
            way = (tip - trunk) / np.linalg.norm(tip - trunk) + random.normal(scale=0.55, size=3)
            way[2] = abs(way[2]) + 0.25
            end = root + way / np.linalg.norm(way) * item.height * random.uniform(0.10, 0.19)
            shapes.append(cylinder(root, end, 0.02, 0.006, sides=4))
            aside = end - root + random.normal(scale=0.25, size=3)
            shapes.append(cylinder((root + end) / 2, (root + end) / 2 + aside * 0.6, 0.011, 0.005, sides=3))
    return joined(shapes)


def _leaves(
    centres: Floats, random: np.random.Generator, height: float, each: int = 170
) -> tuple[Floats, Ints]:
    """Leaves as small quads on the shells of clumps around *centres*, *each* a clump."""
    size = 0.080 * height / 6
    ball = random.random((len(centres), each, 3)) * 2 - 1
    ball /= np.linalg.norm(ball, axis=2, keepdims=True)
    reach = (0.55 + 0.45 * random.random((len(centres), each, 1))) * (0.155 * height)
    at = (centres[:, None] + ball * reach * [1.0, 1.0, 0.8]).reshape(-1, 3)
    outward = ball.reshape(-1, 3) + (random.random((len(at), 3)) - 0.5) * 1.2
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    across = np.cross(outward, random.random((len(at), 3)) * 2 - 1)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    up = np.cross(outward, across)
    wide = size * (0.8 + 0.7 * random.random((len(at), 1)))
    corners = [at - up * wide * 1.3, at + across * wide, at + up * wide * 1.3, at - across * wide]
    return quads(np.stack(corners, axis=1))


def prop(item: Prop, materials: Materials) -> Thing:
    """Something small on the sidewalk, by its kind."""
    name = f"{item.kind} {item.x:05.1f} {'N' if item.side > 0 else 'S'}"
    return thing(name, name, list(_PROPS[item.kind](item, materials)), solid=item.kind in {"lamp", "signal"})


def _lamp(item: Prop, materials: Materials) -> Iterator[Part]:
    steel = materials.row(Kind.METAL, "#6f7678", "#000000", 0.05, shine=0.15)
    x, y, s = item.x, item.y, item.side
    reach = [(x, y, 7.6), (x, y - s * 0.35, 8.25), (x, y - s * 1.1, 8.55), (x, y - s * 2.3, 8.6)]
    shapes = [
        cylinder((x, y, WALK), (x, y, WALK + 0.9), 0.16, 0.13, sides=8),
        cylinder((x, y, WALK + 0.9), (x, y, 7.7), 0.095, 0.06, sides=8),
        tube(reach, 0.045),
    ]
    yield part(joined(shapes), steel, Label.POLE)
    yield from _lantern(x, y - s * 2.2, s, steel, materials)


def _lantern(x: float, y: float, s: int, steel: int, materials: Materials) -> Iterator[Part]:
    """A street lamp's head, from *y* towards the middle of the road; its glass shines after dark."""
    glass = materials.row(Kind.PAINT, "#f4e3c0", "#000000", 0.0, 2.0)
    yield part(boxes((x - 0.13, y, 8.52), (x + 0.13, y - s * 0.75, 8.68)), steel, Label.POLE)
    yield part(boxes((x - 0.10, y - s * 0.25, 8.46), (x + 0.10, y - s * 0.7, 8.53)), glass, Label.POLE)


def _signal(item: Prop, materials: Materials) -> Iterator[Part]:
    steel = materials.row(Kind.METAL, "#5f666a", "#000000", 0.05, shine=0.15)
    box = materials.row(Kind.PAINT, "#c8981f", "#000000", 0.0)
    x, y, s = item.x, item.y, item.side
    arm = [(x, y, 5.6), (x, y - s * 0.6, 5.95), (x, y - s * 4.6, 6.1)]
    bracket = [(x, y, 8.2), (x, y - s * 0.5, 8.5), (x, y - s * 1.8, 8.6)]
    shapes = [
        cylinder((x, y, WALK), (x, y, 5.7), 0.11, 0.08, sides=8),
        cylinder((x, y, 5.7), (x, y, 8.2), 0.08, 0.05, sides=8),
        tube(arm, 0.05),
        tube(bracket, 0.04),
    ]
    yield part(joined(shapes), steel, Label.POLE)
    yield from _lantern(x, y - s * 1.7, s, steel, materials)
    heads = [(x, y - s * 4.4, 5.15), (x, y - s * 2.4, 5.1)]
    shells = [boxes((a - 0.16, b - 0.16, c - 0.05), (a + 0.16, b + 0.16, c + 0.9)) for a, b, c in heads]
    yield part(joined(shells), box, Label.TRAFFIC_LIGHT)
    for k, color in enumerate(("#2fbf5a", "#3a3216", "#3a1412")):
        lens = materials.row(Kind.PAINT, color, "#000000", 0.0, 1.2)
        discs = [
            cylinder((a - 0.19, b, c + 0.15 + 0.3 * k), (a + 0.19, b, c + 0.15 + 0.3 * k), 0.105, sides=10)
            for a, b, c in heads
        ]
        yield part(joined(discs), lens, Label.TRAFFIC_LIGHT)


def _hydrant(item: Prop, materials: Materials) -> Iterator[Part]:
    red = materials.row(Kind.PAINT, "#9c1f1a", "#000000", 0.1)
    x, y = item.x, item.y
    shapes = [
        cylinder((x, y, WALK), (x, y, 0.28), 0.17, sides=10),
        cylinder((x, y, 0.28), (x, y, 0.72), 0.12, sides=10),
        cylinder((x, y, 0.72), (x, y, 0.86), 0.15, 0.05, sides=10),
        cylinder((x - 0.2, y, 0.58), (x + 0.2, y, 0.58), 0.06, sides=8),
        cylinder((x, y - 0.2, 0.55), (x, y + 0.2, 0.55), 0.07, sides=8),
    ]
    yield part(joined(shapes), red, Label.STREET_FURNITURE)


def _bin(item: Prop, materials: Materials) -> Iterator[Part]:
    steel = materials.row(Kind.PAINT, "#2c4a38", "#000000", 0.1)
    bag = materials.row(Kind.METAL, "#16181a", "#000000", 0.2, shine=0.15)
    x, y = item.x, item.y
    rim = [cylinder((x, y, z), (x, y, z + 0.05), 0.31, sides=14) for z in (0.2, 0.55, 0.95)]
    angles = np.arange(18) * (2 * np.pi / 18)
    low = np.stack(
        [x + np.cos(angles) * 0.30 - 0.012, y + np.sin(angles) * 0.30 - 0.012, np.full(18, 0.16)], 1
    )
    yield part(joined([*rim, boxes(low, np.add(low, (0.024, 0.024, 0.84)))]), steel, Label.STREET_FURNITURE)
    yield part(cylinder((x, y, WALK), (x, y, 0.93), 0.27, sides=12), bag, Label.STREET_FURNITURE)


def _meter(item: Prop, materials: Materials) -> Iterator[Part]:
    steel = materials.row(Kind.METAL, "#54585b", "#000000", 0.0, shine=0.2)
    x, y = item.x, item.y
    shapes = [
        cylinder((x, y, WALK), (x, y, 1.2), 0.035, sides=6),
        boxes((x - 0.09, y - 0.06, 1.15), (x + 0.09, y + 0.06, 1.5)),
    ]
    yield part(joined(shapes), steel, Label.STREET_FURNITURE)


def _mailbox(item: Prop, materials: Materials) -> Iterator[Part]:
    blue = materials.row(Kind.PAINT, "#1d3f7d", "#000000", 0.06)
    x, y = item.x, item.y
    shapes = [
        boxes((x - 0.26, y - 0.24, 0.3), (x + 0.26, y + 0.24, 1.15)),
        cylinder((x - 0.26, y, 1.13), (x + 0.26, y, 1.13), 0.24, sides=14),
    ]
    shapes += [
        boxes((x + a - 0.03, y + b - 0.03, WALK), (x + a + 0.03, y + b + 0.03, 0.32))
        for a in (-0.2, 0.2)
        for b in (-0.18, 0.18)
    ]
    yield part(joined(shapes), blue, Label.STREET_FURNITURE)


def _bench(item: Prop, materials: Materials) -> Iterator[Part]:
    wood = materials.row(Kind.WOOD, "#7a5a3c", "#000000")
    iron = materials.row(Kind.METAL, "#23272a", "#000000", 0.0, shine=0.12)
    x, y, s = item.x, item.y + item.side * 0.5, item.side
    slats = [
        boxes((x - 0.85, y + s * (0.05 + 0.13 * k), 0.58), (x + 0.85, y + s * (0.15 + 0.13 * k), 0.62))
        for k in range(4)
    ]
    slats += [
        boxes((x - 0.85, y + s * 0.0, 0.72 + 0.14 * k), (x + 0.85, y + s * 0.03, 0.82 + 0.14 * k))
        for k in range(3)
    ]
    yield part(joined(slats), wood, Label.STREET_FURNITURE)
    legs = [
        boxes((x + a - 0.03, y - s * 0.02, WALK), (x + a + 0.03, y + s * 0.52, 0.58)) for a in (-0.7, 0.7)
    ]
    legs += [boxes((x + a - 0.03, y - s * 0.04, 0.5), (x + a + 0.03, y, 1.14)) for a in (-0.7, 0.7)]
    yield part(joined(legs), iron, Label.STREET_FURNITURE)


def _rack(item: Prop, materials: Materials) -> Iterator[Part]:
    steel = materials.row(Kind.METAL, "#84898c", "#000000", 0.0, shine=0.25)
    x, y = item.x, item.y
    angles = np.linspace(0.0, np.pi, 7)
    arch = [(x - np.cos(a) * 0.28, y, 0.75 + np.sin(a) * 0.28) for a in angles]
    yield part(tube([(x - 0.28, y, WALK), *arch, (x + 0.28, y, WALK)], 0.024), steel, Label.STREET_FURNITURE)


def _bags(item: Prop, materials: Materials) -> Iterator[Part]:
    """A heap of rubbish bags at the kerb, and a flattened box."""
    black = materials.row(Kind.METAL, "#17191b", "#000000", 0.15, shine=0.2)
    white = materials.row(Kind.METAL, "#c9c8c2", "#000000", 0.15, shine=0.12)
    card = materials.row(Kind.PAINT, "#9b7a50", "#000000", 0.1)
    random = np.random.default_rng(int(item.x * 1000))
    for row, count in ((black, 4), (white, 2)):
        shapes = [
            _bag(random, item.x + random.uniform(-0.55, 0.55), item.y + random.uniform(-0.2, 0.25))
            for _ in range(count)
        ]
        yield part(joined(shapes), row, Label.STREET_FURNITURE)
    x, y = item.x - 0.15, item.y + item.side * 0.38
    yield part(boxes((x, y, WALK), (x + 0.7, y + 0.09, 0.66)), card, Label.STREET_FURNITURE)


def _bag(random: np.random.Generator, x: float, y: float) -> tuple[Floats, Ints]:
    """A slumped sack, tied at the top."""
    wide, tall = random.uniform(0.2, 0.3), random.uniform(0.34, 0.5)
    rings = [(0.72, 0.0), (1.0, 0.22), (0.9, 0.55), (0.45, 0.86), (0.1, 0.9), (0.2, 1.0)]
    steps = [cylinder((x, y, WALK + tall * a[1]), (x, y, WALK + tall * b[1]), wide * a[0], wide * b[0], sides=8)
             for a, b in pairwise(rings)]  # fmt: skip
    return joined(steps)


def _newsbox(item: Prop, materials: Materials) -> Iterator[Part]:
    """Two boxes for newspapers, side by side."""
    dark = materials.row(Kind.METAL, "#15181a", "#000000", 0.0, shine=0.3)
    for k, color in enumerate(("#b3271e", "#d9a520") if int(item.x) & 1 else ("#1f5c9c", "#e2e0d8")):
        paint = materials.row(Kind.PAINT, color, "#000000", 0.06)
        x, y, s = item.x - 0.5 + 0.54 * k, item.y, item.side
        shapes = [
            boxes((x, y - 0.2, 0.42), (x + 0.46, y + 0.2, 1.22)),
            boxes((x + 0.04, y - 0.16, WALK), (x + 0.42, y + 0.16, 0.42), ("-x", "+x", "-y", "+y")),
        ]
        yield part(joined(shapes), paint, Label.STREET_FURNITURE)
        pane = boxes((x + 0.06, y + s * 0.17, 0.78), (x + 0.4, y + s * 0.212, 1.14))
        yield part(pane, dark, Label.STREET_FURNITURE)


def _planter(item: Prop, materials: Materials) -> Iterator[Part]:
    """A tub of concrete with a clipped shrub."""
    stone = materials.row(Kind.CONCRETE, "#8f8a80", "#000000", 0.0)
    leaf = materials.row(Kind.LEAF, "#2f5a2c", "#5f8a45")
    x, y = item.x, item.y
    yield part(cylinder((x, y, WALK), (x, y, 0.66), 0.30, 0.40, sides=12), stone, Label.STREET_FURNITURE)
    random = np.random.default_rng(int(item.x * 1000) + 1)
    shrub = _leaves(np.array([[x, y, 0.95]]), random, 2.6, 110)
    yield part(shrub, leaf, Label.VEGETATION)


_PROPS: dict[str, Callable[[Prop, Materials], Iterator[Part]]] = {
    "lamp": _lamp,
    "signal": _signal,
    "hydrant": _hydrant,
    "bin": _bin,
    "meter": _meter,
    "mailbox": _mailbox,
    "bench": _bench,
    "rack": _rack,
    "bags": _bags,
    "newsbox": _newsbox,
    "planter": _planter,
}
