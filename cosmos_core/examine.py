"""The questions that are asked of one output, and the conclusion that is drawn from the answers.

:func:`examine` asks, :func:`rule` concludes. Nothing is moved or written here: that is for
:mod:`cosmos_core.verify`, and for whole folders there is :mod:`cosmos_core.audit`.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, cast

import attrs

from cosmos_core.errors import (
    Finding,
    Level,
    PluginError,
    Remedy,
    fail,
    warn,
    worst,
)
from cosmos_core.extend import Check, Output
from cosmos_core.record import (
    Ruling,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cosmos_core.plugins import Plugins
    from cosmos_core.settings import Settings
    from cosmos_core.spec import Spec


log = logging.getLogger(__name__)

LEVELS = ("integrity", "request", "campaign", "content", "control", "policy")
"""In the order in which they are asked."""


REMEDIES = {
    "integrity": Remedy.SAME,
    "content": Remedy.SEED,
    "control": Remedy.SEED,
    "campaign": Remedy.HOLD,
}
"""What kind of new attempt could mend a failure, where a check does not say it itself."""


@attrs.frozen(kw_only=True)
class Answer:
    """What one check said about one output."""

    check: Check
    findings: tuple[Finding, ...] = ()
    raised: bool = False
    """It did not answer. The one finding says what happened."""

    @property
    def level(self) -> Level:
        """The worst finding's."""
        return worst(self.findings)


def checks_of(plugins: Plugins, settings: Settings) -> tuple[Check, ...]:
    """Every check on offer, with its thresholds as ``[plugins."<check>"]`` sets them.

    Raises:
        PluginError: when two plugins claim one name: neither may be left out in silence.
        InputError: when a threshold is not understood.
    """
    names = [owned.offer.name for owned in plugins.owned(Check)]
    found = [plugins.find(Check, name) for name in dict.fromkeys(names)]
    return configured(found, settings.plugins)


def configured(checks: Iterable[Check], tables: Mapping[str, Mapping[str, object]]) -> tuple[Check, ...]:
    """The same checks, with the thresholds that *tables* hold by a check's name bound to their ``look``.

    Raises:
        InputError: naming every threshold that is unknown or not understood.
    """
    from cosmos_core.plugins import options

    bound = []
    for check in checks:
        table = tables.get(check.name, {})
        chosen = options(check, table)
        look = cast("Callable[..., Iterable[Finding]]", check.look)
        bound.append(attrs.evolve(check, look=partial(look, options=chosen)) if table else check)
    return tuple(bound)


def sizes_of(checks: Iterable[Check]) -> frozenset[tuple[int, int]]:
    """The sizes of pictures that *checks* look at, to be said when an :class:`~cosmos_core.extend.Output` is made."""
    return frozenset(check.pictures for check in checks if check.pictures is not None)


def examine(output: Output, spec: Spec | None, checks: Iterable[Check]) -> Verdict:
    """Ask every check about *output*, level by level, and rule. Never raises for what it finds.

    The first failing answer of level integrity ends it: what is not the video needs no more questions. A check that
    raises is recorded as unanswered, with the package it came from.
    """
    started = time.perf_counter()
    answers: list[Answer] = []
    for check in sorted(checks, key=_turn):
        answers.append(_ask(check, output, spec))
        if check.level == "integrity" and answers[-1].level is Level.FAIL:
            break
    return Verdict(
        ruling=rule(answers),
        findings=tuple(finding for answer in answers for finding in answer.findings),
        asked={answer.check.name: answer.check.version for answer in answers},
        unanswered=tuple(answer.check.name for answer in answers if answer.raised),
        seconds=time.perf_counter() - started,
    )


def rule(answers: Sequence[Answer]) -> Ruling:
    """What *answers* say together. An output that nobody asked about its integrity stays unverified."""
    required = [answer for answer in answers if answer.check.required]
    if not any(answer.check.level == "integrity" for answer in required):
        return Ruling.UNVERIFIED
    if any(answer.raised for answer in required):
        return Ruling.UNVERIFIED
    if any(answer.level is Level.FAIL for answer in required):
        return Ruling.REJECTED
    if any(answer.level is not Level.OK for answer in answers):
        return Ruling.NEEDS_REVIEW
    return Ruling.VERIFIED


def _turn(check: Check) -> tuple[int, int, str]:
    level = LEVELS.index(check.level) if check.level in LEVELS else len(LEVELS)
    return (level, check.order, check.name)


def _ask(check: Check, output: Output, spec: Spec | None) -> Answer:
    try:
        said = list(check.look(output, spec))
        findings = tuple(_signed(finding, check, output) for finding in said)
    except (
        Exception
    ) as error:  # a check is a plugin: what it raises leaves one question unanswered, and no more
        log.debug("check %s raised", check.name, exc_info=True)
        return Answer(check=check, findings=(_unanswered(check, output, error),), raised=True)
    return Answer(check=check, findings=findings)


def _signed(finding: Finding, check: Check, output: Output) -> Finding:
    if not isinstance(finding, Finding):
        raise PluginError(f"it gave a {type(finding).__name__}, not a Finding")
    helps = finding.remedy or remedy(check) if finding.level is Level.FAIL else Remedy.NONE
    return attrs.evolve(finding, check=check.name, where=finding.where or output.name, remedy=helps)


def remedy(check: Check) -> Remedy:
    """What kind of new attempt could mend a failure of *check*: what it says, else what its level says."""
    return REMEDIES.get(check.level, Remedy.NONE) if check.remedy is None else check.remedy


def _unanswered(check: Check, output: Output, error: Exception) -> Finding:
    say = fail if check.required else warn
    package = _package(check)
    return say(
        f"check {check.name} of {package} did not answer: {type(error).__name__}: {error}",
        hint=f"report it to the authors of {package}, or leave it out with COSMOS_BLOCK_PLUGINS (see: cosmos plugins)",
        check=check.name,
        where=output.name,
    )


def _package(check: Check) -> str:
    look = getattr(check.look, "func", check.look)
    return str(getattr(look, "__module__", None) or "an unknown package").partition(".")[0]
