"""Kinds of GPU: their memory and their architecture, as far as a source states them.

Names are those a host's ``gpu`` may have in ``cosmos.toml``; case, blanks and a leading maker's name do not matter.
"""

from __future__ import annotations

import attrs

from cosmos_core.run import plain_gpu


@attrs.frozen
class Gpu:
    """One kind of GPU."""

    vram_gb: float
    sm: str
    """Compute capability, such as ``9.0``."""
    source: str
    """Who says so. ``unsourced``: general knowledge; compare with ``nvidia-smi``."""


# C3B: NVIDIA/cosmos, inference_benchmarks.md. OPH: measured by an operator of 8 x B300 and H200 (HANDOFF.md of
# mikesvoboda/nemotron-v3-home-security-intelligence); compute capabilities are from there too.
GPUS = {
    "h100": Gpu(80, "9.0", "C3B"),
    "h100_sxm": Gpu(80, "9.0", "C3B"),
    "h100_pcie": Gpu(80, "9.0", "unsourced"),
    "h100_nvl": Gpu(94, "9.0", "unsourced"),
    "h200": Gpu(141, "9.0", "C3B"),
    "h200_nvl": Gpu(141, "9.0", "unsourced"),
    "b200": Gpu(180, "10.0", "unsourced"),
    "b300": Gpu(267, "10.3", "OPH"),
}


def known(kind: str) -> Gpu | None:
    """What is known of a kind of GPU, however it is written; None for one that stands in no source."""
    return GPUS.get(plain_gpu(kind))


def no_larger_than(kind: str) -> tuple[str, ...]:
    """The kinds that have no more memory than *kind*, itself among them; only itself when it stands in no source."""
    mine = known(kind)
    others = () if mine is None else (name for name, gpu in GPUS.items() if gpu.vram_gb <= mine.vram_gb)
    return tuple(dict.fromkeys((plain_gpu(kind), *others)))
