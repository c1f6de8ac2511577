"""What to ask of the city, and the city that is meant.

Two levels. :class:`CitySpec` holds the few parameters that a sweep varies. :func:`resolve` turns them into a
:class:`City`, in which every building, vehicle and tree is explicit: plain JSON from which any other builder, in
Houdini for instance, can make the same street without sharing a random number with this one.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CAMERAS = ("dolly", "dashcam", "drone", "aerial", "tripod")
LIGHTS = ("day", "overcast", "dusk", "night")
SEASONS = ("summer", "autumn", "winter")
OFFSETS = ("before", "during", "after")
PROFILES = ("transfer2.5", "cosmos3", "transfer1")
TRUTH = ("normal", "normal_camera", "motion", "depth", "instance", "semantic", "damage")
"""Ground truth that a clip carries on request; see :mod:`cosmos_core_city.truth`."""
ALL = "all"


@attrs.frozen
class Between:
    """A validator for numbers from *low* to *high*."""

    low: float
    high: float

    def __call__(self, _: object, field: attrs.Attribute[Any], value: float | None) -> None:
        """Refuse *value* when it is outside."""
        if value is not None and not self.low <= value <= self.high:
            raise ValueError(f"{field.name} is {value}; allowed is {self.low} to {self.high}")

    @property
    def schema(self) -> dict[str, object]:
        """The same in words of JSON Schema."""
        return {"minimum": self.low, "maximum": self.high}


@attrs.frozen
class OneOf:
    """A validator for words out of a list."""

    words: tuple[str, ...]

    def __call__(self, _: object, field: attrs.Attribute[Any], value: str) -> None:
        """Refuse *value* when it is none of them."""
        if value not in self.words:
            raise ValueError(f"{field.name} is {value!r}; allowed is {', '.join(self.words)}")

    @property
    def schema(self) -> dict[str, object]:
        """The same in words of JSON Schema."""
        return {"enum": list(self.words)}


@attrs.frozen
class Even:
    """A validator for picture sizes: video with halved colour has even sides."""

    def __call__(self, _: object, field: attrs.Attribute[Any], value: int | None) -> None:
        """Refuse *value* when it is odd, too small or too large."""
        if value is not None and (not 64 <= value <= 4096 or value % 2):
            raise ValueError(f"{field.name} is {value}; allowed are even numbers from 64 to 4096")

    @property
    def schema(self) -> dict[str, object]:
        """The same in words of JSON Schema."""
        return {"minimum": 64, "maximum": 4096, "multipleOf": 2}


@attrs.frozen
class SomeOf:
    """A validator for several words out of a list, or the word ``all``."""

    words: tuple[str, ...]

    def __call__(self, _: object, field: attrs.Attribute[Any], value: Sequence[str]) -> None:
        """Refuse *value* when one of its words is unknown."""
        if unknown := [word for word in value if word not in (*self.words, ALL)]:
            raise ValueError(f"{field.name} has {unknown[0]!r}; allowed is {', '.join((*self.words, ALL))}")

    @property
    def schema(self) -> dict[str, object]:
        """The same in words of JSON Schema."""
        return {"items": {"enum": [*self.words, ALL]}}


def names(value: Sequence[str] | str) -> tuple[str, ...]:
    """Words as a tuple: of a list, or of a text with commas as people type it."""
    words = value.split(",") if isinstance(value, str) else value
    return tuple(word.strip() for word in words if word)


between, even = Between, Even()


def one_of(*words: str) -> OneOf:
    """A validator for words out of a list."""
    return OneOf(words)


def _option(default: Any, words: str, *checks: Callable[..., None]) -> Any:
    return attrs.field(default=default, validator=list(checks) or None, metadata={"help": words})


@attrs.frozen(kw_only=True)
class CitySpec:
    """The parameters of one clip of the city. Equal specs give equal bytes on one machine."""

    seed: int = _option(
        1, "which city: buildings, vehicles, trees and the camera's path", between(0, 2**31 - 1)
    )
    profile: str = _option("transfer2.5", "the model's size, length and rate", one_of(*PROFILES))
    camera: str = _option("dolly", ", ".join(CAMERAS), one_of(*CAMERAS))
    light: str = _option("day", ", ".join(LIGHTS), one_of(*LIGHTS))
    season: str = _option("summer", "summer, autumn, or winter with bare trees", one_of(*SEASONS))
    snow: float = _option(0.0, "how much of what faces the sky lies under snow", between(0.0, 1.0))
    sun_azimuth: float = _option(
        232.0, "degrees from the street's direction, counter-clockwise; by day and dusk", between(0.0, 360.0)
    )
    sun_elevation: float = _option(47.0, "degrees above the horizon; by day", between(5.0, 85.0))
    haze: float = _option(0.25, "0 is clear air, 1 hides the end of the block", between(0.0, 1.0))
    clouds: float = _option(0.35, "share of the sky that clouds cover", between(0.0, 1.0))
    vehicles: float = _option(0.8, "share of the parking places that are taken", between(0.0, 1.0))
    trees: float = _option(0.6, "share of the tree pits that hold a tree", between(0.0, 1.0))
    storeys: int = _option(5, "typical number of storeys", between(3, 8))
    palette: int | None = _option(
        None, "walls and paint of other colours on the same houses", between(0, 2**31 - 1)
    )
    damage: float = _option(0.0, "0 is untouched, 1 breaks all within the blast", between(0.0, 1.0))
    blast: float | None = _option(
        None, "metres along the block, instead of a house that the seed picks", between(0.0, 84.0)
    )
    power: float = _option(1.0, "1 throws the nearest pieces at 9 m/s", between(0.1, 3.0))
    offset: str = _option(
        "during",
        "before: untouched until the clip ends, during: the blast comes after a third of a second, after: all has fallen",
        one_of(*OFFSETS),
    )
    width: int | None = _option(None, "pixels, instead of the profile's", even)
    height: int | None = _option(None, "pixels, instead of the profile's", even)
    frames: int | None = _option(None, "frames, instead of the profile's", between(2, 2000))
    fps: int | None = _option(None, "frames a second, instead of the profile's", between(1, 120))
    truth: tuple[str, ...] | str = attrs.field(
        default=(),
        converter=names,
        validator=SomeOf(TRUTH),
        metadata={"help": f"ground truth beside the clip: {', '.join(TRUTH)}, or all"},
    )
    boxes: bool = attrs.field(
        default=False,
        validator=attrs.validators.instance_of(bool),
        metadata={"help": "2D and 3D boxes of every instance as COCO-style JSON"},
    )


@attrs.frozen(kw_only=True)
class CityOptions(CitySpec):
    """What the generator takes: a city, and perhaps a file that says how it fell, for which nothing is simulated here."""

    poses: str = _option(
        "", "a file of poses that another program simulated, as docs/reference/poses.md says"
    )
    poses_sha256: str = _option("", "the SHA-256 of that file: inputs are named by digest")

    @property
    def spec(self) -> CitySpec:
        """The city alone."""
        return CitySpec(**{field.name: getattr(self, field.name) for field in attrs.fields(CitySpec)})


@attrs.frozen(kw_only=True)
class Wall:
    """What a front is made of; colours ``#rrggbb``."""

    kind: str
    color: str
    joint: str
    trim: str
    name: str


