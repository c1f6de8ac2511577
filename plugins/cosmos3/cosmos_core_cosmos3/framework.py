"""The backend ``cosmos3``: transfer with NVIDIA's framework, several hints at once."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import fail, warn
from cosmos_core.extend import (
    Blame,
    Control,
    Expectation,
    Input,
    Job,
    JobFile,
    Needs,
    Outcome,
    Outcomes,
    Prompt,
    Spec,
    Tick,
)
from cosmos_core_cosmos3 import profiles, sample, sizes
from cosmos_core_cosmos3.sample import Hint, Sample

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Batch, Exit, Finding, Request, Slot

NAME = "cosmos3"
KINDS = {"edge": "edge", "vis": "blur", "depth": "depth", "seg": "seg", "wsm": "wsm"}
"""Our modalities, and the framework's names of them."""

_QUIET = 3600.0
"""Seconds. The first run fetches 90 GB; the sampler itself says nothing while it works."""
_BEGUN = re.compile(r"Saved sample args to '[^']*?([^/']+)/sample_args\.json'")
_SAVED = re.compile(r"Saved (?:transfer|sample) outputs to '[^']*?([^/']+)/sample_outputs\.json'")
_BLOCKED = "Guardrail blocked"
_OOM = re.compile(r"OutOfMemoryError|CUDA out of memory")
_ERROR = re.compile(r"^(?:[\w.]*(?:Error|Exception)\b.*|Error: .*)$", re.MULTILINE)
_LARGEST_LOG = 32_000_000
_NAMED_BY_US = frozenset(["name", "vision_path", *sample.HINTS])


def _one_of(*allowed: str) -> Any:
    return attrs.validators.in_(allowed)


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@attrs.frozen(kw_only=True)
class Transfer:
    """What a transfer can be told beside prompt, clip, weights and seed. Names are NVIDIA's."""

    checkpoint: str = attrs.field(
        default="Cosmos3-Nano", validator=_one_of(*sizes.TRAINED), metadata=_help(", ".join(sizes.TRAINED))
    )
    resolution: str = attrs.field(
        default="720", validator=_one_of(*sizes.SIZES), metadata=_help("tier: 256, 480, 720 or 768")
    )
    aspect_ratio: str = attrs.field(
        default="",
        validator=_one_of("", *sizes.RATIOS),
        metadata=_help("16,9 4,3 1,1 3,4 or 9,16; the nearest to the clip's when not said"),
    )
    num_steps: int = attrs.field(default=50, metadata=_help("steps of the sampler"))
    shift: float = attrs.field(default=10.0, metadata=_help("shift of the sampler"))
    guidance: float | None = attrs.field(
        default=None, metadata=_help("0 to 7; what NVIDIA tuned for the hint when not said")
    )
    control_guidance: float | None = attrs.field(
        default=None, metadata=_help("0 to 10; what NVIDIA tuned for the hint when not said")
    )
    num_video_frames_per_chunk: int = attrs.field(default=121, metadata=_help("4k + 1 frames made at once"))
    num_conditional_frames: int = attrs.field(default=1, metadata=_help("frames a later chunk goes on from"))
    num_first_chunk_conditional_frames: int = attrs.field(
        default=0, metadata=_help("frames of the clip's colour that the video begins with")
    )
    emphasize_control_in_prompt: bool = attrs.field(
        default=True, metadata=_help("let the framework add a sentence that names the hints")
    )
    share_vision_temporal_positions: bool = attrs.field(
        default=True, metadata=_help("as the checkpoints were trained")
    )
    negative_metadata_mode: str = attrs.field(
        default="none", validator=_one_of("none", "same", "inverse"), metadata=_help("none, same or inverse")
    )
    negative_prompt_keep_metadata: bool = attrs.field(
        default=False, metadata=_help("true turns a negative_metadata_mode of none into same")
    )
    preset_edge_threshold: str = attrs.field(
        default="medium", validator=_one_of(*sample.EDGE_PRESETS), metadata=_help("goes into the record only")
    )
    preset_blur_strength: str = attrs.field(
        default="medium", validator=_one_of(*sample.BLUR_PRESETS), metadata=_help("goes into the record only")
    )
    gpus: int = attrs.field(
        default=1,
        validator=attrs.validators.ge(1),
        metadata=_help("for one video; several make it sooner, not cheaper"),
    )


