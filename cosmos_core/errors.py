"""Every error this project raises on purpose, and the findings that come before one.

CosmosError             exit 1   something we foresaw, and nothing more precise fits
├── InputError          exit 2   the caller's words, clip, spec or settings are wrong
│   ├── UnknownError    exit 3   a name or an id that nobody here knows
│   └── RefusedError    exit 4   findings of level fail stopped the work before it began
├── PluginError         exit 5   a plugin is missing, broken or clashes with another
├── StoreError          exit 6   the store is locked, full, unreachable or of another version
├── HostError           exit 7   a host could not be reached or refused us
├── ModelError          exit 8   the model ran and failed, or its guardrail refused
└── VerifyError         exit 9   the outputs are not what was asked for

Whatever can be wrong in several ways at once returns findings; ``RefusedError`` carries them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


class Level(StrEnum):
    """How much a finding weighs."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"

    @property
    def rank(self) -> int:
        """0 for ok, 1 for warn, 2 for fail: the worst finding has the highest rank."""
        return ("ok", "warn", "fail").index(self.value)


class Remedy(StrEnum):
    """What kind of new attempt could mend what a check found."""

    NONE = ""
    """None: the request itself, or a person, must change something."""
    SAME = "same"
    """The same recipe again: the file was damaged."""
    SEED = "seed"
    """Another seed: the model made a bad video of a good request."""
    HOLD = "hold"
    """None, and nothing like it is to be made until a person has looked."""


@attrs.frozen
class Finding:
    """The answer to one question: a level, a sentence for the person who must act, and a way out."""

    level: Level
    message: str
    hint: str = attrs.field(default="", kw_only=True)
    check: str = attrs.field(default="", kw_only=True)
    """Id of the check that asked, such as ``video.decode``; empty where no check did."""
    where: str = attrs.field(default="", kw_only=True)
    """What it is about: a file's name, a setting's key, a run's id."""
    remedy: Remedy = attrs.field(default=Remedy.NONE, kw_only=True)
    """Of a check's failure: what kind of new attempt could mend it."""


def ok(message: str, *, hint: str = "", check: str = "", where: str = "") -> Finding:
    """Say that something was looked at and is right."""
    return Finding(Level.OK, message, hint=hint, check=check, where=where)


def warn(message: str, *, hint: str = "", check: str = "", where: str = "") -> Finding:
    """Say that a person should look."""
    return Finding(Level.WARN, message, hint=hint, check=check, where=where)


def fail(message: str, *, hint: str = "", check: str = "", where: str = "") -> Finding:
    """Say that something is wrong and stops the work."""
    return Finding(Level.FAIL, message, hint=hint, check=check, where=where)


def worst(findings: Iterable[Finding]) -> Level:
    """The highest level among *findings*; ``ok`` when there are none."""
    return max((finding.level for finding in findings), key=lambda level: level.rank, default=Level.OK)


class CosmosError(Exception):
    """An error with a sentence for the user and, where we know one, a way out."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InputError(CosmosError):
    """The caller's words, clip, spec or settings are wrong."""

    exit_code = 2


class UnknownError(InputError):
    """A name or an id that nobody here knows. Never to be mistaken for "done"."""

    exit_code = 3


class RefusedError(InputError):
    """Findings of level fail stopped the work before it began; nothing was changed."""

    exit_code = 4

    def __init__(self, message: str, findings: Iterable[Finding], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)


class PluginError(CosmosError):
    """A plugin is missing, broken or clashes with another."""

    exit_code = 5


class StoreError(CosmosError):
    """The store is locked, full, unreachable or of another version."""

    exit_code = 6


class HostError(CosmosError):
    """A host could not be reached or refused us. A failing remote command is an answer, not this."""

    exit_code = 7


class ModelError(CosmosError):
    """The model ran and failed, or its guardrail refused."""

    exit_code = 8


class VerifyError(CosmosError):
    """The outputs are not what was asked for."""

    exit_code = 9
