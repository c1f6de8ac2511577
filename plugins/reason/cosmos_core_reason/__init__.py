"""A vision-language model as a judge of videos: it ranks and triages, beside what the checks measured.

This module is imported whenever plugins are listed, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_core import hookimpl
from cosmos_core.extend import Check, Command, Enhancer, Step
from cosmos_core_reason.options import EnhanceOptions, ReasonOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cosmos_core.extend import Artifact, Clip, Finding, Followed, Output, Prompt, Run, Spec

__version__ = "0.1.0"

DEFAULTS = ReasonOptions()


@hookimpl
def cosmos_steps() -> Iterable[Step]:
    """Offer the step ``reason``."""
    yield Step(
        name="reason",
        summary="Ask a vision-language model about each sealed video: plausibility, anomalies, whether it shows what was asked.",
        options=ReasonOptions,
        follow=_follow,
    )


@hookimpl
def cosmos_checks() -> Iterable[Check]:
    """Offer the check ``reason``, which says nothing unless it is told to reject."""
    yield Check(
        name="reason",
        summary="Where `reject_below` is set: the judge's mean score for plausibility is not below it.",
        options=ReasonOptions,
        look=_look,
        level="content",
        order=95,
    )


@hookimpl
def cosmos_enhancers() -> Iterable[Enhancer]:
    """Offer the enhancer ``chat``."""
    yield Enhancer(
        name="chat",
        summary="A model behind any chat endpoint rewrites the prompt, with pictures of its clip before it.",
        options=EnhanceOptions,
        enhance=_enhance,
    )


@hookimpl
def cosmos_commands() -> Iterable[Command]:
    """Offer ``cosmos reason``."""
    yield Command(
        name="reason",
        summary="Let a vision-language model judge sealed videos, and start one on a host.",
        load="cosmos_core_reason.commands:reason",
    )


def _follow(artifact: Artifact, run: Run, folder: Path, options: Any) -> Followed:
    from cosmos_core_reason.follow import follow

    return follow(artifact, run, folder, options)


def _look(output: Output, spec: Spec | None, *, options: ReasonOptions = DEFAULTS) -> Iterator[Finding]:  # noqa: ARG001
    if options.reject_below <= 0:
        return
    from cosmos_core_reason.follow import look

    yield from look(output, options)


def _enhance(prompt: Prompt, clip: Clip | None, options: Any) -> Prompt:
    from cosmos_core_reason.enhance import enhance

    return enhance(prompt, clip, options)
