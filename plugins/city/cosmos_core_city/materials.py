"""Materials as rows of numbers, the noise they share, and the letters of the signs.

A row is: kind, colour A (3), colour B (3), shine, and eight parameters whose meaning is the kind's.
Colours are linear, 0 to 1.
"""

from __future__ import annotations

import functools
from enum import IntEnum
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

WIDTH = 16


class Kind(IntEnum):
    """What a row of the table means; ``shade.py`` holds one formula for each."""

    PAINT = 0
    BRICK = 1
    PLASTER = 2
    CONCRETE = 3
    ASPHALT = 4
    WINDOW = 5
    METAL = 6
    LEAF = 7
    STRIPES = 8
    SIGN = 9
    TOWER = 10
    WOOD = 11


@attrs.define
class Materials:
    """A growing table of materials. Equal materials share a row."""

    _rows: dict[tuple[float, ...], int] = attrs.field(factory=dict)

    def row(
        self, kind: Kind, color: str, other: str = "#000000", *parameters: float, shine: float = 0.0
    ) -> int:
        """The number of the row of this material; colours are ``#rrggbb`` as on a screen."""
        told = [round(float(value), 5) for value in (shine, *parameters)]
        padding = (0.0,) * (WIDTH - 7 - len(told))
        values = (float(kind), *_kept(color), *_kept(other), *told, *padding)
        return self._rows.setdefault(values, len(self._rows))

    def number(self, values: Iterable[float]) -> int:
        """The number of the row that holds these :data:`WIDTH` values."""
        return self._rows.setdefault(tuple(round(float(v), 5) for v in values), len(self._rows))

    def table(self) -> NDArray[np.float32]:
        """The rows so far, (M, 16)."""
        return np.array(list(self._rows), dtype=np.float32).reshape(-1, WIDTH)


def linear(color: str) -> tuple[float, float, float]:
    """A screen colour ``#rrggbb`` as linear light (IEC 61966-2-1)."""
    values = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return red, green, blue


@functools.cache
def _kept(color: str) -> tuple[float, ...]:
    """The same as the table keeps it."""
    return tuple(round(value, 5) for value in linear(color))


@functools.cache
def noise(size: int = 512, octaves: int = 6) -> NDArray[np.float32]:
    """A square of fractal noise about 0 within ±1 that repeats without a seam, (size, size)."""
    random = np.random.default_rng(20230)
    total = np.zeros((size, size))
    for octave in range(octaves):
        cells = 4 << octave
        lattice = random.random((cells, cells)) * 2 - 1
        where = np.arange(size) * (cells / size)
        low = where.astype(int)
        t = where - low
        t = t * t * (3 - 2 * t)
        high = (low + 1) % cells
        along = lattice[:, low] * (1 - t) + lattice[:, high] * t
        total += (along[low] * (1 - t)[:, None] + along[high] * t[:, None]) * 0.5**octave
    return np.asarray(total / np.abs(total).max(), dtype=np.float32)


_GLYPHS = {
    "A": "0E11111F111111", "B": "1E11111E11111E", "C": "0E11101010110E", "D": "1E11111111111E",
    "E": "1F10101E10101F", "F": "1F10101E101010", "G": "0E11101711110F", "H": "1111111F111111",
    "I": "0E04040404040E", "J": "0702020202120C", "K": "11121418141211", "L": "1010101010101F",
    "M": "111B1515111111", "N": "11111915131111", "O": "0E11111111110E", "P": "1E11111E101010",
    "Q": "0E11111115120D", "R": "1E11111E141211", "S": "0F10100E01011E", "T": "1F040404040404",
    "U": "1111111111110E", "V": "11111111110A04", "W": "1111111515150A", "X": "11110A040A1111",
    "Y": "11110A04040404", "Z": "1F01020408101F", "&": "0C12140815120D", " ": "00000000000000",
}  # fmt: skip

NAMES = (
    "DELI", "PIZZA", "BOOKS", "LAUNDRY", "CAFE", "BAKERY", "HARDWARE", "FLOWERS", "BARBER", "DINER",
    "PHARMACY", "RECORDS", "NOODLES", "TAILOR", "SHOES", "MARKET", "OPTICAL", "CIGARS", "FISH & CO", "LOCKSMITH",
)  # fmt: skip
"""What the signs of shops say."""
COLUMNS = 60


def lettering() -> NDArray[np.uint8]:
    """The names of :data:`NAMES` as bitmaps (names, 9, 60), 0 or 1, each starting one column in; and a blank rim."""
    made = np.zeros((len(NAMES), 9, COLUMNS), dtype=np.uint8)
    for number, name in enumerate(NAMES):
        for place, letter in enumerate(name):
            rows = bytes.fromhex(_GLYPHS[letter])
            pixels = np.array([[value >> (4 - column) & 1 for column in range(5)] for value in rows])
            made[number, 1:8, 1 + place * 6 : 6 + place * 6] = pixels
    return made


def columns(name: int) -> int:
    """How many columns of the bitmap the name needs, rims included."""
    return len(NAMES[name]) * 6 + 1
