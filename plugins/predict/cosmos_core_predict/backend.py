"""The backend ``predict2.5``: a request into a sample, a batch into one run of NVIDIA's program."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import fail, warn
from cosmos_core.extend import Expectation, Input, Job, JobFile, Needs, Prompt, Spec, Tick
from cosmos_core.launcher import SPOOL
from cosmos_core_predict import length, outcomes, profiles, sample
from cosmos_core_predict.sample import MODELS, TYPES, Sample

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Batch, Exit, Finding, Outcomes, Request, Slot

NAME = "predict2.5"
NOTHING_ASKED = 93
"""Frames of a request that names neither a length nor a clip."""

_SAMPLE = re.compile(r"\[\d+/\d+\] Processing sample (?P<run>\S+)")
_CHUNK = re.compile(r"Processing chunk (?P<chunk>\d+)/(?P<total>\d+)")
_STEP = re.compile(r"Generating samples:.*?(?P<done>\d+)/(?P<total>\d+) ")
_SAVED = re.compile(r"Saved video to \S*?(?P<run>[^/\s]+)\.mp4")
_QUIET = 1800.0
"""Seconds. The model loads for four minutes and compiles for three; a first run fetches 54 GB before that."""
LONGEST_STAY = _QUIET / 2
"""Seconds without work after which a resident model leaves; more would be taken for a job that hangs."""


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@attrs.frozen(kw_only=True)
class Predict:
    """What Predict 2.5 can be told beside prompt, clip and seed. Names are NVIDIA's but for the two lengths."""

    inference_type: str = attrs.field(
        default="text2world",
        validator=attrs.validators.in_(TYPES),
        metadata=_help("text2world, image2world from the clip's first frame, video2world from its last five"),
    )
    model: str = attrs.field(
        default="2B/post-trained",
        validator=attrs.validators.in_(MODELS),
        metadata=_help(f"one of {', '.join(MODELS)}"),
    )
    seconds: float = attrs.field(
        default=0.0, metadata=_help("how long the video should be; 0 for one native pass of 5.8 s")
    )
    delivery_fps: int = attrs.field(
        default=0, metadata=_help("rate that the step retime writes a copy at; 0 for the model's own, 16")
    )
    num_output_frames: int = attrs.field(
        default=0, metadata=_help("the length in frames of the model, 16 a second, instead of seconds")
    )
    enable_autoregressive: bool = attrs.field(
        default=False, metadata=_help("go on after the first 93 frames, a pass for each 92 more")
    )
    chunk_size: int = attrs.field(default=93, metadata=_help("frames of a pass that are kept, at most 93"))
    chunk_overlap: int = attrs.field(default=1, metadata=_help("frames that two chunks share"))
    num_steps: int = attrs.field(default=35, metadata=_help("steps of the sampler"))
    guidance: int = attrs.field(default=7, metadata=_help("0 to 7: how closely the prompt is followed"))
    resolution: str = attrs.field(
        default="none", metadata=_help('"none" for 1280x704, or height and width such as "704,1280"')
    )
    disable_guardrails: bool = attrs.field(
        default=False,
        metadata=_help("run without safety models; the licence asks for a substitute of your own"),
    )
    offload_diffusion_model: bool = attrs.field(
        default=False, metadata=_help("keep the model in main memory between uses")
    )
    offload_text_encoder: bool = attrs.field(
        default=False, metadata=_help("keep the text encoder in main memory between uses")
    )
    offload_tokenizer: bool = attrs.field(
        default=False, metadata=_help("keep the tokenizer in main memory between uses")
    )
    resident: float = attrs.field(
        default=0.0,
        validator=[attrs.validators.ge(0), attrs.validators.le(LONGEST_STAY)],
        metadata=_help(
            "seconds that the loaded model waits for more requests of its kind before it leaves its GPU; "
            "0: it ends with its batch"
        ),
    )


FLAGS = ("disable_guardrails", "offload_diffusion_model", "offload_text_encoder", "offload_tokenizer")
"""Options that are bare flags of the program; a value behind one ends it with exit code 2."""


