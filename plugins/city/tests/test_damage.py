"""Plans of damage: what lets go, when, and how."""

from __future__ import annotations

from itertools import pairwise

import attrs
import numpy as np
import pytest
from cosmos_core_city.damage import Cause, Damage, collapse, noise, plan_damage
from cosmos_core_city.structure import Block, components, pieces_of, pierced, supported

CENTER = (4.0, 1.2, 2.5)
BLAST = Damage(amount=0.6, center=CENTER, radius=7.0, delay=0.25)


def house(storeys=4, size=1.2):
    """A building of 8 by 10 metres: pierced fronts, side walls, floors, and a partition in each storey."""
    top, t = storeys * 3.2 + 0.9, 0.32
    wall = Block(low=(0, 0, 0), high=(8, t, top), panel="front", label=4, cell=size)
    holes = [(x, z, x + 1.2, z + 1.7) for z in np.arange(storeys) * 3.2 + 0.9 for x in (0.8, 3.4, 6.0)]
    made = [*pierced(wall, holes)]
    made += pierced(attrs.evolve(wall, low=(0, 10 - t, 0), high=(8, 10, top), panel="back"), holes)
    made.append(attrs.evolve(wall, low=(0, t, 0), high=(t, 10 - t, top), panel="west"))
    made.append(attrs.evolve(wall, low=(8 - t, t, 0), high=(8, 10 - t, top), panel="east"))
    for storey in range(storeys):
        z = storey * 3.2
        made.append(
            Block(
                low=(t, t, z + 3),
                high=(8 - t, 10 - t, z + 3.2),
                panel=f"slab {z}",
                label=9,
                density=2400,
                cell=1.4,
            )
        )
        made.append(
            Block(
                low=(t, 5, z), high=(8 - t, 5.14, z + 3), panel=f"room {z}", label=10, density=900, cell=1.4
            )
        )
    return made


@pytest.fixture(scope="module")
def building():
    return pieces_of(house(), seed=1, blast=(CENTER, 4.0))


def test_no_damage_moves_nothing(building):
    """Amount 0 is a plan without bodies."""
    plan = plan_damage(building, attrs.evolve(BLAST, amount=0.0), 1)

    assert 0 == len(plan.time)
    assert (plan.body == -1).all()
    assert (plan.cause == Cause.STANDS).all()


@pytest.mark.parametrize("seed", range(4))
def test_more_damage_moves_more(building, seed):
    """Moved pieces and moved volume grow with the amount, for each seed; what the blast breaks is nested."""
    plans = [plan_damage(building, attrs.evolve(BLAST, amount=amount), seed) for amount in (0, 0.3, 0.6, 0.9)]
    pieces = [int((plan.body >= 0).sum()) for plan in plans]
    volumes = [float(building.volume[plan.body >= 0].sum()) for plan in plans]
    hits = [np.isin(plan.cause, (Cause.BLAST, Cause.COLUMN)) for plan in plans]

    assert sorted(set(pieces)) == pieces
    assert sorted(set(volumes)) == volumes
    assert all((more | ~less).all() for less, more in pairwise(hits))


def test_a_remainder_stands(building):
    """Middling damage leaves the far wall, and all that is left is carried by the ground."""
    plan = plan_damage(building, BLAST, 1)
    stands = plan.body < 0
    back = np.array([building.blocks[b].panel == "back" for b in building.block])

    assert 0.2 < building.volume[~stands].sum() / building.volume.sum() < 0.8
    assert stands[back].mean() > 0.9
    assert (supported(building, stands, np.ones(len(building.bonds.area), dtype=bool)) == stands).all()


def test_all_causes_occur_and_follow_the_blast(building):
    """Blast, column and overload all take part, nothing lets go before the blast, and the blast comes first."""
    plan = plan_damage(building, BLAST, 1)
    when = np.where(plan.body >= 0, plan.time[plan.body], np.inf)

    assert {Cause.BLAST, Cause.COLUMN, Cause.OVERLOAD} <= set(plan.cause.tolist())
    assert plan.time.min() >= BLAST.delay
    assert when[plan.cause == Cause.BLAST].mean() < when[plan.cause == Cause.COLUMN].mean()
    assert when[plan.cause == Cause.BLAST].mean() < when[plan.cause == Cause.OVERLOAD].mean()


def test_the_front_travels_and_columns_follow_from_below(building):
    """What is farther from the blast goes later, and the higher a column, the later."""
    plan = plan_damage(building, BLAST, 1)
    away = np.linalg.norm(building.centroid - CENTER, axis=1)
    when = plan.time[plan.body]
    blast, column = plan.cause == Cause.BLAST, plan.cause == Cause.COLUMN

    assert np.corrcoef(away[blast], when[blast])[0, 1] > 0.3
    assert np.corrcoef(building.centroid[column, 2], when[column])[0, 1] > 0.8


