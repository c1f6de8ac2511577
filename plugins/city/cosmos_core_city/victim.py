"""A house that may break: its walls and floors as blocks, and what is fixed to them.

The blocks carry the house; cracks run through them. Everything else, from sills to signs, is fixed to the piece that
is nearest, and goes where that goes.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core_city import structure as frame_of
from cosmos_core_city import walls
from cosmos_core_city.facade import body, clutter, ends, front_frame, openings
from cosmos_core_city.furniture import furnished
from cosmos_core_city.ironwork import fire_escape, water_tower
from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.mesh import Frame, Part, boxes, part, placed, quads
from cosmos_core_city.spec import Building
from cosmos_core_city.storefront import signs
from cosmos_core_city.structure import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core_city.materials import Materials
    from cosmos_core_city.mesh import Floats
    from cosmos_core_city.spec import City
    from cosmos_core_city.structure import Triple

WALL = 0.30
"""Thickness of the walls in metres."""
SLAB = 0.20
DEEP = 0.9
"""How far the piers of a shop front go in."""
ROOM = 5.2
"""Depth of the rooms at the front, and of the floor that breaks into small pieces."""
FRONTS = 72.0
"""Storeys times metres of front up to which pieces are the smallest."""
LONG = 1.5
"""Metres above which a box that is fixed to a wall breaks with it, into parts of about a metre."""
_BOARDS = ("#8a6a48", "#7a5a3c", "#9c7d58", "#6d5745")
_PAPERS = ("#b9a98a", "#93a8a5", "#b98d7c", "#a9a077", "#c6b6a6", "#8f9c86", "#c2a36b", "#9d8fa3")


@attrs.frozen(eq=False, kw_only=True)
class Fixture:
    """Something without a body of its own: world parts, the box (2, 3) that finds its carrier, or the block that is it."""

    parts: tuple[Part, ...]
    box: NDArray[np.float64]
    block: int = -1


@attrs.frozen(eq=False, kw_only=True)
class Victim:
    """One house in pieces to be. N blocks; rows of labels follow the tags of :mod:`cosmos_core_city.fracture`."""

    row: int
    name: str
    blocks: tuple[Block, ...]
    labels: tuple[tuple[Label, ...], ...]
    hidden: frozenset[int]
    """Blocks that are not drawn: fixtures with many bars stand for them."""
    whole: dict[str, tuple[Part, ...]]
    """How a panel is drawn while none of its pieces moves; other panels are their blocks."""
    fixtures: tuple[Fixture, ...]
    still: tuple[Part, ...]
    """What never moves."""


@attrs.define
class _Plan:
    """Blocks being collected in the frame of a front, u along it, v out of it."""

    house: Building
    frame: Frame
    row: int
    core: int
    coarse: float
    """How much larger pieces are than in a single house."""
    blocks: list[Block] = attrs.field(factory=list)
    labels: list[tuple[Label, ...]] = attrs.field(factory=list)

    def add(
        self,
        panel: str,
        low: Triple,
        high: Triple,
        sides: dict[str, int],
        label: Label,
        *,
        faces: dict[str, Label] | None = None,
        holes: Sequence[tuple[float, float, float, float]] = (),
        cell: float = 0.9,
        core: int | None = None,
        density: float = 1900.0,
        rebar: bool = False,
    ) -> None:
        """Add a box with a material a side, named -u +u -v +v -z +z or ``all``, and *holes* in (u, z)."""
        names = (
            ("-u", "+u", "+v", "-v", "-z", "+z")
            if self.frame.v[1] < 0
            else ("-u", "+u", "-v", "+v", "-z", "+z")
        )
        rows = [sides.get(name, sides["all"]) for name in names]
        marks = [(faces or {}).get(name, label) for name in names]
        a, b = self.world(low), self.world(high)
        block = Block(
            low=_triple(np.minimum(a, b)),
            high=_triple(np.maximum(a, b)),
            panel=panel,
            label=int(label),
            materials=(
                rows[0],
                rows[1],
                rows[2],
                rows[3],
                rows[4],
                rows[5],
                self.core if core is None else core,
            ),
            building=self.row,
            density=density,
            cell=cell * self.coarse,
            rebar=rebar,
        )
        x, _, z = self.frame.origin
        wide = [(x + u0, z + z0, x + u1, z + z1) for u0, z0, u1, z1 in holes]
        made = frame_of.pierced(block, wide) if wide else [block]
        self.blocks += made
        self.labels += [(*marks, label)] * len(made)

    def world(self, point: Sequence[float]) -> Floats:
        """A local point in the world."""
        x, y, z = self.frame.origin
        return np.array([x + point[0], y + self.frame.v[1] * point[1], z + point[2]])


def _triple(point: Floats) -> Triple:
    x, y, z = (round(float(value), 6) for value in point)
    return x, y, z


def victim(city: City, row: int, materials: Materials) -> Victim:
    """The house in *row* of the buildings as blocks and fixtures."""
    house = city.buildings[row]
    frame = front_frame(city, house)
    core = materials.row(Kind.BRICK, "#8b5f4e", "#96715f", 0.23, 0.078, 0.30, 0.0, float(house.seed % 1009))
    plan = _Plan(house, frame, row, core, _coarse(city))
    wall = walls.masonry(house, materials)
    inside = [materials.row(Kind.PLASTER, color, "#6f675a") for color in _papers(house)]
    _outer(plan, wall, inside, materials)
    _floors(plan, inside, materials)
    fixtures = list(_fixtures(city, plan, materials))
    fixtures += _furniture(plan, materials)
    hidden = frozenset(item.block for item in fixtures if item.block >= 0)
    floor = materials.row(Kind.CONCRETE, "#77716a", "#000000", 0.0)
    w, back = house.width, -house.depth
    flat = quads([[(0.0, back, 0.004), (w, back, 0.004), (w, 0.0, 0.004), (0.0, 0.0, 0.004)]])
    return Victim(
        row=row,
        name=f"building {'N' if house.side > 0 else 'S'}{house.x:05.1f}",
        blocks=tuple(plan.blocks),
        labels=tuple(plan.labels),
        hidden=hidden,
        whole=_whole(plan, wall),
        fixtures=tuple(fixtures),
        still=tuple(placed([part(flat, floor, Label.EXPOSED_FLOOR)], frame)),
    )


def _coarse(city: City) -> float:
    """Larger pieces where more or larger houses break, so that their number stays about the same."""
    rows = city.blast.victims if city.blast else ()
    fronts = sum(city.buildings[row].floors * city.buildings[row].width for row in rows)
    return float(max(1.0, (fronts / FRONTS) ** 0.5))


def _papers(house: Building) -> list[str]:
    """The wallpapers of the rooms: two a storey, west and east, from the ground up."""
    numbers = random.Random(house.seed ^ 0x5EED)  # noqa: S311
    return [numbers.choice(_PAPERS) for _ in range(2 * house.floors)]


def storeys(house: Building) -> list[tuple[float, float]]:
    """Floor and ceiling of each storey's rooms, from the ground up."""
    levels = [house.ground + i * house.storey for i in range(house.floors - 1)]
    return list(zip([0.0, *levels], [z - SLAB for z in [*levels, house.top]], strict=True))


