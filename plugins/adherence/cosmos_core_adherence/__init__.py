"""Questions about whether a video follows the clip it was made from: its edges, light, motion, depth and regions.

This module is imported whenever plugins are listed, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core import hookimpl
from cosmos_core_adherence import checks, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.extend import Check

__version__ = "0.1.0"


@hookimpl
def cosmos_checks() -> Iterator[Check]:
    """Offer the questions."""
    yield from checks.CHECKS
    yield from truth.CHECKS
