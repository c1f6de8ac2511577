"""The transfer specs of the Cosmos 3 framework: read, judge, write. No disk but in :func:`read`.

Fields, defaults and rules are those of NVIDIA/cosmos-framework: cosmos_framework/inference/args.py and transfer.py. A field that is
None was not said; NVIDIA's default counts then.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import Finding, InputError, Level, RefusedError, fail, warn
from cosmos_core.media import sniff
from cosmos_core_cosmos3 import sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

HINTS = ("edge", "blur", "depth", "seg", "wsm")
"""In the order in which the model sees them, whatever the file's."""
EDGE_PRESETS = ("very_low", "low", "medium", "high", "very_high")
BLUR_PRESETS = ("none", *EDGE_PRESETS)
DERIVED = ("edge", "blur")
"""Hints that the framework makes itself, of ``vision_path``; the others must be prepared."""

GUIDANCE: dict[str, tuple[float, float]] = {
    "edge": (3.0, 1.5),
    "blur": (3.0, 1.5),
    "depth": (3.0, 1.5),
    "seg": (3.0, 2.0),
    "wsm": (1.0, 3.0),
}
"""``guidance`` and ``control_guidance`` tuned for a single hint (``_TRANSFER_DEFAULTS``). With several hints the framework falls back
to values tuned for no transfer at all, 6.0 and 1.0; ours are then those of edge."""


@attrs.frozen(kw_only=True)
class Hint:
    """One control of a transfer."""

    control_path: str | None = None
    weight: float | None = None
    """Strength; the framework divides by the sum over all hints. 1 when not said."""
    preset_edge_threshold: str | None = None
    preset_blur_strength: str | None = None


@attrs.frozen(kw_only=True)
class Sample:
    """One object of a spec file, field by field as NVIDIA names them."""

    name: str
    model_mode: str | None = None
    prompt: str | None = None
    prompt_path: str | None = None
    negative_prompt: str | None = None
    negative_prompt_file: str | None = None
    negative_metadata_mode: str | None = None
    negative_prompt_keep_metadata: bool | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    num_frames: int | None = None
    """Not the length of a transfer, which is that of its first control; only words of the prompt follow it."""
    fps: int | None = None
    shift: float | None = None
    num_steps: int | None = None
    seed: int | None = None
    guidance: float | None = None
    control_guidance: float | None = None
    num_video_frames_per_chunk: int | None = None
    num_conditional_frames: int | None = None
    num_first_chunk_conditional_frames: int | None = None
    share_vision_temporal_positions: bool | None = None
    emphasize_control_in_prompt: bool | None = None
    max_frames: int | None = None
    show_control_condition: bool | None = None
    show_input: bool | None = None
    vision_path: str | None = None
    edge: Hint | None = None
    blur: Hint | None = None
    depth: Hint | None = None
    seg: Hint | None = None
    wsm: Hint | None = None

    @property
    def hints(self) -> dict[str, Hint]:
        """The hints that are given, in the model's order."""
        return {key: hint for key in HINTS if (hint := getattr(self, key)) is not None}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the video."""
        return sizes.SIZES[self.resolution or "720"][self.aspect_ratio or "16,9"]

    @property
    def chunk(self) -> int:
        """Frames that the model makes at once."""
        return self.num_video_frames_per_chunk or 93

    @property
    def conditional(self) -> int:
        """Frames that a later chunk goes on from."""
        return 1 if self.num_conditional_frames is None else self.num_conditional_frames


_NUMBER: tuple[type, ...] = (int, float)
FIELDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "model_mode", "prompt", "prompt_path", "negative_prompt"), (str,)),
    **dict.fromkeys(("negative_prompt_file", "negative_metadata_mode", "resolution"), (str,)),
    **dict.fromkeys(("aspect_ratio", "vision_path"), (str,)),
    **dict.fromkeys(("num_frames", "fps", "num_steps", "seed", "num_video_frames_per_chunk"), (int,)),
    **dict.fromkeys(("num_conditional_frames", "num_first_chunk_conditional_frames", "max_frames"), (int,)),
    **dict.fromkeys(("shift", "guidance", "control_guidance"), _NUMBER),
    **dict.fromkeys(("negative_prompt_keep_metadata", "share_vision_temporal_positions"), (bool,)),
    **dict.fromkeys(("emphasize_control_in_prompt", "show_control_condition", "show_input"), (bool,)),
}
HINT_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    hint: {"control_path": (str,), "weight": _NUMBER}
    | ({"preset_edge_threshold": (str,)} if hint == "edge" else {})
    | ({"preset_blur_strength": (str,)} if hint == "blur" else {})
    for hint in HINTS
}


def to_json(sample: Sample) -> dict[str, Any]:
    """What was said of *sample*, for a file."""
    return {
        key: {part: said for part, said in value.items() if said is not None} if key in HINTS else value
        for key, value in attrs.asdict(sample).items()
        if value is not None
    }


def to_lines(samples: Iterable[Sample]) -> bytes:
    """A ``.jsonl`` file. ASCII: the framework splits lines at every character that Unicode calls a line's end."""
    return "".join(json.dumps(to_json(sample)) + "\n" for sample in samples).encode("ascii")


