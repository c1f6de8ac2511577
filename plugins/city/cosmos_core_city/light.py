"""Sun, sky, lamps and air of a clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city.shade import Light

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cosmos_core_city.spec import City, CitySpec

EXPOSURE = 0.66
DUSK = 7.0
"""Degrees above the horizon of the sun at dusk."""
_SODIUM, _SHOP = (1.0, 0.66, 0.34), (1.0, 0.80, 0.55)


def daylight(spec: CitySpec, city: City) -> Light:
    """The light of *spec*, by day or whatever its hour and weather."""
    return {"day": _day, "overcast": _overcast, "dusk": _dusk, "night": _night}[spec.light](spec, city)


def _day(spec: CitySpec, city: City) -> Light:
    """A low sun is warmer and weaker, its sky paler at the horizon."""
    height = math.sin(math.radians(spec.sun_elevation))
    warm = math.exp(-height * 3.2)
    strength = 3.3 * (1.0 - 0.55 * warm) * (1.0 - 0.25 * spec.haze)
    return Light(
        sun=_towards(spec.sun_azimuth, spec.sun_elevation),
        sun_color=(strength, strength * (0.93 - 0.25 * warm), strength * (0.82 - 0.5 * warm)),
        zenith=(0.12, 0.30, 0.74),
        horizon=(0.66 + 0.2 * warm, 0.78 + 0.04 * warm, 0.94 - 0.2 * warm),
        ambient=(0.82, 0.90, 1.02),
        bounce=(0.48, 0.44, 0.38),
        haze=_haze(spec),
        clouds=spec.clouds,
        facade=city.facade,
        roofs=_roofs(city),
        day=1.0,
        homes=0.0,
        electric=0.0,
        snow=spec.snow,
        posts=np.empty((0, 8)),
    )


def _overcast(spec: CitySpec, city: City) -> Light:
    """A closed sky: bright above, without a sun and so without hard shadows."""
    return _day(spec, city)._replace(
        sun_color=(0.0, 0.0, 0.0),
        zenith=(0.72, 0.76, 0.82),
        horizon=(0.86, 0.88, 0.91),
        ambient=(1.42, 1.48, 1.56),
        bounce=(0.50, 0.49, 0.48),
        clouds=0.25,
        day=0.8,
    )


def _dusk(spec: CitySpec, city: City) -> Light:
    """The last warm sun on the upper floors, blue light in the street, and the first lamps."""
    return _day(spec, city)._replace(
        sun=_towards(spec.sun_azimuth, DUSK),
        sun_color=(1.9, 0.86, 0.36),
        zenith=(0.11, 0.21, 0.48),
        horizon=(0.78, 0.55, 0.42),
        ambient=(0.36, 0.44, 0.66),
        bounce=(0.20, 0.17, 0.17),
        day=0.34,
        homes=0.34,
        electric=1.6,
        posts=_posts(city, 0.35),
    )


def _night(spec: CitySpec, city: City) -> Light:
    """A dark sky over the glow of a city: lamps, shops and the windows of those who are still up."""
    return _day(spec, city)._replace(
        sun=_towards(spec.sun_azimuth, 52.0),
        sun_color=(0.05, 0.065, 0.10),
        zenith=(0.008, 0.013, 0.034),
        horizon=(0.055, 0.052, 0.066),
        ambient=(0.115, 0.130, 0.190),
        bounce=(0.10, 0.080, 0.060),
        day=0.05,
        homes=0.42,
        electric=3.4,
        posts=_posts(city, 1.0),
    )


def _towards(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """The direction of the sun, of unit length, from degrees."""
    across, up = math.radians(azimuth), math.radians(elevation)
    return math.cos(up) * math.cos(across), math.cos(up) * math.sin(across), math.sin(up)


def _haze(spec: CitySpec) -> float:
    return 0.0006 + 0.022 * spec.haze**2


def _roofs(city: City) -> float:
    return sum(house.top for house in city.buildings) / len(city.buildings)


def _posts(city: City, strength: float) -> NDArray[np.float64]:
    """Lamps and open shops as what :func:`cosmos_core_city.shade.lamplight` reads, (N, 8)."""
    rows = [*_lamps(city), *_shops(city)]
    posts = np.array(rows, dtype=np.float64).reshape(-1, 8)
    posts[:, 3:6] *= strength
    return posts


def _lamps(city: City) -> Iterator[tuple[float, ...]]:
    """The lanterns over the road; what stands on the next blocks is lit by lanterns that are not built."""
    reach = {"lamp": 2.67, "signal": 2.1}
    lamps = [(item.x, item.y - item.side * reach[item.kind]) for item in city.props if item.kind in reach]
    beyond = [
        (x, side * (city.road - 2.1))
        for start in (-102.0, city.length + 26.0)
        for x in (start, start + 38.0, start + 76.0)
        for side in (1, -1)
    ]
    yield from ((x, y, 8.4, *(120.0 * part for part in _SODIUM), 26.0, 1.0) for x, y in (*lamps, *beyond))


def _shops(city: City) -> Iterator[tuple[float, ...]]:
    """What spills from the show windows onto the sidewalk."""
    for house in (*city.buildings, *city.neighbours):
        if house.front == "shop":
            x, y = house.x + house.width * 0.42, house.side * (city.facade - 0.9)
            yield x, y, 2.5, *(3.2 * part for part in _SHOP), 8.0, 0.0
