"""What can be chosen for Transfer 1 and its upscaler; with NVIDIA's names and defaults.

One process has one seed, one negative prompt and one of each of these, whatever the batch: they are part of its key.
"""

from __future__ import annotations

from typing import Any

import attrs
from attrs.validators import ge, gt, in_, instance_of

from cosmos_core_transfer.transfer25.schema import THRESHOLDS


def option(default: Any, doc: str, *validators: Any) -> Any:
    """A field that says what it is for wherever options are shown."""
    return attrs.field(default=default, validator=list(validators) or None, metadata={"help": doc})


@attrs.frozen(kw_only=True)
class PlaceOptions:
    """Where NVIDIA's checkout is, and how long one waits for it."""

    checkpoint_dir: str = option("checkpoints", "folder of the weights, in the checkout or absolute")
    image: str = option(
        "", "container image with NVIDIA's environment; empty: the host's, or a native checkout"
    )
    build: str = option(
        "cu128", "which one it is: cu128, or nightly for Blackwell", in_(("cu128", "nightly"))
    )
    repo: str = option("/workspace", "folder of NVIDIA's checkout, on the host or in the image")
    python: str = option("python", "Python of that environment; torchrun lies beside it")
    quiet: int = option(1800, "seconds without a sign of life after which a job counts as hung", ge(0))
    timeout: int = option(0, "seconds after which a job is stopped; 0: never", ge(0))


@attrs.frozen(kw_only=True)
class LaunchOptions(PlaceOptions):
    """Where and how either runs."""

    gpus: int = option(
        1, "GPUs for one video; shortens it, and makes fewer videos an hour", instance_of(int), ge(1)
    )
    offload_diffusion_transformer: bool = option(False, "move the model to main memory when it is not used")
    offload_text_encoder_model: bool = option(False, "the same for the text encoder")
    offload_guardrail_models: bool = option(False, "the same for the safety models")


@attrs.frozen(kw_only=True)
class Transfer1Options(LaunchOptions):
    """Options of the backend ``transfer1``."""

    guidance: float = option(5.0, "how closely the video follows the prompt", ge(0))
    num_steps: int = option(35, "sampling steps", ge(1))
    sigma_max: float = option(70.0, "noise added to the input; from 80 on nothing of it is used", gt(0))
    computed: str = option("", "controls that the program computes itself though the clip has them: edge,vis")
    canny_threshold: str = option("medium", "for computed edges; lower finds more of them", in_(THRESHOLDS))
    blur_strength: str = option("medium", "for a computed vis", in_(THRESHOLDS))
    input_control_prompt: str = option("", "for a computed seg: words joined by ' . '; else of the prompt")
    control_weight_prompt: str = option("", "things that seg counts on; the program heeds it for seg only")
    regional_prompts: str = option(
        "",
        "what parts of the picture show, as REGION: TEXT; REGION: TEXT; a region is x0,y0,x1,y1 from 0 to 1, or words for "
        "what is there",
    )
    use_distilled: bool = option(False, "the distilled edge model: one step")
    upsample_prompt: bool = option(False, "let Pixtral rewrite the prompt; takes a GPU of its own size")
    offload_prompt_upsampler: bool = option(False, "move Pixtral to main memory when it is not used")


@attrs.frozen(kw_only=True)
class UpscaleOptions(LaunchOptions):
    """Options of the backend ``transfer1-upscale``."""

    control_weight: float = option(0.5, "how closely the picture is kept", ge(0))
    guidance: float = option(5.0, "how closely the video follows the prompt", ge(0))
    num_steps: int = option(10, "sampling steps", ge(1))
    sigma_max: float = option(70.0, "noise added to the input", gt(0))