def from_json(found: object, *, name: str = "") -> Sample:
    """The sample that *found*, an object of a spec file, describes; *name* where it says none, as the framework does.

    Raises:
        RefusedError: with a finding for every field that is missing, unknown or of another type.
    """
    if not isinstance(found, dict):
        raise RefusedError(
            "this is no spec", [fail(f"a spec is one JSON object, and this is a {type(found).__name__}")]
        )
    findings = [
        *_review_fields({key: value for key, value in found.items() if key not in HINTS}, FIELDS, ""),
        *(finding for hint in HINTS for finding in _review_hint(hint, found.get(hint))),
    ]
    if not (found.get("name") or name):
        findings.append(fail("name is required", where="name"))
    if findings:
        raise RefusedError(f"the spec has {len(findings)} problem(s)", findings)
    values = {key: value for key, value in found.items() if value is not None}
    hints = {key: Hint(**value) for key, value in values.items() if key in HINTS}
    return Sample(**{"name": name, **values, **hints})


def _review_hint(hint: str, block: object) -> Iterator[Finding]:
    if block is None:
        return
    if not isinstance(block, dict):
        yield fail(f"{hint} is {block!r:.60}, not an object", where=hint)
        return
    yield from _review_fields(block, HINT_FIELDS[hint], f"{hint}.")


def _review_fields(
    found: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], inside: str
) -> Iterator[Finding]:
    for key, value in found.items():
        if key not in known:
            also = f"{', '.join(known)}{'' if inside else ', ' + ', '.join(HINTS)}"
            yield fail(
                f"there is no field {inside + key!r} in a transfer spec",
                hint=f"one of {also}",
                where=inside + key,
            )
        elif value is not None and (
            not isinstance(value, known[key]) or (isinstance(value, bool) and bool not in known[key])
        ):
            yield fail(f"{inside}{key} is {value!r:.60}, not a {known[key][0].__name__}", where=inside + key)


def review(sample: Sample, checkpoint: str = "Cosmos3-Nano") -> Iterator[Finding]:
    """What the framework refuses of *sample*, and what it accepts and gets wrong, before a GPU is touched."""
    if checkpoint not in sizes.TRAINED:
        yield fail(
            f"there is no checkpoint {checkpoint!r}",
            hint=f"one of {', '.join(sizes.TRAINED)}",
            where="checkpoint",
        )
    if not sample.name or "/" in sample.name or sample.name.startswith("."):
        yield fail(f"{sample.name!r} cannot name the folder of a sample", where="name")
    if sample.model_mode not in {None, "video2video"}:
        yield fail(f"a transfer is video2video, not {sample.model_mode}", where="model_mode")
    yield from _review_words(sample)
    yield from _review_hints(sample)
    yield from _review_tier(sample, checkpoint)
    yield from _review_numbers(sample)
    yield from _review_chunks(sample)


