"""A submission: a folder of plain files that carries requests to the queue.

Written by Houdini, a script or ``cosmos submit``; read by ``cosmos submit FOLDER`` and by a worker that watches
``inbox/``. The folder appears under its final name at once, so a reader never sees half of it. Layout::

    <name>/submission.json      {"schema": 1, "token": "…", "asks": [ … ], "origin": "…"}
    <name>/clips/<clip>/…       optional: clips that travel with it, named by relative path in an ask
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import canonical
from cosmos_core.errors import InputError
from cosmos_core.spec import Variable

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
    seconds: float | None = None
    """The length in seconds instead, whatever the rate of the model or of the clip."""
    options: dict[str, Any] = attrs.field(factory=dict)
    name: str = ""
    tags: tuple[str, ...] = ()
    shows: tuple[Variable, ...] = ()
    """What the video should show; a judge asks about it."""
    priority: int = 0
    parent: str = ""
    campaign: str = ""


@attrs.frozen(kw_only=True)
class Submission:
    """Asks that are accepted together or not at all."""

    asks: tuple[Ask, ...]
    token: str = attrs.field(factory=lambda: secrets.token_hex(16))
    """The same token twice is the same submission: the second time gives the first one's runs. Without one, the file is
    its own token: read again it is the same submission, written anew another one."""
    origin: str = ""
    """Who wrote it, such as ``houdini 21.0 /obj/city``."""
    schema: int = SCHEMA


def write(asks: Iterable[Ask], *, into: Path, name: str = "", origin: str = "") -> Path:
    """Write a submission folder into *into* by atomic rename and give its path.

    Raises:
        InputError: when the name is taken, or is none that a reader would look at.
    """
    made = Submission(asks=tuple(asks), origin=origin)
    final = into / _plain(name or f"submission-{made.token[:12]}")
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
    if not path.is_file():
        raise InputError(
            f"{folder} holds no {FILE}", hint="give a submission folder, or use --prompt and --clip"
        )
    try:
        content, written = path.read_bytes(), path.stat().st_mtime_ns
        # Some programs of Windows begin a file with a byte order mark.
        raw = json.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    except RecursionError:
        raise InputError(f"{path} is not a submission: it is nested too deeply") from None
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        found = raw.get("schema") if isinstance(raw, dict) else type(raw).__name__
        raise InputError(f"{path} has schema {found!r}; this version reads {SCHEMA}")
    if not raw.get("token"):
        raw["token"] = _token(folder, content, written)
    return canonical.parse(Submission, raw, where=str(path))


def _plain(name: str) -> str:
    if name.startswith(".") or set(name) & set("/\\:\0"):
        raise InputError(
            f"{name!r} is not the name of a submission", hint="a folder's name, not a path, not hidden"
        )
    return name


def _token(folder: Path, content: bytes, written: int) -> str:
    # Whoever reads this file, and however often, names it equally: two workers, or one that died before it answered.
    told = f"{folder.name}\0{written}\0".encode("utf-8", "surrogateescape")
    return f"file-{hashlib.sha256(told + content).hexdigest()[:32]}"
