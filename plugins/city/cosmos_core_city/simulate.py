"""Rigid bodies fall: a plan and loose things in, poses out.

The engine is Rapier (``rapier3d``). Its poses are the same for any number of threads. Hulls are a little smaller
than the pieces they stand for: hulls that share faces would burst apart when they let go.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core.errors import InputError, PluginError
from cosmos_core_city.fracture import sums
from cosmos_core_city.poses import PoseCache
from cosmos_core_city.structure import GRAVITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import ModuleType

    from numpy.typing import ArrayLike

    from cosmos_core_city.damage import Activation
    from cosmos_core_city.structure import Structure

    Floats: TypeAlias = NDArray[np.float64]

SHRINK = 0.985
SMALLEST = 1e-3
"""Cubic metres below which a piece has no hull of its own where its body has another."""
FASTEST = 40.0
"""Metres a second that nothing exceeds: twice a fall from the highest roof."""
QUIET, LATE = 2.2, 14.0
"""Seconds after the first body lets go from which nothing is faster than so many metres a second: what comes down late
has hung or rolled, and a clip that ends in free fall shows a blur. It is what a fall of ten metres ends with."""
IDLE, SLOWLY = 4.5, 0.6
"""Seconds after the first body lets go from which so many of the substeps do: nothing is fast and most lies still."""
FRICTION, BOUNCE = 0.75, 0.04


@attrs.frozen(eq=False, kw_only=True)
class Prop:
    """A loose thing, such as a car or a bin: it sleeps where it stands until something hits it."""

    name: str
    vertices: NDArray[np.float64]
    """(V, 3), whose convex hull it is; world coordinates at rest."""
    mass: float
    """Kilograms."""


@attrs.frozen(eq=False, kw_only=True)
class Shard:
    """A brick that lies hidden in a wall until a blast sprays it; it meets the ground and what stands, never pieces.

    A thousand small bodies in a heap would cost more than all the rest of it, and in the heap nobody sees them.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """(3,) each, the corners of its box at rest, metres."""
    time: float
    """Seconds from the beginning of the simulation at which it lets go."""
    velocity: NDArray[np.float64]
    spin: NDArray[np.float64]


def simulate(
    structure: Structure,
    activation: Activation,
    props: Sequence[Prop] = (),
    frames: int = 93,
    fps: float = 24,
    substeps: int = 5,
    *,
    shards: Sequence[Shard] = (),
    preroll: int = 0,
    obstacles: ArrayLike = (),
    ground: float = 0.0,
    threads: int | None = None,
) -> PoseCache:
    """The poses of everything that moves, in *frames* frames after *preroll* frames that are not kept.

    *obstacles* are boxes (K, 2, 3) that never move, such as sidewalks and neighbours; *ground* is the height of the
    plane under all. The pose of a frame is that at its beginning, so the first without preroll is the scene at rest.
    Times of *activation* count from the beginning of the preroll.

    Raises:
        InputError: when there are no frames or no substeps.
        PluginError: when rapier3d is not installed.
    """
    if frames < 1 or substeps < 1 or fps <= 0:
        raise InputError(f"{frames} frames of {substeps} substeps at {fps} fps cannot be simulated")
    engine = _engine()
    world = _world(engine, 1 / (fps * substeps), ground, threads)
    for low, high in np.asarray(obstacles, dtype=np.float64).reshape(-1, 2, 3):
        half = (high - low) / 2
        world.add_collider(
            engine.Collider.cuboid(*half, translation=tuple((low + high) / 2), friction=FRICTION)
        )
    for piece in np.flatnonzero(activation.body < 0):
        if (hull := _hull(engine, structure, int(piece), np.zeros(3))) is not None:
            world.add_collider(hull)
    pivots = np.concatenate(
        [
            _pivots(structure, activation),
            *(_center(prop)[None] for prop in props),
            *((shard.low + shard.high)[None] / 2 for shard in shards),
        ]
    )
    handles = _dormant(engine, world, structure, activation, pivots)
    standing = [_loose(engine, world, prop) for prop in props]
    # a body made asleep wakes when its first contacts are found, so they are found before it is put to sleep
    world.detect_collisions()
    for handle in standing:
        world.rigid_bodies[handle].sleep()
    handles += standing
    handles += [_hidden(engine, world, shard) for shard in shards]
    waiting = _waiting(activation, shards, len(activation.time) + len(props))
    awake = range(len(activation.time), len(activation.time) + len(props))
    kept = list(_run(engine, world, handles, waiting, awake, pivots, (preroll, frames, fps, substeps)))
    poses = np.array(kept, dtype=np.float32).reshape(frames, len(handles), 7)
    loose = np.arange(len(activation.time), len(handles), dtype=np.int32)
    late = np.array([shard.time for shard in shards])
    starts = np.concatenate([activation.time - preroll / fps, np.zeros(len(props)), late - preroll / fps])
    return PoseCache(
        poses=poses,
        pivots=pivots.astype(np.float32),
        bodies=np.concatenate([activation.body, loose]).astype(np.int32),
        starts=starts.astype(np.float32),
        fps=float(fps),
    )