def _review_words(sample: Sample) -> Iterator[Finding]:
    for one, other in (("prompt", "prompt_path"), ("negative_prompt", "negative_prompt_file")):
        if getattr(sample, one) is not None and getattr(sample, other) is not None:
            yield fail(
                f"{one} and {other} are both given: the framework would take {one} and never open the file",
                hint="give one of them",
                where=one,
            )
    if sample.prompt is None and sample.prompt_path is None:
        yield fail("without a prompt the framework would go on with an empty one", where="prompt")
    for rate in caption_rates(sample.prompt or ""):
        if sample.fps is not None and rate != sample.fps:
            yield fail(
                f"the caption says {rate:g} frames a second and the spec {sample.fps}: the model would be told both",
                hint="change the caption",
                where="prompt",
            )
    if sample.show_input or sample.show_control_condition:
        yield fail(
            "show_input and show_control_condition put panels beside the picture, into the delivered video itself",
            hint="leave them out; the controls lie beside the result anyway",
            where="show_input",
        )


def caption_rates(prompt: str) -> Iterator[float]:
    """The frame rates that a caption in JSON names, at any depth; none for plain text."""
    try:
        found = json.loads(prompt)
    except (ValueError, RecursionError):
        return
    yield from _rates(found)


def _rates(found: Any) -> Iterator[float]:
    if isinstance(found, dict):
        for key, value in found.items():
            if key == "fps" and isinstance(value, int | float) and not isinstance(value, bool):
                yield float(value)
            yield from _rates(value)
    elif isinstance(found, list):
        for value in found:
            yield from _rates(value)


def _review_hints(sample: Sample) -> Iterator[Finding]:
    if not sample.hints:
        yield fail(
            "a transfer needs at least one hint", hint=f"one or more of {', '.join(HINTS)}", where="hints"
        )
        return
    for name, hint in sample.hints.items():
        if hint.control_path is None and (name not in DERIVED or sample.vision_path is None):
            how = "or a vision_path to derive it from" if name in DERIVED else "and cannot be derived"
            yield fail(f"{name} needs a control_path, {how}", where=name)
        if hint.weight is not None and not (math.isfinite(hint.weight) and hint.weight >= 0):
            yield fail(f"the weight of {name} is {hint.weight:g}, and must be 0 or more", where=name)
        yield from _review_preset(name, "preset_edge_threshold", hint.preset_edge_threshold, EDGE_PRESETS)
        yield from _review_preset(name, "preset_blur_strength", hint.preset_blur_strength, BLUR_PRESETS)
    if all(hint.weight == 0 for hint in sample.hints.values()):
        yield fail(
            "every hint has weight 0: the framework would stop after the model was loaded", where="hints"
        )


def _review_preset(hint: str, field: str, value: str | None, allowed: tuple[str, ...]) -> Iterator[Finding]:
    if value is not None and value not in allowed:
        yield fail(f"there is no {field} {value!r}", hint=f"one of {', '.join(allowed)}", where=hint)


def _review_tier(sample: Sample, checkpoint: str) -> Iterator[Finding]:
    tier, ratio = sample.resolution or "720", sample.aspect_ratio or "16,9"
    if tier not in sizes.SIZES:
        yield fail(
            f"there is no resolution {tier!r}", hint=f"one of {', '.join(sizes.SIZES)}", where="resolution"
        )
    elif checkpoint in sizes.TRAINED and tier not in sizes.TRAINED[checkpoint]:
        yield fail(
            f"{checkpoint} would run at {tier} and was never trained for videos of that tier",
            hint=f"one of {', '.join(sizes.TRAINED[checkpoint])}",
            where="resolution",
        )
    if ratio not in sizes.RATIOS:
        yield fail(
            f"there is no aspect_ratio {ratio!r}",
            hint=f"one of {', '.join(sizes.RATIOS)}",
            where="aspect_ratio",
        )


