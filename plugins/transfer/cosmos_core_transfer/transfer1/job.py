"""A batch as a job of Transfer 1: one file for the controls, one line a run, one command line.

Always ``--batch_size 1``: the model is loaded once all the same, each item keeps its own weights, and a refused item is
not replaced by the next one's video.

Source: nvidia-cosmos/cosmos-transfer1: cosmos_transfer1/diffusion/inference/transfer.py.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cosmos_core.errors import InputError
from cosmos_core.extend import Input, Job, JobFile
from cosmos_core_transfer.launching import enter_file, entering, torchrun
from cosmos_core_transfer.transfer1 import regions
from cosmos_core_transfer.transfer1.options import LaunchOptions, Transfer1Options, UpscaleOptions
from cosmos_core_transfer.transfer1.schema import AV, CONTROLS, NEGATIVE
from cosmos_core_transfer.transfer25.options import words

if TYPE_CHECKING:
    from cosmos_core.clip import Clip
    from cosmos_core.extend import Batch, Request, Slot, Spec

PORT = 29500
"""torchrun's own port; a slot's is this and its index."""

SPECS = "specs/controls.json"
LINES = "jobs.jsonl"
SCRIPT = "cosmos_transfer1/diffusion/inference/transfer.py"

_FLAGS = (
    "use_distilled",
    "upsample_prompt",
    "offload_diffusion_transformer",
    "offload_text_encoder_model",
    "offload_guardrail_models",
    "offload_prompt_upsampler",
)
_VALUES = ("num_steps", "guidance", "sigma_max", "blur_strength", "canny_threshold")
_LAUNCH = ("gpus", "checkpoint_dir", "image", "build", "repo", "python", "quiet", "timeout")


def options_of(spec: Spec) -> Transfer1Options:
    """The options that a spec of ``transfer1`` carries."""
    return Transfer1Options(**spec.options)


def upscale_options_of(spec: Spec) -> UpscaleOptions:
    """The options that a spec of ``transfer1-upscale`` carries."""
    return UpscaleOptions(**spec.options)


def fps_of(spec: Spec) -> int:
    """The rate of the output. The program writes ``--fps``, whatever the input's is, and takes a whole one only."""
    return max(1, int(spec.fps))


def kinds_of(spec: Spec) -> tuple[str, ...]:
    """The controls of a spec, in the program's order."""
    return tuple(kind for kind in CONTROLS if kind in spec.weights)


def load_key(spec: Spec) -> str:
    """What must be loaded for a spec, and all that one process can have only one of.

    That is nearly everything but prompt, clip and weights: a batch has one seed, one rate, one negative prompt.
    """
    chosen = options_of(spec)
    plain = Transfer1Options()
    differing = [
        f"{name}={getattr(chosen, name)}"
        for name in (*_VALUES, "regional_prompts", *_FLAGS, *_LAUNCH)
        if getattr(chosen, name) != getattr(plain, name)
    ]
    negative = [f"negative={spec.prompt.negative}"] if spec.prompt.negative else []
    return " ".join(
        [
            "+".join(kinds_of(spec)) or "none",
            f"seed={spec.seed}",
            f"fps={fps_of(spec)}",
            *differing,
            *negative,
        ]
    )


def is_given(kind: str, chosen: Transfer1Options, clip: Clip) -> bool:
    """Whether the clip's own video of a control is used; otherwise the program computes it."""
    return kind in clip.modalities and kind not in words(chosen.computed)


def inputs_of(request: Request) -> tuple[Input, ...]:
    """The videos that the request reads."""
    if request.clip is None:
        return ()
    chosen = options_of(request.spec)
    kinds = [kind for kind in kinds_of(request.spec) if is_given(kind, chosen, request.clip)]
    return tuple(Input.of(request.clip, kind) for kind in ("color", *kinds))


def line_of(request: Request) -> dict[str, Any]:
    """The request's line of the batch. ``run`` is ours: the program ignores what it does not know."""
    clip, spec = request.clip, request.spec
    if clip is None:
        raise InputError(f"run {request.run} has no clip")
    chosen = options_of(spec)
    return {
        "run": request.run,
        "visual_input": _in_job(Input.of(clip, "color").name),
        "prompt": spec.prompt.text,
        "control_overrides": {kind: _override(kind, spec, chosen, clip) for kind in kinds_of(spec)},
    }


def _override(kind: str, spec: Spec, chosen: Transfer1Options, clip: Clip) -> dict[str, Any]:
    given = is_given(kind, chosen, clip)
    made: dict[str, Any] = {
        "control_weight": spec.weights[kind],
        "input_control": _in_job(Input.of(clip, kind).name) if given else None,
    }
    if kind == "seg" and chosen.input_control_prompt:
        made["input_control_prompt"] = chosen.input_control_prompt
    if kind == "seg" and chosen.control_weight_prompt:
        made["control_weight_prompt"] = chosen.control_weight_prompt
    return made


