"""What a blast sprays, and what stands in the rooms it opens."""

from __future__ import annotations

import random

import attrs
import numpy as np
import pytest
from cosmos_core_city.damage import Cause, Damage, plan_damage
from cosmos_core_city.debris import bricks
from cosmos_core_city.furniture import CLEAR, furnished
from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Materials
from cosmos_core_city.simulate import simulate
from cosmos_core_city.spec import CitySpec, resolve
from cosmos_core_city.street import WALK
from cosmos_core_city.structure import Block, pieces_of
from cosmos_core_city.victim import victim

BLAST = Damage(amount=0.8, center=(3.0, 0.6, 1.5), radius=5.0)


@pytest.fixture(scope="module")
def wall():
    """A wall of 6 by 4 metres."""
    block = Block(low=(0.0, 0.0, 0.0), high=(6.0, 0.3, 4.0), panel="wall", label=int(Label.BUILDING))
    return pieces_of([block], seed=5)


@pytest.fixture(scope="module")
def plan(wall):
    return plan_damage(wall, BLAST, 5)


def test_bricks_hide_in_the_pieces_that_the_blast_breaks(wall, plan):
    """Each brick's middle lies inside a broken piece, and the brick inside the wall."""
    sprayed = list(bricks(wall, plan, 5))
    hit = np.flatnonzero(np.isin(plan.cause, [Cause.BLAST, Cause.COLUMN]))

    assert len(sprayed) > 20
    for shard in sprayed:
        middle = (shard.low + shard.high) / 2
        boxes = wall.boxes[hit]
        assert ((boxes[:, 0] <= middle) & (middle <= boxes[:, 1])).all(axis=1).any()
        assert 0.0 < shard.low[1] < shard.high[1] < 0.3
        assert shard.time in plan.time


def test_no_damage_sprays_nothing_and_more_sprays_more(wall):
    """Without damage no brick flies; with more damage more do."""
    counts = [
        len(list(bricks(wall, plan_damage(wall, attrs.evolve(BLAST, amount=amount), 5), 5)))
        for amount in (0.0, 0.3, 0.6, 0.9)
    ]

    assert 0 == counts[0]
    assert counts == sorted(counts)
    assert counts[1] < counts[3]


def test_bricks_move_as_the_blast_does_and_end_on_the_ground(wall, plan):
    """A brick is where it rests until its time, and three seconds later it lies on the ground, within some metres."""
    sprayed = list(bricks(wall, plan, 5))
    cache = simulate(wall, plan, frames=80, shards=sprayed)
    rows = cache.bodies[len(wall) :]

    assert len(sprayed) == len(rows)
    assert not cache.moved(0.0)[0].any()
    ends = cache.poses[-1, rows, :3]
    assert (ends[:, 2] > 0.0).all()
    assert np.median(ends[:, 2]) < 0.12
    assert (np.linalg.norm(ends[:, :2] - [3.0, 0.0], axis=1) < 25.0).all()


@pytest.mark.parametrize("seed", range(8))
def test_furniture_stays_in_its_room(seed):
    """Every piece stands on the floor, clear of the walls and of the others, and its parts within its box."""
    made = list(furnished((0.3, 4.2), (-5.2, -0.3), 4.0, random.Random(seed), Materials()))

    assert len(made) >= 2
    for item in made:
        points = np.concatenate([part.vertices for part in item.parts])
        assert 4.0 == item.low[2]
        assert 0.3 + CLEAR <= item.low[0] + 1e-9
        assert item.high[0] <= 4.2 - CLEAR + 1e-9
        assert (points >= np.subtract(item.low, 1e-9)).all()
        assert (points <= np.add(item.high, 1e-9)).all()
    for a in made:
        for b in made:
            apart = np.maximum(np.subtract(a.low, b.high), np.subtract(b.low, a.high)).max()
            assert a is b or apart > 0.0


def test_every_room_has_its_own_wallpaper_and_furniture():
    """Above the shop the front of a broken house shows several papers inside, and its rooms are furnished."""
    city = resolve(CitySpec(seed=4, damage=0.8))
    house = victim(city, city.blast.victims[0], Materials())
    inner = 3 if city.blast.center[1] > 0 else 2
    papers = {
        block.materials[inner]
        for block, labels in zip(house.blocks, house.labels, strict=True)
        if block.panel == "front" and labels[inner] == Label.INTERIOR
    }

    assert len(papers) >= 4
    assert sum(item.block >= 0 and item.parts[0].label == Label.INTERIOR for item in house.fixtures) >= 10


def test_the_default_block_has_its_pieces():
    """The houses of a blast break into as many pieces as were promised, for several seeds."""
    for seed in (1, 2, 3):
        city = resolve(CitySpec(seed=seed, damage=0.8))
        materials = Materials()
        blocks = [block for row in city.blast.victims for block in victim(city, row, materials).blocks]
        made = pieces_of(blocks, seed=seed, ground=WALK, blast=(city.blast.center, city.blast.radius))

        assert len(made) >= 1800
