"""Houdini as a generator: a scene with a camera, or the city asset, rendered in the background by hython and husk.

This module is imported whenever plugins are listed, so it imports nothing heavy; ``pxr``, NumPy and OpenEXR come with
the first render.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_core import hookimpl
from cosmos_core.extend import Command, Generator
from cosmos_core_houdini.options import HoudiniOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Finding, Report
    from cosmos_core.spec import Spec

__version__ = "0.1.0"


@hookimpl
def cosmos_generators() -> Iterator[Generator]:
    """Offer the generator ``houdini``."""
    yield Generator(
        name="houdini",
        summary="a Houdini scene with a camera, or the city asset, rendered by Karma in a process of its own",
        options=HoudiniOptions,
        generate=_generate,
        review=_review,
    )


@hookimpl
def cosmos_review(spec: Spec, clip: Clip | None) -> Iterable[Finding]:
    """A draft is no training data, and whoever asks for a video of one is told."""
    del spec
    if clip is not None and clip.source.get("generator") == "houdini" and clip.source.get("draft"):
        from cosmos_core.errors import warn

        yield warn(
            "the clip is a draft by OpenGL: nobody vouches for its depth and segmentation",
            hint="render it with karma before you train on its videos",
            where="clip",
        )


@hookimpl
def cosmos_commands() -> Iterator[Command]:
    """Offer ``cosmos houdini``."""
    yield Command(
        name="houdini",
        summary="Install into Houdini, run its jobs, look after both.",
        load="cosmos_core_houdini.commands:houdini",
    )


def _generate(options: Any, folder: Path, report: Report) -> Mapping[str, object]:
    from cosmos_core_houdini.carry import generate

    return generate(options, folder, report)


def _review(options: Any) -> Iterable[Finding]:
    from cosmos_core_houdini.job import review_options

    return review_options(options)