def partition(house: Building, storey: int) -> float:
    """Where the wall between the two front rooms of a storey starts."""
    return house.width * (0.42 + 0.16 * (storey & 1))


def _outer(plan: _Plan, wall: int, inside: Sequence[int], materials: Materials) -> None:
    """Front, ends and back."""
    house = plan.house
    w, back, ground = house.width, -house.depth, house.ground
    spans, rows = openings(house)
    stone = materials.row(Kind.PLASTER, house.wall.trim, house.wall.joint)
    holes = [(u0, z0, u1, z1) for z0, z1 in rows for u0, u1 in spans]
    for storey in range(1, house.floors):
        _front(plan, "front", storey, wall, inside, holes)
    if house.front == "stoop":
        start = -WALL
        _front(plan, "ground", 0, wall, inside, [(u0, 1.35, u1, ground - 0.55) for u0, u1 in spans])
    else:
        start = -DEEP
        third = w - 0.45 - 1.5 - 0.35
        for u0, u1, head in ((0.0, 0.45, ground), (w - 0.45, w, ground), (third, third + 0.35, 2.95)):
            plan.add(
                f"pier {u0:.1f}",
                (u0, -DEEP, 0.0),
                (u1, 0.0, head),
                {"all": stone},
                Label.BUILDING,
                core=stone,
            )
        plan.add(
            "fascia", (0.45, -DEEP, 2.95), (w - 0.45, 0.0, ground), {"all": stone}, Label.BUILDING, core=stone
        )
    for name, u0, u1, face in (("west", 0.0, WALL, "+u"), ("east", w - WALL, w, "-u")):
        for storey, (bottom, top) in enumerate(_heights(house)):
            paper = inside[2 * storey + (name == "east")]
            plan.add(name, (u0, back, bottom), (u1, start if storey == 0 else -WALL, top), {"all": wall, face: paper},
                     Label.BUILDING, faces={face: Label.INTERIOR}, cell=2.2)  # fmt: skip
    plan.add("back", (WALL, back, 0.0), (w - WALL, back + WALL, house.top), {"all": wall, "+v": inside[3]}, Label.BUILDING,
             faces={"+v": Label.INTERIOR}, cell=2.8)  # fmt: skip


