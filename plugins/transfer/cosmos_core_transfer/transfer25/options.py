"""What can be chosen for Transfer 2.5 beside prompt, controls, seed and length; with NVIDIA's names and defaults.

Everything about a sample goes into its spec file. An override flag on the command line would apply to every sample of
a batch, so none is ever written.
"""

from __future__ import annotations

from typing import Any

import attrs
from attrs.validators import ge, in_, instance_of, le, optional

from cosmos_core_transfer.files import pin
from cosmos_core_transfer.transfer25.schema import THRESHOLDS
from cosmos_core_transfer.transfer25.sizes import BUCKETS, CHUNK

STEPS, DISTILLED_STEPS = 35, 4


def _option(default: Any, doc: str, *validators: Any, converter: Any = None) -> Any:
    return attrs.field(
        default=default, validator=list(validators) or None, converter=converter, metadata={"help": doc}
    )


def _at_least(least: float) -> tuple[Any, Any]:
    return instance_of(int), ge(least)


@attrs.frozen(kw_only=True)
class TransferOptions:
    """Options of the backend ``transfer2.5``."""

    resolution: str = _option("720", "tier the model works in; 720 is 1280x704 at 16:9", in_(tuple(BUCKETS)))
    guidance: int = _option(3, "0 to 7: how closely the video follows the prompt", ge(0), le(7))
    num_steps: int | None = _option(
        None, "sampling steps; 35 when not given, 4 for the distilled model", optional(ge(1))
    )
    sigma_max: float | None = _option(
        None, "0 to 200: noise added to the input; 200 keeps nothing of it", optional([ge(0), le(200)])
    )
    computed: str = _option("", "controls that the model computes itself though the clip has them: edge,vis")
    preset_edge_threshold: str = _option(
        "medium", "for computed edges; lower finds more of them", in_(THRESHOLDS)
    )
    preset_blur_strength: str = _option("medium", "for a computed vis", in_(THRESHOLDS))
    seg_control_prompt: str = _option(
        "", "for a computed seg: what to segment; else the prompt's first 128 words"
    )
    edge_mask_path: str = _option("", "video: edge counts where it is white", converter=pin)
    vis_mask_path: str = _option("", "video: vis counts where it is white", converter=pin)
    depth_mask_path: str = _option("", "video: depth counts where it is white", converter=pin)
    seg_mask_path: str = _option("", "video: seg counts where it is white", converter=pin)
    edge_mask_prompt: str = _option("", "things that edge counts on, instead of a mask")
    vis_mask_prompt: str = _option("", "things that vis counts on, instead of a mask")
    depth_mask_prompt: str = _option("", "things that depth counts on, instead of a mask")
    seg_mask_prompt: str = _option("", "things that seg counts on, instead of a mask")
    image_context_path: str = _option(
        "", "a picture whose style the video takes; not with vis", converter=pin
    )
    context_frame_index: int | None = _option(
        None, "a frame of the input, from 1, whose style the video takes", optional(ge(1))
    )
    guided_generation_mask: str = _option(
        "", "mp4, or npz with arr_0 of shape (T, H, W): where the input is kept", converter=pin
    )
    guided_generation_step_threshold: int = _option(25, "steps that are guided")
    guided_generation_foreground_labels: str = _option("", "labels of an npz mask that are kept: 1,4")
    num_conditional_frames: int = _option(
        1, "frames that a later pass takes from the one before", in_((0, 1, 2))
    )
    num_video_frames_per_chunk: int = _option(CHUNK, "frames a pass; trained for 93", *_at_least(1))
    keep_input_resolution: bool = _option(True, "give the video the input's size; else that of the tier")
    show_control_condition: bool = _option(False, "put the controls beside the picture, in the video")
    show_input: bool = _option(False, "put the input beside the picture, in the video")
    distilled: bool = _option(
        False, "the distilled model: edge only, 4 steps, 93 frames, eight times as fast"
    )
    guardrails: bool = _option(
        True, "NVIDIA's safety models; its licence has a condition on leaving them out"
    )
    offload_guardrail_models: bool = _option(False, "keep the safety models in main memory")
    gpus: int = _option(1, "GPUs for one video; shortens it, and makes fewer videos an hour", *_at_least(1))
    compile_tokenizer: str = _option(
        "none", "pays from 30 videos a job", in_(("none", "moderate", "aggressive"))
    )
    enable_parallel_tokenizer: bool = _option(False, "split the tokenizer over several GPUs")
    parallel_tokenizer_grid: str = _option("", "how to split it: HxW, such as 2x4")
    checkpoint_path: str = _option("", "a post-trained checkpoint, as the host knows it; one control only")
    experiment: str = _option("", "the experiment of that checkpoint")
    config_file: str = _option("", "the configuration of that checkpoint")
    image: str = _option("", "container image with NVIDIA's environment; empty: a native checkout")
    build: str = _option(
        "cu128", "which one it is: cu128, or nightly for Blackwell", in_(("cu128", "nightly"))
    )
    repo: str = _option("/workspace", "folder of NVIDIA's checkout, on the host or in the image")
    python: str = _option("python", "Python of that environment, such as .venv/bin/python in the checkout")
    quiet: int = _option(
        1800, "seconds without a sign of life after which a job counts as hung", *_at_least(0)
    )
    timeout: int = _option(0, "seconds after which a job is stopped; 0: never", *_at_least(0))
    resident: float = _option(
        0.0,
        "seconds that the loaded model waits for more requests of its kind before it leaves its GPU; 0: it ends with its batch",
        ge(0),
    )

    @property
    def steps(self) -> int:
        """The sampling steps that will be taken."""
        if self.num_steps is not None:
            return self.num_steps
        return DISTILLED_STEPS if self.distilled else STEPS

    @property
    def computed_controls(self) -> tuple[str, ...]:
        """The words of ``computed``."""
        return words(self.computed)


def words(text: str) -> tuple[str, ...]:
    """``"edge, vis"`` as two words."""
    return tuple(word for word in text.replace(",", " ").split() if word)
