"""What a prompt says about light, weather, season and street, as numbers.

Nothing here understands language: a table of words, a rule for negations and a rule for contradictions.

*Axes.* Every known word belongs to one axis: ``light`` (the hour), ``sky``, ``air`` (what floats), ``fall`` (what
falls), ``season``, ``ground`` and ``street``. Axes combine freely: night, fog and rain can be had at once.

*Contradictions.* On the axes light, sky, fall and season one meaning holds: the one named most often, and among equals
the one named first. On the axes air, ground and street all meanings hold and the stronger number wins.

*Strength.* ``light``, ``slight``, ``thin`` or ``drifting`` before a word halve it; ``heavy``, ``dense``, ``thick``,
``deep`` or ``torrential`` make it half as strong again.

*Negations.* ``no rain``, ``not foggy``, ``without snow or fog``, ``free of haze`` and ``fog-free`` take a word away. A
list goes on over ``or`` and ``nor``; over ``and`` only after ``without`` and ``free of``. A word that is negated once
counts as not said there; said elsewhere, it counts. The negative prompt is not read at all: models start from long
standard texts there, which name everything.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

Rgb = tuple[float, float, float]
Hour = Literal["as shot", "day", "golden hour", "dawn", "dusk", "blue hour", "night"]


@attrs.frozen(kw_only=True)
class Look:
    """How a frame is to look. Colours are linear RGB, 1 is white under the clip's own light; shares are 0 to 1."""

    words: tuple[str, ...] = ()
    """The meanings that were found, in the order of the axes: ``("night", "rain", "neon")``."""
    hour: Hour = "as shot"
    daylight: float = 1.0
    """How bright the sky still lights the scene; 0.03 is a moonless city night."""
    ambient: Rgb = (1.0, 1.0, 1.0)
    """Colour of the light from the sky."""
    sun: Rgb = (0.0, 0.0, 0.0)
    """Colour and strength of a sun that is added by relighting; black adds none."""
    sun_height: float = 0.5
    """Sine of the added sun's elevation."""
    flatten: float = 0.0
    """How far the clip's own shadows are evened out, as under a closed cloud cover."""
    sky_top: Rgb = (0.22, 0.42, 0.80)
    sky_low: Rgb = (0.66, 0.78, 0.92)
    sky_share: float = 0.0
    """How far the clip's own sky is replaced by a gradient from ``sky_low`` at the horizon to ``sky_top``."""
    clouds: float = 0.0
    stars: float = 0.0
    fog: float = 0.0
    """Extinction in 1/m, on the relative scale of :mod:`cosmos_core.builtin.preview.geometry`."""
    fog_tint: Rgb = (1.0, 1.0, 1.0)
    drift: float = 0.0
    """How uneven the air is: slow banks of fog, plumes of dust."""
    rain: float = 0.0
    wetness: float = 0.0
    snowfall: float = 0.0
    snow_cover: float = 0.0
    windows: float = 0.0
    """Share of the windows that are lit."""
    neon: float = 0.0
    autumn: float = 0.0
    bare: float = 0.0
    """How far vegetation has lost its green to winter."""
    lush: float = 0.0
    exposure: float = 0.0
    """Stops."""
    saturation: float = 1.0
    contrast: float = 1.0


