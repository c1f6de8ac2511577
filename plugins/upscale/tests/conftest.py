"""Clips and requests to enlarge."""

from __future__ import annotations

import attrs
import pytest
from cosmos_core_upscale import backend

from cosmos_core.extend import Prompt, Spec


@pytest.fixture
def spec_of(make_clip):
    """``spec_of(options, width=…)``: a request for the resampler, and its clip."""

    def _spec_of(options, *, frames=4, width=128, height=96):
        clip = make_clip(f"clip-{width}x{height}", frames=frames, width=width, height=height)
        spec = Spec(
            backend="resample",
            prompt=Prompt("a street"),
            clip=clip.digest,
            frames=clip.frames,
            fps=clip.fps,
            width=clip.width,
            height=clip.height,
            options=attrs.asdict(backend.Resample(**options)),
        )
        return spec, clip

    return _spec_of