def _review_numbers(sample: Sample) -> Iterator[Finding]:
    for key, low, high in (("guidance", 0, 7), ("control_guidance", 0, 10)):
        value = getattr(sample, key)
        if value is not None and not low <= value <= high:
            yield fail(f"{key} {value:g} is outside {low} to {high}", where=key)
    for key in ("num_frames", "fps", "num_steps", "num_video_frames_per_chunk", "max_frames"):
        value = getattr(sample, key)
        if value is not None and value < 1:
            yield fail(f"{key} {value} is not a positive number", where=key)
    if sample.fps is not None and not sizes.LEAST_FPS <= sample.fps <= sizes.MOST_FPS:
        yield warn(
            f"{sample.fps} frames a second are outside {sizes.LEAST_FPS} to {sizes.MOST_FPS}, "
            "which the model was trained at",
            where="fps",
        )


def _review_chunks(sample: Sample) -> Iterator[Finding]:
    chunk, conditional = sample.chunk, sample.conditional
    most = sizes.MOST_FRAMES.get(sample.resolution or "720", 200)
    if chunk != sizes.rounded(chunk):
        yield fail(
            f"num_video_frames_per_chunk {chunk} would become {sizes.rounded(chunk)} without a word",
            hint=f"{sizes.rounded(chunk) - 4} or {sizes.rounded(chunk)}: 4k + 1",
            where="num_video_frames_per_chunk",
        )
    elif not sizes.LEAST_FRAMES <= chunk <= most:
        yield warn(
            f"chunks of {chunk} frames are outside {sizes.LEAST_FRAMES} to {most}: quality may suffer",
            where="num_video_frames_per_chunk",
        )
    if conditional >= chunk:
        yield fail(
            f"num_conditional_frames {conditional} is not less than a chunk of {chunk}: the framework would stop after "
            "the model was loaded",
            where="num_conditional_frames",
        )
    elif conditional and conditional % 4 != 1:
        yield fail(
            f"num_conditional_frames {conditional} is not 1, 5, 9, …: four frames are one to the model, "
            "and a jump would be seen at every seam",
            where="num_conditional_frames",
        )
    if sample.num_first_chunk_conditional_frames and sample.vision_path is None:
        yield fail(
            "num_first_chunk_conditional_frames needs a vision_path to take the frames from",
            where="num_first_chunk_conditional_frames",
        )


def read(path: Path) -> tuple[Sample, ...]:
    """The samples of a ``.json`` or ``.jsonl`` file, as the framework reads it.

    Raises:
        RefusedError: naming every line and field that is wrong.
        InputError: when the file cannot be read, is another kind of file, or stands for one that Git LFS keeps.
    """
    found = sniff(path)
    if found.kind in {"missing", "not_a_file", "empty", "pointer", "html"}:
        raise InputError(f"{path.name} {found.sentence.replace(', not a video', '')}")
    if path.suffix not in {".json", ".jsonl"}:
        raise InputError(f"{path.name} is neither .json nor .jsonl")
    text = path.read_text("utf-8")
    lines = path.suffix == ".jsonl"
    pieces = [line for line in text.splitlines() if line] if lines else [text]
    samples: list[Sample] = []
    findings: list[Finding] = []
    for number, piece in enumerate(pieces):
        where = f"{path.name}:{number + 1}: " if lines else ""
        try:
            samples.append(from_json(json.loads(piece), name=f"{path.stem}_{number}" if lines else path.stem))
        except ValueError as error:
            findings.append(fail(f"this is not JSON: {error}", where=f"{where}{path.name}"))
        except RefusedError as error:
            findings += [attrs.evolve(one, where=f"{where}{one.where}") for one in error.findings]
    names = [sample.name for sample in samples]
    findings += [
        fail(f"several samples are named {name!r}", where="name")
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    if any(finding.level is Level.FAIL for finding in findings):
        raise RefusedError(f"{path.name} has {len(findings)} problem(s)", findings)
    return tuple(samples)