# Meaning -> the words that carry it. "clear", "fall" and "spring" say too little alone.
MEANINGS: dict[str, dict[str, str]] = {
    "light": {
        "night": "night nighttime nightfall nocturnal midnight moonlight moonlit",
        "blue hour": "blue_hour",
        "dusk": "dusk twilight sunset evening sundown",
        "dawn": "dawn sunrise daybreak early_morning",
        "golden hour": "golden_hour golden_light late_afternoon low_sun",
        "day": "day daytime daylight noon midday afternoon morning",
    },
    "sky": {
        "sunny": "sunny sunshine sunlit sunlight bright_sun clear_sky clear_skies clear_day blue_sky cloudless",
        "overcast": "overcast gloomy dreary grey_sky gray_sky grey_skies gray_skies",
        "cloudy": "cloudy clouds cloud",
        "stormy": "stormy thunderstorm thunderstorms thunder storm storms tempest hurricane typhoon",
    },
    "air": {
        "fog": "fog foggy fogbound",
        "mist": "mist misty",
        "haze": "haze hazy",
        "smog": "smog smoggy polluted",
        "smoke": "smoke smoky wildfire ash",
        "dust": "dust dusty",
        "sandstorm": "sandstorm sandstorms duststorm duststorms dust_storm sand_storm haboob",
    },
    "fall": {
        "drizzle": "drizzle drizzling drizzly",
        "rain": "rain rains rainy raining rainfall shower showers sleet",
        "downpour": "downpour rainstorm rainstorms cloudburst monsoon hurricane typhoon",
        "snow": "snow snowy snowing snowfall snowflakes flurries",
        "blizzard": "blizzard blizzards snowstorm snowstorms snow_storm whiteout",
    },
    "season": {
        "autumn": "autumn autumnal fall_foliage fall_colors fall_colours fall_leaves",
        "winter": "winter wintry wintertime",
        "summer": "summer summery summertime",
        "spring": "springtime spring_day spring_morning",
    },
    "ground": {
        "wet": "wet puddle puddles slick rain_soaked rain_slick after_rain damp flooded",
        "snow-covered": "snow_covered snowbound snow_capped",
        "frost": "frost frosty icy frozen",
    },
    "street": {
        "neon": "neon neon_lit cyberpunk blade_runner synthwave vaporwave",
        "lit windows": "lit_windows city_lights street_lights streetlights street_lamps lamplight lamplit",
    },
}

ONE_MEANING = ("light", "sky", "fall", "season")

_WEAKER = frozenset(
    ["light", "slight", "slightly", "thin", "faint", "gentle", "drifting", "patchy", "soft", "mild"]
)
_STRONGER = frozenset(
    [
        "heavy",
        "heavily",
        "dense",
        "thick",
        "deep",
        "torrential",
        "severe",
        "strong",
        "intense",
        "extreme",
        "pouring",
    ]
)
_FILLERS = frozenset(
    ["any", "the", "a", "an", "visible", "more", "much", "sign", "signs", "trace", "traces", "of", "falling"]
)
_NEGATORS = frozenset(["no", "not", "without", "never", "neither", "isn't", "aren't", "wasn't", "lacks"])

_PHRASES = tuple(
    sorted(
        {word for axis in MEANINGS.values() for text in axis.values() for word in text.split() if "_" in word}
    )
)
_MEANING_OF: dict[str, list[tuple[str, str]]] = {}
for _axis, _meanings in MEANINGS.items():
    for _meaning, _text in _meanings.items():
        for _word in _text.split():
            _MEANING_OF.setdefault(_word, []).append((_axis, _meaning))


@attrs.frozen
class Said:
    """One meaning that the prompt states, with the strength of the word before it (0.5, 1 or 1.5)."""

    axis: str
    meaning: str
    strength: float


def read(prompt: str) -> Look:
    """The look that *prompt* asks for; the neutral ``Look()`` when no known word is in it."""
    return _compose(_settle(said(prompt)))


def said(prompt: str) -> tuple[Said, ...]:
    """Every known meaning in *prompt*, in its order, negated ones left out."""
    tokens = _tokens(prompt)
    negated = _negated(tokens)
    found = []
    for place, token in enumerate(tokens):
        if place not in negated:
            strength = _strength(tokens, place)
            found += [Said(axis, meaning, strength) for axis, meaning in _MEANING_OF.get(token, ())]
    return tuple(found)


def _tokens(prompt: str) -> list[str]:
    """Lower-case words and stops; the known phrases are one word each, joined by ``_``."""
    text = prompt.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = re.sub(r"\bafter (?:the |a |heavy |light )*(?:rain|storm|shower)\b", "after_rain", text)
    text = re.sub(r"\b(\w+)-free\b", r"no \1 ;", text)
    for phrase in _PHRASES:
        text = re.sub(rf"\b{phrase.replace('_', '[ -]')}\b", phrase, text)
    return re.findall(r"[a-z_']+|[.,;:!?]", text)


