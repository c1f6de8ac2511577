"""The block with its blast: what breaks, how it falls, and the scene that moves so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cosmos_core_city.build import build, staged, street
from cosmos_core_city.damage import Damage, plan_damage
from cosmos_core_city.debris import bricks
from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind, Materials
from cosmos_core_city.mesh import boxes, cylinder, part
from cosmos_core_city.poses import PoseCache
from cosmos_core_city.scene import Scene, Thing
from cosmos_core_city.simulate import Prop, simulate
from cosmos_core_city.street import WALK, blocks
from cosmos_core_city.structure import ROD, pieces_of, rebar
from cosmos_core_city.truth import Bodies
from cosmos_core_city.victim import victim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cosmos_core_city.mesh import Floats, Ints, Part
    from cosmos_core_city.simulate import Shard
    from cosmos_core_city.spec import City
    from cosmos_core_city.structure import Rods, Structure
    from cosmos_core_city.victim import Victim

LOOSE = {"sedan": 1450.0, "taxi": 1500.0, "suv": 2000.0, "hatchback": 1150.0, "van": 2200.0,
         "police": 1600.0, "pickup": 1900.0, "truck": 4200.0,
         "bin": 45.0, "mailbox": 90.0, "bench": 70.0, "bags": 30.0, "newsbox": 40.0, "planter": 120.0}  # fmt: skip
"""Kilograms of what a blast may push about."""
REACH = 18.0
"""Metres from the blast, along the street, within which such things are loose."""
GROWTH = 0.75
"""The share of the radius that breaks is the damage to this power: what falls then grows about evenly with the damage.
A share itself would break next to nothing below a half of it; a root would break all that can fall at 0.6."""
NEAR = 0.06
"""Metres within which a piece may carry a fixture."""


@attrs.frozen(eq=False, kw_only=True)
class Wreck:
    """A scene, how its bodies move (None: nothing does), and facts about both as JSON."""

    scene: Scene
    motion: PoseCache | None
    facts: dict[str, Any]

    def state(self, frame: int) -> NDArray[np.uint8]:
        """The damage state of each triangle (T,) in *frame*: 1 where it has come off, else 0."""
        return self.scene.state(None if self.motion is None else self.motion.moved()[frame])

    def bodies(self, frame: int) -> Bodies | None:
        """What moves in *frame*, for ground truth; None where nothing does."""
        if self.motion is None or not self.motion.poses.shape[1]:
            return None
        return Bodies(
            of=self.scene.rides,
            now=self.motion.matrices(frame).astype(np.float64),
            before=self.motion.matrices(max(frame - 1, 0)).astype(np.float64),
            state=self.motion.moved()[frame].astype(np.uint8),
        )


def wreck(city: City, frames: int, fps: float) -> Wreck:
    """The scene of *city* and what its blast does in *frames* frames. Equal arguments give equal arrays.

    Raises:
        PluginError: when rapier3d is not installed.
    """
    blast = city.blast
    if blast is None:
        return Wreck(scene=build(city), motion=None, facts={})
    materials = Materials()
    houses = [victim(city, row, materials) for row in blast.victims]
    parts = tuple(block for house in houses for block in house.blocks)
    structure = pieces_of(parts, seed=city.seed, ground=WALK, blast=(blast.center, blast.radius))
    told = Damage(
        amount=blast.damage**GROWTH,
        center=blast.center,
        radius=blast.radius,
        power=blast.power,
        delay=blast.delay,
    )
    plan = plan_damage(structure, told, city.seed)
    things = street(city, materials, without=blast.victims)
    loose = [item for item in things if _is_loose(item, blast.center[0])]
    sprayed = list(bricks(structure, plan, city.seed))
    motion = simulate(
        structure,
        plan,
        [_prop(item) for item in loose],
        frames,
        fps,
        shards=sprayed,
        preroll=round(blast.preroll * fps),
        obstacles=obstacles(city),
    )
    props, shards = np.split(motion.bodies[len(structure) :], [len(loose)])
    ridden = {id(item): int(body) for item, body in zip(loose, props, strict=True)}
    riding = [_carried(item, ridden[id(item)]) if id(item) in ridden else item for item in things]
    ruins = list(wrecked(houses, structure, motion, rebar(structure, city.seed), materials))
    if sprayed:
        ruins[0] = attrs.evolve(ruins[0], parts=(*ruins[0].parts, _sprayed(sprayed, shards, houses[0])))
    riding += ruins
    scene = staged(city, riding, materials)
    return Wreck(scene=scene, motion=motion, facts=_facts(city, structure, motion))


def _facts(city: City, structure: Structure, motion: PoseCache) -> dict[str, Any]:
    last = motion.velocities(motion.frames - 1)
    speeds = np.linalg.norm(last[:, :3], axis=1)
    return {
        "blast": attrs.asdict(city.blast) if city.blast else None,
        "pieces": len(structure),
        "bonds": len(structure.bonds.area),
        "tonnes": round(float(structure.mass.sum()) / 1000, 3),
        "bodies": int(motion.poses.shape[1]),
        "let_go": int((motion.bodies[: len(structure)] >= 0).sum()),
        "moved": int(moved_pieces(structure, motion).sum()),
        "fastest_at_the_end": round(float(speeds.max(initial=0.0)), 3),
        "poses": motion.digest,
    }


def _sprayed(sprayed: Sequence[Shard], bodies: Ints, house: Victim) -> Part:
    """The bricks, in the material of the cracks in the walls of *house*."""
    shape = boxes([shard.low for shard in sprayed], [shard.high for shard in sprayed])
    made = part(shape, house.blocks[0].materials[-1], Label.BUILDING)
    return attrs.evolve(made, body=np.repeat(bodies, 8).astype(np.int32))


def moved_pieces(structure: Structure, motion: PoseCache) -> Any:
    """Which pieces (P,) have detached by the last frame."""
    moved = np.append(motion.moved()[-1], np.False_)
    return moved[motion.bodies[: len(structure)]]


def obstacles(city: City) -> Floats:
    """Boxes (K, 2, 3) that stop what falls: sidewalks, and the houses that stand."""
    victims = city.blast.victims if city.blast else ()
    made = [((x0, y0, -1.0), (x1, y1, WALK)) for x0, y0, x1, y1 in blocks(city)]
    for row, house in enumerate((*city.buildings, *city.neighbours)):
        if row not in victims or row >= len(city.buildings):
            near, far = house.side * city.facade, house.side * (city.facade + house.depth)
            made.append(
                ((house.x, min(near, far), WALK), (house.x + house.width, max(near, far), house.top + WALK))
            )
    return np.array(made)


def _is_loose(item: Thing, x: float) -> bool:
    if item.name.split(" ")[0] not in LOOSE:
        return False
    points = np.concatenate([each.vertices for each in item.parts])
    return bool(abs(points[:, 0].mean() - x) < REACH)


def _prop(item: Thing) -> Prop:
    points = np.unique(np.concatenate([each.vertices for each in item.parts]).round(4), axis=0)
    return Prop(name=item.name, vertices=points, mass=LOOSE[item.name.split(" ")[0]])


def _carried(item: Thing, body: int) -> Thing:
    return attrs.evolve(item, parts=tuple(_riding(each, body) for each in item.parts))


def _riding(item: Part, body: int) -> Part:
    return attrs.evolve(item, body=np.full(len(item.vertices), body, dtype=np.int32))


def wrecked(
    houses: Sequence[Victim], structure: Structure, motion: PoseCache, rods: Rods, materials: Materials
) -> Iterator[Thing]:
    """The houses as things whose parts ride the bodies of *motion*."""
    body = motion.bodies[: len(structure)]
    first = 0
    for house in houses:
        of = structure.block
        own = np.flatnonzero((of >= first) & (of < first + len(house.blocks))).astype(np.int32)
        panels = _broken_panels(house, structure, body, own, first)
        parts = [*house.still, *_whole(house, panels), *_pieces(house, structure, body, first, panels)]
        parts += _fixed(house, structure, motion, own, first)
        parts += _bars(structure, rods, body, own, materials)
        yield Thing(house.name, house.name, tuple(parts), rubble=f"rubble of {house.name}")
        first += len(house.blocks)


def _broken_panels(house: Victim, structure: Structure, body: Ints, own: Ints, first: int) -> set[str]:
    """The panels of which some piece has a body."""
    rows = np.unique(structure.block[own[body[own] >= 0]]) - first
    return {house.blocks[row].panel for row in rows.tolist()}


def _whole(house: Victim, broken: set[str]) -> Iterator[Part]:
    """Panels without cracks: nothing of them moves, and cracks that cannot be seen only cost."""
    for panel in dict.fromkeys(block.panel for block in house.blocks):
        if panel not in broken:
            yield from house.whole.get(panel, ())
    for row, block in enumerate(house.blocks):
        if block.panel in broken or block.panel in house.whole or row in house.hidden:
            continue
        vertices, triangles = boxes(block.low, block.high)
        for label in dict.fromkeys(house.labels[row][:6]):
            faces = [side for side in range(6) if house.labels[row][side] == label]
            chosen = np.concatenate([triangles[2 * side : 2 * side + 2] for side in faces])
            yield part((vertices, chosen), np.repeat([block.materials[side] for side in faces], 2), label)


def _pieces(house: Victim, structure: Structure, body: Ints, first: int, broken: set[str]) -> Iterator[Part]:
    """The pieces of *broken* panels, a part for each label."""
    count = len(structure.blocks)
    drawn = np.zeros(count, dtype=bool)
    rows = np.zeros((count, 7), dtype=np.int32)
    labels = np.zeros((count, 7), dtype=np.int32)
    for row, block in enumerate(house.blocks):
        drawn[first + row] = block.panel in broken and row not in house.hidden
        rows[first + row], labels[first + row] = block.materials, house.labels[row]
    of = structure.block[structure.owner]
    chosen = drawn[of]
    label = labels[of, structure.tags]
    piece = np.repeat(np.arange(len(structure)), np.diff(structure.cells.vertex_start))
    for value in np.unique(label[chosen]).tolist():
        these = chosen & (label == value)
        points, triangles = np.unique(structure.triangles[these], return_inverse=True)
        shape = structure.cells.vertices[points], triangles.reshape(-1, 3).astype(np.int32)
        made = part(shape, rows[of[these], structure.tags[these]], Label(value))
        yield attrs.evolve(made, body=body[piece[points]].astype(np.int32))


def _fixed(house: Victim, structure: Structure, motion: PoseCache, own: Ints, first: int) -> Iterator[Part]:
    """What is fixed to the house, riding what carries it."""
    body, block = motion.bodies, structure.block[own] - first
    solid = own[~np.isin(block, list(house.hidden))]
    shapes = np.ascontiguousarray(np.moveaxis(structure.boxes[solid], 0, 2))
    starts = np.append(motion.starts, np.float32(np.inf))[body[solid]]
    for item in house.fixtures:
        if item.block >= 0:
            carrier = int(own[block == item.block][0])
        else:
            carrier = int(solid[carrying(shapes, starts, item.box)])
        for each in item.parts:
            yield _riding(each, int(body[carrier]))


def carrying(pieces: Floats, starts: NDArray[np.float32], box: Floats) -> int:
    """The row of *pieces* that carries what lies in *box* (2, 3): the nearest, and of equals the one it faces most.

    *pieces* (2, 3, N) are the low and high corners of boxes, *starts* (N,) when each lets go, infinite for what stands.
    Where most of what touches it lets go, it goes with the first of those: nothing hangs on by one corner.
    """
    away = np.maximum(np.maximum(pieces[0] - box[1][:, None], box[0][:, None] - pieces[1]), 0.0)
    gap = np.sqrt(away[0] ** 2 + away[1] ** 2 + away[2] ** 2)
    # All that can be the nearest or touch.
    rows = np.flatnonzero(gap <= max(NEAR, float(gap.min()) + 2e-3))
    gap, (low, high) = gap[rows], pieces[:, :, rows]
    shared = np.maximum(np.minimum(high, box[1][:, None]) - np.maximum(low, box[0][:, None]), 0.0)
    shared.sort(axis=0)
    face = shared[1] * shared[2]
    nearest = int(np.lexsort((-face, gap.round(3)))[0])
    touching = gap < max(NEAR, float(gap[nearest]) + 1e-3)
    going = touching & np.isfinite(starts[rows])
    weight = face + 1e-4
    if not going[nearest] and weight[going].sum() > 0.5 * weight[touching].sum():
        return int(rows[int(np.argmin(np.where(going, starts[rows], np.inf)))])
    return int(rows[nearest])


def _bars(structure: Structure, rods: Rods, body: Ints, own: Ints, materials: Materials) -> Iterator[Part]:
    """Reinforcing bars at the pieces that part from others."""
    i, j = structure.bonds.pairs.T
    parted = np.zeros(len(structure), dtype=bool)
    torn = body[i] != body[j]
    parted[i[torn]] = True
    parted[j[torn]] = True
    steel = materials.row(Kind.METAL, "#5a4335", "#000000", 0.3, shine=0.05)
    kept = np.flatnonzero(np.isin(rods.piece, own) & parted[rods.piece])
    for rod in kept.tolist():
        shape = cylinder(rods.start[rod], rods.end[rod], ROD, sides=4)
        yield _riding(part(shape, steel, Label.REBAR), int(body[rods.piece[rod]]))