def chosen(spec: Spec) -> Transfer:
    """The options of *spec*; what it does not say has its default."""
    known = attrs.fields_dict(Transfer)
    return Transfer(**{key: value for key, value in spec.options.items() if key in known})


def guidance_of(spec: Spec) -> tuple[float, float]:
    """``guidance`` and ``control_guidance``: said, or tuned by NVIDIA for a single hint."""
    options = chosen(spec)
    kinds = [KINDS[control.kind] for control in spec.controls if control.kind in KINDS]
    tuned = sample.GUIDANCE[kinds[0] if len(kinds) == 1 else "edge"]
    return (
        tuned[0] if options.guidance is None else options.guidance,
        tuned[1] if options.control_guidance is None else options.control_guidance,
    )


def sample_of(spec: Spec, *, name: str = "sample", clip: Clip | None = None) -> Sample:
    """The sample that asks the framework for *spec*, every field said."""
    options = chosen(spec)
    guidance, control_guidance = guidance_of(spec)
    first = options.num_first_chunk_conditional_frames
    hints: dict[str, Any] = {
        KINDS[control.kind]: _hint(control, spec, options, clip)
        for control in spec.controls
        if control.kind in KINDS
    }
    asked = Sample(
        name=name,
        model_mode="video2video",
        prompt=spec.prompt.text,
        negative_prompt=spec.prompt.negative or None,
        negative_metadata_mode=options.negative_metadata_mode,
        negative_prompt_keep_metadata=options.negative_prompt_keep_metadata,
        resolution=options.resolution,
        aspect_ratio=options.aspect_ratio or sizes.nearest_ratio(spec.width, spec.height),
        num_frames=sizes.rounded(spec.frames),
        fps=int(spec.fps),
        shift=options.shift,
        num_steps=options.num_steps,
        seed=spec.seed,
        guidance=guidance,
        control_guidance=control_guidance,
        num_video_frames_per_chunk=options.num_video_frames_per_chunk,
        num_conditional_frames=options.num_conditional_frames,
        num_first_chunk_conditional_frames=first,
        share_vision_temporal_positions=options.share_vision_temporal_positions,
        emphasize_control_in_prompt=options.emphasize_control_in_prompt,
        max_frames=spec.frames,
        show_control_condition=False,
        show_input=False,
        vision_path=_path("color", spec, clip) if first else None,
    )
    return attrs.evolve(asked, **hints)


def _hint(control: Control, spec: Spec, options: Transfer, clip: Clip | None) -> Hint:
    return Hint(
        control_path=_path(control.kind, spec, clip),
        weight=control.weight,
        preset_edge_threshold=options.preset_edge_threshold if control.kind == "edge" else None,
        preset_blur_strength=options.preset_blur_strength if control.kind == "vis" else None,
    )


def _path(modality: str, spec: Spec, clip: Clip | None) -> str:
    """Name of a pass in the job's folder: after its own digest where the clip is at hand, else after the clip's."""
    if clip is not None and modality in clip.modalities:
        return f"inputs/{clip.file(modality).sha256}.mp4"
    return f"inputs/{spec.clip}.{modality}.mp4"


def spec_of(
    found: Sample,
    *,
    prompt: str,
    negative: str = "",
    clip: str,
    frames: int,
    checkpoint: str = "Cosmos3-Nano",
) -> Spec:
    """The request that a sample of NVIDIA's is, without loss.

    Args:
        found: the sample.
        prompt: the text, of ``prompt`` or of the file that ``prompt_path`` names.
        negative: same, for the negative prompt.
        clip: digest of the sealed clip that holds the controls.
        frames: of that clip; a transfer is as long as its control.
        checkpoint: to run it with; a sample names none.
    """
    kinds = {theirs: ours for ours, theirs in KINDS.items()}
    only = next(iter(found.hints)) if len(found.hints) == 1 else "edge"
    tuned = sample.GUIDANCE[only]
    options = Transfer(
        checkpoint=checkpoint,
        resolution=found.resolution or "720",
        aspect_ratio=found.aspect_ratio or "",
        num_steps=found.num_steps or profiles.BENCHMARK_STEPS,
        shift=10.0 if found.shift is None else found.shift,
        guidance=tuned[0] if found.guidance is None else found.guidance,
        control_guidance=tuned[1] if found.control_guidance is None else found.control_guidance,
        num_video_frames_per_chunk=found.chunk,
        num_conditional_frames=found.conditional,
        num_first_chunk_conditional_frames=found.num_first_chunk_conditional_frames or 0,
        emphasize_control_in_prompt=found.emphasize_control_in_prompt is not False,
        share_vision_temporal_positions=found.share_vision_temporal_positions is not False,
        negative_metadata_mode=found.negative_metadata_mode or "none",
        negative_prompt_keep_metadata=bool(found.negative_prompt_keep_metadata),
        preset_edge_threshold=(found.edge and found.edge.preset_edge_threshold) or "medium",
        preset_blur_strength=(found.blur and found.blur.preset_blur_strength) or "medium",
    )
    width, height = found.size
    return Spec(
        backend=NAME,
        prompt=Prompt(prompt, negative),
        clip=clip,
        controls=tuple(
            Control(kind=kinds[name], weight=1.0 if hint.weight is None else hint.weight)
            for name, hint in found.hints.items()
        ),
        frames=min(frames, found.max_frames or frames),
        fps=Fraction(found.fps or 24),
        width=width,
        height=height,
        seed=found.seed or 0,
        options=attrs.asdict(options),
    )