def _negated(tokens: list[str]) -> set[int]:
    """Places of the known words that a negation before them takes away."""
    places: set[int] = set()
    for place, word in enumerate(tokens):
        before = tokens[place - 1] if place else ""
        if word in _NEGATORS or (before, word) == ("free", "of"):
            ands = word in {"without", "of"}
            places.update(_reach(tokens, place + 1, joins={"or", "nor", "and"} if ands else {"or", "nor"}))
    return places


def _reach(tokens: list[str], start: int, joins: set[str]) -> Iterator[int]:
    """Places that a negation before *start* reaches; a comma is crossed only if the list goes on to a join."""
    waiting: list[int] = []
    crossed = False
    for place in range(start, len(tokens)):
        word = tokens[place]
        if word in _MEANING_OF:
            if crossed:
                waiting.append(place)
            else:
                yield place
        elif word in joins:
            yield from waiting
            waiting, crossed = [], False
        elif word == ",":
            crossed = True
        elif word not in _FILLERS | _WEAKER | _STRONGER:
            return


def _strength(tokens: list[str], place: int) -> float:
    before = tokens[place - 1] if place else ""
    return 0.5 if before in _WEAKER else 1.5 if before in _STRONGER else 1.0


def _settle(found: tuple[Said, ...]) -> dict[str, float]:
    """Meaning -> strength, contradictions settled, in the order of the axes."""
    settled: dict[str, float] = {}
    for axis in MEANINGS:
        on_axis = [one for one in found if one.axis == axis]
        if axis in ONE_MEANING and on_axis:
            winner = Counter(one.meaning for one in on_axis).most_common(1)[0][0]
            on_axis = [one for one in on_axis if one.meaning == winner]
        for one in on_axis:
            settled[one.meaning] = max(settled.get(one.meaning, 0.0), one.strength)
    return settled


_HOURS: dict[str, Look] = {
    "day": Look(hour="day", saturation=1.04),
    "golden hour": Look(
        hour="golden hour",
        daylight=0.62,
        ambient=(0.86, 0.84, 0.98),
        sun=(1.35, 0.72, 0.28),
        sun_height=0.22,
        sky_top=(0.20, 0.36, 0.66),
        sky_low=(1.10, 0.66, 0.30),
        sky_share=1.0,
        clouds=0.30,
        flatten=0.25,
        windows=0.04,
        saturation=1.08,
    ),
    "dawn": Look(
        hour="dawn",
        daylight=0.42,
        ambient=(0.78, 0.82, 1.12),
        sun=(0.70, 0.38, 0.26),
        sun_height=0.12,
        sky_top=(0.16, 0.26, 0.50),
        sky_low=(0.98, 0.60, 0.46),
        sky_share=1.0,
        clouds=0.35,
        flatten=0.45,
        fog=0.0025,
        windows=0.10,
    ),
    "dusk": Look(
        hour="dusk",
        daylight=0.27,
        ambient=(0.80, 0.74, 1.15),
        sun=(0.62, 0.26, 0.14),
        sun_height=0.08,
        sky_top=(0.045, 0.06, 0.18),
        sky_low=(0.85, 0.30, 0.16),
        sky_share=1.0,
        clouds=0.45,
        flatten=0.55,
        windows=0.34,
        saturation=1.05,
    ),
    "blue hour": Look(
        hour="blue hour",
        daylight=0.14,
        ambient=(0.52, 0.72, 1.45),
        sky_top=(0.012, 0.03, 0.12),
        sky_low=(0.14, 0.20, 0.42),
        sky_share=1.0,
        clouds=0.30,
        flatten=0.8,
        windows=0.45,
    ),
    "night": Look(
        hour="night",
        daylight=0.065,
        ambient=(0.55, 0.76, 1.40),
        sky_top=(0.0022, 0.0035, 0.010),
        sky_low=(0.028, 0.026, 0.038),
        sky_share=1.0,
        clouds=0.25,
        stars=0.6,
        flatten=0.85,
        windows=0.42,
        saturation=0.92,
    ),
}


def _compose(settled: dict[str, float]) -> Look:
    """One look from meanings: the hour first, then sky, air, what falls, season, ground and street."""
    hour = next((one for one in MEANINGS["light"] if one in settled), "")
    look = attrs.evolve(_HOURS.get(hour, Look()), words=tuple(settled))
    for step in (_sky, _air, _fall, _season, _ground, _street):
        look = step(look, settled)
    return look