def chosen(spec: Spec) -> Predict:
    """The options of *spec*; what it does not say has its default."""
    known = attrs.fields_dict(Predict)
    return Predict(**{key: value for key, value in spec.options.items() if key in known})


def length_of(spec: Spec) -> length.Length:
    """How long the video of *spec* is, in every sense.

    ``num_output_frames`` counts before ``seconds``. A request that says neither and starts from no clip may say it in
    frames and rate, as for every backend; the length of a clip never is the length of the video.
    """
    options = chosen(spec)
    seconds, frames = options.seconds, options.num_output_frames
    if not (seconds or frames or spec.clip or spec.frames == NOTHING_ASKED):
        seconds = spec.seconds
    return length.plan(
        seconds=seconds,
        frames=frames,
        autoregressive=options.enable_autoregressive,
        chunk=options.chunk_size,
        overlap=options.chunk_overlap,
        delivery_fps=options.delivery_fps,
    )


def lasting(spec: Spec, seconds: float) -> Spec:
    """The same request for a video of *seconds*: the option of that name, in place of any frames."""
    return attrs.evolve(spec, options=spec.options | {"seconds": seconds})


def passes(spec: Spec) -> int:
    """How often the model runs for one video."""
    return length_of(spec).passes


def sample_of(spec: Spec, *, name: str = "sample") -> Sample:
    """The sample that asks NVIDIA's program for *spec*, every field said."""
    options = chosen(spec)
    planned = length_of(spec)
    return Sample(
        name=name,
        inference_type=options.inference_type,
        prompt=spec.prompt.text,
        negative_prompt=spec.prompt.negative or None,
        input_path=input_name(spec),
        resolution=options.resolution,
        num_output_frames=planned.wanted,
        num_steps=options.num_steps,
        enable_autoregressive=options.enable_autoregressive,
        chunk_size=options.chunk_size,
        chunk_overlap=options.chunk_overlap,
        seed=spec.seed,
        guidance=options.guidance,
    )


def input_name(spec: Spec) -> str | None:
    """Name of the input in the job's folder, after the digest of the clip it is of; None without one."""
    suffix = {"image2world": ".png", "video2world": ".mp4"}.get(chosen(spec).inference_type)
    return f"inputs/{spec.clip}{suffix}" if suffix and spec.clip else None


def spec_of(found: Sample, *, prompt: str, clip: str = "", model: str = MODELS[0]) -> Spec:
    """The request that a sample of NVIDIA's is, without loss.

    Args:
        found: the sample.
        prompt: the text, of ``prompt`` or of the file that ``prompt_path`` names.
        clip: digest of the sealed clip that stands for ``input_path``.
        model: to run it with; a sample names none.
    """
    options = Predict(
        inference_type=found.inference_type,
        model=model,
        num_output_frames=found.num_output_frames or (sample.DEFAULT_CHUNK if found.is_autoregressive else 0),
        enable_autoregressive=found.is_autoregressive,
        chunk_size=found.chunk,
        chunk_overlap=found.overlap,
        num_steps=found.num_steps or sample.DEFAULT_STEPS,
        guidance=7 if found.guidance is None else found.guidance,
        resolution=found.resolution or "none",
    )
    width, height = found.size
    return Spec(
        backend=NAME,
        prompt=Prompt(prompt, found.negative_prompt or ""),
        clip=clip,
        frames=found.length.model_frames,
        fps=Fraction(length.MODEL_FPS),
        width=width,
        height=height,
        seed=found.seed or 0,
        options=attrs.asdict(options),
    )


def load_key(spec: Spec) -> str:
    """Model and flags: what one process is started with."""
    options = chosen(spec)
    return " ".join([NAME, *_staying(options), *arguments(options)])


def _staying(options: Predict) -> tuple[str, ...]:
    return ("--resident", f"{options.resident:g}") if options.resident else ()


def arguments(options: Predict) -> tuple[str, ...]:
    """The arguments of NVIDIA's program beside its input and output."""
    flags = [f"--{flag.replace('_', '-')}" for flag in FLAGS if getattr(options, flag)]
    return ("--model", options.model, *flags)