@attrs.frozen(kw_only=True)
class Building:
    """One house of the block. ``x`` is its west end, ``side`` 1 for the north side of the street and -1 for the south."""

    x: float
    width: float
    depth: float
    side: int
    floors: int
    ground: float
    storey: float
    bays: int
    wall: Wall
    sash: str
    lintel: str
    cornice: str
    paint: str
    """Colour of frames and cornice."""
    front: str
    """``shop``, ``shutter`` or ``stoop``."""
    sign: int
    awning: str
    """``none``, ``plain`` or ``striped``."""
    accent: str
    """Colour of sign and awning."""
    escape: int
    """First bay of the fire escape, -1 for none."""
    water_tower: bool
    seed: int
    plants: bool = True
    """Whether boxes of plants stand on some sills."""

    @property
    def top(self) -> float:
        """Height of the roof above the sidewalk, metres."""
        return self.ground + (self.floors - 1) * self.storey + 1.0


@attrs.frozen(kw_only=True)
class Vehicle:
    """A parked vehicle: its middle, and 1 where it faces east, -1 where it faces west."""

    kind: str
    x: float
    y: float
    facing: int
    color: str


@attrs.frozen(kw_only=True)
class Tree:
    """A street tree: its pit, its height in metres, the seed of its crown and what grows on it."""

    x: float
    y: float
    height: float
    seed: int
    leaves: str = "green"
    """``green``, ``yellow``, or ``none`` for a bare tree."""


