"""Which node types exist in which Houdini, with which parameters: the table ``nodes.toml``, and what assets add."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

PROFILES = ("20.5", "21.0", "22.0")
_SEEN_FROM = {"L": 0, "R": 1, "V": 1, "S": 2, "H": 2}
"""The first profile that a source speaks of. A type or parameter is taken to stay once it was seen."""
_KIND = re.compile(r"(Float|Int|String|Toggle|Menu|Button|Folder)(\d?)")


@dataclass(frozen=True)
class ParmRow:
    """A parameter tuple of a node type."""

    name: str
    kind: str = ""
    """``Float Int String Toggle Menu Button Folder``; empty where no source states one."""
    size: int = 1
    tokens: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    complete: bool = True
    """Whether ``tokens`` are all there are."""
    default: Any = None
    suffix: str = "xyzw"
    evidence: str = ""
    expression: str = ""
    """What Houdini itself puts there: setting a value does not remove it."""

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the single parameters: ``sizex sizey sizez``, ``f1 f2 f3``."""
        return (
            (self.name,)
            if self.size == 1
            else tuple(self.name + self.suffix[row] for row in range(self.size))
        )


@dataclass(frozen=True)
class TypeRow:
    """A node type."""

    category: str
    name: str
    inputs: int = 1
    outputs: int = 1
    parms: dict[str, ParmRow] = field(default_factory=dict)
    asset: Any = None
    """The expanded asset it comes from, if any."""

    @property
    def key(self) -> str:
        """``Sop/box``."""
        return f"{self.category}/{self.name}"


class Catalog:
    """The node types of one Houdini."""

    def __init__(self, profile: str, table: dict[str, Any] | None = None) -> None:
        """Of *profile*, out of *table* or the one that is shipped."""
        if profile not in PROFILES:
            raise ValueError(f"there is no profile {profile!r}; there is {', '.join(PROFILES)}")
        self.profile = profile
        self._types: dict[tuple[str, str], TypeRow] = {}
        rank = PROFILES.index(profile)
        for key, row in (table if table is not None else shipped()).items():
            for made in _rows(key, row, profile, rank):
                self.add(made)

    def add(self, row: TypeRow) -> None:
        """Make a type known, as installing an asset does."""
        self._types[row.category, row.name] = row

    def find(self, category: str, name: str) -> TypeRow | None:
        """The type of exactly that name."""
        return self._types.get((category, name))

    def of(self, category: str) -> dict[str, TypeRow]:
        """All types of a category by name."""
        return {name: row for (table, name), row in self._types.items() if table == category}

    def versions(self, category: str, name: str) -> list[str]:
        """Full names of which *name* is the part without a version, oldest first."""
        return [
            one
            for one in self.of(category)
            if one == name or re.fullmatch(re.escape(name) + r"::[\d.]+", one)
        ]

    def near(self, category: str, name: str) -> list[str]:
        """Names that may have been meant."""
        return difflib.get_close_matches(name, self.of(category), n=3, cutoff=0.5)


@cache
def shipped() -> dict[str, Any]:
    """The table of this distribution."""
    return tomllib.loads((Path(__file__).parent / "nodes.toml").read_text("utf-8"))


def _rows(key: str, row: dict[str, Any], profile: str, rank: int) -> list[TypeRow]:
    category, name = key.split("/", 1)
    if "types" in row:
        names = row["types"].get(profile, [])
    else:
        names = [name] if _exists(row["evidence"], rank) else []
    parms = {
        each: _parm(each, one, category)
        for each, one in row.get("parms", {}).items()
        if _exists(one["evidence"], rank)
    }
    return [TypeRow(category, one, row.get("inputs", 1), row.get("outputs", 1), parms) for one in names]


def _exists(evidence: str, rank: int) -> bool:
    return min(_SEEN_FROM[letter] for letter in evidence) <= rank


def _parm(name: str, row: dict[str, Any], category: str) -> ParmRow:
    said = _KIND.fullmatch(row.get("kind", ""))
    kind, size = said.groups() if said else ("", "")
    return ParmRow(
        name=name,
        kind=kind,
        size=int(size or 1),
        tokens=tuple(row.get("tokens", row.get("seen", ()))),
        labels=tuple(row.get("labels", ())),
        complete="tokens" in row,
        default=row.get("default"),
        suffix=row.get("suffix", "xyzw"),
        evidence=row["evidence"],
        expression=_EXPRESSIONS.get((category, name), _EXPRESSIONS.get(("", name), "")),
    )


_EXPRESSIONS = {
    ("Driver", "f"): "$FSTART $FEND 1",
    ("Lop", "f"): "$FSTART $FEND 1",
    ("Sop", "f"): "$FSTART $FEND 1",
    ("Sop", "frame"): "$F",
}