def _heights(house: Building) -> list[tuple[float, float]]:
    """Where the walls of each storey start and end, from the ground up."""
    levels = [0.0, *(house.ground + i * house.storey for i in range(house.floors - 1)), house.top]
    return list(pairwise(levels))


def _front(
    plan: _Plan,
    panel: str,
    storey: int,
    wall: int,
    inside: Sequence[int],
    holes: Sequence[tuple[float, float, float, float]],
) -> None:
    """The front of one storey, which shows inside the wallpapers of its two rooms."""
    house = plan.house
    bottom, top = _heights(house)[storey]
    middle = partition(house, storey) + 0.06
    for side, (u0, u1) in enumerate(((0.0, middle), (middle, house.width))):
        own = [
            (max(a, u0), z0, min(b, u1), z1)
            for a, z0, b, z1 in holes
            if z0 > bottom and z1 < top and a < u1 and b > u0
        ]
        plan.add(panel, (u0, -WALL, bottom), (u1, 0.0, top), {"all": wall, "-v": inside[2 * storey + side]},
                 Label.BUILDING, faces={"-v": Label.INTERIOR}, holes=own, cell=1.02)  # fmt: skip


def _floors(plan: _Plan, inside: Sequence[int], materials: Materials) -> None:
    """Slabs, partitions and the roof."""
    house = plan.house
    w, back = house.width, -house.depth + WALL
    numbers = random.Random(house.seed ^ 0xF100)  # noqa: S311
    white = materials.row(Kind.PLASTER, "#cfc8ba", "#8d8577")
    tar = materials.row(Kind.CONCRETE, "#6a6762", "#000000", 0.0)
    stone = materials.row(Kind.CONCRETE, "#9a948a", "#000000", 0.0)
    start = -WALL if house.front == "stoop" else -DEEP
    for index, (floor, ceiling) in enumerate(storeys(house)):
        last = index == house.floors - 1
        edge = start if index == 0 else -WALL
        wood = materials.row(Kind.WOOD, numbers.choice(_BOARDS), "#000000")
        sides = {"all": stone, "+z": tar if last else wood, "-z": white}
        faces = {"+z": Label.CORNICE_ROOF} if last else {}
        for name, v0, v1, cell in (("near", -ROOM - 2.0, edge, 1.6), ("far", back, -ROOM - 2.0, 3.0)):
            plan.add(f"slab {name} {index}", (WALL, v0, ceiling), (w - WALL, v1, ceiling + SLAB), sides, Label.EXPOSED_FLOOR,
                     faces=faces, cell=cell, core=stone, density=2300.0, rebar=True)  # fmt: skip
        middle = partition(house, index)
        west, east = inside[2 * index], inside[2 * index + 1]
        for u0, u1, paper in ((WALL, middle + 0.06, west), (middle + 0.06, w - WALL, east)):
            plan.add(f"cross {index}", (u0, -ROOM - 0.12, floor), (u1, -ROOM, ceiling), {"all": paper}, Label.INTERIOR,
                     cell=2.1, core=white, density=900.0)  # fmt: skip
        plan.add(f"room {index}", (middle, -ROOM, floor), (middle + 0.12, edge, ceiling), {"all": white, "-u": west, "+u": east},
                 Label.INTERIOR, cell=2.1, core=white, density=900.0)  # fmt: skip