@attrs.frozen(kw_only=True)
class Prop:
    """Anything small that stands on the sidewalk."""

    kind: str
    x: float
    y: float
    side: int


@attrs.frozen(kw_only=True)
class Blast:
    """What happens to the block. Metres and seconds."""

    center: tuple[float, float, float]
    radius: float
    power: float
    damage: float
    """0 leaves everything as it is, 1 breaks all within the radius."""
    delay: float
    """From the beginning of the simulation to the blast."""
    preroll: float
    """From the beginning of the simulation to the first frame."""
    victims: tuple[int, ...]
    """Rows of ``buildings`` that may break."""


@attrs.frozen(kw_only=True)
class City:
    """The resolved description. The street runs along x from 0 to ``length``; lengths in metres, Z up."""

    length: float
    road: float
    """Half the width between the kerbs."""
    sidewalk: float
    buildings: tuple[Building, ...]
    neighbours: tuple[Building, ...]
    """The nearest houses of the next blocks, beyond the crossings."""
    vehicles: tuple[Vehicle, ...]
    trees: tuple[Tree, ...]
    props: tuple[Prop, ...]
    seed: int
    blast: Blast | None = None

    @property
    def facade(self) -> float:
        """Distance of the fronts from the middle of the street."""
        return self.road + self.sidewalk


LENGTH, ROAD, SIDEWALK = 84.0, 6.0, 4.6
CROSSING = 12.0
"""Width between the kerbs of the streets that cross at both ends."""
RADIUS = 7.0
"""Metres from a blast within which it can break things."""
MARGIN = 24.0
"""Metres from the ends of the block to the middle of the nearest house that a blast may pick by itself."""
EARLY = 1 / 3
"""Seconds of the untouched street before a blast that a clip shows: 8 frames of 24 a second."""
SETTLED = 12.0
"""Seconds after the blast at which nearly all that it broke lies still; what hangs loose may fall later."""

_WALLS = (
    ("brick", "#8f5544", "#a6826f", "#cfc3ae", "red-brick"),
    ("brick", "#74453a", "#8c6d5e", "#b7a78f", "dark red brick"),
    ("brick", "#ab8c6b", "#bda484", "#8d7358", "tan brick"),
    ("brick", "#6d5243", "#8b7664", "#c9bda6", "brown brick"),
    ("brick", "#d8d0c0", "#ccc4b3", "#8f8577", "white-painted brick"),
    ("brick", "#9c6049", "#b3907b", "#d9d0bf", "red-brick"),
    ("plaster", "#c2b59c", "#8d7b60", "#e2d9c4", "cream stucco"),
    ("plaster", "#8f9494", "#5f6362", "#d5d6d2", "grey stucco"),
    ("plaster", "#735646", "#523a2f", "#8f6a57", "brownstone"),
    ("plaster", "#c4bba9", "#8a8172", "#d8d1c3", "limestone"),
)
_PAINTS = ("#2f3a34", "#3a2c26", "#e6e1d4", "#22282e", "#5d2f28", "#d9d2c0", "#41503f")
_ACCENTS = ("#8c1f22", "#1f4d36", "#1f3c6e", "#c98a1b", "#5a2456", "#20262b", "#b3471d", "#14605e")
_CAR_COLORS = (
    "#1b1d20",
    "#c9ccd0",
    "#8d9298",
    "#f0efe9",
    "#6e1518",
    "#1c2f52",
    "#3b4a3f",
    "#5a6b78",
    "#8a7a5c",
)


