"""The bricks that a blast knocks out of walls, which make the fan of rubble on sidewalk and road."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city.damage import Cause
from cosmos_core_city.labels import Label
from cosmos_core_city.simulate import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core_city.damage import Activation
    from cosmos_core_city.structure import Structure

BRICK = np.array([0.21, 0.10, 0.07])
"""Metres; what is knocked out is half a brick to a lump of several."""
RATE = 7.0
"""Bricks a cubic metre of wall that the blast breaks."""
SKIN = 0.015
"""Metres of wall between a brick and the outside."""
SCATTER = 1.6
"""Metres a second by which bricks stray from the piece of wall that they were in."""


def bricks(structure: Structure, plan: Activation, seed: int) -> Iterator[Shard]:
    """Bricks in the walls that the blast breaks. Each lets go with its piece, faster or slower and somewhat aside.

    The more pieces let go, the more bricks; those of one piece are the same whatever happens to others.
    """
    wall = np.array([block.label == Label.BUILDING and not block.rebar for block in structure.blocks])
    hit = np.isin(plan.cause, [Cause.BLAST, Cause.COLUMN]) & wall[structure.block]
    for piece in np.flatnonzero(hit).tolist():
        random = np.random.default_rng([seed, 23, piece])
        body = plan.body[piece]
        for _ in range(random.poisson(RATE * min(float(structure.volume[piece]), 0.6))):
            yield _brick(structure, piece, random, float(plan.time[body]), plan.velocity[body])


def _brick(
    structure: Structure,
    piece: int,
    random: np.random.Generator,
    time: float,
    velocity: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> Shard:
    corners = structure.vertices(piece)
    middle = structure.centroid[piece]
    # Towards a corner, not as far as it: the middle stays inside the piece, which is convex, the rest in its block.
    place = middle + (corners[random.integers(len(corners))] - middle) * 0.5 * random.random()
    half = BRICK * random.uniform(0.35, 0.95, 3)
    block = structure.blocks[structure.block[piece]]
    if block.high[0] - block.low[0] < block.high[1] - block.low[1]:
        half = half[[1, 0, 2]]
    room = np.minimum(place - block.low, block.high - place) - SKIN
    half = np.minimum(half, np.maximum(room, 0.004))
    flung = velocity * random.uniform(0.6, 1.5) + random.normal(scale=SCATTER, size=3)
    return Shard(
        low=place - half,
        high=place + half,
        time=time,
        velocity=flung,
        spin=random.normal(scale=4.0, size=3),
    )