def _furniture(plan: _Plan, materials: Materials) -> Iterator[Fixture]:
    """What stands in the front rooms above the shop, each piece a block that is drawn as what it is."""
    house = plan.house
    numbers = random.Random(house.seed ^ 0xFA12)  # noqa: S311
    for storey, (floor, _) in enumerate(storeys(house)):
        middle = partition(house, storey)
        for span in ((WALL, middle), (middle + 0.12, house.width - WALL)) if storey else ():
            for item in furnished(span, (-ROOM, -WALL), floor, numbers, materials):
                a, b = plan.world(item.low), plan.world(item.high)
                box = np.minimum(a, b), np.maximum(a, b)
                parts = tuple(placed(item.parts, plan.frame))
                yield _block(plan, parts, box, f"{item.kind} {len(plan.blocks)}", item.density)


def _whole(plan: _Plan, wall: int) -> dict[str, tuple[Part, ...]]:
    """The fronts without cracks, as grids whose panels share all their corners."""
    house = plan.house
    spans, rows = openings(house)
    made = {"front": list(walls.pierced(house.width, house.ground, house.top, spans, rows, wall))}
    if house.front == "stoop":
        made["ground"] = list(
            walls.pierced(house.width, -0.3, house.ground, spans, [(1.35, house.ground - 0.55)], wall)
        )
    return {panel: tuple(placed(parts, plan.frame)) for panel, parts in made.items()}


def _fixtures(city: City, plan: _Plan, materials: Materials) -> Iterator[Fixture]:
    house, frame = plan.house, plan.frame
    numbers = random.Random(house.seed)  # noqa: S311
    loose = list(body(house, frame, numbers, materials, ends(city, house), shell=False))
    for unit in clutter(house, numbers, materials):
        parts = tuple(placed(unit, frame))
        yield Fixture(parts=parts, box=np.array(_bounds(parts)))
    if house.escape >= 0:
        yield from _escape(plan, materials)
    if house.front != "stoop":
        loose += signs(house, frame, materials)
    if house.water_tower:
        parts = tuple(placed(water_tower(house, numbers, materials), frame))
        low, high = _bounds(parts)
        low[2] = plan.world((0.0, 0.0, house.top))[2]
        yield _block(plan, parts, (low, high), "water tower", 250.0)
    yield from attached(placed(loose, frame), _windows(plan))


def _escape(plan: _Plan, materials: Materials) -> Iterator[Fixture]:
    """Each balcony with the stairs that stand on it is one block; the ladder hangs on the lowest."""
    parts = placed(fire_escape(plan.house, materials), plan.frame)
    count = plan.house.floors - 1
    for index in range(count):
        own = parts[2 * index : min(2 * index + 2, len(parts) - 1)]
        low, high = _bounds(own[:1])
        low[2] += 0.66
        front = plan.frame.origin[1]
        if plan.frame.v[1] < 0:
            high[1] = front
        else:
            low[1] = front
        yield _block(
            plan, (*own, *parts[-1:]) if index == 0 else tuple(own), (low, high), f"balcony {index}", 90.0
        )


