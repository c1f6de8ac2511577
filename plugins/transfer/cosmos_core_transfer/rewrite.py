"""Let Transfer 1's prompt upsampler rewrite one prompt: ``rewrite.py CHECKPOINTS``, in NVIDIA's checkout.

It travels with the job and needs the standard library and NVIDIA's packages. ``asked.json`` beside it has the prompt
and the video; ``out/prompt.json`` is there, whole, once the model has answered. NVIDIA's own script prints the answer
among the lines of vLLM, any number of lines long, and dies of a missing variable where torchrun did not start it.

Source: nvidia-cosmos/cosmos-transfer1 at 5005e82: cosmos_transfer1/auxiliary/upsampler/{inference,model},
cosmos_transfer1/diffusion/inference/transfer.py, cosmos_transfer1/utils/misc.py.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main(checkpoints: str) -> None:
    """Ask the model, and write down what it says."""
    job = Path(__file__).absolute().parent
    asked = json.loads((job / "asked.json").read_text("utf-8"))
    weights = Path(checkpoints) / _module("checkpoints").COSMOS_UPSAMPLER_CHECKPOINT
    if not weights.is_dir():
        sys.exit(f"Error: there is no {weights}, the model that rewrites prompts")
    frames = _module("utils.misc").extract_video_frames(str(job / asked["video"]))
    if not frames:
        # The program itself would ask the model without a picture.
        sys.exit(f"Error: no frame of {asked['video']} can be read")
    model = _module("auxiliary.upsampler.model.upsampler").PixtralPromptUpsampler(checkpoints)
    text = model._prompt_upsample_with_offload(asked["prompt"], frames)  # noqa: SLF001 (there is no other way in)
    _write(job / "out" / "prompt.json", {"text": text, "frames": len(frames)})


def _mend_registration() -> None:
    """As NVIDIA's program does before it imports vLLM; older checkouts have no such module, and no need of it."""
    try:
        _module("utils.fix_vllm_registration")
    except ModuleNotFoundError as error:
        if error.name != "cosmos_transfer1.utils.fix_vllm_registration":
            raise


def _module(name: str) -> Any:
    return importlib.import_module(f"cosmos_transfer1.{name}")


def _write(path: Path, answer: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(answer, ensure_ascii=False), "utf-8")
    part.replace(path)


# vLLM starts processes that import this file again, and each of them registers anew.
_mend_registration()
if __name__ == "__main__":
    main(sys.argv[1])
