"""From a blast to a plan: which pieces let go, when, how fast, and which of them stay together.

A plan is made before anything moves. A field of distance and slow noise says what the blast breaks; what stood on
that follows; what the ground no longer carries falls; joints that the others' load overwhelms give way, round after
round, until what is left stands.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core_city.fracture import sums
from cosmos_core_city.structure import GRAVITY, RESERVE, loads, supported

if TYPE_CHECKING:
    from cosmos_core_city.structure import Structure

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int32]
    Mask: TypeAlias = NDArray[np.bool_]

FRONT = 60.0
"""Metres a second at which the blast travels through a building."""
RISE = 0.42
"""A column above the blast counts as this share of its height away."""
FOLLOW = 0.035
"""Seconds a metre of height after which a column follows."""
LEAN = 1.6
"""Metres a second at which a column above the greatest blast leans out: too slow, it jams where it stood."""
FLAT = 0.6
"""What is thinner than this share of its width has a broad side, on which a blast pushes."""
RAGGED = 0.17
"""How far the rim strays, as a share of the radius."""
DEBRIS = 0.5
"""Share of its weight with which a fallen piece loads what it lands on: part spills, the rest strikes."""
ROUNDS = 24
"""Rounds of overload after which the rest stands."""
ROUND = 0.13
"""Seconds from one round of overload to the next."""


class Cause(IntEnum):
    """Why a piece moves."""

    STANDS = 0
    BLAST = 1
    COLUMN = 2
    UNSUPPORTED = 3
    OVERLOAD = 4


def _share(_: object, field: attrs.Attribute[Any], value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{field.name} is {value}; allowed is 0 to 1")


def _positive(_: object, field: attrs.Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{field.name} is {value}; it must be more than 0")


@attrs.frozen(kw_only=True)
class Damage:
    """What happens to a structure. Metres and seconds."""

    amount: float = attrs.field(validator=_share)
    """0 leaves everything as it is, 1 breaks all within the radius."""
    center: tuple[float, float, float]
    radius: float = attrs.field(default=7.0, validator=_positive)
    power: float = attrs.field(default=1.0, validator=_positive)
    """1 throws what is nearest at 9 m/s."""
    delay: float = 0.0
    """Seconds from the first frame of the simulation to the blast."""


@attrs.frozen(eq=False, kw_only=True)
class Activation:
    """What a structure does. P pieces, B bodies; a body is one or more pieces that move as one."""

    body: Ints
    """(P,), -1 for what stands."""
    cause: NDArray[np.uint8]
    """(P,), :class:`Cause`."""
    time: Floats
    """(B,), seconds at which each body lets go; sorted."""
    velocity: Floats
    """(B, 3), metres a second at that moment."""
    spin: Floats
    """(B, 3), radians a second at that moment."""


def plan_damage(structure: Structure, damage: Damage, seed: int) -> Activation:
    """What *damage* does to *structure*. Equal arguments give equal plans; no amount, no bodies.

    More of the amount moves more: the field does not depend on it, only how much of the field is taken.
    """
    field, column = _field(structure, damage, seed)
    hit = field < damage.amount
    fallen = collapse(structure, hit)
    cause = np.select(
        [hit & ~column, hit, fallen == 1, fallen > 1],
        [Cause.BLAST, Cause.COLUMN, Cause.UNSUPPORTED, Cause.OVERLOAD],
        Cause.STANDS,
    ).astype(np.uint8)
    time = _times(structure, damage, cause, fallen, seed)
    body, time = _bodies(structure, damage, field, cause, time, seed)
    velocity, spin = _throw(structure, damage, field, cause, body, len(time), seed)
    return Activation(body=body, cause=cause, time=time, velocity=velocity, spin=spin)


def _middle(structure: Structure) -> Floats:
    """The centre of mass of each piece's chunk, (P, 3)."""
    count = int(structure.chunk.max()) + 1
    mass = np.bincount(structure.chunk, structure.mass, count)
    middle = sums(structure.centroid * structure.mass[:, None], structure.chunk, count) / mass[:, None]
    return np.asarray(middle[structure.chunk])


def noise(points: Floats, seed: int, wave: float = 3.2) -> Floats:
    """Slow noise (P,) of deviation 1 at *points* (P, 3): twelve plane waves of about *wave* metres."""
    random = np.random.default_rng([seed, 5])
    way = random.normal(size=(12, 3))
    way *= (2 * np.pi / (wave * random.uniform(0.6, 1.8, 12)) / np.linalg.norm(way, axis=1))[:, None]
    return np.asarray(np.sin(points @ way.T + random.uniform(0, 2 * np.pi, 12)).sum(axis=1) / np.sqrt(6))


