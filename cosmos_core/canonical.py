"""Objects to JSON and back, and the digest that names them.

One converter for the whole project, so that an object has one JSON form: in the store, in manifests, over the
command line's ``--json`` and in digests.
"""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import os
import secrets
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")


@functools.cache
def converter() -> Converter:
    """The one cattrs converter. Unknown keys are errors; tuples are lists; rates are ``"30000/1001"``."""
    from cattrs.preconf.json import make_converter

    made = make_converter(forbid_extra_keys=True, detailed_validation=True)
    # cattrs would call str() and int(): null would be the text "None", 12.9 frames 12, and "ab" the tags a and b.
    # By function and not by class, because enums of texts and booleans are subclasses and have hooks of their own.
    for exact, hook in ((str, _text), (int, _whole), (float, _number)):
        made.register_structure_hook_func(functools.partial(operator.is_, exact), hook)
    texts = made.get_structure_hook(tuple[str, ...])
    made.register_structure_hook_func(
        lambda kind: kind == tuple[str, ...], lambda value, kind: texts(_several(value), kind)
    )
    made.register_unstructure_hook(Fraction, str)
    made.register_structure_hook(Fraction, lambda value, _: Fraction(value))
    made.register_unstructure_hook(Path, lambda path: path.as_posix())
    made.register_structure_hook(Path, lambda value, _: Path(value))
    return made


def _text(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.60} is no text")  # noqa: TRY004 (cattrs collects it)
    return value


def _number(value: object, _: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{value!r:.60} is no number")  # noqa: TRY004
    return float(value)


def _whole(value: object, _: object) -> int:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if not is_whole or isinstance(value, bool):
        raise ValueError(f"{value!r:.60} is no whole number")
    return int(value)  # type: ignore[call-overload, no-any-return]


def _several(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"{value!r:.60} is one text, not a list")  # noqa: TRY004
    return value


def plain(value: object) -> Any:
    """*value* as what JSON knows: dicts, lists, strings, numbers, booleans, None."""
    return converter().unstructure(value)


def restore(kind: type[T], value: object) -> T:
    """The object of *kind* that :func:`plain` made *value* from.

    Raises:
        cattrs.BaseValidationError: with every problem found, not just the first.
    """
    return converter().structure(value, kind)


def parse(kind: type[T], value: object, *, where: str) -> T:
    """As :func:`restore`, for what people wrote: every problem in one sentence.

    Raises:
        InputError: naming *where* and each field that is missing, unknown or of another type.
    """
    from cattrs import BaseValidationError, transform_error

    try:
        return restore(kind, value)
    except BaseValidationError as error:
        problems = "; ".join(transform_error(error))
        raise InputError(f"{where} is not understood: {problems}") from error


def dumps(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, no NaN. Equal objects give equal text."""
    return json.dumps(
        plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def pretty(value: object) -> str:
    """JSON for people and for files that people open: indented, sorted, with a final newline."""
    return json.dumps(plain(value), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of *value*, as 64 hexadecimal digits.

    Raises:
        InputError: when it holds a number that is not finite, or text that is not valid Unicode.
    """
    try:
        return hashlib.sha256(dumps(value).encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise InputError("a text in it is not valid Unicode") from error
    except ValueError as error:
        raise InputError("a number in it is infinite or none") from error


def write_file(path: Path, value: object) -> None:
    """Write :func:`pretty` JSON so that *path* holds all of it or is as it was: temp, fsync, rename."""
    part = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    try:
        # A name on disk need not be valid Unicode; backslashes make a JSON escape of what is not.
        with part.open("w", encoding="utf-8", errors="backslashreplace") as out:
            out.write(pretty(value))
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