def _dark(look: Look) -> bool:
    return look.daylight < 0.2


def _sky(look: Look, settled: dict[str, float]) -> Look:
    if "sunny" in settled and look.hour in {"as shot", "day"}:
        return attrs.evolve(
            look,
            sun=(0.42, 0.34, 0.20),
            sun_height=0.75,
            sky_top=(0.10, 0.27, 0.68),
            sky_low=(0.50, 0.70, 0.95),
            sky_share=1.0,
            clouds=0.22,
            exposure=look.exposure + 0.08,
            saturation=1.14,
            contrast=1.06,
        )
    if "sunny" in settled:
        return attrs.evolve(look, clouds=0.05, stars=1.0 if _dark(look) else 0.0)
    if "stormy" in settled:
        return attrs.evolve(
            _closed(look, 0.42), rain=0.9, wetness=0.9, fog=max(look.fog, 0.006), contrast=1.08
        )
    if "overcast" in settled:
        return _closed(look, 0.78)
    if "cloudy" in settled:
        return attrs.evolve(_closed(look, 0.9), clouds=0.75, flatten=max(look.flatten, 0.4))
    return look


def _closed(look: Look, daylight: float) -> Look:
    """*look* under a closed cloud cover: no sun, soft shadows, less colour, no stars."""
    day = look.hour in {"as shot", "day"}
    return attrs.evolve(
        look,
        daylight=look.daylight * daylight,
        ambient=(0.90, 0.96, 1.04) if day else look.ambient,
        sun=(0.0, 0.0, 0.0) if day else _scaled(look.sun, 0.3),
        sky_top=(0.36, 0.40, 0.45) if day else _scaled(look.sky_top, 1.2),
        sky_low=(0.60, 0.63, 0.66) if day else _scaled(look.sky_low, 0.8),
        sky_share=1.0,
        clouds=1.0,
        stars=0.0,
        flatten=max(look.flatten, 0.7),
        saturation=look.saturation * 0.84,
    )


# Extinction in 1/m, tint of the scattered light, unevenness.
_AIR: dict[str, tuple[float, Rgb, float]] = {
    "haze": (0.007, (1.02, 0.99, 0.94), 0.05),
    "mist": (0.016, (0.97, 1.0, 1.03), 0.35),
    "fog": (0.034, (0.98, 1.0, 1.02), 0.25),
    "smog": (0.018, (1.08, 0.95, 0.70), 0.15),
    "smoke": (0.024, (0.86, 0.74, 0.66), 0.65),
    "dust": (0.024, (1.12, 0.83, 0.52), 0.55),
    "sandstorm": (0.060, (1.15, 0.72, 0.36), 0.75),
}


def _air(look: Look, settled: dict[str, float]) -> Look:
    held = [one for one in _AIR if one in settled]
    if not held:
        return look
    thickest = max(held, key=lambda one: _AIR[one][0] * settled[one])
    fog, tint, drift = _AIR[thickest]
    fog *= settled[thickest]
    closed = min(1.0, fog / 0.03)
    return attrs.evolve(
        look,
        fog=max(look.fog, fog),
        fog_tint=tint,
        drift=drift,
        flatten=max(look.flatten, 0.75 * closed),
        sun=_scaled(look.sun, 1.0 - 0.7 * closed),
        sky_low=_greyed(look.sky_low, 0.75 * closed),
        stars=look.stars * (1.0 - closed),
        saturation=look.saturation * (1.0 - 0.10 * closed),
        ambient=_times(look.ambient, _mixed(tint, closed)),
    )


# Rain, wetness, snowfall, snow cover, fog.
_FALL: dict[str, tuple[float, float, float, float, float]] = {
    "drizzle": (0.35, 0.55, 0.0, 0.0, 0.005),
    "rain": (0.75, 0.9, 0.0, 0.0, 0.006),
    "downpour": (1.2, 1.0, 0.0, 0.0, 0.014),
    "snow": (0.0, 0.0, 0.65, 0.9, 0.005),
    "blizzard": (0.0, 0.0, 1.3, 1.0, 0.022),
}


