"""A request as a sample, and a batch as a job: spec files, inputs by digest, one command line.

Source: nvidia-cosmos/cosmos-transfer2.5: examples/inference.py, cosmos_transfer2/config.py.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from cosmos_core.errors import InputError
from cosmos_core.extend import Input, Job, JobFile
from cosmos_core.launcher import SPOOL
from cosmos_core_transfer.files import unpin
from cosmos_core_transfer.launching import STAY, enter_file, entering, stay_file, torchrun
from cosmos_core_transfer.transfer25.options import TransferOptions, words
from cosmos_core_transfer.transfer25.schema import (
    CONTROLS,
    NEGATIVE,
    Depth,
    Edge,
    Sample,
    Seg,
    Vis,
    as_mapping,
    sigma,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Batch, Request, Slot, Spec

PORT = 12341
"""The first port of torchrun, as NVIDIA's documentation has it; a slot's own is this and its index."""


def options_of(spec: Spec) -> TransferOptions:
    """The options that a spec carries."""
    return TransferOptions(**spec.options)


def sample_of(name: str, spec: Spec, clip: Clip | None) -> Sample:
    """The sample that *spec* asks for. Paths are relative to a spec file in the job's folder ``specs``."""
    chosen = options_of(spec)
    kinds = [control.kind for control in spec.controls]
    blocks = {kind: _block(kind, spec.weights[kind], chosen, clip) for kind in CONTROLS if kind in kinds}
    labels = words(chosen.guided_generation_foreground_labels)
    is_all = clip is not None and spec.frames == clip.frames
    return Sample(
        name=name,
        prompt=spec.prompt.text,
        negative_prompt=spec.prompt.negative or NEGATIVE,
        video_path=_beside(Input.of(clip, "color").name) if clip else "",
        seed=spec.seed,
        guidance=chosen.guidance,
        num_steps=chosen.steps,
        resolution=chosen.resolution,
        sigma_max=None if chosen.sigma_max is None else sigma(chosen.sigma_max),
        max_frames=None if is_all else spec.frames,
        num_video_frames_per_chunk=chosen.num_video_frames_per_chunk,
        num_conditional_frames=chosen.num_conditional_frames,
        context_frame_index=chosen.context_frame_index,
        image_context_path=_pinned(chosen.image_context_path),
        keep_input_resolution=chosen.keep_input_resolution,
        show_control_condition=chosen.show_control_condition,
        show_input=chosen.show_input,
        guided_generation_mask=_pinned(chosen.guided_generation_mask),
        guided_generation_step_threshold=chosen.guided_generation_step_threshold,
        guided_generation_foreground_labels=tuple(int(label) for label in labels) or None,
        **blocks,  # type: ignore[arg-type]
    )


def _block(kind: str, weight: float, chosen: TransferOptions, clip: Clip | None) -> Depth:
    given = is_given(kind, chosen, clip)
    block = Depth(
        control_path=_beside(Input.of(clip, kind).name) if clip and given else None,
        control_weight=weight,
        mask_path=_pinned(getattr(chosen, f"{kind}_mask_path")),
        mask_prompt=getattr(chosen, f"{kind}_mask_prompt") or None,
    )
    own = attrs.asdict(block)
    match kind:
        case "edge":
            return Edge(**own, preset_edge_threshold=chosen.preset_edge_threshold)
        case "vis":
            return Vis(**own, preset_blur_strength=chosen.preset_blur_strength)
        case "seg":
            return Seg(**own, control_prompt=chosen.seg_control_prompt or None)
        case _:
            return block


def is_given(kind: str, chosen: TransferOptions, clip: Clip | None) -> bool:
    """Whether the clip's own video of a control is used; otherwise the model computes it."""
    return clip is not None and kind in clip.modalities and kind not in chosen.computed_controls


def _pinned(value: str) -> str | None:
    found = unpin(value)
    return _beside(found.input.name) if found else None


def _beside(name: str) -> str:
    return f"../{name}"


def inputs_of(request: Request) -> Iterator[Input]:
    """Every large file that the request's sample names."""
    chosen = options_of(request.spec)
    if request.clip is not None:
        yield Input.of(request.clip, "color")
        for control in request.spec.controls:
            if is_given(control.kind, chosen, request.clip):
                yield Input.of(request.clip, control.kind)
    for name in pinned_options():
        found = unpin(getattr(chosen, name))
        if found is not None and _is_used(name, request.spec):
            yield found.input


def pinned_options() -> tuple[str, ...]:
    """The options that name a file."""
    return (*(f"{kind}_mask_path" for kind in CONTROLS), "image_context_path", "guided_generation_mask")


def _is_used(name: str, spec: Spec) -> bool:
    kind = name.removesuffix("_mask_path")
    return kind not in CONTROLS or kind in spec.weights


def load_key(spec: Spec) -> str:
    """What must be loaded for a spec, and all that one process can have only one of.

    The set of controls comes first: with two sets in a batch the program loads the multi-control model for all, and in
    9 of the 61 possible pairs of a union and a subset gives a requested control the weight 0.
    """
    chosen = options_of(spec)
    controls = "+".join(kind for kind in CONTROLS if kind in spec.weights)
    plain = TransferOptions()
    differing = [
        f"{name}={getattr(chosen, name)}"
        for name in _PROCESS
        if getattr(chosen, name) != getattr(plain, name)
    ]
    return " ".join([controls or "none", chosen.resolution, *differing])


