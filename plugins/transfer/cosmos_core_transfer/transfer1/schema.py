"""The ``controlnet_specs`` file of Transfer 1: control blocks, and scalars that override the command line.

The program takes any scalar key without a word, and any key inside a block; ours refuse both. A value here is skipped
when ``--key`` stands on the command line as a word of its own, and wins when it stands as ``--key=value``, so a value is
written in one place only.

Source: nvidia-cosmos/cosmos-transfer1: cosmos_transfer1/diffusion/inference/{inference_utils,transfer,preprocessors}.py.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import Finding, InputError, fail, warn
from cosmos_core.media import sniff
from cosmos_core_transfer.reading import Wrong, block, flag, key, number, one_of, or_null, read, text, whole
from cosmos_core_transfer.transfer25.schema import THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTROLS = ("vis", "seg", "edge", "depth", "keypoint", "upscale", "hdmap", "lidar")
DERIVED = frozenset({"vis", "seg", "edge", "depth", "keypoint"})
"""Controls that the program can compute from the input video."""
AV = frozenset({"hdmap", "lidar"})
"""Controls of the driving model, which knows no others."""

NEGATIVE = (
    "The video captures a game playing, with bad crappy graphics and cartoonish frames. It represents a recording of "
    "old outdated games. The lighting looks very fake. The textures are very raw and basic. The geometries are very "
    "primitive. The images are very pixelated and of poor CG quality. There are many subtitles in the footage. "
    "Overall, the video is unrealistic at all."
)
"""What Transfer 1 takes for a negative prompt when none is given."""


def weight(value: Any) -> float | str:
    """A number from 0 on, perhaps as a text, or the path of a ``.pt`` map of weights."""
    if isinstance(value, str) and value.endswith(".pt"):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"is {value!r:.40}, and must be a number from 0 on, or a .pt file")  # noqa: TRY004
    try:
        return float(number(0)(float(value)))
    except ValueError:
        raise ValueError(f"is {value!r:.40}, and must be a number from 0 on, or a .pt file") from None


def paths(value: Any) -> str | tuple[str, ...]:
    """A path, or one for each view."""
    if isinstance(value, list):
        return tuple(text(each) for each in value)
    return text(value)


@attrs.frozen(kw_only=True)
class Control:
    """One control block. Without ``input_control`` it is computed from the input, where that can be done."""

    input_control: str | tuple[str, ...] | None = key(or_null(paths), None)
    control_weight: float | str = key(weight, 0.5)
    ckpt_path: str | None = key(or_null(text), None)


@attrs.frozen(kw_only=True)
class Seg(Control):
    """The ``seg`` block. The documents show ``control_weight_prompt`` for vis and edge; the code heeds it for seg."""

    input_control_prompt: str | None = key(or_null(text), None)
    control_weight_prompt: str | None = key(or_null(text), None)


def regions(value: Any) -> tuple[dict[str, Any], ...]:
    """``regional_prompts``: objects of ``prompt`` and a region, as a path or as words."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("must be a list of objects")
    known = {"prompt", "region_definitions_path", "mask_prompt"}
    strange = sorted({name for each in value for name in each if name not in known})
    if strange:
        raise Wrong([fail(f"regional_prompts: there is no key {strange[0]!r}", where="regional_prompts")])
    return tuple(value)


_control = or_null(block(Control))
_seg = or_null(block(Seg))


@attrs.frozen(kw_only=True)
class Specs:
    """A ``controlnet_specs`` file."""

    prompt: str | None = key(or_null(text), None)
    negative_prompt: str | None = key(or_null(text), None)
    input_video_path: str | None = key(or_null(text), None)
    seed: int | None = key(or_null(whole()), None)
    num_steps: int | None = key(or_null(whole(1)), None)
    guidance: float | None = key(or_null(number()), None)
    sigma_max: float | None = key(or_null(number(0)), None)
    fps: int | None = key(or_null(whole(1)), None)
    blur_strength: str | None = key(or_null(one_of(*THRESHOLDS)), None)
    canny_threshold: str | None = key(or_null(one_of(*THRESHOLDS)), None)
    is_av_sample: bool | None = key(or_null(flag), None)
    use_distilled: bool | None = key(or_null(flag), None)
    upsample_prompt: bool | None = key(or_null(flag), None)
    regional_prompts: tuple[dict[str, Any], ...] | None = key(or_null(regions), None)
    vis: Control | None = key(_control, None)  # noqa: RUF009 (a field)
    seg: Seg | None = key(_seg, None)  # noqa: RUF009 (a field)
    edge: Control | None = key(_control, None)  # noqa: RUF009 (a field)
    depth: Control | None = key(_control, None)  # noqa: RUF009 (a field)
    keypoint: Control | None = key(_control, None)  # noqa: RUF009 (a field)
    upscale: Control | None = key(_control, None)  # noqa: RUF009 (a field)
    hdmap: Control | None = key(_control, None)  # noqa: RUF009 (a field)
    lidar: Control | None = key(_control, None)  # noqa: RUF009 (a field)

    @property
    def controls(self) -> dict[str, Control]:
        """The blocks that are there."""
        blocks = {name: getattr(self, name) for name in CONTROLS}
        return {name: made for name, made in blocks.items() if made is not None}


def as_mapping(specs: Specs) -> dict[str, Any]:
    """The file's content: what is null is left out, weights are written always."""
    made: dict[str, Any] = attrs.asdict(specs, filter=lambda _, value: value is not None)
    return made


def read_specs(path: Path) -> tuple[Specs | None, tuple[Finding, ...]]:
    """A ``controlnet_specs`` file, or None and everything against it; what it names is not looked for.

    Raises:
        InputError: it is no file of JSON with one object.
    """
    found = sniff(path)
    if found.kind in {"missing", "not_a_file", "empty", "pointer", "html"}:
        raise InputError(f"{path.name} {found.sentence.replace('not a video', 'not a spec')}")
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path.name} holds no object")
    specs, problems = read(Specs, values, path.name)
    return specs, (*problems, *(() if specs is None else rules(specs)))


def rules(specs: Specs) -> Iterator[Finding]:
    """What stands against a file by itself."""
    controls = specs.controls
    if not controls:
        yield fail(
            "there is no control; the program would die of it after the model was loaded", where="controls"
        )
    for name, each in controls.items():
        if each.input_control is None and name not in DERIVED | {"upscale"}:
            yield fail(f"{name} cannot be computed, and no input_control is given", where=name)
        if each.input_control is None and specs.input_video_path is None:
            yield fail(
                f"{name} has no input_control, and there is no input video to compute it from", where=name
            )
    sigma = 70.0 if specs.sigma_max is None else specs.sigma_max
    if specs.input_video_path is None and sigma < 80:
        yield fail(
            f"without an input video sigma_max must be 80 or more, and is {sigma:g}", where="sigma_max"
        )
    yield from set_rules(set(controls))
    yield from sum_rules(
        each.control_weight for each in controls.values() if isinstance(each.control_weight, float)
    )


def set_rules(kinds: set[str]) -> Iterator[Finding]:
    """Which controls do not go together."""
    if kinds & AV and kinds - AV:
        yield fail(
            "hdmap and lidar belong to the driving model, which knows no other control", where="controls"
        )
    if "upscale" in kinds and len(kinds) > 1:
        yield fail("upscale stands alone", where="controls")


def sum_rules(weights: Any) -> Iterator[Finding]:
    """Whether the weights are divided."""
    total = sum(weights)
    if total > 1 + 1e-6:
        yield warn(f"the weights sum to {total:g}, so the program divides each by it", where="controls")