def resolve(spec: CitySpec) -> City:
    """The city that *spec* means. Every kind of thing draws from its own numbers, so one does not shift another."""
    buildings = tuple(_painted(spec, [item for side in (1, -1) for item in _row(spec, side)]))
    vehicles = tuple(_vehicles(spec))
    city = City(
        length=LENGTH,
        road=ROAD,
        sidewalk=SIDEWALK,
        buildings=buildings,
        neighbours=tuple(item for side in (1, -1) for end in (1, -1) for item in _corner(spec, side, end)),
        vehicles=vehicles,
        trees=tuple(_trees(spec)),
        props=tuple(_props(spec)),
        seed=spec.seed,
    )
    return attrs.evolve(city, blast=_blast(spec, city)) if spec.damage else city


def _blast(spec: CitySpec, city: City) -> Blast:
    """Behind the front of a house in the middle of the block, or of the one where it was asked for.

    It does not depend on the camera: five cameras of one seed film one event.
    """
    numbers = draw(spec, "blast")
    side, share, height = numbers.choice((1, -1)), numbers.uniform(0.35, 0.65), numbers.uniform(0.3, 0.7)
    chosen = numbers.random()
    row = _struck(city, side, spec.blast, chosen)
    house = city.buildings[row]
    x = house.x + house.width * share if spec.blast is None else spec.blast
    return Blast(
        center=(
            round(x, 3),
            round(side * (city.facade + 1.2), 3),
            round(house.ground + house.storey * height, 3),
        ),
        radius=RADIUS,
        power=spec.power,
        damage=spec.damage,
        delay={"before": seconds(spec), "during": min(EARLY, seconds(spec) / 3), "after": 0.0}[spec.offset],
        preroll=SETTLED if spec.offset == "after" else 0.0,
        victims=_victims(city, row, x),
    )


def _struck(city: City, side: int, x: float | None, chosen: float) -> int:
    """The row of the house at *x* on *side*; without *x* one in the middle of the block, by a number from 0 to 1."""
    rows = [row for row, house in enumerate(city.buildings) if house.side == side]
    if x is not None:
        return next(r for r in rows if x <= city.buildings[r].x + city.buildings[r].width + 0.01)
    middle = [
        r for r in rows if MARGIN <= city.buildings[r].x + city.buildings[r].width / 2 <= city.length - MARGIN
    ]
    return middle[int(chosen * len(middle))]


def seconds(spec: CitySpec) -> float:
    """How long the clip is."""
    from cosmos_core import controls

    profile = controls.PROFILES[spec.profile]
    return (spec.frames or profile.frames) / float(spec.fps or profile.fps)


def _victims(city: City, row: int, x: float) -> tuple[int, ...]:
    """The house of the blast and those beside it that reach nearer than a share of the radius."""
    return tuple(
        index
        for index, house in enumerate(city.buildings)
        if house.side == city.buildings[row].side
        and (index == row or max(house.x - x, x - house.x - house.width) < RADIUS * 0.6)
    )


def draw(spec: CitySpec, what: str) -> random.Random:
    """The random numbers of *what*; the same for the same seed on every machine."""
    return random.Random(f"{spec.seed}/{what}")  # noqa: S311


def _row(spec: CitySpec, side: int) -> Iterator[Building]:
    numbers = draw(spec, f"buildings {side}")
    widths = _widths(numbers)
    x, before = 0.0, -1
    for index, width in enumerate(widths):
        wall = numbers.choice([i for i in range(len(_WALLS)) if i != before])
        before = wall
        house = _building(spec, numbers, x, width, side, _WALLS[wall])
        corner = index in {0, len(widths) - 1}
        yield _taller(house, numbers) if corner and numbers.random() < 0.4 else house
        x += width