def _engine() -> ModuleType:
    try:
        import rapier3d
    except ImportError as error:
        raise PluginError(
            "the city needs rapier3d to let things fall", hint="pip install rapier3d"
        ) from error
    return rapier3d


def _world(engine: ModuleType, dt: float, ground: float, threads: int | None) -> Any:
    world = engine.PhysicsWorld(gravity=(0.0, 0.0, -GRAVITY))
    if threads is not None:
        world.set_num_threads(threads)
    world.integration_parameters.dt = dt
    # deep contacts, as between a falling slab and a hull that just let go, are eased apart instead of flung
    world.integration_parameters.normalized_max_corrective_velocity = 1.2
    world.integration_parameters.normalized_max_linear_velocity = FASTEST
    floor = engine.Collider.cuboid(500.0, 500.0, 5.0, translation=(0.0, 0.0, ground - 5.0), friction=0.9)
    world.add_collider(floor)
    return world


def _hull(
    engine: ModuleType, structure: Structure, piece: int, origin: Floats, *, smallest: float = SMALLEST
) -> Any:
    """The collider of a piece about *origin*; None for a sliver."""
    if structure.volume[piece] < smallest:
        return None
    middle = structure.centroid[piece]
    points = middle + (structure.vertices(piece) - middle) * SHRINK - origin
    density = structure.blocks[structure.block[piece]].density
    hull = engine.Collider.convex_hull(points, density=density, friction=FRICTION, restitution=BOUNCE)
    return hull.collision_groups(engine.InteractionGroups(engine.Group.GROUP_1, ~engine.Group.GROUP_2))


def _pivots(structure: Structure, activation: Activation) -> Floats:
    """The centres of mass of the bodies, (B, 3)."""
    moving, count = activation.body >= 0, len(activation.time)
    body, mass = activation.body[moving], structure.mass[moving]
    total = np.bincount(body, mass, count)
    middle: Floats = sums(structure.centroid[moving] * mass[:, None], body, count) / total[:, None]
    return middle


def _dormant(
    engine: ModuleType, world: Any, structure: Structure, activation: Activation, pivots: Floats
) -> list[Any]:
    """Bodies of the pieces that will move, fixed until they let go; in the order of the plan."""
    order = np.argsort(activation.body, kind="stable")
    bounds = np.searchsorted(activation.body[order], np.arange(len(activation.time) + 1))
    handles = []
    for body, (start, end) in enumerate(pairwise(bounds)):
        parts = order[start:end]
        hulls = [_hull(engine, structure, int(piece), pivots[body]) for piece in parts]
        solid = [hull for hull in hulls if hull is not None]
        if not solid:
            largest = parts[np.argmax(structure.volume[parts])]
            solid = [_hull(engine, structure, int(largest), pivots[body], smallest=0.0)]
        handles.append(world.add_body(engine.RigidBody.fixed(translation=tuple(pivots[body])), solid))
    return handles


