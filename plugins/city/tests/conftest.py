"""One small city for all tests: building it is the slow part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from cosmos_core_city.spec import City, CitySpec, resolve

if TYPE_CHECKING:
    from cosmos_core_city.scene import Scene

# Two runs are to be compared, not one run with what it left behind.
os.environ["COSMOS_CITY_KEPT"] = "0"


@pytest.fixture(scope="session")
def spec() -> CitySpec:
    return CitySpec(seed=3, width=320, height=176, frames=4)


@pytest.fixture(scope="session")
def city(spec: CitySpec) -> City:
    return resolve(spec)


@pytest.fixture(scope="session")
def scene(city: City) -> Scene:
    from cosmos_core_city.build import build

    return build(city)
