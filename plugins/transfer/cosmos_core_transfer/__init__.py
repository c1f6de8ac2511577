"""Cosmos Transfer 2.5 and Transfer 1: NVIDIA's own programs, launched, followed and judged.

This module is imported whenever plugins are listed, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.extend import Backend, Enhancer

__version__ = "0.1.0"


@hookimpl
def cosmos_backends() -> Iterator[Backend]:
    """Offer ``transfer2.5``, ``transfer1`` and ``transfer1-upscale``."""
    from cosmos_core_transfer import transfer1, transfer25

    yield transfer25.backend()
    yield transfer1.backend()
    yield transfer1.upscaler()


@hookimpl
def cosmos_enhancers() -> Iterator[Enhancer]:
    """Offer ``pixtral``."""
    from cosmos_core_transfer import pixtral

    yield pixtral.enhancer()
