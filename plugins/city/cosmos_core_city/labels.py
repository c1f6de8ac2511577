"""The semantic classes of the city, by number.

The numbers are part of the ground truth that clips carry: new classes are appended, none is renumbered.
"""

from __future__ import annotations

from enum import IntEnum


class Label(IntEnum):
    """What a surface is. 0 is what no surface covers."""

    SKY = 0
    ROAD = 1
    SIDEWALK = 2
    LANE_MARKING = 3
    BUILDING = 4
    WINDOW = 5
    DOOR_STOREFRONT = 6
    CORNICE_ROOF = 7
    FIRE_ESCAPE = 8
    EXPOSED_FLOOR = 9
    INTERIOR = 10
    REBAR = 11
    RUBBLE = 12
    VEHICLE = 13
    POLE = 14
    TRAFFIC_LIGHT = 15
    STREET_FURNITURE = 16
    VEGETATION = 17
    WATER_TOWER = 18
    SIGN_AWNING = 19
    BACKGROUND_BUILDING = 20


def table() -> dict[str, int]:
    """Names to numbers, as manifests carry them."""
    return {label.name.lower(): int(label) for label in Label}
