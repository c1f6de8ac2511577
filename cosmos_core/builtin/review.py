"""What the core itself says about a request: does the clip have what the request asks of it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core import hookimpl
from cosmos_core.errors import fail, warn
from cosmos_core.spec import review

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.clip import Clip
    from cosmos_core.errors import Finding
    from cosmos_core.spec import Spec


@hookimpl
def cosmos_review(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    """Findings about the request by itself and against its clip."""
    yield from review(spec)
    if clip is not None:
        yield from _against(spec, clip)


def _against(spec: Spec, clip: Clip) -> Iterator[Finding]:
    have = {file.modality for file in clip.files}
    for control in spec.controls:
        if control.kind not in have:
            yield fail(
                f"clip {clip.name} has no {control.kind}, which the request gives weight {control.weight:g}",
                hint=f"it has {', '.join(sorted(have))}; give one of them a weight, or add {control.kind}.mp4",
                where="controls",
            )
    if spec.frames > clip.frames:
        yield fail(
            f"{spec.frames} frames are asked for and clip {clip.name} has {clip.frames}", where="frames"
        )
    if spec.fps != clip.fps:
        yield warn(
            f"the request plays at {spec.fps} frames a second and clip {clip.name} at {clip.fps}", where="fps"
        )