def test_bodies_are_connected_and_at_most_ten_chunks(building):
    """A body is one or a few chunks that touch; there are bodies of several, and none of more than ten."""
    plan = plan_damage(building, BLAST, 1)
    pairs = building.bonds.pairs
    inner = pairs[(plan.body[pairs[:, 0]] == plan.body[pairs[:, 1]]) & (plan.body[pairs[:, 0]] >= 0)]
    part = components(len(building), inner)
    chunks = [len(set(building.chunk[plan.body == body])) for body in range(len(plan.time))]

    assert all(1 == len(set(part[plan.body == body])) for body in range(len(plan.time)))
    assert 1 == min(chunks)
    assert 2 < max(chunks) <= 10


def test_the_blast_throws_outward_and_less_far_away(building):
    """Velocities point away from the centre and fall off with distance; power scales them."""
    plan = plan_damage(building, BLAST, 1)
    strong = plan_damage(building, attrs.evolve(BLAST, power=2.0), 1)
    arm = np.array([building.centroid[plan.body == b].mean(axis=0) for b in range(len(plan.time))]) - CENTER
    first = np.array([plan.cause[plan.body == b][0] for b in range(len(plan.time))])
    blast = first == Cause.BLAST
    speed, away = np.linalg.norm(plan.velocity, axis=1), np.linalg.norm(arm, axis=1)

    assert (np.einsum("ij,ij->i", arm, plan.velocity)[blast] > 0).mean() > 0.9
    assert np.corrcoef(away[blast], speed[blast])[0, 1] < -0.5
    assert np.allclose(2 * plan.velocity, strong.velocity)
    assert speed.max() < 20


def test_a_wall_is_pushed_out_of_its_plane(building):
    """Beside the blast too, what it breaks of the front flies out of the house more than along the front."""
    plan = plan_damage(building, BLAST, 1)
    front = np.array([building.blocks[b].panel == "front" for b in building.block])
    beside = front & (plan.cause == Cause.BLAST) & (np.abs(building.centroid[:, 0] - CENTER[0]) > 2.0)
    velocity = plan.velocity[np.unique(plan.body[beside])]
    along = np.hypot(velocity[:, 0], velocity[:, 2])

    assert len(velocity) > 5
    assert (velocity[:, 1] < 0).all()
    assert 1.0 < np.median(-velocity[:, 1] / along)


def test_a_column_without_its_foot_falls():
    """A stack loses its lowest box and nothing above stays up; its neighbour stands."""
    boxes = [((x, 0, z), (x + 1, 1, z + 1)) for x in (0, 3) for z in range(4)]
    made = pieces_of([Block(low=a, high=b, panel=f"{a}", label=4, cell=0) for a, b in boxes], seed=1)
    fallen = collapse(made, (made.centroid[:, 0] < 1) & (made.centroid[:, 2] < 1))

    assert [0, 1, 1, 1, -1, -1, -1, -1] == fallen.tolist()


def test_an_overloaded_joint_gives_way():
    """A long beam hangs between two posts and rests on a third; one cannot hold it alone by its side."""
    post = Block(low=(0, 0, 0), high=(1, 1, 4), panel="a", label=4, cell=0)
    far = attrs.evolve(post, low=(9, 0, 0), high=(10, 1, 4), panel="b")
    beam = attrs.evolve(post, low=(1, 0, 3), high=(9, 1, 4), panel="beam")
    under = attrs.evolve(post, low=(4.5, 0, 0), high=(5.5, 1, 3), panel="c")
    made = pieces_of([post, far, under, beam], seed=1)
    fallen = collapse(made, np.array([False, True, True, False]))

    assert [-1, 0, 0] == fallen[:3].tolist()
    assert fallen[3] > 1
    assert [-1, 0, -1, -1] == collapse(made, np.array([False, True, False, False])).tolist()


def test_noise_is_slow_and_of_unit_size():
    """Noise has deviation 1, hardly changes over ten centimetres and is unrelated over many metres."""
    points = np.random.default_rng(1).uniform(0, 60, (4000, 3))
    here, near, far = (noise(points + shift, 7) for shift in (0.0, 0.05, 20.0))

    assert 0.8 < here.std() < 1.2
    assert np.corrcoef(here, near)[0, 1] > 0.97
    assert abs(np.corrcoef(here, far)[0, 1]) < 0.5


def test_equal_arguments_give_equal_plans(building):
    """Two plans have the same bits; another seed gives another."""
    one, two, other = (plan_damage(building, BLAST, seed) for seed in (1, 1, 2))

    assert one.time.tobytes() == two.time.tobytes()
    assert one.velocity.tobytes() == two.velocity.tobytes()
    assert one.body.tobytes() == two.body.tobytes()
    assert one.body.tobytes() != other.body.tobytes()


@pytest.mark.parametrize(
    ("field", "value"), [("amount", -0.1), ("amount", 1.1), ("radius", 0.0), ("power", -1.0)]
)
def test_impossible_damage_is_refused(field, value):
    """Values out of range are named with what is allowed."""
    with pytest.raises(ValueError, match=field):
        attrs.evolve(BLAST, **{field: value})