def _fall(look: Look, settled: dict[str, float]) -> Look:
    kind = next((one for one in _FALL if one in settled), None)
    if kind is None:
        return look
    rain, wetness, snowfall, cover, fog = _FALL[kind]
    strength = settled[kind]
    if look.hour in {"as shot", "day"} and "sunny" not in settled:
        look = _closed(look, 0.72 if rain else 0.95)
    elif look.hour != "as shot":
        look = attrs.evolve(look, sky_low=_greyed(look.sky_low, 0.6), sun=_scaled(look.sun, 0.5))
    return attrs.evolve(
        look,
        rain=max(look.rain if rain else 0.0, rain * strength),
        wetness=max(look.wetness, wetness * min(1.0, 0.6 + 0.4 * strength)) if rain else 0.0,
        snowfall=snowfall * strength,
        snow_cover=min(1.0, cover * (0.4 + 0.6 * strength)),
        fog=max(look.fog, fog * strength),
        stars=0.0,
        clouds=max(look.clouds, 0.8),
    )


def _season(look: Look, settled: dict[str, float]) -> Look:
    if "autumn" in settled:
        return attrs.evolve(look, autumn=1.0, ambient=_times(look.ambient, (1.05, 0.99, 0.92)))
    if "winter" in settled:
        cool = _times(look.ambient, (0.94, 0.99, 1.08))
        return attrs.evolve(
            look,
            bare=1.0,
            ambient=cool,
            snow_cover=max(look.snow_cover, 0.35),
            saturation=look.saturation * 0.88,
        )
    if "summer" in settled or "spring" in settled:
        return attrs.evolve(look, lush=1.0, saturation=look.saturation * 1.05)
    return look


def _ground(look: Look, settled: dict[str, float]) -> Look:
    if "wet" in settled and look.snow_cover < 0.5:
        look = attrs.evolve(look, wetness=max(look.wetness, 0.85 * min(1.0, settled["wet"])))
    if "snow-covered" in settled:
        look = attrs.evolve(look, snow_cover=1.0, wetness=0.0)
    if "frost" in settled:
        look = attrs.evolve(look, snow_cover=max(look.snow_cover, 0.3))
    return look


def _street(look: Look, settled: dict[str, float]) -> Look:
    if "neon" in settled:
        if look.hour == "as shot":
            look = attrs.evolve(
                look,
                **{
                    f.name: getattr(_HOURS["night"], f.name)
                    for f in attrs.fields(Look)
                    if f.name in _NIGHTFALL
                },
            )
        look = attrs.evolve(
            look,
            neon=1.0,
            windows=max(look.windows, 0.5),
            stars=0.0,
            fog=max(look.fog, 0.004),
            sky_top=_times(look.sky_top, (2.2, 1.0, 3.0)),
            sky_low=_times(look.sky_low, (2.6, 1.1, 3.0)),
            saturation=max(1.12, look.saturation),
        )
    if "lit windows" in settled:
        look = attrs.evolve(look, windows=max(look.windows, 0.5))
    return look


# What "neon" or "cyberpunk" takes from the night when the prompt names no hour.
_NIGHTFALL = frozenset(
    [
        "hour",
        "daylight",
        "ambient",
        "sun",
        "sun_height",
        "sky_top",
        "sky_low",
        "sky_share",
        "flatten",
        "windows",
        "contrast",
        "exposure",
    ]
)


def _scaled(colour: Rgb, factor: float) -> Rgb:
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def _greyed(colour: Rgb, share: float) -> Rgb:
    grey = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]
    return (
        colour[0] + share * (grey - colour[0]),
        colour[1] + share * (grey - colour[1]),
        colour[2] + share * (grey - colour[2]),
    )


def _mixed(tint: Rgb, share: float) -> Rgb:
    return (1 + share * (tint[0] - 1), 1 + share * (tint[1] - 1), 1 + share * (tint[2] - 1))


def _times(colour: Rgb, tint: Rgb) -> Rgb:
    return (colour[0] * tint[0], colour[1] * tint[1], colour[2] * tint[2])
