"""What stands against a request for Transfer 2.5, before a GPU is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.errors import Finding, fail, warn
from cosmos_core_transfer.files import unpin
from cosmos_core_transfer.transfer25.job import is_given, options_of, sample_of
from cosmos_core_transfer.transfer25.options import DISTILLED_STEPS, TransferOptions, words
from cosmos_core_transfer.transfer25.rules import VIDEO, Media, control_rules, plate_rules, sample_rules
from cosmos_core_transfer.transfer25.schema import CONTROLS
from cosmos_core_transfer.transfer25.sizes import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Spec


def review(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    """Everything that the program would refuse late, get wrong silently, or do otherwise than one thinks."""
    if clip is None:
        yield fail(
            "Transfer 2.5 changes a clip, and the request names none", hint="give --clip FOLDER", where="clip"
        )
        return
    chosen = options_of(spec)
    unreadable = list(_readable(chosen))
    yield from unreadable
    if unreadable:
        return
    yield from _unused(spec, chosen, clip)
    yield from _distilled(spec, chosen)
    yield from _setup(spec, chosen)
    yield from _staying(chosen)
    yield from _suffixes(clip)
    sample = sample_of("run", spec, clip)
    yield from sample_rules(sample)
    plate = Media(frames=clip.frames, fps=clip.fps, width=clip.width, height=clip.height)
    yield from plate_rules(sample, plate)
    yield from _masks(spec, chosen)


def _readable(chosen: TransferOptions) -> Iterator[Finding]:
    for kind in chosen.computed_controls:
        if kind not in CONTROLS:
            yield fail(f"computed names {kind!r}; one of {', '.join(CONTROLS)}", where="computed")
    for label in words(chosen.guided_generation_foreground_labels):
        if not label.isdigit():
            yield fail(
                f"the foreground label {label!r} is no whole number",
                where="guided_generation_foreground_labels",
            )
    grid = chosen.parallel_tokenizer_grid.lower().split("x")
    if chosen.parallel_tokenizer_grid and not (len(grid) == 2 and all(side.isdigit() for side in grid)):
        yield fail(
            f"parallel_tokenizer_grid is {chosen.parallel_tokenizer_grid!r}, and must be like 2x4",
            where="parallel_tokenizer_grid",
        )


def _staying(chosen: TransferOptions) -> Iterator[Finding]:
    if chosen.resident and chosen.gpus > 1:
        yield fail(
            f"a model on {chosen.gpus} GPUs cannot stay: each of its processes would look for the next request by itself",
            hint="-o gpus=1, or -o resident=0",
            where="resident",
        )
    if chosen.quiet and chosen.resident > chosen.quiet / 2:
        yield fail(
            f"a model that waits {chosen.resident:g} s would be taken for one that hangs, which is after {chosen.quiet} s "
            "without a sign of life",
            hint=f"-o resident={chosen.quiet // 2}",
            where="resident",
        )


def _unused(spec: Spec, chosen: TransferOptions, clip: Clip) -> Iterator[Finding]:
    """Whatever is asked of a control that is not there would have no effect."""
    asked = set(spec.weights)
    of = {
        "preset_edge_threshold": "edge",
        "preset_blur_strength": "vis",
        "seg_control_prompt": "seg",
        **{f"{kind}_mask_path": kind for kind in CONTROLS},
        **{f"{kind}_mask_prompt": kind for kind in CONTROLS},
    }
    plain = TransferOptions()
    for name, kind in of.items():
        if kind not in asked and getattr(chosen, name) != getattr(plain, name):
            yield fail(
                f"{name} would have no effect: the request has no control {kind}",
                hint=f"add -w {kind}=1, or leave it out",
                where=name,
            )
    for kind in chosen.computed_controls:
        if kind not in asked:
            yield fail(f"computed names {kind}, and the request has no control {kind}", where="computed")
    if "seg" in asked and not is_given("seg", chosen, clip) and not chosen.seg_control_prompt:
        yield warn(
            "what to segment will be the first 128 words of the prompt",
            hint="name the things: -o seg_control_prompt='car building tree'",
            where="seg_control_prompt",
        )


def _distilled(spec: Spec, chosen: TransferOptions) -> Iterator[Finding]:
    if not chosen.distilled:
        return
    if set(spec.weights) != {"edge"}:
        yield fail(
            f"the distilled model takes edge only, not {', '.join(sorted(spec.weights))}; the program would die of a "
            "KeyError after it started",
            hint="give -w edge=1 alone",
            where="distilled",
        )
    if spec.frames > CHUNK:
        yield fail(
            f"{spec.frames} frames of the distilled model: it is not trained to go on after {CHUNK}, and the program "
            "would only warn in its log",
            hint=f"--frames {CHUNK}",
            where="frames",
        )
    if chosen.steps != DISTILLED_STEPS:
        yield warn(
            f"{chosen.steps} steps: the distilled model was trained for {DISTILLED_STEPS}", where="num_steps"
        )
    if spec.prompt.negative:
        yield fail(
            "the distilled model reads no negative prompt; it would be ignored without a word",
            hint="leave it out",
            where="negative",
        )
    if chosen.guidance != TransferOptions().guidance:
        yield fail(
            "the distilled model has no guidance; the value would be ignored without a word",
            hint="leave it out",
            where="guidance",
        )


def _setup(spec: Spec, chosen: TransferOptions) -> Iterator[Finding]:
    if chosen.guardrails and chosen.gpus > 1:
        yield warn(
            "with several GPUs a request that the guardrail refuses hangs: only the first process checks, and the "
            "others wait for it; the job is then stopped after its quiet time",
            hint="one GPU a job makes more videos an hour anyway",
            where="gpus",
        )
    if not chosen.guardrails:
        yield warn(
            "the safety models are left out: no faces are blurred and nothing is refused; NVIDIA's licence has a "
            "condition on that",
            where="guardrails",
        )
    if chosen.checkpoint_path and len(spec.weights) > 1:
        yield fail(
            "checkpoint_path counts for one control only; with several the program would load NVIDIA's four "
            "checkpoints without a word",
            where="checkpoint_path",
        )
    if chosen.resolution != "720":
        yield warn(
            f"the checkpoints are trained at 720, and the request is for {chosen.resolution}",
            where="resolution",
        )
    yield from _tokenizer(chosen)


def _tokenizer(chosen: TransferOptions) -> Iterator[Finding]:
    grid = chosen.parallel_tokenizer_grid
    if (chosen.enable_parallel_tokenizer and chosen.gpus == 1) or (
        grid and not chosen.enable_parallel_tokenizer
    ):
        yield fail(
            "the tokenizer would not be split: that takes enable_parallel_tokenizer and several GPUs",
            where="enable_parallel_tokenizer",
        )
    elif grid:
        high, wide = (int(side) for side in grid.lower().split("x"))
        if high * wide != chosen.gpus:
            yield fail(
                f"a grid of {grid} is for {high * wide} GPUs, and there are {chosen.gpus}; the program would stop "
                "after the model was loaded",
                where="parallel_tokenizer_grid",
            )


def _suffixes(clip: Clip) -> Iterator[Finding]:
    for file in clip.files:
        suffix = "." + file.name.rpartition(".")[2].lower()
        if file.modality in {"color", *CONTROLS} and suffix not in VIDEO:
            yield fail(
                f"{file.name}: the program reads {', '.join(sorted(VIDEO))} only, and would say so after the model was "
                "loaded",
                where=file.name,
            )


def _masks(spec: Spec, chosen: TransferOptions) -> Iterator[Finding]:
    named = {f"{kind}_mask_path": kind in spec.weights for kind in CONTROLS} | {
        "guided_generation_mask": True
    }
    for name, is_used in named.items():
        found = unpin(getattr(chosen, name))
        if found is None or not is_used:
            continue
        if not found.frames:
            yield fail(f"{found.path.name} is no video", where=name)
        else:
            mask = Media(frames=found.frames, fps=spec.fps, width=spec.width, height=spec.height)
            yield from control_rules(name, mask, spec.frames)
