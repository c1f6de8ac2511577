"""Reading what somebody wrote as JSON into attrs objects: every problem at once, in sentences.

A field carries its reader in ``metadata``. NVIDIA's programs take unknown keys in some places and convert words to
numbers; ours forbid the first and say what they would have read for the second.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from cosmos_core.errors import Finding, fail

T = TypeVar("T")

Reader = Callable[[Any], Any]
"""Gives the value a field has, or raises ValueError with the end of a sentence that begins with the field's name."""


def key(reader: Reader, default: Any = attrs.NOTHING, *, doc: str = "") -> Any:
    """An attrs field that reads its value of JSON with *reader*."""
    return attrs.field(default=default, metadata={"read": reader, "help": doc})


def read(kind: type[T], values: Mapping[str, Any], where: str) -> tuple[T | None, list[Finding]]:
    """An instance of *kind*, or None and everything that is wrong with *values*."""
    fields = {each.name: each for each in attrs.fields(kind)}  # type: ignore[arg-type]
    findings = [_unknown(name, fields, where) for name in values if name not in fields]
    known: dict[str, Any] = {}
    for name, each in fields.items():
        if name in values:
            try:
                known[name] = each.metadata["read"](values[name])
            except Wrong as wrong:
                findings += [attrs.evolve(found, where=f"{where}.{found.where}") for found in wrong.findings]
            except ValueError as error:
                findings.append(fail(f"{where}: {name} {error}", where=f"{where}.{name}"))
        elif each.default is attrs.NOTHING:
            findings.append(
                fail(
                    f"{where}: {name} is missing; NVIDIA's program would exit with 1", where=f"{where}.{name}"
                )
            )
    return (None if findings else kind(**known)), findings


class Wrong(ValueError):
    """A block is wrong in several ways."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("is wrong")
        self.findings = tuple(findings)


def _unknown(name: str, known: Mapping[str, Any], where: str) -> Finding:
    near = difflib.get_close_matches(name, known, 1)
    return fail(
        f"{where}: there is no key {name!r}; NVIDIA's program refuses it at the top level, and inside a control block "
        "takes it without a word and runs with the default",
        hint=f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}",
        where=f"{where}.{name}",
    )


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise ValueError(f"is {value!r:.40}, and must be a text")  # noqa: TRY004 (one kind of error for the caller)
    return value


def whole(low: float = -math.inf, high: float = math.inf) -> Reader:
    """A whole number from *low* to *high*; 3.0 is one, 3.5 and true are none."""

    def _read(value: Any) -> int:
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if not is_whole or isinstance(value, bool):
            raise ValueError(f"is {value!r:.40}, and must be a whole number")
        if not low <= value <= high:
            raise ValueError(f"is {value!r:.40}, and must be {_span(low, high)}")
        return int(value)

    return _read


def number(low: float = -math.inf, high: float = math.inf) -> Reader:
    """A number from *low* to *high*."""

    def _read(value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"is {value!r:.40}, and must be a number")
        if not low <= value <= high:
            raise ValueError(f"is {value!r:.40}, and must be {_span(low, high)}")
        return float(value)

    return _read


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"is {value!r:.40}, and must be true or false")  # noqa: TRY004
    return value


def one_of(*words: Any) -> Reader:
    """One of a few values."""

    def _read(value: Any) -> Any:
        if isinstance(value, bool) or value not in words:
            raise ValueError(f"is {value!r:.40}, and must be one of {', '.join(map(str, words))}")
        return value

    return _read


def wholes(value: Any) -> tuple[int, ...]:
    """A list of whole numbers."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"is {value!r:.40}, and must be a list of whole numbers")  # noqa: TRY004
    return tuple(whole()(each) for each in value)


def or_null(reader: Reader) -> Reader:
    """As *reader*, and null for not given."""
    return lambda value: None if value is None else reader(value)


def block(kind: type) -> Reader:
    """An object of its own, with its own keys."""

    def _read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"is {value!r:.40}, and must be an object")  # noqa: TRY004
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
        made, findings = read(kind, value, name)
        if findings:
            raise Wrong(findings)
        return made

    return _read


def _span(low: float, high: float) -> str:
    if high == math.inf:
        return f"{low:g} or more"
    return f"from {low:g} to {high:g}"