def needs(spec: Spec) -> Needs:
    """One GPU: several share no weights, and a guardrail that refuses would hang the others."""
    model = chosen(spec).model
    return Needs(gpus=1, vram_gb=profiles.memory(model), unfit=profiles.unfit(model))


def seconds(spec: Spec, gpu: str) -> float:
    """Passes times the time of one, which grows with the steps."""
    options = chosen(spec)
    share = max(1, options.num_steps) / sample.DEFAULT_STEPS
    return length_of(spec).passes * share * profiles.pass_seconds(options.model, gpu)


def load_seconds(spec: Spec, _: str) -> float:
    """What was measured for 14B, or follows from it; the same on every kind of GPU."""
    return profiles.load_seconds(chosen(spec).model)


def expect(spec: Spec) -> Expectation:
    """93 frames, or with autoregression as many as were asked for; always at 16 a second."""
    width, height = sample_of(spec).size
    return Expectation(
        name="video.mp4",
        frames=length_of(spec).model_frames,
        fps=Fraction(length.MODEL_FPS),
        width=width,
        height=height,
    )


def review(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    """Everything the program would refuse, or accept and get wrong."""
    options = chosen(spec)
    yield from sample.review(sample_of(spec), options.model)
    yield from _review_clip(spec, clip)
    yield from _review_asked(spec, clip)
    if options.disable_guardrails:
        yield warn(
            "the guardrails are off: no safety model looks at prompt or video", where="disable_guardrails"
        )
    if spec.seed + length_of(spec).passes > 2**31:
        yield fail(f"seed {spec.seed} is too large: chunk k draws from seed + k", where="seed")


def _review_clip(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    kind = chosen(spec).inference_type
    if clip is None:
        return
    if kind == "text2world":
        yield fail(
            f"text2world ignores clip {clip.name}: the video would show nothing of it",
            hint="-o inference_type=image2world begins with its first frame, video2world with its last five",
            where="inference_type",
        )
        return
    if "color" not in clip.modalities:
        yield fail(f"clip {clip.name} has no colour to begin with", where="clip")
        return
    if kind == "video2world" and clip.frames < sample.CONDITION_FRAMES[kind]:
        yield fail(
            f"clip {clip.name} has {clip.frames} frames and video2world begins with the last "
            f"{sample.CONDITION_FRAMES[kind]}: the program would stop, and lose the rest of its batch",
            where="clip",
        )
    yield from _review_shape(spec, clip)


def _review_shape(spec: Spec, clip: Clip) -> Iterator[Finding]:
    width, height = sample_of(spec).size
    scale = max(width / clip.width, height / clip.height)
    lost = 1 - (width * height) / (scale * clip.width * scale * clip.height)
    if lost > 0.01:
        yield warn(
            f"{lost:.0%} of the picture is cut off: {clip.width}x{clip.height} is scaled to cover "
            f"{width}x{height} and cropped around its centre",
            hint=f"render the clip at {width}x{height}",
            where="clip",
        )


def _review_asked(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    options = chosen(spec)
    if options.seconds < 0 or options.num_output_frames < 0 or options.delivery_fps < 0:
        yield fail("a length or a rate is negative", where="seconds")
    both = options.seconds and options.num_output_frames
    if both and length.frames_for(options.seconds) != options.num_output_frames:
        yield fail(
            f"{options.seconds:g} s are {length.frames_for(options.seconds)} frames of this model, "
            f"and num_output_frames says {options.num_output_frames}",
            hint="say one of them",
            where="num_output_frames",
        )
    said = length_of(spec)
    if not _agrees(spec, clip, said):
        yield fail(
            f"{spec.frames} frames are asked for, and the length of this video is {said.wanted} frames",
            hint="say it with -o seconds=…, not with --frames",
            where="frames",
        )
    elif clip is not None and not (options.seconds or options.num_output_frames):
        yield warn(
            f"the length of a clip is not that of the video: the model makes {said.model_frames} frames at "
            f"{length.MODEL_FPS} a second",
            hint="-o seconds=… says another",
            where="seconds",
        )


def _agrees(spec: Spec, clip: Clip | None, said: length.Length) -> bool:
    """Whether the frames of *spec* were not asked for, or last as long as the options say."""
    unsaid = {NOTHING_ASKED, said.wanted, clip.frames if clip else NOTHING_ASKED}
    return spec.frames in unsaid or (clip is None and length.frames_for(spec.seconds) == said.wanted)


def compile_job(batch: Batch, _: Slot) -> Job:
    """One process for the whole batch: every sample a line of one file, so that no second ``-i`` can lose any."""
    options = chosen(batch.requests[0].spec)
    samples = [sample_of(request.spec, name=request.run) for request in batch.requests]
    programs = {"predict.py": "program.py"} | ({"stay.py": "stay.py"} if options.resident else {})
    pictures = {each.name: each for request in batch.requests for each in _picture(request)}
    videos = {each.name: each for request in batch.requests for each in _video(request)}
    return Job(
        argv=("python3", "predict.py", *_staying(options), *arguments(options)),
        files=(
            *(
                JobFile(name=name, content=Path(__file__).with_name(source).read_bytes())
                for name, source in programs.items()
            ),
            JobFile(name="batch.jsonl", content=sample.to_lines(samples)),
            *pictures.values(),
        ),
        inputs=tuple(videos.values()),
        # Without the first, chunks are named in debug.log alone.
        env={"COSMOS_VERBOSE": "1", "PYTHONUNBUFFERED": "1"},
        outputs=("out", "log.txt"),
        quiet=_QUIET,
    )


def more(batch: Batch, _: Slot) -> Job | None:
    """What a resident job takes for further requests: a file of the spool each, whose inputs lie beside the first ones'."""
    if not chosen(batch.requests[0].spec).resident:
        return None
    spooled = []
    for request in batch.requests:
        asked = sample_of(request.spec, name=request.run)
        if asked.input_path:
            # The program looks for it from the file's own folder.
            asked = attrs.evolve(asked, input_path=f"../{asked.input_path}")
        spooled.append(JobFile(name=f"{SPOOL}/{request.run}.jsonl", content=sample.to_lines([asked])))
    pictures = {each.name: each for request in batch.requests for each in _picture(request)}
    videos = {each.name: each for request in batch.requests for each in _video(request)}
    return Job(argv=(), files=(*pictures.values(), *spooled), inputs=tuple(videos.values()))


def whole(request: Request, names: Collection[str]) -> tuple[str, ...]:
    """All of a request's files once a resident program is through with it; else nothing says when one is."""
    name = request.run
    if f"out/finished/{name}" not in names:
        return ()
    return tuple(each for each in (f"out/{name}.json", f"out/{name}.mp4") if each in names)


def _picture(request: Request) -> Iterator[JobFile]:
    """The clip's first frame as a PNG. Given a video, image2world would begin with its last frame."""
    name = input_name(request.spec)
    if request.clip is not None and name is not None and name.endswith(".png"):
        import cv2

        from cosmos_core.media import read_frames

        first = next(read_frames(request.clip.path("color")))
        yield JobFile(name=name, content=cv2.imencode(".png", first[:, :, ::-1])[1].tobytes())


def _video(request: Request) -> Iterator[Input]:
    name = input_name(request.spec)
    if request.clip is not None and name is not None and name.endswith(".mp4"):
        yield Input.of(request.clip, "color", name=name)


def progress(line: str) -> Tick | None:
    """What a line of the program's log says; None when it says nothing of progress."""
    if found := _STEP.search(line):
        return Tick(done=int(found["done"]), total=int(found["total"]), note="steps", inner=True)
    if found := _CHUNK.search(line):
        return Tick(done=int(found["chunk"]) - 1, total=int(found["total"]), note="chunks")
    if found := _SAMPLE.search(line):
        return Tick(run=found["run"], note="started")
    if found := _SAVED.search(line):
        return Tick(run=found["run"], done=1, total=1, note="saved")
    return None


def outcome(folder: Path, request: Request, ended: Exit) -> Outcomes:
    """How a request ended, from the files and the log that its job left in *folder*."""
    sent: dict[str, Any] = sample.to_json(sample_of(request.spec, name=request.run))
    return outcomes.read(folder, sent, ended)
