"""What the models need and cost, as data, each row with its source. Nothing here was measured by us.

Predict 2.5 has no published timings or memory figures; the numbers for 14B are one operator's, of one run each. Figures in
circulation of 45 to 90 s a video contradict the same operator's measurements twentyfold and are left out.
"""

from __future__ import annotations

import attrs

OPERATOR = "mikesvoboda/nemotron-v3-home-security-intelligence: data/synthetic/cosmos/HANDOFF.md"
ISSUES = "nvidia-cosmos/cosmos-predict2.5: issues 2, 29: out of memory on 24 GB"
BENCHMARKS = "NVIDIA/cosmos: inference_benchmarks.md"
SETUP = "nvidia-cosmos/cosmos-predict2.5: docs/setup.md, docker/nightly.Dockerfile"
UNSOURCED = "general knowledge; compare with nvidia-smi"


@attrs.frozen(kw_only=True)
class Gpu:
    """A kind of GPU: its memory in GB, its architecture, and what runs there."""

    vram_gb: float
    sm: str
    container: tuple[str, ...]
    """``native`` (uv, CUDA 12.8), ``standard`` or ``nightly`` (the two Dockerfiles)."""
    source: str


GPUS: dict[str, Gpu] = {
    "rtx_4090": Gpu(vram_gb=24, sm="8.9", container=("native", "standard"), source=UNSOURCED),
    "rtx_5090": Gpu(vram_gb=32, sm="12.0", container=("nightly",), source=UNSOURCED),
    "l40s": Gpu(vram_gb=48, sm="8.9", container=("native", "standard"), source=UNSOURCED),
    "a100_80gb": Gpu(vram_gb=80, sm="8.0", container=("native", "standard"), source=UNSOURCED),
    "h100_sxm": Gpu(vram_gb=80, sm="9.0", container=("native", "standard"), source=BENCHMARKS),
    "h100_nvl": Gpu(vram_gb=94, sm="9.0", container=("native", "standard"), source=UNSOURCED),
    "h100_pcie": Gpu(vram_gb=80, sm="9.0", container=("native", "standard"), source=UNSOURCED),
    "h200": Gpu(vram_gb=141, sm="9.0", container=("native", "standard"), source=BENCHMARKS),
    "h200_nvl": Gpu(vram_gb=141, sm="9.0", container=("native", "standard"), source=UNSOURCED),
    "b200": Gpu(vram_gb=180, sm="10.0", container=("nightly",), source=f"{UNSOURCED}; container: {SETUP}"),
    "b300": Gpu(vram_gb=267, sm="10.3", container=("nightly",), source=OPERATOR),
}


@attrs.frozen(kw_only=True)
class Memory:
    """Peak memory of one GPU in GB, for one model."""

    gb: float
    source: str


MEMORY: dict[str, Memory] = {
    "14B": Memory(gb=65, source=OPERATOR),
    "2B": Memory(gb=25, source=f"a floor, not a peak: {ISSUES}"),
}

PASS_SECONDS: dict[tuple[str, str], tuple[float, str]] = {
    ("14B", "h200"): (898, OPERATOR),
    ("14B", "b300"): (1020, OPERATOR),
}
"""One pass of 93 frames in 35 steps at 1280x704 on one GPU, by size of model and kind of GPU, and who says so."""

LOAD_SECONDS: dict[str, tuple[float, str]] = {
    "14B": (240, OPERATOR),
    # 24 of the 46 GB that are read for 14B: 5 of the model for 27, and the same text encoder, safety models and tokenizer.
    "2B": (125, f"an estimate, by what is read: {OPERATOR}"),
}
"""From the start of the job, by size of model; the operator's two kinds of GPU, H200 and B300, took equally long."""

_SHARE_2B = 2 / 14
"""No timing of 2B is published anywhere; in proportion to its weights, until runs of our own replace it."""


def memory(model: str) -> float:
    """GB that *model* needs on one GPU."""
    return MEMORY[model.partition("/")[0]].gb


def pass_seconds(model: str, gpu: str) -> float:
    """Seconds of one pass in 35 steps; on a GPU that nobody measured, those of an H200."""
    known = PASS_SECONDS.get(("14B", gpu)) or PASS_SECONDS["14B", "h200"]
    return known[0] * (_SHARE_2B if model.startswith("2B") else 1.0)


def load_seconds(model: str) -> float:
    """Seconds until *model* is loaded."""
    return LOAD_SECONDS[model.partition("/")[0]][0]


NIGHTLY = "nightly"


def unfit(model: str) -> tuple[tuple[str, str] | tuple[str, str, str], ...]:
    """Each kind of GPU that cannot run *model*, and why: too small, or without kernels but in NVIDIA's newer environment."""
    need = memory(model)
    small = tuple(
        (
            kind,
            f"{model} needs {need:g} GB on one GPU and a {kind} has {gpu.vram_gb:g}; more GPUs do not split it",
        )
        for kind, gpu in GPUS.items()
        if gpu.vram_gb < need
    )
    new = tuple(
        (
            kind,
            (
                f"{kind} is sm_{gpu.sm.replace('.', '')}, and only the image of docker/nightly.Dockerfile has kernels for it: "
                'give the host that image, and build = "nightly" unless its name says so'
            ),
            NIGHTLY,
        )
        for kind, gpu in GPUS.items()
        if gpu.container == (NIGHTLY,)
    )
    return (*small, *new)
