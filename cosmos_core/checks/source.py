"""The input of an output, decoded once for all runs that share it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cosmos_core.extend import Output
    from cosmos_core.media import Survey


def survey_of_input(output: Output) -> Survey | None:
    """One decode of the colour video that *output* was made from; None when its clip is unknown or has none."""
    if output.clip is None or "color" not in output.clip.modalities:
        return None
    path = output.clip.path("color")
    return _survey(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _survey(path: Path, _mtime: int) -> Survey:
    from cosmos_core.media import survey

    return survey(path)
