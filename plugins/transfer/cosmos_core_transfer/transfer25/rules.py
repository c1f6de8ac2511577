"""What Transfer 2.5 refuses late, or takes without a word and gets wrong; each with what would have happened.

A finding of level ``fail`` is something that its program accepts silently and gets wrong, or dies of after the model was
loaded. Sources: nvidia-cosmos/cosmos-transfer2.5: cosmos_transfer2/config.py, cosmos_transfer2/inference.py,
cosmos_transfer2/_src/transfer2/inference/{inference_pipeline,utils}.py; issues are named where they were met.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import attrs

from cosmos_core.errors import Finding, fail, warn
from cosmos_core_transfer.transfer25 import sizes
from cosmos_core_transfer.transfer25.sizes import CHUNK, MOST_FRAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core_transfer.transfer25.schema import Depth, Sample

VIDEO = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm"})
IMAGE = frozenset({".png", ".jpg", ".jpeg"})

_PRESETS = ("preset_edge_threshold", "preset_blur_strength")


@attrs.frozen(kw_only=True)
class Media:
    """What is known of a video before it is uploaded."""

    frames: int
    fps: Fraction
    width: int
    height: int


def sample_rules(sample: Sample) -> Iterator[Finding]:
    """Everything against a sample by itself."""
    yield from _name(sample)
    yield from _prompts(sample)
    yield from _controls(sample)
    yield from _style(sample)
    yield from _chunking(sample)
    yield from _guided(sample)
    yield from _suffixes(sample)
    yield from _panels(sample)


def _name(sample: Sample) -> Iterator[Finding]:
    if not sample.name or "/" in sample.name or sample.name in {".", ".."}:
        yield fail(
            f"the name {sample.name!r} is no file name: it becomes the stem of every output, and a folder in it must "
            "exist before the program starts",
            where="name",
        )


def _prompts(sample: Sample) -> Iterator[Finding]:
    if sample.prompt is None and sample.prompt_path is None:
        yield fail(
            "neither prompt nor prompt_path is given; the program would exit with 1 before anything ran",
            where="prompt",
        )
    if sample.prompt is not None and sample.prompt_path is not None:
        yield fail(
            "both prompt and prompt_path are given; the file would be ignored without a word",
            where="prompt_path",
        )
    if not sample.negative_prompt.strip():
        yield fail(
            "the negative prompt is empty; the program would take the one of the sample before it in the batch, or die "
            "where there is none",
            hint="leave it out for NVIDIA's own, or say what should not be seen",
            where="negative_prompt",
        )


def _controls(sample: Sample) -> Iterator[Finding]:
    controls = sample.controls
    if not controls:
        yield fail(
            "there is no control; the program would exit with 1 before anything ran",
            hint="give at least one of edge, vis, depth, seg",
            where="controls",
        )
    for name, block in controls.items():
        yield from _block(name, block)


def weight_rules(sample: Sample) -> Iterator[Finding]:
    """Whether anything steers; for a file, as the core asks it of its own requests."""
    if sample.controls and all(block.control_weight == 0 for block in sample.controls.values()):
        yield warn("every control has weight 0, so none will steer the model", where="controls")


def _block(name: str, block: Depth) -> Iterator[Finding]:
    if block.mask_path is not None and block.mask_prompt is not None:
        yield fail(
            f"{name} has both mask_path and mask_prompt; the words would be ignored with a line in the log",
            where=f"{name}.mask_prompt",
        )
    if block.control_path is None:
        return
    for preset in _PRESETS:
        if getattr(block, preset, "medium") != "medium":
            yield fail(
                f"{preset} would have no effect: it counts only where the model computes {name} itself, and here a "
                "control video is given",
                hint=f"leave it out, or let the model compute {name}",
                where=f"{name}.{preset}",
            )
    if getattr(block, "control_prompt", None) is not None:
        yield fail(
            "control_prompt would have no effect: a segmentation video is given",
            hint="leave it out, or let the model compute seg",
            where=f"{name}.control_prompt",
        )


def _style(sample: Sample) -> Iterator[Finding]:
    if sample.vis is not None and sample.image_context_path is not None:
        yield fail(
            "vis and image_context_path both carry the style; the program would exit with 1 before anything ran",
            hint="give one of them",
            where="image_context_path",
        )
    if sample.context_frame_index is not None and sample.image_context_path is not None:
        yield fail(
            "image_context_path would be ignored without a word, because context_frame_index is given",
            hint="give one of them",
            where="image_context_path",
        )


def _chunking(sample: Sample) -> Iterator[Finding]:
    chunk, overlap = sample.num_video_frames_per_chunk, sample.num_conditional_frames
    if chunk == 1 and sample.max_frames != 1:
        yield fail(
            "passes of one frame make one picture of a whole video: the program counts one pass whatever the length",
            where="num_video_frames_per_chunk",
        )
    elif 1 < chunk <= overlap:
        yield fail(
            f"passes of {chunk} frames that share {overlap} never get on; the program would divide by zero after the "
            "model was loaded",
            where="num_conditional_frames",
        )
    elif chunk not in {1, CHUNK}:
        yield warn(
            f"passes of {chunk} frames: the model was trained for {CHUNK}", where="num_video_frames_per_chunk"
        )


def _guided(sample: Sample) -> Iterator[Finding]:
    mask, labels = sample.guided_generation_mask, sample.guided_generation_foreground_labels
    steps = sample.guided_generation_step_threshold
    if mask is None:
        if labels is not None or steps != 25:
            yield fail(
                "guided_generation_step_threshold and _foreground_labels would have no effect without a mask",
                where="guided_generation_mask",
            )
        return
    suffix = PurePosixPath(mask).suffix
    if suffix not in {".mp4", ".npz"}:
        yield fail(
            f"the guided mask {PurePosixPath(mask).name} is neither .mp4 nor .npz; the program takes it, and a folder "
            "too, and dies of it after the model was loaded",
            where="guided_generation_mask",
        )
    if labels is not None and suffix == ".mp4":
        yield fail(
            "foreground labels would be ignored: they count only for an .npz mask, and this one is an .mp4",
            where="guided_generation_foreground_labels",
        )
    if labels == ():
        yield fail(
            "the list of foreground labels is empty; the program would die of it after the model was loaded",
            where="guided_generation_foreground_labels",
        )
    if steps < 1:
        yield fail(
            f"a step threshold of {steps} would guide no step, so the mask would have no effect",
            where="guided_generation_step_threshold",
        )
    elif steps >= sample.num_steps:
        yield warn(
            f"all {sample.num_steps} steps are guided: the threshold is {steps}",
            where="guided_generation_step_threshold",
        )


def _suffixes(sample: Sample) -> Iterator[Finding]:
    videos = {"video_path": sample.video_path}
    for name, block in sample.controls.items():
        videos |= {
            f"{name}.control_path": block.control_path or "",
            f"{name}.mask_path": block.mask_path or "",
        }
    for where, path in videos.items():
        if path and PurePosixPath(path).suffix not in VIDEO | IMAGE:
            yield _suffix(where, path)
    context = sample.image_context_path
    if context is not None and PurePosixPath(context).suffix not in VIDEO | IMAGE:
        yield _suffix("image_context_path", context)


def _suffix(where: str, path: str) -> Finding:
    return fail(
        f"{PurePosixPath(path).name}: the program takes any file here and dies after the model was loaded unless its "
        f"name ends in one of {', '.join(sorted(VIDEO | IMAGE))}, in small letters",
        where=where,
    )


def _panels(sample: Sample) -> Iterator[Finding]:
    if sample.panels > 1:
        yield warn(
            f"the delivered video shows {sample.panels} pictures side by side, so it is nothing to train on",
            hint="the controls are saved as files of their own anyway",
            where="show_control_condition" if sample.show_control_condition else "show_input",
        )


def plate_rules(sample: Sample, plate: Media) -> Iterator[Finding]:
    """Everything against a sample with the input video it names."""
    if int(plate.fps) < 1:
        yield fail(f"at {plate.fps} frames a second the program would write 0", where="fps")
    elif plate.fps.denominator != 1:
        new = int(plate.fps)
        yield warn(
            f"the input has {float(plate.fps):.3f} frames a second and the output will have {new}: the program cuts "
            f"the rate to a whole number, so the video lasts {float(plate.fps) / new:.1%} as long",
            hint="render the clip at 24 or 30 frames a second",
            where="fps",
        )
    yield from _length(sample, plate)
    if sample.context_frame_index is not None and sample.context_frame_index >= plate.frames:
        yield fail(
            f"context_frame_index {sample.context_frame_index} is past the input's {plate.frames} frames; the program "
            "would die of it after the model was loaded",
            where="context_frame_index",
        )
    yield from _stretch(sample, plate)


def _length(sample: Sample, plate: Media) -> Iterator[Finding]:
    wanted = sample.max_frames or plate.frames
    if wanted > plate.frames:
        yield fail(
            f"{wanted} frames are asked for and the input has {plate.frames}; the program would make {plate.frames} "
            "without a word",
            hint="make a longer clip, or ask for fewer frames",
            where="frames",
        )
        return
    if wanted > MOST_FRAMES:
        yield fail(
            f"{wanted} frames would be cut to {MOST_FRAMES} without a word",
            hint="cut the clip",
            where="frames",
        )
        return
    chunk, overlap = sample.num_video_frames_per_chunk, sample.num_conditional_frames
    if chunk <= max(overlap, 1):
        return
    passes = sizes.chunks(wanted, chunk=chunk, overlap=overlap)
    if passes > 1:
        seams = ", ".join(map(str, sizes.borders(wanted, chunk=chunk, overlap=overlap)[:8]))
        yield warn(
            f"{wanted} frames take {passes} passes of {chunk}, with seams at frame {seams}; later passes look worse",
            hint=f"{chunk} frames fit in one pass",
            where="frames",
        )
    elif wanted < chunk and wanted > 1:
        yield warn(f"{wanted} frames cost as much as {chunk}: a pass is always {chunk} long", where="frames")


def _stretch(sample: Sample, plate: Media) -> Iterator[Finding]:
    size = sizes.bucket(plate.width, plate.height, sample.resolution)
    if size != (plate.width, plate.height):
        back = " and stretched back" if sample.keep_input_resolution else ""
        yield warn(
            f"the input is {plate.width}x{plate.height}: it will be stretched to {size}{back}",
            hint=f"render the clip at {size}",
            where="size",
        )


def control_rules(where: str, control: Media, frames: int) -> Iterator[Finding]:
    """What is wrong with a control video or a mask of a sample that makes *frames* frames."""
    if control.frames < frames:
        yield fail(
            f"{where} has {control.frames} frames and {frames} are made of it; the program would stop with 'No input "
            "frames; cannot pad', or in older versions work for ever "
            "(nvidia-cosmos/cosmos-transfer2.5#17)",
            hint="make it as long as the input",
            where=where,
        )
