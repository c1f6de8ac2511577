"""A clip with a textured street, and what a model would have made of it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cosmos_core import controls, media
from cosmos_core.spec import controls as weighed
from cosmos_core.testing.checks import make_output, make_spec

FRAMES, WIDTH, HEIGHT = 25, 640, 352


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A sealed clip with every control."""
    from cosmos_core import clip as clips
    from cosmos_core.testing.media import make_clip

    folder = tmp_path_factory.mktemp("clips") / "street"
    make_clip(folder, frames=FRAMES, width=WIDTH, height=HEIGHT, seed=3)
    return clips.seal(folder)


@pytest.fixture(scope="session")
def frames(clip):
    """The clip's colour frames."""
    return list(media.read_frames(clip.path("color")))


@pytest.fixture
def spec(clip):
    """A request that every control steers with some weight."""
    return make_spec(
        clip=clip.digest,
        controls=weighed(dict.fromkeys(("edge", "vis", "depth", "seg"), 0.5)),
        frames=FRAMES,
        width=WIDTH,
        height=HEIGHT,
        fps=Fraction(24),
    )


@pytest.fixture
def made(tmp_path, clip, spec):
    """``made(frames)``: an output of those frames, made from the clip."""

    def _made(pictures, **facts):
        folder = tmp_path / "made"
        folder.mkdir(exist_ok=True)
        path = controls.write_video(folder / "street.mp4", pictures, 24)
        return make_output(path, spec, **{"clip": clip} | facts)

    return _made