def _block(
    plan: _Plan, parts: tuple[Part, ...], box: tuple[Floats, Floats], panel: str, density: float
) -> Fixture:
    low, high = (_triple(point) for point in box)
    plan.blocks.append(
        Block(
            low=low,
            high=high,
            panel=panel,
            label=int(parts[0].label),
            building=plan.row,
            density=density,
            cell=0.0,
        )
    )
    plan.labels.append((parts[0].label,) * 7)
    return Fixture(parts=parts, box=np.array(box), block=len(plan.blocks) - 1)


def _bounds(parts: Sequence[Part]) -> tuple[Floats, Floats]:
    points = np.concatenate([item.vertices for item in parts])
    return points.min(axis=0), points.max(axis=0)


def _windows(plan: _Plan) -> Floats:
    """Boxes (N, 2, 3) of the openings of the front, world coordinates."""
    spans, rows = openings(plan.house)
    if plan.house.front == "stoop":
        rows = [(1.0, plan.house.ground - 0.55), *rows]
    ends_of = [((u0, -WALL, z0), (u1, 0.0, z1)) for z0, z1 in rows for u0, u1 in spans]
    both = np.array([[plan.world(a), plan.world(b)] for a, b in ends_of])
    return np.stack([both.min(axis=1), both.max(axis=1)], axis=1)


def attached(parts: Sequence[Part], openings_: Floats) -> Iterator[Fixture]:
    """Loose bodies of *parts* as fixtures: what fills one opening is one, and long boxes are cut to short ones."""
    filling: dict[int, list[Part]] = {}
    for item in (single for whole in parts for single in bodies(whole)):
        low, high = item.vertices.min(axis=0), item.vertices.max(axis=0)
        middle = (low + high) / 2
        held = np.flatnonzero(
            (low[[0, 2]] > openings_[:, 0][:, [0, 2]] - 0.02).all(axis=1)
            & (high[[0, 2]] < openings_[:, 1][:, [0, 2]] + 0.02).all(axis=1)
            & (np.abs(middle[1] - openings_[:, :, 1].mean(axis=1)) < 0.4)
        )
        if len(held):
            filling.setdefault(int(held[0]), []).append(item)
            continue
        for short in _short(item, low, high):
            yield Fixture(parts=(short,), box=np.array(_bounds([short])))
    for number, own in sorted(filling.items()):
        yield Fixture(parts=tuple(own), box=openings_[number])


def bodies(item: Part) -> Iterator[Part]:
    """The parts of *item* that share no corner, in the order of their first triangles."""
    pairs = np.concatenate([item.triangles[:, :2], item.triangles[:, 1:]])
    number = frame_of.components(len(item.vertices), pairs.astype(np.int32))
    of = number[item.triangles[:, 0]]
    for index in range(int(number.max()) + 1):
        points, rows = np.flatnonzero(number == index), np.flatnonzero(of == index)
        if len(rows):
            yield attrs.evolve(
                item,
                vertices=item.vertices[points],
                triangles=np.searchsorted(points, item.triangles[rows]).astype(np.int32),
                material=item.material[rows],
            )


def _short(item: Part, low: Floats, high: Floats) -> Iterator[Part]:
    """A box or an upright rectangle in pieces of about a metre; anything else as it is."""
    axis = int(np.argmax((high - low)[:2]))
    count = int(np.ceil((high - low)[axis] / 1.1))
    box = len(item.vertices) == 8 and np.isin(item.vertices, [low, high]).all()
    if (high - low)[axis] <= LONG or not (box or len(item.vertices) == 4):
        yield item
        return
    edges = np.linspace(low[axis], high[axis], count + 1)
    for start, end in pairwise(edges):
        if box:
            a, b = low.copy(), high.copy()
            a[axis], b[axis] = start, end
            yield part(boxes(a, b), item.material[0], item.label)
        else:
            share = (item.vertices[:, axis] - low[axis]) / (high - low)[axis]
            points = item.vertices.copy()
            points[:, axis] = start + (end - start) * share
            yield attrs.evolve(item, vertices=points)