def _center(prop: Prop) -> Floats:
    return np.asarray((prop.vertices.min(axis=0) + prop.vertices.max(axis=0)) / 2)


def _loose(engine: ModuleType, world: Any, prop: Prop) -> Any:
    center = _center(prop)
    points = (prop.vertices - center) * SHRINK
    points[:, 2] += (prop.vertices[:, 2].min() - center[2]) * (1 - SHRINK)
    hull = engine.Collider.convex_hull(points, friction=0.8, restitution=BOUNCE, mass=prop.mass)
    return world.add_body(engine.RigidBody.dynamic(translation=tuple(center)), [hull])


def _hidden(engine: ModuleType, world: Any, shard: Shard) -> Any:
    """A brick in its wall. What it may meet is asked of both sides, so pieces have to let it pass too."""
    half = (shard.high - shard.low) / 2 * SHRINK
    box = engine.Collider.cuboid(*half, density=1800.0, friction=0.85, restitution=0.15)
    box = box.collision_groups(engine.InteractionGroups(engine.Group.GROUP_2, ~engine.Group.GROUP_1))
    middle = tuple((shard.low + shard.high) / 2)
    return world.add_body(engine.RigidBody.fixed(translation=middle), [box])


@attrs.frozen(eq=False)
class _Release:
    """A body that lets go: its row, when, how fast and how it spins."""

    time: float
    row: int
    velocity: Floats
    spin: Floats


def _waiting(activation: Activation, shards: Sequence[Shard], first: int) -> list[_Release]:
    """All that will let go, in the order of time; the rows of *shards* begin at *first*."""
    bodies = [
        _Release(float(time), row, activation.velocity[row], activation.spin[row])
        for row, time in enumerate(activation.time)
    ]
    bricks = [
        _Release(shard.time, first + row, shard.velocity, shard.spin) for row, shard in enumerate(shards)
    ]
    return sorted([*bodies, *bricks], key=lambda each: (each.time, each.row))


def _run(
    engine: ModuleType,
    world: Any,
    handles: Sequence[Any],
    waiting: Sequence[_Release],
    awake: Iterable[int],
    pivots: Floats,
    clock: tuple[int, int, float, int],
) -> Iterator[Floats]:
    """Step the world; the poses (B, 7) at the beginning of each frame that is kept."""
    preroll, frames, fps, substeps = clock
    poses = np.concatenate([pivots, np.tile([1.0, 0.0, 0.0, 0.0], (len(pivots), 1))], axis=1)
    moving, released = list(awake), 0
    for frame in range(preroll + frames):
        _read(world, handles, moving, poses)
        if frame >= preroll:
            yield poses.copy()
        idle = released > 0 and frame / fps > waiting[0].time + IDLE
        steps = max(1, math.ceil(substeps * SLOWLY)) if idle else substeps
        world.integration_parameters.dt = 1 / (fps * steps)
        for step in range(steps):
            now = (frame + step / steps) / fps
            if released and now > waiting[0].time + QUIET:
                world.integration_parameters.normalized_max_linear_velocity = LATE
            while released < len(waiting) and waiting[released].time <= now:
                _release(engine, world, handles, waiting[released])
                moving.append(waiting[released].row)
                released += 1
            world.step()


def _release(engine: ModuleType, world: Any, handles: Sequence[Any], one: _Release) -> None:
    body = world.rigid_bodies[handles[one.row]]
    body.body_type = engine.RigidBodyType.DYNAMIC
    body.linvel = tuple(one.velocity)
    body.angvel = tuple(one.spin)


def _read(world: Any, handles: Sequence[Any], moving: Sequence[int], poses: Floats) -> None:
    """Fill the rows of *poses* of what may have moved."""
    bodies = world.rigid_bodies
    for row in moving:
        one = bodies[handles[row]]
        if not one.is_sleeping:
            place, turn = one.translation, one.rotation
            poses[row] = place.x, place.y, place.z, turn.w, turn.i, turn.j, turn.k
