"""A submission: a folder of plain files that carries requests to the queue.

Written by Houdini, a script or ``cosmos submit``; read by ``cosmos submit FOLDER`` and by a worker that watches
``inbox/``. The folder appears under its final name at once, so a reader never sees half of it. Layout::

    <name>/submission.json      {"schema": 1, "token": "…", "asks": [ … ], "origin": "…"}
    <name>/clips/<clip>/…       optional: clips that travel with it, named by relative path in an ask
"""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import canonical
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE = "submission.json"
SCHEMA = 1


@attrs.frozen(kw_only=True)
class Ask:
    """What somebody wants, in their own words; :mod:`cosmos_core.api` makes a ``Spec`` of it."""

    prompt: str
    """The text itself, or ``@name`` / ``@name@version`` for one of the library."""
    negative: str = ""
    clip: str = ""
    """A clip folder (relative to the submission), or a sealed clip's digest or name."""
    backend: str = ""
    """Empty for the workspace's default."""
    weights: dict[str, float] = attrs.field(factory=dict)
    """Weight by control; empty for all the clip has, in equal parts."""
    seed: int | None = None
    frames: int | None = None
    """None for as many as the clip has."""
    options: dict[str, Any] = attrs.field(factory=dict)
    name: str = ""
    tags: tuple[str, ...] = ()
    priority: int = 0
    parent: str = ""
    campaign: str = ""


@attrs.frozen(kw_only=True)
class Submission:
    """Asks that are accepted together or not at all."""

    asks: tuple[Ask, ...]
    token: str = attrs.field(factory=lambda: secrets.token_hex(16))
    """The same token twice is the same submission: the second time gives the first one's runs."""
    origin: str = ""
    """Who wrote it, such as ``houdini 21.0 /obj/city``."""
    schema: int = SCHEMA


def write(asks: Iterable[Ask], *, into: Path, name: str = "", origin: str = "") -> Path:
    """Write a submission folder into *into* by atomic rename and give its path.

    Raises:
        InputError: when the name is taken.
    """
    made = Submission(asks=tuple(asks), origin=origin)
    final = into / (name or f"submission-{made.token[:12]}")
    part = into / f".{final.name}.part-{secrets.token_hex(4)}"
    part.mkdir(parents=True)
    with (part / FILE).open("w", encoding="utf-8") as out:
        out.write(canonical.pretty(made))
        out.flush()
        os.fsync(out.fileno())
    if final.exists():
        (part / FILE).unlink()
        part.rmdir()
        raise InputError(
            f"there is already a submission {final.name!r} in {into}", hint="choose another name"
        )
    part.rename(final)
    return final


def read(folder: Path) -> Submission:
    """The submission in *folder*.

    Raises:
        InputError: when there is none, or naming everything in it that is not understood.
    """
    path = folder / FILE
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no {FILE}", hint="give a submission folder, or use --prompt and --clip"
        ) from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        found = raw.get("schema") if isinstance(raw, dict) else type(raw).__name__
        raise InputError(f"{path} has schema {found!r}; this version reads {SCHEMA}")
    return canonical.parse(Submission, raw, where=str(path))
