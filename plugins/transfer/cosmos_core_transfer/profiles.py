"""What GPUs the Transfer models fit on, and how long a pass takes there: the table ``profiles.toml``, read.

GPUs are not ranked by their generation: in NVIDIA's own tables a B300 is slower than an H200. Every row names its
source, and finished runs replace all of it in the planner.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Gpu:
    """One kind of GPU."""

    kind: str
    vram_gb: float
    sm: str
    """Compute capability, such as ``9.0``."""
    builds: tuple[str, ...]
    """Which of NVIDIA's environments have kernels for it: ``cu128``, ``nightly``."""


@attrs.frozen(kw_only=True)
class Timing:
    """Seconds of one pass of a model on so many GPUs of a kind."""

    model: str
    gpu: str
    gpus: int
    seconds: float
    source: str


@cache
def table() -> dict[str, Any]:
    """All of ``profiles.toml``."""
    return tomllib.loads(resources.files(__package__).joinpath("profiles.toml").read_text("utf-8"))


@cache
def gpus() -> dict[str, Gpu]:
    """The kinds of GPU that stand in the table, by name."""
    rows = table()["gpus"]
    return {
        row["kind"]: Gpu(kind=row["kind"], vram_gb=row["vram_gb"], sm=row["sm"], builds=tuple(row["builds"]))
        for row in rows
    }


@cache
def timings(backend: str) -> tuple[Timing, ...]:
    """The published passes of a backend's models."""
    return tuple(Timing(**row) for row in table()["timing"][backend]["rows"])


def plain(kind: str) -> str:
    """A kind of GPU as the table writes it: ``NVIDIA H200-NVL`` is ``h200_nvl``."""
    return re.sub(r"[\s-]+", "_", kind.strip().lower()).removeprefix("nvidia_")


def peak_vram(backend: str) -> float:
    """Gigabytes that one process of the backend's model takes at its peak."""
    return float(table()["peak_vram_gb"][backend]["gb"])


def load_seconds(backend: str, controls: int) -> float:
    """Estimated seconds from a job's start until the model and its *controls* are loaded."""
    read = table()["load"][backend]
    return float((read["gb"] + read["each_gb"] * max(1, controls)) / table()["load"]["rate_gb"]["gb"])


def against(gpu: Gpu, *, vram_gb: float, build: str) -> str:
    """Why that kind of GPU cannot run what needs *vram_gb* in that build; empty when it can."""
    if gpu.vram_gb < vram_gb:
        return (
            f"{gpu.kind} has {gpu.vram_gb:g} GB and the model needs {vram_gb:g}; more GPUs do not help, because "
            "context parallelism does not split weights"
        )
    if build not in gpu.builds:
        return (
            f"{gpu.kind} is sm_{gpu.sm.replace('.', '')}, and the build {build} has no kernels for it: it would stop "
            f"at its first kernel; use the build {' or '.join(gpu.builds)}, or say that the host has it"
        )
    return ""


def unfit(
    *, vram_gb: float, build: str, image: str = ""
) -> tuple[tuple[str, str] | tuple[str, str, str], ...]:
    """Each kind of the table that cannot run it, with the reason, in the order of the table.

    A build that the kind needs, and its host has, lifts it: unless the job brings an *image* of its own.
    """
    found: list[tuple[str, str] | tuple[str, str, str]] = []
    for gpu in gpus().values():
        if why := against(gpu, vram_gb=vram_gb, build=build):
            able = () if image or gpu.vram_gb < vram_gb else gpu.builds
            found.append((gpu.kind, why, able[0]) if able else (gpu.kind, why))
    return tuple(found)


def pass_seconds(backend: str, model: str, gpu: str, count: int) -> float:
    """Seconds of one pass: the row of that GPU, or of its nearest kin, scaled to *count* GPUs where none is stated.

    A model without a row on that GPU takes the row of ``edge`` there, then the slowest of all: late is better than
    a false promise.
    """
    rows = timings(backend)
    kind = plain(gpu)
    for name in dict.fromkeys((kind, table()["kin"].get(kind, table()["kin"][""]))):
        for like in dict.fromkeys((model, "edge", "any")):
            here = [row for row in rows if row.gpu == name and row.model == like]
            if here:
                return _scaled(here, count)
    return max(row.seconds for row in rows)


def _scaled(rows: list[Timing], count: int) -> float:
    """The row with the most GPUs up to *count*. What more GPUs would gain is not promised."""
    usable = [row for row in rows if row.gpus <= max(count, 1)] or rows
    return max(usable, key=lambda row: row.gpus).seconds
