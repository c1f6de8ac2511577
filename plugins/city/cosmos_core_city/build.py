"""From the resolved description to triangles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city.facade import tenement
from cosmos_core_city.materials import Kind, Materials
from cosmos_core_city.scene import assemble
from cosmos_core_city.skyline import skyline
from cosmos_core_city.street import ground, prop, tree
from cosmos_core_city.vehicles import vehicle

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from cosmos_core_city.scene import Scene, Thing
    from cosmos_core_city.spec import City


THIN = (Kind.LEAF,)
"""Kinds of materials that are seen from both sides."""


def build(city: City) -> Scene:
    """The scene of *city* at rest and without its blast. Equal cities give equal arrays."""
    materials = Materials()
    return staged(city, street(city, materials), materials)


def street(city: City, materials: Materials, without: Collection[int] = ()) -> list[Thing]:
    """Everything in *city* but the buildings in the rows *without*."""
    things = [*ground(city, materials)]
    houses = [house for row, house in enumerate(city.buildings) if row not in without]
    for house in (*houses, *city.neighbours):
        things += tenement(city, house, materials)
    things += [vehicle(item, materials) for item in city.vehicles]
    things += [tree(item, materials) for item in city.trees]
    things += [prop(item, materials) for item in city.props]
    things += skyline(city, materials)
    return things


def staged(city: City, things: Sequence[Thing], materials: Materials) -> Scene:
    """The scene of *things*, with the box of *city* in which shadows fall."""
    return assemble(things, materials.table(), THIN, core(city))


def core(city: City) -> NDArray[np.float64]:
    """The box (2, 3) of *city* in which shadows fall."""
    reach = max(house.top for house in city.buildings) + 8.0
    return np.array([[-22.0, -city.facade - 20.0, -0.2], [city.length + 22.0, city.facade + 20.0, reach]])
