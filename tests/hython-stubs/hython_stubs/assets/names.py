"""How expanded assets name things: sections as files, and operators as sections."""

from __future__ import annotations

import re

_TO_FILE = {"_": "__", "/": "_1", ":": "_8"}
_FROM_FILE = {code: letter for letter, code in _TO_FILE.items()}


def to_file(section: str) -> str:
    """``cosmos::Sop/city::1.0`` as ``cosmos_8_8Sop_1city_8_81.0``."""
    return "".join(_TO_FILE.get(letter, letter) for letter in section)


def to_section(file: str) -> str:
    """The other way.

    Raises:
        ValueError: an underscore begins no known code.
    """
    if strange := re.search(r"_(?![_18])", re.sub(r"_[_18]", "", file)):
        raise ValueError(f"{file!r} has an underscore that begins no code (at {strange.start()})")
    return re.sub(r"_[_18]", lambda match: _FROM_FILE[match[0]], file)


def section_of(operator: str, table: str) -> str:
    """The section's name: the table goes before the name, after the namespace."""
    words = operator.split("::")
    version = words.pop() if len(words) > 1 and re.fullmatch(r"[\d.]+", words[-1]) else ""
    name = words.pop()
    return "::".join([*words, f"{table}/{name}", *([version] if version else [])])