def _taller(house: Building, numbers: random.Random) -> Building:
    """An apartment house at a corner: nine to twelve storeys, without a fire escape to the street."""
    return attrs.evolve(house, floors=numbers.randint(9, 12), storey=3.05, escape=-1, water_tower=True)


def _painted(spec: CitySpec, houses: Sequence[Building]) -> Iterator[Building]:
    """The houses in the colours of the palette that was asked for; neighbours differ."""
    if spec.palette is None:
        yield from houses
        return
    numbers, before = random.Random(f"palette {spec.palette}"), -1  # noqa: S311
    for house in houses:
        before = numbers.choice([i for i in range(len(_WALLS)) if i != before])
        kind, color, joint, trim, name = _WALLS[before]
        yield attrs.evolve(
            house,
            wall=Wall(kind=kind, color=color, joint=joint, trim=trim, name=name),
            paint=numbers.choice(_PAINTS),
            accent=numbers.choice(_ACCENTS),
        )


def _corner(spec: CitySpec, side: int, end: int) -> Iterator[Building]:
    """Four houses beyond a crossing, from the corner outwards."""
    numbers = draw(spec, f"corner {side} {end}")
    edge = 2 * SIDEWALK + CROSSING
    x, before = (LENGTH + edge if end > 0 else -edge), -1
    for _ in range(4):
        width = numbers.uniform(8.0, 12.0)
        wall = numbers.choice([i for i in range(len(_WALLS)) if i != before])
        before = wall
        start = x if end > 0 else x - width
        yield attrs.evolve(_building(spec, numbers, start, width, side, _WALLS[wall]), escape=-1)
        x += end * width


def _widths(numbers: random.Random) -> list[float]:
    """Seven to nine lots that fill the block."""
    raw = [numbers.uniform(7.6, 12.4) for _ in range(numbers.randint(8, 9))]
    scale = LENGTH / sum(raw)
    return [width * scale for width in raw]


def _building(
    spec: CitySpec, numbers: random.Random, x: float, width: float, side: int, wall: Sequence[str]
) -> Building:
    floors = min(8, max(3, spec.storeys + numbers.choice((-1, -1, 0, 0, 0, 1, 1, 2))))
    bays = max(2, round(width / numbers.uniform(2.35, 2.9)))
    front = numbers.choices(("shop", "shutter", "stoop"), (0.62, 0.1, 0.28))[0]
    escape = numbers.randrange(bays - 1) if numbers.random() < 0.5 else -1
    return Building(
        x=round(x, 4),
        width=round(width, 4),
        depth=round(numbers.uniform(15.0, 19.0), 3),
        side=side,
        floors=floors,
        ground=round(numbers.uniform(3.9, 4.5), 3),
        storey=round(numbers.uniform(3.05, 3.5), 3),
        bays=bays,
        wall=Wall(kind=wall[0], color=wall[1], joint=wall[2], trim=wall[3], name=wall[4]),
        sash=numbers.choice(("1/1", "1/1", "2/2", "6/6")),
        lintel=numbers.choice(("flat", "flat", "keystone", "hood", "none")),
        cornice=numbers.choice(("bracketed", "bracketed", "dentils", "parapet")),
        paint=numbers.choice(_PAINTS),
        front=front,
        sign=numbers.randrange(20),
        awning=numbers.choices(("none", "plain", "striped"), (0.35, 0.3, 0.35))[0],
        accent=numbers.choice(_ACCENTS),
        escape=escape,
        water_tower=numbers.random() < 0.3,
        seed=numbers.randrange(2**31),
        plants=spec.season != "winter",
    )


_KINDS = {
    "sedan": 4.7,
    "taxi": 4.7,
    "police": 4.7,
    "suv": 4.8,
    "hatchback": 4.1,
    "pickup": 5.3,
    "van": 6.0,
    "truck": 6.5,
}
"""Kinds of vehicles and their lengths in metres."""
_OFTEN = (0.30, 0.11, 0.03, 0.24, 0.13, 0.06, 0.09, 0.04)


