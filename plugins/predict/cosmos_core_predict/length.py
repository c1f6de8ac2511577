"""How long a video is: what was asked for, what the model makes, and what it costs. Pure arithmetic.

Four numbers are kept apart, because mixing them up gave 496 videos of 5.8 s that claimed 5, 10 and 30 s: the seconds
that were requested, the frames the model makes, the rate it saves them at (16, a literal in its code) and the rate
they are delivered at.

Source: nvidia-cosmos/cosmos-predict2.5: cosmos_predict2/inference.py (``fps=16``; ``num_output_frames`` is read in
autoregressive mode only) and cosmos_predict2/_src/predict2/inference/video2world.py (chunks).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

MODEL_FPS = 16
NATIVE_FRAMES = 93
"""What one pass makes: 4 * (24 - 1) + 1, for 24 latent frames."""
NATIVE_SECONDS = NATIVE_FRAMES / MODEL_FPS


def frames_for(seconds: float) -> int:
    """Model frames that last *seconds*: 16 a second."""
    return round(MODEL_FPS * seconds)


def passes(frames: int, *, chunk: int = NATIVE_FRAMES, overlap: int = 1) -> int:
    """How often the model runs for *frames* in chunks of *chunk* that share *overlap* frames.

    Each pass costs as much as 93 frames, however few of them are kept.
    """
    if frames <= chunk:
        return 1
    return 1 + -(-(frames - chunk) // (chunk - overlap))


def seams(frames: int, *, chunk: int = NATIVE_FRAMES, overlap: int = 1) -> tuple[int, ...]:
    """The first new frame of every chunk after the first: where a jump would be seen."""
    step = chunk - overlap
    return tuple(chunk + step * later for later in range(passes(frames, chunk=chunk, overlap=overlap) - 1))


@attrs.frozen(kw_only=True)
class Length:
    """The length of one video, in every sense of the word."""

    seconds: float
    """Requested; 0 when nothing was, which asks for one native pass."""
    wanted: int
    """Frames at 16 a second that last so long."""
    model_frames: int
    """What the model writes: 93, or exactly ``wanted`` in autoregressive mode."""
    model_fps: int = MODEL_FPS
    delivery_fps: int = MODEL_FPS
    passes: int = 1
    seams: tuple[int, ...] = ()

    @property
    def trimmed(self) -> int:
        """Frames that the step ``trim`` cuts off the end."""
        return max(0, self.model_frames - self.wanted)

    @property
    def short(self) -> int:
        """Frames that the model would not make: more than one pass was wanted, and autoregression is off."""
        return max(0, self.wanted - self.model_frames)


def plan(
    *,
    seconds: float = 0.0,
    frames: int = 0,
    autoregressive: bool = False,
    chunk: int = NATIVE_FRAMES,
    overlap: int = 1,
    delivery_fps: int = 0,
) -> Length:
    """The length that a request gets.

    Args:
        seconds: requested; 0 to say *frames* instead, or nothing.
        frames: requested of the model, at 16 a second; it counts before *seconds*.
        autoregressive: whether the model goes on after its first pass.
        chunk: frames a pass keeps, up to 93.
        overlap: frames that two chunks share, less than *chunk*.
        delivery_fps: rate wanted in the end; 0 for the model's own.
    """
    wanted = frames or frames_for(seconds) or NATIVE_FRAMES
    many = autoregressive and 0 <= overlap < chunk
    return Length(
        seconds=frames / MODEL_FPS if frames else seconds,
        wanted=wanted,
        model_frames=wanted if autoregressive else NATIVE_FRAMES,
        delivery_fps=delivery_fps or MODEL_FPS,
        passes=passes(wanted, chunk=chunk, overlap=overlap) if many else 1,
        seams=seams(wanted, chunk=chunk, overlap=overlap) if many else (),
    )


@attrs.frozen(kw_only=True)
class Shared:
    """Requests that differ in length alone: the longest one's first frames should be all the others."""

    longest: str
    shorter: tuple[str, ...]
    saved_passes: int
    """What is saved when only the longest is made and the others are cut from it."""


def shared_prefixes(requests: Iterable[tuple[str, Hashable, Length]]) -> tuple[Shared, ...]:
    """Which requests could be cut from a longer one. An offer; nothing here is ever assumed.

    For text2world with equal prompt, seed, chunk and overlap, chunk k starts from seed + k and the same frames
    whatever the total, so a shorter video is by construction the beginning of a longer one. That is derived from the
    code and was never measured on a GPU: compare the bytes of one pair before relying on it.

    Args:
        requests: an id, all that decides the pixels but the length, and the length, of each.
    """
    groups: defaultdict[Hashable, list[tuple[str, Length]]] = defaultdict(list)
    for name, recipe, length in requests:
        groups[recipe].append((name, length))
    found = []
    for group in groups.values():
        (longest, _), *rest = sorted(group, key=lambda each: (-each[1].model_frames, each[0]))
        if rest:
            saved = sum(length.passes for _, length in rest)
            found.append(Shared(longest=longest, shorter=tuple(name for name, _ in rest), saved_passes=saved))
    return tuple(found)
