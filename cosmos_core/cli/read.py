"""What people type into values: pairs, weights, seeds, and several values for one option. Pure."""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING

from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
MOST = 10_000
"""The most seeds or clips that one command line may ask for."""


def options(words: Iterable[str], *, of: str = "", lists: Collection[str] = ()) -> dict[str, str]:
    """``["frames=9", "preview.fog=1"]`` as a dict; the name *of* the offer may stand before the option's.

    Options in *lists* hold several values, so one that is given again adds to them: ``passes=depth``, ``passes=seg``
    is ``passes=depth,seg``.

    Raises:
        InputError: naming every word without ``=``, and every option that is given twice.
    """
    read: dict[str, str] = {}
    wrong: list[str] = []
    for word in words:
        key, mark, value = word.partition("=")
        key = key.strip().removeprefix(f"{of}.") if of else key.strip()
        if not mark or not key:
            wrong.append(f"{word!r} is not name=value")
        elif key in read and key in lists:
            read[key] = ",".join(filter(None, (read[key], value.strip())))
        elif key in read:
            wrong.append(f"{key} is given twice")
        else:
            read[key] = value.strip()
    if wrong:
        raise InputError("; ".join(wrong), hint="write options as -o name=value")
    return read


def weights(words: Iterable[str]) -> dict[str, float]:
    """``["vis=0.3,edge=0.4", "seg=1"]`` as weight by control.

    Raises:
        InputError: naming every word that is not ``control=number``, and every control that is given twice.
    """
    read: dict[str, float] = {}
    wrong: list[str] = []
    for word in (part.strip() for text in words for part in text.split(",")):
        kind, mark, value = (piece.strip() for piece in word.partition("="))
        number = _number(value)
        if not mark or not kind or number is None:
            wrong.append(f"{word!r} is not control=number")
        elif kind in read:
            wrong.append(f"{kind} is given twice")
        else:
            read[kind] = number
    if wrong:
        raise InputError(f"weights: {'; '.join(wrong)}", hint="write them as -w edge=0.4 -w depth=0.2")
    return read


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def seeds(text: str) -> tuple[int, ...]:
    """``1..5`` or ``1,2,7`` as numbers, in that order, each once.

    Raises:
        InputError: when it is neither.
    """
    try:
        numbers = [int(value) for value in values(text)]
    except ValueError:
        raise InputError(f"{text!r} are not seeds", hint="write 1..5 or 1,2,7") from None
    return tuple(dict.fromkeys(numbers))


def values(text: str) -> tuple[str, ...]:
    """The values that one word stands for: ``1..3`` three, ``0.3,0.6`` two, ``"a, b"`` in quotes one.

    Raises:
        InputError: when a range is longer than :data:`MOST`.
    """
    if len(text) > 1 and text[0] == text[-1] == '"':
        return (text[1:-1],)
    return tuple(value for part in text.split(",") for value in _range(part.strip()))


def _range(text: str) -> Iterable[str]:
    found = _RANGE.fullmatch(text)
    if found is None:
        return (text,)
    first, last = int(found[1]), int(found[2])
    if abs(last - first) >= MOST:
        raise InputError(f"{text} are more than {MOST:,} values", hint="ask for fewer at a time")
    step = 1 if last >= first else -1
    return map(str, range(first, last + step, step))


def product(chosen: Mapping[str, str], *, whole: Collection[str] = ()) -> Iterator[dict[str, str]]:
    """Each combination of the values of *chosen*, in order; options in *whole* are never split.

    Raises:
        InputError: when there are more than :data:`MOST` combinations.
    """
    several: list[Sequence[str]] = [
        (value,) if name in whole else values(value) for name, value in chosen.items()
    ]
    count = math.prod(map(len, several))
    if count > MOST:
        raise InputError(f"{count:,} combinations are more than {MOST:,}", hint="ask for fewer at a time")
    for combination in itertools.product(*several):
        yield dict(zip(chosen, combination, strict=True))


def varied(combinations: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """The options whose value is not the same in all *combinations*."""
    first = combinations[0] if combinations else {}
    return tuple(name for name in first if any(each.get(name) != first[name] for each in combinations))