_PROCESS = (
    "distilled",
    "guardrails",
    "offload_guardrail_models",
    "gpus",
    "compile_tokenizer",
    "enable_parallel_tokenizer",
    "parallel_tokenizer_grid",
    "checkpoint_path",
    "experiment",
    "config_file",
    "image",
    "build",
    "repo",
    "python",
    "quiet",
    "timeout",
    "resident",
)


def compile_job(batch: Batch, slot: Slot) -> Job:
    """One process for the whole batch: a spec file a run, all of them after one ``-i``.

    ``-i a -i b`` would run b alone and exit with 0. Outputs lie in ``out``, new for each job: a second run in the same
    folder would destroy the first one's logs.

    Raises:
        InputError: the batch mixes what one process cannot serve.
    """
    keys = {load_key(request.spec) for request in batch.requests}
    if len(keys) > 1:
        raise InputError(f"batch {batch.id} mixes what one process cannot serve: {'; '.join(sorted(keys))}")
    chosen = options_of(batch.requests[0].spec)
    specs = [_spec_file(request) for request in batch.requests]
    inputs = {each.name: each for request in batch.requests for each in inputs_of(request)}
    return Job(
        argv=(
            *entering(chosen.repo, "-PYTHONPATH"),
            *program(chosen, [file.name for file in specs], slot),
        ),
        files=(*specs, enter_file(), *([stay_file()] if chosen.resident else [])),
        inputs=tuple(inputs.values()),
        env=environment(chosen),
        outputs=("out", "log.txt"),
        image=chosen.image,
        timeout=float(chosen.timeout),
        quiet=float(chosen.quiet),
    )


def more(batch: Batch, _: Slot) -> Job | None:
    """What a resident job takes for further requests: a spec file of the spool each, whose inputs lie beside the first ones'."""
    if not options_of(batch.requests[0].spec).resident:
        return None
    inputs = {each.name: each for request in batch.requests for each in inputs_of(request)}
    specs = tuple(_spec_file(request, SPOOL) for request in batch.requests)
    return Job(argv=(), files=specs, inputs=tuple(inputs.values()))


def _spec_file(request: Request, folder: str = "specs") -> JobFile:
    sample = sample_of(request.run, request.spec, request.clip)
    text = json.dumps(as_mapping(sample), indent=2, ensure_ascii=False) + "\n"
    return JobFile(name=f"{folder}/{request.run}.json", content=text.encode())


def program(chosen: TransferOptions, specs: list[str], slot: Slot) -> tuple[str, ...]:
    """NVIDIA's own command line. Setup flags stand bare; of the override flags, which need a value, there is none."""
    flags = {
        "--disable-guardrails": not chosen.guardrails,
        "--offload-guardrail-models": chosen.offload_guardrail_models,
        "--enable-parallel-tokenizer": chosen.enable_parallel_tokenizer,
    }
    valued = {
        "--model": "edge/distilled" if chosen.distilled else "",
        "--checkpoint-path": chosen.checkpoint_path,
        "--experiment": chosen.experiment,
        "--config-file": chosen.config_file,
        # Upper case on the command line: tyro takes the member's name, not its value.
        "--compile-tokenizer": chosen.compile_tokenizer.upper() if chosen.compile_tokenizer != "none" else "",
    }
    grid = chosen.parallel_tokenizer_grid.lower().split("x") if chosen.parallel_tokenizer_grid else ()
    return (
        *starter(chosen.python, chosen.gpus, PORT + slot.index),
        *(("{job}/" + STAY, f"{chosen.resident:g}") if chosen.resident else ()),
        "examples/inference.py",
        "-i",
        *(f"{{job}}/{name}" for name in specs),
        "-o",
        "{job}/out",
        *(word for name, value in valued.items() if value for word in (name, value)),
        *(name for name, is_on in flags.items() if is_on),
        *(("--parallel-tokenizer-grid", *grid) if grid else ()),
    )


def starter(python: str, gpus: int, port: int) -> tuple[str, ...]:
    """Python itself for one GPU; torchrun from beside it for several, each slot with a port of its own."""
    if gpus == 1:
        return (python,)
    return (torchrun(python), f"--nproc_per_node={gpus}", f"--master_port={port}")


def environment(chosen: TransferOptions) -> dict[str, str]:
    """Variables of the process.

    ``COSMOS_VERBOSE`` brings what only ``debug.log`` has (the pass that runs, why a video was blocked) to standard
    output, so that one log tells all in its order. Without ``COSMOS_EXPERIMENTAL_CHECKPOINTS`` the distilled model is
    no choice, and the program exits with 2.
    """
    variables = {"PYTHONUNBUFFERED": "1", "COSMOS_VERBOSE": "1"}
    if chosen.distilled:
        variables["COSMOS_EXPERIMENTAL_CHECKPOINTS"] = "1"
    return variables
