"""A sample of Transfer 2.5 as its spec files hold it: every field, with NVIDIA's names and defaults.

Unknown keys are refused on both levels; NVIDIA forbids them at the top and takes them silently inside a control block.

Source: nvidia-cosmos/cosmos-transfer2.5: cosmos_transfer2/config.py.
"""

from __future__ import annotations

from typing import Any

import attrs

from cosmos_core_transfer.reading import block, flag, key, number, one_of, or_null, text, whole, wholes
from cosmos_core_transfer.transfer25.sizes import BUCKETS, CHUNK

CONTROLS = ("edge", "vis", "depth", "seg")
"""NVIDIA's order, in which the batch's weights are listed whatever the order in a file."""

THRESHOLDS = ("very_low", "low", "medium", "high", "very_high")

NEGATIVE = (
    "The video captures a game playing, with bad crappy graphics and cartoonish frames. It represents a recording of "
    "old outdated games. The lighting looks very fake. The textures are very raw and basic. The geometries are very "
    "primitive. The images are very pixelated and of poor CG quality. There are many subtitles in the footage. "
    "Overall, the video is unrealistic at all."
)
"""What Transfer 2.5 takes for a negative prompt when none is given."""

_path = or_null(text)


def sigma(value: Any) -> str:
    """``sigma_max`` as NVIDIA keeps it: a text that is a number from 0 to 200.

    A number is written as the text it stands for. NVIDIA refuses the number, and takes any text and fails on it after
    the model was loaded.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(  # noqa: TRY004 (one kind of error for the reader)
            f"is {value!r:.40}, and must be a number from 0 to 200, written as a text"
        )
    try:
        read = number(0, 200)(float(value))
    except ValueError:
        raise ValueError(
            f"is {value!r:.40}, and must be a number from 0 to 200; NVIDIA's program takes any text and fails "
            "after the model was loaded"
        ) from None
    return value if isinstance(value, str) else f"{read:g}"


def tier(value: Any) -> str:
    """A resolution that exists. NVIDIA takes any text and raises ``KeyError`` after the model was loaded."""
    if not isinstance(value, str) or value not in BUCKETS:
        raise ValueError(
            f"is {value!r:.40}, and must be one of {', '.join(BUCKETS)}; NVIDIA's program takes any text and fails "
            "with a KeyError after the model was loaded"
        )
    return value


@attrs.frozen(kw_only=True)
class Depth:
    """The ``depth`` block. Without ``control_path`` depth is estimated from the input video."""

    control_path: str | None = key(_path, None)
    control_weight: float = key(number(0, 1), 1.0)
    mask_path: str | None = key(_path, None)
    mask_prompt: str | None = key(_path, None)


@attrs.frozen(kw_only=True)
class Edge(Depth):
    """The ``edge`` block. The threshold counts only where the edges are computed from the input."""

    preset_edge_threshold: str = key(one_of(*THRESHOLDS), "medium")


@attrs.frozen(kw_only=True)
class Vis(Depth):
    """The ``vis`` block (NVIDIA's messages call it blur). The strength counts only where the blur is computed."""

    preset_blur_strength: str = key(one_of(*THRESHOLDS), "medium")


@attrs.frozen(kw_only=True)
class Seg(Depth):
    """The ``seg`` block. ``control_prompt`` counts only where the segmentation is computed."""

    control_prompt: str | None = key(_path, None)


@attrs.frozen(kw_only=True)
class Sample:
    """One sample of a spec file."""

    name: str = key(text)
    prompt: str | None = key(_path, None)
    prompt_path: str | None = key(_path, None)
    negative_prompt: str = key(text, NEGATIVE)
    video_path: str = key(text)
    seed: int = key(whole(), 2025)
    guidance: int = key(whole(0, 7), 3)
    num_steps: int = key(whole(1), 35)
    resolution: str = key(tier, "720")
    sigma_max: str | None = key(or_null(sigma), None)
    max_frames: int | None = key(or_null(whole(1)), None)
    num_video_frames_per_chunk: int = key(whole(1), CHUNK)
    num_conditional_frames: int = key(one_of(0, 1, 2), 1)
    context_frame_index: int | None = key(or_null(whole(1)), None)
    image_context_path: str | None = key(_path, None)
    keep_input_resolution: bool = key(flag, True)
    show_control_condition: bool = key(flag, False)
    show_input: bool = key(flag, False)
    guided_generation_mask: str | None = key(_path, None)
    guided_generation_step_threshold: int = key(whole(), 25)
    guided_generation_foreground_labels: tuple[int, ...] | None = key(or_null(wholes), None)
    edge: Edge | None = key(or_null(block(Edge)), None)  # noqa: RUF009 (a field)
    vis: Vis | None = key(or_null(block(Vis)), None)  # noqa: RUF009 (a field)
    depth: Depth | None = key(or_null(block(Depth)), None)  # noqa: RUF009 (a field)
    seg: Seg | None = key(or_null(block(Seg)), None)  # noqa: RUF009 (a field)

    @property
    def controls(self) -> dict[str, Depth]:
        """The control blocks that are there, in NVIDIA's order."""
        blocks = {name: getattr(self, name) for name in CONTROLS}
        return {name: made for name, made in blocks.items() if made is not None}

    @property
    def panels(self) -> int:
        """How many pictures stand side by side in the delivered video."""
        return 1 + self.show_input + self.show_control_condition * len(self.controls)


def as_mapping(sample: Sample) -> dict[str, Any]:
    """The sample as a spec file holds it: every value written out, so that another version's defaults change nothing.

    What is null is left out, and so are the fields of guided generation without a mask: versions from before they
    existed refuse them.
    """
    made = attrs.asdict(sample, filter=lambda _, value: value is not None)
    if sample.guided_generation_mask is None:
        made.pop("guided_generation_step_threshold")
    labels = made.get("guided_generation_foreground_labels")
    if labels is not None:
        made["guided_generation_foreground_labels"] = list(labels)
    return made
