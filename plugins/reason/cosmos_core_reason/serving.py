"""The job that serves a judge: vLLM in its container or as a program, listening on its host's loopback and nowhere else.

Sources of the words: nvidia-cosmos/cosmos-reason2, ``README.md``; NVIDIA/cosmos, ``cookbooks/cosmos3/reasoner``. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGE = "vllm/vllm-openai:cosmos3"


@attrs.frozen(kw_only=True)
class Served:
    """A model that vLLM serves as a judge."""

    model: str
    words: tuple[str, ...] = ()
    """What it needs beside its name."""
    gb: int
    """Memory of a GPU that holds it."""


_QWEN3 = (
    "--max-model-len",
    "16384",
    "--media-io-kwargs",
    '{"video": {"num_frames": -1}}',
    "--reasoning-parser",
    "qwen3",
)

MODELS = {
    "reason2-2b": Served(model="nvidia/Cosmos-Reason2-2B", words=_QWEN3, gb=24),
    "reason2-8b": Served(model="nvidia/Cosmos-Reason2-8B", words=_QWEN3, gb=32),
    "reason1": Served(model="nvidia/Cosmos-Reason1-7B", gb=24),
    "cosmos3-nano": Served(model="nvidia/Cosmos3-Nano", words=("--async-scheduling",), gb=24),
}


def job(
    named: str,
    *,
    port: int,
    gpus: Sequence[int] = (),
    image: str = IMAGE,
    vllm: str = "vllm",
    extra: Sequence[str] = (),
) -> Job:
    """The server of the model *named*: one of :data:`MODELS`, or any that vLLM knows by its own name."""
    model = MODELS.get(named) or Served(model=named, gb=0)
    several = ("--tensor-parallel-size", str(len(gpus))) if len(gpus) > 1 else ()
    return Job(
        argv=(
            *(vllm, "serve", model.model),
            # Nobody but this host, and whoever tunnels to it.
            *("--host", "127.0.0.1", "--port", str(port)),
            *model.words,
            *several,
            *extra,
        ),
        image=image,
        gpus=tuple(gpus),
        serves=True,
    )
