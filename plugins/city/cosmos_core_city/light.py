"""Sun, sky and air of a clip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cosmos_core_city.shade import Light

if TYPE_CHECKING:
    from cosmos_core_city.spec import City, CitySpec

EXPOSURE = 0.66


def daylight(spec: CitySpec, city: City) -> Light:
    """The light of *spec*: a low sun is warmer and weaker, its sky paler at the horizon."""
    azimuth, elevation = math.radians(spec.sun_azimuth), math.radians(spec.sun_elevation)
    flat = math.cos(elevation)
    height = math.sin(elevation)
    warm = math.exp(-height * 3.2)
    strength = 3.3 * (1.0 - 0.55 * warm) * (1.0 - 0.25 * spec.haze)
    roofs = sum(house.top for house in city.buildings) / len(city.buildings)
    return Light(
        sun=(flat * math.cos(azimuth), flat * math.sin(azimuth), height),
        sun_color=(strength, strength * (0.93 - 0.25 * warm), strength * (0.82 - 0.5 * warm)),
        zenith=(0.12, 0.30, 0.74),
        horizon=(0.66 + 0.2 * warm, 0.78 + 0.04 * warm, 0.94 - 0.2 * warm),
        ambient=(0.82, 0.90, 1.02),
        bounce=(0.48, 0.44, 0.38),
        haze=0.0006 + 0.022 * spec.haze**2,
        clouds=spec.clouds,
        facade=city.facade,
        roofs=roofs,
    )
