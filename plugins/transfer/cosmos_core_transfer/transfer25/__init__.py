"""Cosmos Transfer 2.5, as NVIDIA ships it: nvidia-cosmos/cosmos-transfer2.5, read at 2ff49d0 (version 1.5.0)."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from cosmos_core.extend import Backend, Expectation, Needs
from cosmos_core_transfer import profiles
from cosmos_core_transfer.transfer25 import sizes
from cosmos_core_transfer.transfer25.job import compile_job, load_key, more, options_of
from cosmos_core_transfer.transfer25.options import DISTILLED_STEPS, STEPS, TransferOptions
from cosmos_core_transfer.transfer25.outcome import outcome, progress, whole
from cosmos_core_transfer.transfer25.review import review
from cosmos_core_transfer.transfer25.schema import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosmos_core.extend import Finding, Host, Shell, Spec

NAME = "transfer2.5"


def backend() -> Backend:
    """The backend ``transfer2.5``."""
    return Backend(
        name=NAME,
        summary="Cosmos Transfer 2.5: a clip in another look, steered by edge, vis, depth and seg.",
        options=TransferOptions,
        controls=frozenset(CONTROLS),
        load_key=load_key,
        needs=needs,
        seconds=seconds,
        passes=passes,
        expect=expect,
        compile=compile_job,
        progress=progress,
        outcome=outcome,
        review=review,
        check=_check,
        whole=whole,
        more=more,
        load_seconds=load_seconds,
    )


def needs(spec: Spec) -> Needs:
    """GPUs and memory, and the kinds of GPU that have too little of it or no kernels in the chosen build, nor in their host's."""
    chosen = options_of(spec)
    vram = profiles.peak_vram(NAME)
    unfit = profiles.unfit(vram_gb=vram, build=chosen.build, image=chosen.image)
    return Needs(gpus=chosen.gpus, vram_gb=vram, unfit=unfit)


def passes(spec: Spec) -> int:
    """How often the model runs: once for each chunk."""
    chosen = options_of(spec)
    return sizes.chunks(
        spec.frames,
        chunk=chosen.num_video_frames_per_chunk,
        overlap=min(chosen.num_conditional_frames, chosen.num_video_frames_per_chunk - 1),
    )


def seconds(spec: Spec, gpu: str) -> float:
    """Passes times the published seconds of one, in proportion to steps and to pixels against tier 720."""
    chosen = options_of(spec)
    model = "edge/distilled" if chosen.distilled else next(iter(sorted(spec.weights)), "edge")
    steps = chosen.steps / (DISTILLED_STEPS if chosen.distilled else STEPS)
    return (
        passes(spec)
        * profiles.pass_seconds(NAME, model, gpu, chosen.gpus)
        * steps
        * _pixels(spec, chosen.resolution)
    )


def load_seconds(spec: Spec, _: str) -> float:
    """An estimate. With two controls or more the program loads the branches of all four."""
    return profiles.load_seconds(NAME, len(CONTROLS) if len(spec.weights) > 1 else 1)


def _pixels(spec: Spec, resolution: str) -> float:
    ours, published = (sizes.bucket(spec.width, spec.height, tier) for tier in (resolution, "720"))
    return ours.width * ours.height / (published.width * published.height)


def expect(spec: Spec) -> Expectation:
    """Frames, whole frames a second, and size of the file; a picture instead of a video where one frame is asked."""
    chosen = options_of(spec)
    panels = 1 + chosen.show_input + chosen.show_control_condition * len(spec.controls)
    size = sizes.delivered(
        spec.width, spec.height, chosen.resolution, keep=chosen.keep_input_resolution, panels=panels
    )
    frames = sizes.frames_out(spec.frames)
    return Expectation(
        name="video.mp4" if frames > 1 else "picture.jpg",
        frames=frames,
        fps=Fraction(max(1, int(spec.fps))),
        width=size.width,
        height=size.height,
    )


def _check(shell: Shell, host: Host, options: TransferOptions) -> Iterable[Finding]:
    from cosmos_core_transfer.preflight import check_transfer25

    return check_transfer25(shell, host, options)
