"""A procedural city block, filmed by a moving camera: exact control passes from a CPU.

This module is imported whenever plugins are listed, so it imports nothing heavy; numba, numpy and PyAV come with the
first frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_core import hookimpl
from cosmos_core.extend import Command, Generator
from cosmos_core_city.spec import CityOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from cosmos_core.extend import Finding, Report

__version__ = "0.1.0"


@hookimpl
def cosmos_generators() -> Iterator[Generator]:
    """Offer the generator ``city``."""
    yield Generator(
        name="city",
        summary="a New York block, built and filmed by numbers: colour, depth, segmentation, edges",
        options=CityOptions,
        generate=_generate,
        review=_review,
    )


@hookimpl
def cosmos_commands() -> Iterator[Command]:
    """Offer ``cosmos city``."""
    yield Command(
        name="city", summary="Prepare and preview the built-in city.", load="cosmos_core_city.commands:city"
    )


def _generate(options: Any, folder: Path, report: Report) -> Mapping[str, object]:
    from cosmos_core_city.generate import generate

    return generate(options, folder, report)


def _review(options: Any) -> Iterable[Finding]:
    if not options.poses and not options.poses_sha256:
        return ()
    from cosmos_core_city.adopt import review

    return review(options)
