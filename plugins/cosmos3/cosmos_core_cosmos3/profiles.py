"""What Cosmos 3 needs and costs, as data, each row with its source. Nothing here was measured by us."""

from __future__ import annotations

import attrs

BENCHMARKS = "NVIDIA/cosmos: inference_benchmarks.md"
FAQ = "NVIDIA/cosmos-framework: docs/faq.md"
RECIPE = "vllm-project/vllm-omni: recipes/cosmos3/Cosmos3-Nano.md"
UNSOURCED = "general knowledge; compare with nvidia-smi"
NATTEN = "NVIDIA/cosmos-framework: issue 42"


@attrs.frozen(kw_only=True)
class Gpu:
    """A kind of GPU: its memory in GB, its architecture."""

    vram_gb: float
    sm: str
    source: str


GPUS: dict[str, Gpu] = {
    "rtx_4090": Gpu(vram_gb=24, sm="8.9", source=UNSOURCED),
    "rtx_5090": Gpu(vram_gb=32, sm="12.0", source=UNSOURCED),
    "l40s": Gpu(vram_gb=48, sm="8.9", source=UNSOURCED),
    "a100_80gb": Gpu(vram_gb=80, sm="8.0", source=UNSOURCED),
    "h100_sxm": Gpu(vram_gb=80, sm="9.0", source=BENCHMARKS),
    "h100_nvl": Gpu(vram_gb=94, sm="9.0", source=UNSOURCED),
    "h100_pcie": Gpu(vram_gb=80, sm="9.0", source=UNSOURCED),
    "h200": Gpu(vram_gb=141, sm="9.0", source=BENCHMARKS),
    "h200_nvl": Gpu(vram_gb=141, sm="9.0", source=UNSOURCED),
    "b200": Gpu(vram_gb=180, sm="10.0", source=UNSOURCED),
    "b300": Gpu(
        vram_gb=267,
        sm="10.3",
        source="mikesvoboda/nemotron-v3-home-security-intelligence: data/synthetic/cosmos/HANDOFF.md",
    ),
}

FRAMEWORK, OMNI = "framework", "omni"

MEMORY: dict[tuple[str, str], tuple[float, str]] = {
    (FRAMEWORK, "Nano"): (32, FAQ),
    (FRAMEWORK, "Edge"): (32, f"that of Nano, which is larger: {FAQ}"),
    (FRAMEWORK, "Super"): (128, FAQ),
    (OMNI, "Nano"): (46, RECIPE),
    (OMNI, "Super"): (128, f"the framework's: {FAQ}"),
}
"""GB on one GPU, by program and size."""

_NANO_OMNI = {"h100_sxm": 202.29, "h100_nvl": 311.13, "h200": 208.36, "h200_nvl": 240.05, "b200": 107.84, "b300": 102.10}  # fmt: skip
SECONDS: dict[tuple[str, str], dict[str, float]] = {
    (OMNI, "Nano"): _NANO_OMNI,
    (OMNI, "Super"): {"h200": 769.63, "b200": 390.28, "b300": 366.66},
    (FRAMEWORK, "Nano"): {"h100_sxm": 207.78, "h200": 214.28, "b200": 114.85},
}
"""Seconds for 189 frames of text to video at 720p on one GPU. Source: BENCHMARKS. A transfer was timed by nobody."""

TIERS = {"256": 6.79 / 208.36, "480": 58.14 / 208.36, "720": 1.0, "768": 1.0}
"""Time at a tier, of that at 720p; on an H200. Source: BENCHMARKS."""

LOAD_RATE_GB = (0.19, "mikesvoboda/nemotron-v3-home-security-intelligence: data/synthetic/cosmos/HANDOFF.md")
"""GB a second that a load comes to, the program's start included: 46 GB in 240 s for Predict 2.5 14B. Nobody timed Cosmos 3."""
CLIENT_SECONDS = 1.0
"""What a job of the server takes to begin: the server has loaded its model long before."""

BENCHMARK_FRAMES, BENCHMARK_STEPS = 189, 35


def size_of(model: str) -> str:
    """``Nano``, ``Edge`` or ``Super``, of a checkpoint's name."""
    return model.rpartition("/")[2].removeprefix("Cosmos3-").partition("-")[0]


def memory(program: str, model: str) -> float:
    """GB that *model* needs on one GPU."""
    return MEMORY.get((program, size_of(model)), MEMORY[program, "Nano"])[0]


def load_seconds(model: str) -> float:
    """An estimate of how long the framework loads *model*: what it takes in memory, by the rate."""
    return memory(FRAMEWORK, model) / LOAD_RATE_GB[0]


def seconds(program: str, model: str, gpu: str, *, frames: int, steps: int, tier: str) -> float:
    """Predicted time of *frames* on one GPU; on a kind that nobody measured, that of an H200."""
    size = size_of(model)
    table = SECONDS.get((program, size)) or SECONDS[OMNI, size if size == "Super" else "Nano"]
    full = table.get(gpu, table["h200"])
    return full * TIERS.get(tier, 1.0) * frames / BENCHMARK_FRAMES * steps / BENCHMARK_STEPS


def unfit(program: str, model: str) -> tuple[tuple[str, str], ...]:
    """Pairs of a kind of GPU that cannot run *model*, and why."""
    need = memory(program, model)
    small = [
        (kind, f"{model} needs {need:g} GB on one GPU, and a {kind} has {gpu.vram_gb:g}")
        for kind, gpu in GPUS.items()
        if gpu.vram_gb < need
    ]
    # Reported for GB300, which has the same architecture: success in words, an invalid video in fact.
    wrong = [
        (kind, f"on sm {gpu.sm} the framework's attention gave invalid videos ({NATTEN}); use cosmos3-omni")
        for kind, gpu in GPUS.items()
        if gpu.sm == "10.3" and program == FRAMEWORK
    ]
    return (*small, *wrong)