def _field(structure: Structure, damage: Damage, seed: int) -> tuple[Floats, Mask]:
    """The amount from which each piece is broken (P,), and where it is broken as part of a column."""
    middle = _middle(structure)
    arm = middle - np.asarray(damage.center)
    ball = np.linalg.norm(arm, axis=1)
    plume = np.hypot(np.linalg.norm(arm[:, :2], axis=1) * 1.15, np.maximum(arm[:, 2], 0.0) * RISE)
    plume = np.where(arm[:, 2] > 0, plume, np.inf)
    strayed = np.minimum(ball, plume) / damage.radius + RAGGED * noise(middle, seed)
    return np.maximum(strayed, 1e-6), plume < ball * 0.8


def collapse(structure: Structure, hit: Mask) -> Ints:
    """The round in which each piece lets go (P,): 0 for what was *hit*, -1 for what stands.

    1 is what the ground no longer carries; from 2 on, joints have given way under the load of the rest and of what
    fell on it.
    """
    bonds, weight = structure.bonds, structure.mass * GRAVITY
    fallen = np.where(hit, 0, -1).astype(np.int32)
    if not hit.any():
        return fallen
    everything, holding = np.ones(len(structure), dtype=bool), np.ones(len(bonds.area), dtype=bool)
    load, level = loads(
        structure, supported(structure, everything, holding), holding, weight, np.zeros(len(structure))
    )
    reserve = RESERVE * np.abs(load)
    extra, fresh = np.zeros(len(structure)), hit
    for number in range(1, ROUNDS + 1):
        standing = supported(structure, fallen < 0, holding)
        lost = (fallen < 0) & ~standing
        fallen[lost] = number
        extra += _debris(structure, fresh | lost, standing, weight)
        load, level = loads(structure, standing, holding, weight + extra, level)
        broken = holding & (np.abs(load) > np.maximum(bonds.capacity(load), reserve))
        if not broken.any() and not lost.any():
            break
        holding &= ~broken
        fresh = np.zeros(len(structure), dtype=bool)
    standing = supported(structure, fallen < 0, holding)
    fallen[(fallen < 0) & ~standing] = ROUNDS + 1
    return fallen


def _debris(structure: Structure, fallen: Mask, standing: Mask, weight: Floats) -> Floats:
    """The load (P,) with which pieces that have just *fallen* strike what stands right below them."""
    load = np.zeros(len(structure))
    rows, under = np.flatnonzero(fallen), np.flatnonzero(standing)
    if not len(rows) or not len(under):
        return load
    top = structure.boxes[under, 1, 2]
    point = structure.centroid[rows]
    low, high = structure.boxes[under, 0, :2], structure.boxes[under, 1, :2]
    above = ((point[:, None, :2] > low) & (point[:, None, :2] < high)).all(axis=2) & (top < point[:, 2:])
    height = np.where(above, top, -np.inf)
    best = height.argmax(axis=1)
    lands = height[np.arange(len(rows)), best] > -np.inf
    np.add.at(load, under[best[lands]], DEBRIS * weight[rows[lands]])
    return load


def _times(structure: Structure, damage: Damage, cause: NDArray[np.uint8], fallen: Ints, seed: int) -> Floats:
    """Seconds at which each piece lets go (P,), infinite for what stands."""
    middle = _middle(structure)
    arm = middle - np.asarray(damage.center)
    late = np.random.default_rng([seed, 11]).random(int(structure.chunk.max()) + 1)[structure.chunk]
    front = damage.delay + np.linalg.norm(arm, axis=1) / FRONT + 0.03 * late
    column = (
        damage.delay
        + np.linalg.norm(arm[:, :2], axis=1) / FRONT
        + FOLLOW * np.maximum(arm[:, 2], 0.0)
        + 0.06 * late
    )
    time = np.select([cause == Cause.BLAST, cause == Cause.COLUMN], [front, column], np.inf)
    time = _followed(structure, time, cause == Cause.UNSUPPORTED, 0.05 + 0.10 * late)
    given = np.where(cause == Cause.OVERLOAD, front + 0.15 + ROUND * (fallen - 1) + 0.12 * late, np.inf)
    return np.where(cause == Cause.STANDS, np.inf, np.minimum(time, given))


def _followed(structure: Structure, time: Floats, waiting: Mask, lag: Floats) -> Floats:
    """*time* with those that wait given the time of the first neighbour to go, plus their *lag*."""
    pairs = structure.bonds.pairs
    time = time.copy()
    for _ in range(len(structure)):
        first = np.full(len(time), np.inf)
        np.minimum.at(first, pairs[:, 0], time[pairs[:, 1]])
        np.minimum.at(first, pairs[:, 1], time[pairs[:, 0]])
        better = waiting & (first + lag < time - 1e-9)
        if not better.any():
            break
        time[better] = (first + lag)[better]
    return time


