"""Stands in for ``auxiliary/upsampler/model/upsampler.py`` of Cosmos Transfer 1, and misbehaves as it does.

Words in a prompt choose what happens: ``crash``, ``oom``, ``shared`` (somebody else has memory of the GPU, which the
engine's process says and the caller does not), ``hang``, ``empty`` (the model says nothing), ``many-lines``, ``cut-off``
(300 tokens are too few), ``dies-after`` (vLLM crashes on its way out).

What it copies: the constructor loads the model unless it is to be offloaded, in a process of its own that imports the
caller's script again; in a process without NVIDIA's mending module vLLM cannot register; a list without frames is asked about without
a picture; the answer is stripped, and nothing is written anywhere.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from cosmos_transfer1.checkpoints import COSMOS_UPSAMPLER_CHECKPOINT  # type: ignore[import-not-found]

if "cosmos_transfer1.utils.fix_vllm_registration" not in sys.modules:
    raise ValueError("'aimv2' is already used by a Transformers config, pick another name.")


class PixtralPromptUpsampler:
    """As the original, with a model that repeats what it is told."""

    def __init__(self, checkpoint_dir: str, offload_prompt_upsampler: bool = False) -> None:
        self.offload_prompt_upsampler = offload_prompt_upsampler
        self.checkpoint_dir = checkpoint_dir
        if not offload_prompt_upsampler:
            self._load_upsampler_model()

    def _load_upsampler_model(self) -> None:
        path = Path(self.checkpoint_dir, COSMOS_UPSAMPLER_CHECKPOINT)
        if not path.is_dir():
            raise OSError(f"{path} is not a local folder and is not a valid model identifier")
        sys.stdout.write("INFO 11-25 10:21:47 [core.py:69] Initializing a V1 LLM engine (v0.9.2)\n")
        sys.stdout.flush()
        engine = multiprocessing.get_context("spawn").Process(target=_engine)
        engine.start()
        engine.join()
        if engine.exitcode:
            raise RuntimeError("Engine core initialization failed. See root cause above.")

    def _prompt_upsample_with_offload(self, prompt: str, video_path: list[str]) -> str:
        if self.offload_prompt_upsampler:
            self._load_upsampler_model()
        return _answer(prompt or "describe the following images", video_path).strip()


def _engine() -> None:
    """Another process, to which the caller's module is not ``__main__``."""


def _answer(prompt: str, frames: list[str]) -> str:
    while "hang" in prompt:
        time.sleep(0.1)
    if "crash" in prompt:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if "oom" in prompt:
        _out_of_memory()
    if "shared" in prompt:
        sys.stderr.write(
            "(EngineCore_0 pid=7) ERROR ValueError: Free memory on device (70.1/79.1 GiB) on startup is less than "
            "desired GPU memory utilization (0.98, 77.5 GiB). Decrease GPU memory utilization or reduce GPU memory "
            "used by other processes.\n"
        )
        raise RuntimeError("Engine core initialization failed. See root cause above.")
    if "empty" in prompt:
        return "  \n"
    if "dies-after" in prompt:
        _die_at_exit()
    seen = hashlib.sha256(b"".join(Path(each).read_bytes() for each in frames)).hexdigest()[:8]
    lines = (
        f"The video shows {prompt}.\nUpsampled prompt: it is filmed slowly, in {len(frames)} pictures {seen}."
    )
    if "many-lines" in prompt:
        return f" {lines}\n\n1. Wet stone.\n"
    return f"{lines} The camera then" if "cut-off" in prompt else lines


def _out_of_memory() -> NoReturn:
    kind = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch.cuda"})
    raise kind("CUDA out of memory. Tried to allocate 2.00 GiB")


def _die_at_exit() -> None:
    import atexit

    atexit.register(os._exit, 134)