def _in_job(name: str) -> str:
    # The program takes paths from where it runs, which is its checkout; enter.py makes these absolute.
    return f"{{job}}/{name}"


def compile_job(batch: Batch, slot: Slot) -> Job:
    """One process for the batch; its outputs lie in ``out/of-N/video_<index>``.

    Raises:
        InputError: the batch mixes what one process cannot serve.
    """
    keys = {load_key(request.spec) for request in batch.requests}
    if len(keys) > 1:
        raise InputError(f"batch {batch.id} mixes what one process cannot serve: {'; '.join(sorted(keys))}")
    first = batch.requests[0]
    chosen = options_of(first.spec)
    lines = [line_of(request) for request in batch.requests]
    specs = {
        "negative_prompt": first.spec.prompt.negative or NEGATIVE,
        # Only looked at, to be there; each line names its own.
        "input_video_path": lines[0]["visual_input"],
        **{kind: {"control_weight": first.spec.weights[kind]} for kind in kinds_of(first.spec)},
    }
    if chosen.regional_prompts:
        specs["regional_prompts"] = regions.as_list(chosen)
    flags = [name for name in _FLAGS if getattr(chosen, name)]
    if set(kinds_of(first.spec)) & AV:
        flags.append("is_av_sample")
    values = {name: getattr(chosen, name) for name in _VALUES} | {
        "seed": first.spec.seed,
        "fps": fps_of(first.spec),
        "batch_input_path": f"{{job}}/{LINES}",
        "batch_size": 1,
        "video_save_folder": f"{{job}}/{folder_of(len(lines))}",
    }
    inputs = {each.name: each for request in batch.requests for each in inputs_of(request)}
    return _job(chosen, slot, specs, values, flags, lines=lines, inputs=tuple(inputs.values()))


def folder_of(count: int) -> str:
    """Where the videos of a batch of *count* go; the count is in the name so that a log line tells it."""
    return f"out/of-{count}"


def upscale_load_key(spec: Spec) -> str:
    """Every run has a process of its own, so this only says what it is."""
    return f"upscale {upscale_options_of(spec).image}".strip()


def compile_upscale(batch: Batch, slot: Slot) -> Job:
    """One process for one run: the upscaler makes no batches.

    Raises:
        InputError: the batch has several runs, or the run has no clip.
    """
    if len(batch.requests) != 1:
        raise InputError(f"batch {batch.id} has {len(batch.requests)} runs, and the upscaler takes one")
    (request,) = batch.requests
    if request.clip is None:
        raise InputError(f"run {request.run} has no clip")
    chosen = upscale_options_of(request.spec)
    plate = Input.of(request.clip, "color")
    specs = {
        "prompt": request.spec.prompt.text,
        "negative_prompt": request.spec.prompt.negative or NEGATIVE,
        "input_video_path": _in_job(plate.name),
        "upscale": {"control_weight": chosen.control_weight},
    }
    values = {name: getattr(chosen, name) for name in ("num_steps", "guidance", "sigma_max")} | {
        "seed": request.spec.seed,
        "fps": fps_of(request.spec),
        "video_save_name": request.run,
        "video_save_folder": "{job}/out",
    }
    flags = [name for name in _FLAGS if getattr(chosen, name, False)]
    return _job(chosen, slot, specs, values, flags, lines=(), inputs=(plate,))


def _job(
    chosen: LaunchOptions,
    slot: Slot,
    specs: dict[str, Any],
    values: dict[str, Any],
    flags: list[str],
    *,
    lines: Any,
    inputs: tuple[Input, ...],
) -> Job:
    files = [JobFile(name=SPECS, content=_line(specs)), enter_file()]
    if lines:
        files.append(JobFile(name=LINES, content=b"".join(_line(each) for each in lines)))
    filled = [f"+{SPECS}", *([f"+{LINES}"] if lines else [])]
    return Job(
        argv=(
            *entering(chosen.repo, "PYTHONPATH={repo}", *filled),
            torchrun(chosen.python),
            f"--nproc_per_node={chosen.gpus}",
            "--nnodes=1",
            "--node_rank=0",
            f"--master_port={PORT + slot.index}",
            SCRIPT,
            "--checkpoint_dir",
            chosen.checkpoint_dir,
            "--controlnet_specs",
            f"{{job}}/{SPECS}",
            "--num_gpus",
            str(chosen.gpus),
            # Two words each: as --key=value the program would not see it, and a value of the file would win.
            *(word for name, value in values.items() for word in (f"--{name}", _plain(value))),
            *(f"--{name}" for name in flags),
        ),
        files=tuple(files),
        inputs=inputs,
        env={"PYTHONUNBUFFERED": "1", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"},
        outputs=("out", "log.txt", *([LINES] if lines else [])),
        image=chosen.image,
        timeout=float(chosen.timeout),
        quiet=float(chosen.quiet),
    )


def _line(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode()


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
