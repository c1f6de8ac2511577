"""Cosmos Transfer 1 and its 4K upscaler, as NVIDIA ships them: nvidia-cosmos/cosmos-transfer1, read at 5005e82."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Backend, Expectation, Needs
from cosmos_core_transfer import profiles
from cosmos_core_transfer.transfer1 import sizes
from cosmos_core_transfer.transfer1.job import (
    compile_job,
    compile_upscale,
    fps_of,
    load_key,
    options_of,
    upscale_load_key,
    upscale_options_of,
)
from cosmos_core_transfer.transfer1.options import LaunchOptions, Transfer1Options, UpscaleOptions
from cosmos_core_transfer.transfer1.outcome import outcome, progress, upscale_outcome
from cosmos_core_transfer.transfer1.review import review, review_upscale
from cosmos_core_transfer.transfer1.schema import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosmos_core.extend import Finding, Host, Shell, Spec
    from cosmos_core_transfer.transfer25.sizes import Size

NAME = "transfer1"
UPSCALE = "transfer1-upscale"
STEPS = 35
PATCHES = 9
"""The upscaler works through the picture in 3x3 patches."""


def backend() -> Backend:
    """The backend ``transfer1``."""
    return Backend(
        name=NAME,
        summary="Cosmos Transfer 1 (7B): a clip in another look, in clips of 121 frames, at the bucket's size.",
        options=Transfer1Options,
        controls=frozenset(CONTROLS) - {"upscale"},
        load_key=load_key,
        needs=lambda spec: _needs(options_of(spec)),
        seconds=seconds,
        passes=passes,
        expect=expect,
        compile=compile_job,
        progress=progress,
        outcome=outcome,
        review=review,
        check=_check,
        load_seconds=load_seconds,
    )


def upscaler() -> Backend:
    """The backend ``transfer1-upscale``."""
    return Backend(
        name=UPSCALE,
        summary="Cosmos Transfer 1's 4K upscaler: a clip three times as large, 3840x2112 at 16:9.",
        options=UpscaleOptions,
        load_key=upscale_load_key,
        needs=lambda spec: _needs(upscale_options_of(spec)),
        seconds=upscale_seconds,
        passes=lambda spec: passes(spec) * PATCHES,
        expect=expect_upscaled,
        compile=compile_upscale,
        progress=progress,
        outcome=upscale_outcome,
        review=review_upscale,
        batch_limit=1,
        check=_check_upscaler,
        load_seconds=load_seconds,
    )


def _needs(chosen: LaunchOptions) -> Needs:
    vram = profiles.peak_vram(NAME)
    unfit = profiles.unfit(vram_gb=vram, build=chosen.build, image=chosen.image)
    return Needs(gpus=chosen.gpus, vram_gb=vram, unfit=unfit)


def passes(spec: Spec) -> int:
    """How often the model runs: once for each clip of 121 frames."""
    return sizes.clips(spec.frames)


def seconds(spec: Spec, gpu: str) -> float:
    """Clips times the seconds of one, in proportion to steps. Nothing is published: see ``profiles.toml``."""
    chosen = options_of(spec)
    steps = 1 if chosen.use_distilled else chosen.num_steps
    return passes(spec) * profiles.pass_seconds(NAME, "any", gpu, chosen.gpus) * steps / STEPS


def upscale_seconds(spec: Spec, gpu: str) -> float:
    """The same for nine patches."""
    chosen = upscale_options_of(spec)
    once = profiles.pass_seconds(NAME, "any", gpu, chosen.gpus)
    return passes(spec) * PATCHES * once * chosen.num_steps / STEPS


def load_seconds(spec: Spec, _: str) -> float:
    """An estimate; each control has weights of its own, and so has the upscaler."""
    return profiles.load_seconds(NAME, len(spec.weights))


def expect(spec: Spec) -> Expectation:
    """As many frames as the clip has, at a whole rate, in the bucket's size."""
    return _expect(spec, sizes.bucket(spec.width, spec.height))


def expect_upscaled(spec: Spec) -> Expectation:
    """The same, three times the bucket's size, and showing what the input shows."""
    expected = _expect(spec, sizes.upscaled(spec.width, spec.height))
    return attrs.evolve(expected, keeps_input=True)


def _expect(spec: Spec, size: Size) -> Expectation:
    frames = min(spec.frames, sizes.MOST_FRAMES)
    return Expectation(
        name="video.mp4", frames=frames, fps=Fraction(fps_of(spec)), width=size.width, height=size.height
    )


def _check(shell: Shell, host: Host, options: Transfer1Options) -> Iterable[Finding]:
    from cosmos_core_transfer.preflight import check_transfer1

    return check_transfer1(shell, host, options)


def _check_upscaler(shell: Shell, host: Host, options: UpscaleOptions) -> Iterable[Finding]:
    from cosmos_core_transfer.preflight import check_upscaler

    return check_upscaler(shell, host, options)