def _vehicles(spec: CitySpec) -> Iterator[Vehicle]:
    """Along the kerbs of the block, and of the beginnings of the next ones."""
    numbers = draw(spec, "vehicles")
    far = 2 * SIDEWALK + CROSSING
    for start, end in (
        (3.0, LENGTH - 7.0),
        (LENGTH + far + 5.0, LENGTH + far + 46.0),
        (-far - 48.0, -far - 8.0),
    ):
        for side in (1, -1):
            yield from _parked(spec, numbers, start + numbers.uniform(0.0, 3.0), end, side)


def _parked(spec: CitySpec, numbers: random.Random, start: float, end: float, side: int) -> Iterator[Vehicle]:
    x = start
    while x < end:
        kind = numbers.choices(tuple(_KINDS), _OFTEN)[0]
        length = _KINDS[kind]
        color = {
            "taxi": "#e3a51c",
            "police": "#e6e7e5",
            "van": numbers.choice(("#e8e6df", "#e8e6df", "#7a5230", "#2b4a6b")),
            "truck": numbers.choice(("#b3381f", "#2b5a8b", "#2f6b46", "#c98a1b")),
        }.get(kind, numbers.choice(_CAR_COLORS))
        if numbers.random() < spec.vehicles:
            y = side * (ROAD - 1.15 + numbers.uniform(-0.06, 0.06))
            yield Vehicle(kind=kind, x=round(x + length / 2, 3), y=round(y, 3), facing=-side, color=color)
        x += length + numbers.uniform(0.7, 1.5)


def _pits(spec: CitySpec, side: int) -> list[float]:
    """Where trees may stand on a side."""
    numbers = draw(spec, f"pits {side}")
    return [7.0 + place * 11.6 + numbers.uniform(-1.0, 1.0) for place in range(7)]


def _trees(spec: CitySpec) -> Iterator[Tree]:
    numbers = draw(spec, "trees")
    edge = 2 * SIDEWALK + CROSSING
    beyond = [at + 11.0 * k for at in (LENGTH + edge + 9.0, -edge - 31.0) for k in range(3)]
    for side in (1, -1):
        for x in (*_pits(spec, side), *beyond):
            height, seed = numbers.uniform(5.2, 8.2), numbers.randrange(2**31)
            if numbers.random() < spec.trees:
                yield Tree(
                    x=round(x, 3),
                    y=round(side * (ROAD + 0.95), 3),
                    height=round(height, 3),
                    seed=seed,
                    leaves={"summer": "green", "autumn": "yellow", "winter": "none"}[spec.season],
                )


_FURNITURE = (
    ("bench", 2), ("mailbox", 1), ("rack", 3), ("bin", 4), ("hydrant", 2), ("meter", 9), ("bags", 4),
    ("newsbox", 2), ("planter", 3),
)  # fmt: skip


def _props(spec: CitySpec) -> Iterator[Prop]:
    numbers = draw(spec, "props")
    for side in (1, -1):
        lamps = [x + (14.5 if side < 0 else 0.0) for x in (12.9, 41.9, 70.9) if x + 14.5 < LENGTH or side > 0]
        yield from (Prop(kind="lamp", x=x, y=side * (ROAD + 0.55), side=side) for x in lamps)
        taken = lamps + _pits(spec, side)
        for kind in (kind for kind, count in _FURNITURE for _ in range(count)):
            x = numbers.uniform(4.0, LENGTH - 4.0)
            if all(abs(x - other) > 1.3 for other in taken):
                taken.append(x)
                if kind == "planter" and spec.season == "winter":
                    continue
                yield Prop(kind=kind, x=round(x, 3), y=round(side * (ROAD + 0.55), 3), side=side)
    for side in (1, -1):
        for x in (-1.0, LENGTH + 1.0):
            yield Prop(kind="signal", x=x, y=side * (ROAD + 0.9), side=side)
