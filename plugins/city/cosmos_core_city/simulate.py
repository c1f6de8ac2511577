"""Rigid bodies fall: a plan and loose things in, poses out.

The engine is Rapier (``rapier3d``). Its poses are the same for any number of threads. Hulls are a little smaller
than the pieces they stand for: hulls that share faces would burst apart when they let go.
"""

from __future__ import annotations

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
    from collections.abc import Iterator, Sequence
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
FRICTION, BOUNCE = 0.75, 0.04


@attrs.frozen(eq=False, kw_only=True)
class Prop:
    """A loose thing, such as a car or a bin: it sleeps where it stands until something hits it."""

    name: str
    vertices: NDArray[np.float64]
    """(V, 3), whose convex hull it is; world coordinates at rest."""
    mass: float
    """Kilograms."""


def simulate(
    structure: Structure,
    activation: Activation,
    props: Sequence[Prop] = (),
    frames: int = 93,
    fps: float = 24,
    substeps: int = 5,
    *,
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
    pivots = np.concatenate([_pivots(structure, activation), *(_center(prop)[None] for prop in props)])
    handles = _dormant(engine, world, structure, activation, pivots)
    standing = [_loose(engine, world, prop) for prop in props]
    # a body made asleep wakes when its first contacts are found, so they are found before it is put to sleep
    world.detect_collisions()
    for handle in standing:
        world.rigid_bodies[handle].sleep()
    handles += standing
    kept = list(_run(engine, world, handles, activation, pivots, (preroll, frames, fps, substeps)))
    poses = np.array(kept, dtype=np.float32).reshape(frames, len(handles), 7)
    loose = np.arange(len(activation.time), len(handles), dtype=np.int32)
    starts = np.concatenate([activation.time - preroll / fps, np.zeros(len(props))])
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
    return engine.Collider.convex_hull(points, density=density, friction=FRICTION, restitution=BOUNCE)


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


def _run(
    engine: ModuleType,
    world: Any,
    handles: Sequence[Any],
    activation: Activation,
    pivots: Floats,
    clock: tuple[int, int, float, int],
) -> Iterator[Floats]:
    """Step the world; the poses (B, 7) at the beginning of each frame that is kept."""
    preroll, frames, fps, substeps = clock
    poses = np.concatenate([pivots, np.tile([1.0, 0.0, 0.0, 0.0], (len(pivots), 1))], axis=1)
    loose = len(handles) - len(activation.time)
    released = 0
    for frame in range(preroll + frames):
        moving = [*range(released), *range(len(handles) - loose, len(handles))]
        _read(world, handles, moving, poses)
        if frame >= preroll:
            yield poses.copy()
        for step in range(substeps):
            now = (frame + step / substeps) / fps
            if released and now > activation.time[0] + QUIET:
                world.integration_parameters.normalized_max_linear_velocity = LATE
            while released < len(activation.time) and activation.time[released] <= now:
                _release(engine, world, handles[released], activation, released)
                released += 1
            world.step()


def _release(engine: ModuleType, world: Any, handle: Any, activation: Activation, body: int) -> None:
    one = world.rigid_bodies[handle]
    one.body_type = engine.RigidBodyType.DYNAMIC
    one.linvel = tuple(activation.velocity[body])
    one.angvel = tuple(activation.spin[body])


def _read(world: Any, handles: Sequence[Any], moving: Sequence[int], poses: Floats) -> None:
    """Fill the rows of *poses* of what may have moved."""
    bodies = world.rigid_bodies
    for row in moving:
        one = bodies[handles[row]]
        if not one.is_sleeping:
            place, turn = one.translation, one.rotation
            poses[row] = place.x, place.y, place.z, turn.w, turn.i, turn.j, turn.k