def arguments(options: Transfer) -> tuple[str, ...]:
    """The arguments of the framework beside its input and output.

    ``--keep-going``: without it a sample that fails ends the whole batch.
    """
    return ("--checkpoint-path", options.checkpoint, "--parallelism-preset", "latency", "--keep-going")


def load_key(spec: Spec) -> str:
    """Checkpoint and GPUs: what one process is started with."""
    options = chosen(spec)
    return f"{NAME} {options.checkpoint} {options.gpus}"


def needs(spec: Spec) -> Needs:
    """GPUs, their memory, and the kinds that cannot."""
    options = chosen(spec)
    return Needs(
        gpus=options.gpus,
        vram_gb=profiles.memory(profiles.FRAMEWORK, options.checkpoint),
        unfit=profiles.unfit(profiles.FRAMEWORK, options.checkpoint),
    )


def passes(spec: Spec) -> int:
    """How often the model runs: once for each chunk."""
    options = chosen(spec)
    chunk, conditional = options.num_video_frames_per_chunk, options.num_conditional_frames
    return sizes.chunks(spec.frames, chunk=chunk, conditional=conditional) if chunk > conditional else 1


def seconds(spec: Spec, gpu: str) -> float:
    """Chunks times the time of one; a chunk costs the same, however few of its frames are kept."""
    options = chosen(spec)
    return profiles.seconds(
        profiles.FRAMEWORK,
        options.checkpoint,
        gpu,
        frames=max(1, options.num_video_frames_per_chunk) * passes(spec),
        steps=max(1, options.num_steps),
        tier=options.resolution,
    )


def load_seconds(spec: Spec, _: str) -> float:
    """An estimate, the same on every kind of GPU."""
    return profiles.load_seconds(chosen(spec).checkpoint)


def expect(spec: Spec) -> Expectation:
    """As many frames as the controls have or the request says, at their rate, in the tier's size."""
    width, height = sample_of(spec).size
    return Expectation(
        name="video.mp4", frames=spec.frames, fps=Fraction(int(spec.fps)), width=width, height=height
    )


