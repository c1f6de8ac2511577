"""A prompt that fits a clip: what the street holds, its damage, weather and light, and the camera, in one paragraph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from cosmos_core_city.spec import City, CitySpec

_CAMERAS = {
    "dolly": "The camera moves slowly down the middle of the street at eye level, looking up at the house fronts.",
    "dashcam": "The view is from the windscreen of a car that drives down the street at an even speed.",
    "drone": "The camera flies between the house fronts a few storeys above the street, turning towards one side.",
    "aerial": "The camera flies slowly over the roof line, looking down along the block.",
    "tripod": "The camera stands at eye level in the street, almost still, with the slight tremor of a hand.",
}
_EXTENTS = (
    (0.2, "part of the front", "Bricks and glass lie"),
    (0.55, "several floors", "A heap of broken brick, concrete and splintered wood lies"),
    (1.1, "most", "A mountain of broken brick, concrete slabs and bent steel lies"),
)
_SUN = "crisp shadows and natural colours"
_CROWNS = {
    "summer": "Young street trees in full leaf",
    "autumn": "Street trees with yellow and orange leaves",
    "winter": "Bare winter trees",
}


def suggest(spec: CitySpec, city: City, labels: AbstractSet[str]) -> str:
    """A prompt under 300 words for the clip of *spec*, naming only what *labels* says is seen."""
    sentences = [*_houses(city, labels), *_street(spec, city, labels)]
    if spec.damage and spec.offset != "before":
        sentences += _damage(spec, labels)
    if spec.snow:
        sentences.append(_snow(spec.snow))
    return " ".join([*sentences, _LIGHTS[spec.light](spec), _CAMERAS[spec.camera]])


def _houses(city: City, labels: AbstractSet[str]) -> Iterator[str]:
    walls = list(dict.fromkeys(house.wall.name for house in city.buildings))[:4]
    tall = max(house.floors for house in city.buildings)
    low = min(house.floors for house in city.buildings)
    yield (
        f"A photorealistic video of a New York side street lined with tenement buildings of {low} to {tall} storeys"
        f" in {_listed(walls)}, with sash windows, stone sills and cornices"
        + (", and iron fire escapes with stairs and railings." if "fire_escape" in labels else ".")
    )
    if "water_tower" in labels:
        yield "Wooden water towers stand on the roofs."


def _street(spec: CitySpec, city: City, labels: AbstractSet[str]) -> Iterator[str]:
    if {"sign_awning", "door_storefront"} & labels:
        yield "Small shops with signs, awnings and lit interiors stand at street level."
    if "vehicle" in labels:
        kinds = {car.kind for car in city.vehicles}
        more = [
            name
            for kind, name in (("taxi", "yellow taxis"), ("van", "vans"), ("truck", "delivery trucks"))
            if kind in kinds
        ]
        yield f"{_listed(['Parked cars', *more])} line the kerbs."
    if "vegetation" in labels:
        yield f"{_CROWNS[spec.season]} stand in the sidewalk."


def _damage(spec: CitySpec, labels: AbstractSet[str]) -> Iterator[str]:
    """What the blast does, in the tense of the clip."""
    what, heap = next((what, heap) for most, what, heap in _EXTENTS if spec.damage < most)
    if spec.offset == "during":
        yield (
            f"An explosion tears away {what} of one house: walls burst outwards, floors give way, masonry falls and"
            " tumbles onto the sidewalk with real weight, and pale dust billows up from it."
        )
    else:
        yield f"One house is a ruin after an explosion that tore away {what} of it. {heap} on the sidewalk below, under settling dust."
    if {"interior", "exposed_floor"} & labels:
        yield "Torn floors and the papered walls of rooms lie open to the street" + (
            ", with bent reinforcing bars sticking out." if "rebar" in labels else "."
        )


def _snow(amount: float) -> str:
    if amount < 0.4:
        return "Patches of old snow lie on sills, roofs and the edges of the road."
    return "Fresh snow covers roofs, cars and sidewalks; tyres have left dark tracks on the road."


def _day(spec: CitySpec) -> str:
    hour = "Low, warm sunlight" if spec.sun_elevation < 18 else "Clear daylight"
    sky = "under a blue sky" if spec.clouds < 0.3 else "under a sky with soft clouds"
    return f"{hour} {sky}{_air(spec)}, with {_SUN}."


def _overcast(spec: CitySpec) -> str:
    return f"Soft, even light from an overcast sky{_air(spec)}, without hard shadows."


def _dusk(spec: CitySpec) -> str:
    return (
        f"Dusk: the last warm sun on the upper floors, bluish shade in the street{_air(spec)}; the first windows and"
        " street lamps are lit."
    )


def _night(spec: CitySpec) -> str:
    return (
        f"Night: a dark sky over the street{_air(spec)}, warm pools of light under the street lamps, lit windows, bright"
        " shop fronts and signs."
    )


def _air(spec: CitySpec) -> str:
    return ", with haze in the distance" if spec.haze > 0.2 else ""


_LIGHTS = {"day": _day, "overcast": _overcast, "dusk": _dusk, "night": _night}


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
