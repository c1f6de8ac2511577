"""NVIDIA Cosmos Predict 2.5: text, an image or a video into a world, with the length said and kept.

This module is imported whenever plugins are listed, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_core import hookimpl
from cosmos_core.extend import Backend, Command, Step
from cosmos_core_predict import backend
from cosmos_core_predict.steps import Retime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cosmos_core.extend import Artifact, Finding, Followed, Host, Run, Shell

__version__ = "0.1.0"


@hookimpl
def cosmos_backends() -> Iterator[Backend]:
    """Offer the backend ``predict2.5``."""
    yield Backend(
        name=backend.NAME,
        summary="Cosmos Predict 2.5: a world from a text, an image or a video, at 16 frames a second.",
        options=backend.Predict,
        needs_clip=False,
        load_key=backend.load_key,
        needs=backend.needs,
        seconds=backend.seconds,
        passes=backend.passes,
        lasting=backend.lasting,
        expect=backend.expect,
        compile=backend.compile_job,
        progress=backend.progress,
        outcome=backend.outcome,
        review=backend.review,
        whole=backend.whole,
        more=backend.more,
        load_seconds=backend.load_seconds,
        check=_check,
    )


@hookimpl
def cosmos_steps() -> Iterator[Step]:
    """Offer the steps ``trim`` and ``retime``."""
    yield Step(
        name="trim",
        summary="Write a copy of a Predict 2.5 video that ends where the request says.",
        follow=_trim,
    )
    yield Step(
        name="retime",
        summary="Write a copy of a Predict 2.5 video at the delivery rate.",
        options=Retime,
        follow=_retime,
    )


@hookimpl
def cosmos_commands() -> Iterator[Command]:
    """Offer ``cosmos predict``."""
    yield Command(
        name="predict",
        summary="Work out lengths and passes of Predict 2.5 videos.",
        load="cosmos_core_predict.commands:predict",
    )


def _check(shell: Shell, host: Host, _: Any) -> Iterable[Finding]:
    from cosmos_core_predict.preflight import check

    return check(shell, host)


def _trim(artifact: Artifact, run: Run, folder: Path, _: Any) -> Followed:
    from cosmos_core_predict.steps import trim

    return trim(artifact, run, folder)


def _retime(artifact: Artifact, run: Run, folder: Path, options: Any) -> Followed:
    from cosmos_core_predict.steps import retime

    return retime(artifact, run, folder, options)
