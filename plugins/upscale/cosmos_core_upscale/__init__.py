"""Larger videos: by Transfer 1's 4K upscaler where there is a GPU for it, else by a resampler that invents nothing.

This module is imported whenever plugins are listed, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_core import hookimpl
from cosmos_core.extend import Backend, Command, Step
from cosmos_core_upscale import backend
from cosmos_core_upscale.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cosmos_core.extend import Artifact, Clip, Finding, Followed, Run, Spec

__version__ = "0.1.0"


@hookimpl
def cosmos_backends() -> Iterator[Backend]:
    """Offer the backend ``resample``."""
    yield Backend(
        name=backend.NAME,
        summary="A clip enlarged by Lanczos resampling, on a CPU. No model: no detail is added.",
        options=backend.Resample,
        load_key=backend.load_key,
        needs=backend.needs,
        seconds=backend.seconds,
        expect=backend.expect,
        compile=backend.compile_job,
        progress=backend.progress,
        outcome=backend.outcome,
        review=backend.review,
        # It has no model, on a host with GPUs neither.
        load_seconds=lambda _, __: 1.0,
    )


@hookimpl
def cosmos_steps() -> Iterator[Step]:
    """Offer the step ``deliver``."""
    yield Step(
        name="deliver",
        summary="Write a copy of an enlarged video at a delivery size, cropped, padded or stretched.",
        options=Delivery,
        follow=_deliver,
    )


@hookimpl
def cosmos_commands() -> Iterator[Command]:
    """Offer ``cosmos upscale``."""
    yield Command(
        name="upscale",
        summary="Enlarge a run's video, or any other: a child run.",
        load="cosmos_core_upscale.commands:upscale",
    )


@hookimpl
def cosmos_review(spec: Spec, clip: Clip | None) -> Iterable[Finding]:
    """Refuse to enlarge what is an enlargement, whichever backend is asked."""
    from cosmos_core_upscale.source import review

    return review(spec, clip)


def _deliver(artifact: Artifact, run: Run, folder: Path, options: Any) -> Followed:
    from cosmos_core_upscale.delivery import follow

    return follow(artifact, run, folder, options)
