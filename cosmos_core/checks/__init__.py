"""The built-in questions about outputs. Each file holds some, with their thresholds beside them.

A check is a pure function ``look(output, spec)``. One that has thresholds takes them as the keyword ``options``, whose
default is the default of its options class; :func:`cosmos_core.examine.configured` binds what ``cosmos.toml`` says::

    [plugins."content.black"]
    share = 0.05

Everything that looks at pictures reads ``output.survey``, so that a video is decoded once whatever is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core import hookimpl
from cosmos_core.checks import black, duplicates, equals_input, file, flat, flicker, frozen, guardrail, video

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosmos_core.extend import Check


@hookimpl
def cosmos_checks() -> Iterable[Check]:
    """Offer the built-in checks."""
    for module in (file, video, duplicates, black, frozen, flicker, flat, equals_input, guardrail):
        yield from module.CHECKS
