"""Files of known hosts, as ``sshd(8)`` describes them: patterns, hashed names, revoked keys."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

FILE = "known_hosts"
"""Our own, in a host's state folder; it is read after the user's, and the only one we write."""


class Verdict(StrEnum):
    """What the files say of a key."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@attrs.frozen
class Line:
    """One line that speaks of a host."""

    where: str
    """``file:number``."""
    kind: str
    key: bytes
    revoked: bool = False


def judge(lines: Iterable[Line], kind: str, key: bytes) -> tuple[Verdict, str]:
    """What *lines* say of a host's key, and where they say it.

    A host that is known by another key, of whatever kind, has changed: keys of a known kind are asked for first.
    """
    mine = list(lines)
    for line in mine:
        if line.revoked and line.key == key:
            return Verdict.REVOKED, line.where
    trusted = [line for line in mine if not line.revoked]
    for line in trusted:
        if line.key == key:
            return Verdict.KNOWN, line.where
    same_kind = [line for line in trusted if line.kind == kind]
    for line in (*same_kind, *trusted):
        return Verdict.CHANGED, line.where
    return Verdict.UNKNOWN, ""


def lines_about(files: Sequence[Path], name: str) -> tuple[Line, ...]:
    """The lines of *files* that speak of the host *name*, as ``host`` or ``[host]:port``.

    What cannot be read, and what speaks of authorities, is passed over: one odd line must not hide the others.
    """
    return tuple(line for file in files for line in _read(file, name))


def _read(file: Path, name: str) -> Iterator[Line]:
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in {"", "@revoked"}:
            continue
        if matches(words[0], name):
            try:
                key = base64.b64decode(words[2], validate=True)
            except binascii.Error:
                continue
            yield Line(f"{file}:{number}", words[1], key, marker == "@revoked")


def matches(patterns: str, name: str) -> bool:
    """Whether the first field of a line means the host *name*."""
    if patterns.startswith("|1|"):
        return _is_hash_of(patterns, name)
    each = patterns.lower().split(",")
    # [ and ] stand for themselves there.
    fits = [fnmatch.fnmatchcase(name, pattern.lstrip("!").replace("[", "[[]")) for pattern in each]
    if any(fit for fit, pattern in zip(fits, each, strict=True) if pattern.startswith("!")):
        return False
    return any(fits)


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        salt, expected = (base64.b64decode(part) for part in hashed.split("|")[2:4])
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), expected)


def fingerprint(key: bytes) -> str:
    """A key's fingerprint, as ``ssh-keygen -l`` shows it: ``SHA256:…``."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def entry(name: str, kind: str, key: bytes) -> str:
    """A line that makes a key known."""
    return f"{name} {kind} {base64.b64encode(key).decode()}\n"
