"""Rigid bodies: what falls, what stays, and that it is the same every time."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

pytest.importorskip("rapier3d")

from cosmos_core_city.damage import Damage, plan_damage
from cosmos_core_city.simulate import Prop, simulate
from cosmos_core_city.structure import Block, pieces_of, pierced

from cosmos_core.errors import InputError

CENTER = (3.0, 0.8, 1.5)
BLAST = Damage(amount=0.6, center=CENTER, radius=5.0, delay=0.1)


def house():
    """Two storeys: a front with windows, three plain walls, two floors."""
    wall = Block(low=(0, 0, 0), high=(6, 0.3, 6.4), panel="front", label=4, cell=1.1)
    holes = [(x, z, x + 1.2, z + 1.6) for z in (0.9, 4.1) for x in (1.0, 3.8)]
    made = pierced(wall, holes)
    made.append(attrs.evolve(wall, low=(0, 5.7, 0), high=(6, 6, 6.4), panel="back"))
    made += [attrs.evolve(wall, low=(x, 0.3, 0), high=(x + 0.3, 5.7, 6.4), panel=f"{x}") for x in (0, 5.7)]
    made += [
        Block(low=(0.3, 0.3, z), high=(5.7, 5.7, z + 0.2), panel=f"slab {z}", label=9, density=2400, cell=1.2)
        for z in (3.0, 6.2)
    ]
    return made


def box(name, low, high, mass):
    corners = np.array([[(low, high)[k >> a & 1][a] for a in range(3)] for k in range(8)], dtype=np.float64)
    return Prop(name=name, vertices=corners, mass=mass)


@pytest.fixture(scope="module")
def building():
    return pieces_of(house(), seed=1, blast=(CENTER, 3.0))


@pytest.fixture(scope="module")
def plan(building):
    return plan_damage(building, BLAST, 1)


@pytest.fixture(scope="module")
def cache(building, plan):
    props = [box("bin", (4.0, -1.2, 0), (4.7, -0.6, 1), 20), box("far", (30, 30, 0), (32, 34, 1.4), 1300)]
    return simulate(building, plan, props, frames=48)


def corners(building, cache, frame):
    """All corners of all moving pieces in a frame (V, 3)."""
    owner = np.repeat(np.arange(len(building)), np.diff(building.cells.vertex_start))
    body = cache.bodies[owner]
    matrix = cache.matrices(frame)[body[body >= 0]]
    points = building.cells.vertices[body >= 0]
    return np.einsum("nij,nj->ni", matrix[:, :, :3], points) + matrix[:, :, 3]


def test_the_first_frame_is_at_rest(building, cache):
    """In frame 0 every pose is the pivot, unturned."""
    assert np.array_equal(cache.pivots, cache.poses[0, :, :3])
    assert (cache.poses[0, :, 3:] == (1, 0, 0, 0)).all()
    assert cache.poses.dtype == np.float32
    assert len(building) + 2 == len(cache.bodies)


def test_bodies_move_only_after_they_let_go(cache):
    """Until its time a body is exactly where it rests."""
    for frame in (1, 4, 8):
        waiting = cache.starts[:-2] > frame / cache.fps
        assert waiting.any() or frame == 8
        assert np.array_equal(cache.poses[0, :-2][waiting], cache.poses[frame, :-2][waiting])


def test_damage_becomes_rubble(building, cache, plan):
    """Most of what let go has moved by the end, none of it through the ground, and the heap is lower than it was."""
    moved = cache.moved()[:, : len(plan.time)].sum(axis=1)
    end = corners(building, cache, 47)

    assert 0 == moved[0]
    assert (np.diff(moved) >= 0).all()
    assert moved[-1] > 0.6 * len(plan.time)
    assert end[:, 2].min() > -0.15
    assert cache.poses[47, : len(plan.time), 2].mean() < cache.pivots[: len(plan.time), 2].mean() - 0.5


def test_nothing_explodes(cache):
    """No body is ever much faster than the blast and its fall make it."""
    fastest = max(np.linalg.norm(cache.velocities(frame)[:, :3], axis=1).max() for frame in range(48))

    assert fastest < 9 * 1.25 * 1.5 + np.sqrt(2 * 9.81 * 6.4)


def test_rubble_lies_in_front_of_the_house(building, cache):
    """The blast behind the front throws rubble out of it, but not across a whole street."""
    end = corners(building, cache, 47)

    assert (end[:, 1] < -0.5).sum() > 50
    assert np.percentile(end[:, 1], 1) > -15


def test_a_prop_is_hit_and_another_sleeps(cache):
    """The bin in front of the blast is shoved; what is far away keeps its pose to the last bit."""
    assert cache.moved()[-1, -2]
    assert np.array_equal(cache.poses[0, -1], cache.poses[-1, -1])


def test_no_damage_is_stillness(building):
    """Without damage there is no body but the props, and these do not stir."""
    still = plan_damage(building, attrs.evolve(BLAST, amount=0.0), 1)
    cache = simulate(building, still, [box("bin", (2, -1, 0), (3, 0, 1), 20)], frames=12)

    assert (12, 1, 7) == cache.poses.shape
    assert (cache.poses == cache.poses[0]).all()
    assert not cache.moved().any()


def test_more_damage_makes_more_rubble(building):
    """Volume that has moved grows with the amount."""
    volumes = []
    for amount in (0.0, 0.3, 0.6, 0.9):
        cache = simulate(building, plan_damage(building, attrs.evolve(BLAST, amount=amount), 1), frames=30)
        body = cache.bodies[: len(building)]
        moved = np.append(cache.moved()[-1], False)
        volumes.append(float(building.volume[moved[body]].sum()))

    assert 0 == volumes[0]
    assert sorted(set(volumes)) == volumes


def test_threads_and_runs_give_the_same_poses(building, plan):
    """One thread, two threads and a second run have one digest."""
    digests = {simulate(building, plan, frames=20, threads=threads).digest for threads in (1, 2, 2)}

    assert 1 == len(digests)


def test_preroll_shifts_the_clip(building, plan):
    """Frames after a preroll are the frames that come so much later without it."""
    late = simulate(building, plan, frames=6, preroll=10)
    whole = simulate(building, plan, frames=16)

    assert np.array_equal(whole.poses[10:], late.poses)
    assert np.allclose(whole.starts - 10 / 24, late.starts, atol=1e-6)


def test_frame_rate_does_not_change_the_fall(building, plan):
    """At 30 fps with 4 substeps the physics takes the same steps as at 24 with 5."""
    slow = simulate(building, plan, frames=17, fps=24, substeps=5)
    fast = simulate(building, plan, frames=21, fps=30, substeps=4)

    assert np.array_equal(slow.poses[16], fast.poses[20])


def test_an_obstacle_stops_a_prop(building):
    """A prop above an obstacle that is nudged by nothing stays on it; without the obstacle it would have to fall."""
    still = plan_damage(building, attrs.evolve(BLAST, amount=0.0), 1)
    ball = box("box", (20, 0, 2.0), (21, 1, 3.0), 50)
    held = simulate(building, still, [ball], frames=10, obstacles=[[(19, -1, 0), (22, 2, 2.0)]])

    assert np.array_equal(held.poses[0], held.poses[-1])


@pytest.mark.parametrize("bad", [{"frames": 0}, {"substeps": 0}, {"fps": 0}])
def test_no_frames_are_refused(building, plan, bad):
    """A simulation of nothing is refused in words."""
    with pytest.raises(InputError, match="cannot be simulated"):
        simulate(building, plan, **bad)