def _bodies(
    structure: Structure, damage: Damage, field: Floats, cause: NDArray[np.uint8], time: Floats, seed: int
) -> tuple[Ints, Floats]:
    """The body of each piece (P,), and when each body goes (B,): chunks near the blast, clusters of them at the rim."""
    moving = np.flatnonzero(cause != Cause.STANDS)
    if not len(moving):
        return np.full(len(structure), -1, dtype=np.int32), np.empty(0)
    count = int(structure.chunk.max()) + 1
    loose = np.zeros(count, dtype=bool)
    loose[structure.chunk[moving[(field[moving] > 0.5 * damage.amount)]]] = True
    when = np.full(count, np.inf)
    np.minimum.at(when, structure.chunk[moving], time[moving])
    cluster = _clusters(structure, loose, when, np.random.default_rng([seed, 13]))
    group = cluster[structure.chunk]
    first = np.full(count, np.inf)
    np.minimum.at(first, group[moving], time[moving])
    order = np.argsort(first, kind="stable")
    order = order[np.isfinite(first[order])]
    number = np.full(count, -1, dtype=np.int32)
    number[order] = np.arange(len(order))
    return np.where(cause == Cause.STANDS, -1, number[group]).astype(np.int32), first[order]


def _clusters(structure: Structure, loose: Mask, when: Floats, random: np.random.Generator) -> Ints:
    """The cluster of each chunk: *loose* neighbours of one panel that go at about one time, 2 to 10 together."""
    pairs, chunk = structure.bonds.pairs, structure.chunk
    panel = {item: i for i, item in enumerate(dict.fromkeys((b.building, b.panel) for b in structure.blocks))}
    of = np.array([panel[b.building, b.panel] for b in structure.blocks])[structure.block]
    keep = (of[pairs[:, 0]] == of[pairs[:, 1]]) & (chunk[pairs[:, 0]] != chunk[pairs[:, 1]])
    beside: dict[int, list[int]] = {}
    for a, b in chunk[pairs[keep]].tolist():
        if loose[a] and loose[b] and abs(when[a] - when[b]) < 0.25:
            beside.setdefault(a, []).append(b)
            beside.setdefault(b, []).append(a)
    cluster = np.arange(len(loose), dtype=np.int32)
    free = loose.copy()
    for start in random.permutation(len(loose)).tolist():
        wanted = min(10, 1 + int(random.geometric(0.42)))
        if free[start]:
            _grow(start, wanted, beside, free, cluster)
    return cluster


def _grow(start: int, wanted: int, beside: dict[int, list[int]], free: Mask, cluster: Ints) -> None:
    """Take up to *wanted* free chunks around *start* into its cluster, nearest first."""
    queue, taken = [start], 0
    while queue and taken < wanted:
        here = queue.pop(0)
        if not free[here]:
            continue
        free[here] = False
        cluster[here] = start
        taken += 1
        queue += dict.fromkeys(beside.get(here, ()))


def _broad(structure: Structure) -> Floats:
    """The normal of the broad sides of each piece's block (P, 3); zero where a block is nearly as thick as it is wide."""
    extent = np.array([block.high for block in structure.blocks]) - [block.low for block in structure.blocks]
    sizes = np.sort(extent, axis=1)
    flat = sizes[:, 0] < FLAT * sizes[:, 1]
    return np.asarray((np.eye(3)[extent.argmin(axis=1)] * flat[:, None])[structure.block])


def _throw(
    structure: Structure,
    damage: Damage,
    field: Floats,
    cause: NDArray[np.uint8],
    body: Ints,
    count: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Velocity and spin of each body (B, 3): away from the blast, less with distance; columns only lean out.

    Pressure pushes a wall out of its plane, also where the blast is beside it: along its plane it would only jam.
    """
    random = np.random.default_rng([seed, 19])
    moving = body >= 0
    if not moving.any():
        return np.zeros((0, 3)), np.zeros((0, 3))
    mass = np.bincount(body[moving], structure.mass[moving], count)
    middle = sums((structure.centroid * structure.mass[:, None])[moving], body[moving], count) / mass[:, None]
    arm = middle - np.asarray(damage.center)
    arm /= np.maximum(np.linalg.norm(arm, axis=1), 0.3)[:, None]
    broad = sums((_broad(structure) * structure.mass[:, None])[moving], body[moving], count) / mass[:, None]
    arm += np.where(np.einsum("ij,ij->i", arm, broad) < 0, -1.0, 1.0)[:, None] * broad
    arm /= np.maximum(np.linalg.norm(arm, axis=1), 0.3)[:, None]
    near = np.full(count, np.inf)
    np.minimum.at(near, body[moving], field[moving])
    kind = np.zeros(count, dtype=np.uint8)
    kind[body[moving]] = cause[moving]
    blown = 9.0 * np.clip(1 - near / max(damage.amount, 1e-6), 0.0, 1.0) ** 1.2 + 0.8
    speed = damage.power * np.select(
        [kind == Cause.BLAST, kind == Cause.COLUMN], [blown, LEAN * damage.amount], 0.05
    )
    speed *= random.uniform(0.6, 1.25, count)
    arm[:, 2] = np.where(kind == Cause.BLAST, np.maximum(arm[:, 2], -0.2), 0.0)
    velocity = arm * speed[:, None] + random.normal(scale=0.12, size=(count, 3)) * speed[:, None]
    return velocity, random.normal(size=(count, 3)) * (0.15 + 0.25 * speed)[:, None]