def review(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    """Everything the framework would refuse, or accept and get wrong."""
    asked = sample_of(spec, clip=clip)
    yield from sample.review(asked, chosen(spec).checkpoint)
    if spec.fps.denominator != 1:
        yield fail(
            f"{spec.fps} frames a second would be saved as {int(spec.fps)}: the framework takes whole numbers, "
            "and the video would last longer than its clip",
            hint="render the clip at a whole rate, 24 or 30",
            where="fps",
        )
    if spec.frames < 2:
        yield fail("one frame becomes a .jpg", where="frames")
    if clip is None:
        return
    lost = sizes.cropped(clip.width, clip.height, asked.size)
    if lost > 0.01:
        yield warn(
            f"{lost:.0%} of the picture is cut off: {clip.width}x{clip.height} is scaled to cover "
            f"{asked.size[0]}x{asked.size[1]} and cropped around its centre",
            hint=f"render the clip at {asked.size[0]}x{asked.size[1]}",
            where="clip",
        )


def compile_job(batch: Batch, _: Slot) -> Job:
    """One process for the whole batch: every sample a line of one file."""
    options = chosen(batch.requests[0].spec)
    samples = [sample_of(each.spec, name=each.run, clip=each.clip) for each in batch.requests]
    inputs = {each.name: each for request in batch.requests for each in _inputs(request)}
    return Job(
        argv=("python3", "cosmos3.py", str(options.gpus), *arguments(options)),
        files=(
            JobFile(name="cosmos3.py", content=Path(__file__).with_name("program.py").read_bytes()),
            JobFile(name="batch.jsonl", content=sample.to_lines(samples)),
        ),
        inputs=tuple(inputs.values()),
        env={"PYTHONUNBUFFERED": "1"},
        outputs=("out", "log.txt"),
        quiet=_QUIET,
    )


def _inputs(request: Request) -> Iterator[Input]:
    if request.clip is None:
        return
    first = chosen(request.spec).num_first_chunk_conditional_frames
    for modality in (*(control.kind for control in request.spec.controls), *(("color",) if first else ())):
        yield Input.of(request.clip, modality, name=_path(modality, request.spec, request.clip))


def progress(line: str) -> Tick | None:
    """Where a sample begins and ends; between the two the framework says nothing."""
    if found := _BEGUN.search(line):
        return Tick(run=found[1], note="started")
    if found := _SAVED.search(line):
        return Tick(run=found[1], done=1, total=1, note="saved")
    return None


def whole(request: Request, names: Collection[str]) -> tuple[str, ...]:
    """A sample is whole once the framework has written down how it ended, which comes last."""
    mine = tuple(f"out/{request.run}/{name}" for name in ("vision.mp4", "sample_outputs.json"))
    return mine if set(mine) <= set(names) else ()


def outcome(folder: Path, request: Request, ended: Exit) -> Outcomes:
    """How a request ended, from ``sample_outputs.json``, and from the log where there is none.

    Guardrails: the framework loads them and then runs none of them on a transfer (``_generate_transfer_batch``
    in cosmos_framework/inference/inference.py, 5eee9ed), so they are never said to be on.
    """
    own = folder / "out" / request.run
    said = _json(own / "sample_outputs.json")
    video = own / "vision.mp4"
    if said.get("status") == "success" and video.is_file():
        if wrong := _differs(said.get("args"), request):
            return Outcomes(outcome=Outcome.FAILED, reason=wrong)
        return Outcomes(outcome=Outcome.DONE, file=video, guardrail="off")
    log = _log(folder)
    reason = str(said.get("message") or _said_of(log, request.run))
    if _BLOCKED in reason:
        return Outcomes(outcome=Outcome.BLOCKED, reason=f"the guardrail refused it: {reason[:300]}")
    if reason:
        return Outcomes(outcome=Outcome.FAILED, reason=f"the framework says: {reason[:300]}")
    if said.get("status") == "success":
        return Outcomes(outcome=Outcome.FAILED, reason="the framework says success and left no vision.mp4")
    return _died(own, log, ended)


def _died(own: Path, log: str, ended: Exit) -> Outcomes:
    errors = _ERROR.findall(log)
    last = f": {errors[-1].strip()[:300]}" if errors and ended.code else ""
    if not (own / "sample_args.json").is_file():
        return Outcomes(
            outcome=Outcome.MISSING,
            reason=f"the framework ended with exit code {ended.code} before it began this sample{last}",
        )
    blame = Blame.RUN
    if _OOM.search(log):
        last = ": the GPU ran out of memory; use one with more, that nobody else is using"
        blame = Blame.MEMORY
    return Outcomes(
        outcome=Outcome.FAILED,
        reason=f"the framework died on this sample with exit code {ended.code}{last}",
        blame=blame,
    )


def _said_of(log: str, name: str) -> str:
    found = re.search(rf"Error generating sample '{re.escape(name)}': (.*)", log)
    return found[1].strip() if found else ""


def _differs(did: object, request: Request) -> str:
    """A sentence when the framework's echo says that it did something else than it was sent."""
    if not isinstance(did, dict):
        return ""
    sent: Mapping[str, Any] = sample.to_json(sample_of(request.spec, name=request.run))
    for key, value in sent.items():
        if key not in _NAMED_BY_US and key in did and did[key] != value:
            return f"the framework used {key} {did[key]!r:.60} where {value!r:.60} was sent"
    return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _log(folder: Path) -> str:
    path = folder / "log.txt"
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_LARGEST_LOG).decode("utf-8", "replace").replace("\r", "\n")
