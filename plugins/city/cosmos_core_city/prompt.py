"""A prompt that fits a clip: what the street holds, its light and the camera, in one paragraph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosmos_core_city.spec import City, CitySpec

_CAMERAS = {
    "dolly": "The camera moves slowly down the middle of the street at eye level, looking up at the house fronts.",
    "dashcam": "The view is from the windscreen of a car that drives down the street at an even speed.",
    "drone": "The camera flies between the house fronts a few storeys above the street, turning towards one side.",
}


def suggest(spec: CitySpec, city: City, labels: set[str]) -> str:
    """A prompt under 300 words for the clip of *spec*, naming only what *labels* says is seen."""
    walls = list(dict.fromkeys(house.wall.name for house in city.buildings))[:4]
    tall = max(house.floors for house in city.buildings)
    low = min(house.floors for house in city.buildings)
    sentences = [
        f"A photorealistic video of a New York side street lined with tenement buildings of {low} to {tall} storeys"
        f" in {_listed(walls)}, with sash windows, stone sills and cornices"
        + (", and iron fire escapes with stairs and railings." if "fire_escape" in labels else "."),
    ]
    if {"sign_awning", "door_storefront"} & labels:
        sentences.append("Small shops with signs, awnings and lit interiors stand at street level.")
    if "vehicle" in labels:
        taxi = any(car.kind == "taxi" for car in city.vehicles)
        sentences.append(f"Parked cars{', yellow taxis' if taxi else ''} and vans line both kerbs.")
    if "vegetation" in labels:
        sentences.append("Young street trees stand in the sidewalk.")
    sentences += [_light(spec), _CAMERAS[spec.camera]]
    return " ".join(sentences)


def _light(spec: CitySpec) -> str:
    hour = "Low, warm sunlight" if spec.sun_elevation < 18 else "Clear daylight"
    sky = "under a blue sky" if spec.clouds < 0.3 else "under a sky with soft clouds"
    air = ", with haze in the distance" if spec.haze > 0.2 else ""
    return f"{hour} {sky}{air}, with crisp shadows and natural colours."


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
