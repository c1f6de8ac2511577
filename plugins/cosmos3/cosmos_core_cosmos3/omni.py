"""The backend ``cosmos3-omni``: video jobs of a vLLM-Omni server, as jobs of ours.

The job is a small client that runs on the host beside the server. The server keeps the model loaded; the client brings the
form, waits, fetches and tidies up.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import fail, warn
from cosmos_core.extend import Expectation, Input, Job, JobFile, Needs, Outcome, Outcomes, Spec, Tick
from cosmos_core_cosmos3 import profiles, sample, sizes
from cosmos_core_cosmos3.framework import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Batch, Exit, Finding, Request, Slot

NAME = "cosmos3-omni"
LARGEST_CONTROL = 512 << 20
"""Bytes of a ``control_reference``. Source: vllm-project/vllm-omni: docs/serving/videos_api.md."""

_PROGRESS = re.compile(r"cosmos-progress (?P<run>\S+) (?P<done>\d+)/(?P<total>\d+)")
_QUIET = 3600.0
_STARTS = ("", "first-frame")


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@attrs.frozen(kw_only=True)
class Omni:
    """What a video job can be told beside prompt, clip, weights and seed."""

    model: str = attrs.field(default="nvidia/Cosmos3-Nano", metadata=_help("name the server knows it by"))
    resolution: str = attrs.field(
        default="720",
        validator=attrs.validators.in_(tuple(sizes.SIZES)),
        metadata=_help("tier: 256, 480, 720 or 768"),
    )
    aspect_ratio: str = attrs.field(
        default="",
        validator=attrs.validators.in_(("", *sizes.RATIOS)),
        metadata=_help("16,9 4,3 1,1 3,4 or 9,16; the nearest to the clip's when not said"),
    )
    control: str = attrs.field(
        default="",
        validator=attrs.validators.in_(("", *KINDS)),
        metadata=_help(f"the one pass of the clip that steers a transfer: {', '.join(KINDS)}"),
    )
    start: str = attrs.field(
        default="",
        validator=attrs.validators.in_(_STARTS),
        metadata=_help("first-frame: the video begins with the first frame of the clip"),
    )
    num_inference_steps: int = attrs.field(default=35, metadata=_help("1 to 200"))
    guidance_scale: float | None = attrs.field(
        default=None, metadata=_help("0 to 20; the model's own when not said")
    )
    flow_shift: float | None = attrs.field(default=None, metadata=_help("the model's own when not said"))
    control_guidance: float | None = attrs.field(
        default=None, metadata=_help("0 to 10, of a transfer; what NVIDIA tuned for the hint when not said")
    )
    guardrails: bool = attrs.field(default=True, metadata=_help("false asks the server to leave them out"))


def chosen(spec: Spec) -> Omni:
    """The options of *spec*; what it does not say has its default."""
    known = attrs.fields_dict(Omni)
    return Omni(**{key: value for key, value in spec.options.items() if key in known})


def size_of(spec: Spec) -> tuple[int, int]:
    """Width and height of the video."""
    options = chosen(spec)
    ratio = options.aspect_ratio or sizes.nearest_ratio(spec.width, spec.height)
    return sizes.SIZES[options.resolution][ratio]


def fields_of(spec: Spec) -> dict[str, str]:
    """The form of *spec*. Frames and rate are always said: the server's own default is one frame."""
    options = chosen(spec)
    width, height = size_of(spec)
    extra: dict[str, Any] = {"guardrails": options.guardrails}
    fields: dict[str, Any] = {
        "prompt": spec.prompt.text,
        "negative_prompt": spec.prompt.negative or None,
        "model": options.model,
        "size": f"{width}x{height}",
        "num_frames": spec.frames,
        "fps": int(spec.fps),
        "num_inference_steps": options.num_inference_steps,
        "guidance_scale": options.guidance_scale,
        "flow_shift": options.flow_shift,
        "seed": spec.seed,
    }
    if options.control:
        tuned = sample.GUIDANCE[KINDS[options.control]]
        fields["control_type"] = KINDS[options.control]
        fields["guidance_scale"] = tuned[0] if options.guidance_scale is None else options.guidance_scale
        given = options.control_guidance
        extra |= {
            "control_guidance": tuned[1] if given is None else given,
            "max_frames": spec.frames,
            "resolution": options.resolution,
        }
    said = {key: str(value) for key, value in fields.items() if value is not None}
    return said | {"extra_params": json.dumps(extra, sort_keys=True)}


def load_key(spec: Spec) -> str:
    """The model that the server must have loaded."""
    return f"{NAME} {chosen(spec).model}"


def needs(spec: Spec) -> Needs:
    """The slot of one GPU, which the server holds."""
    model = chosen(spec).model
    return Needs(
        gpus=1,
        vram_gb=profiles.memory(profiles.OMNI, model),
        unfit=profiles.unfit(profiles.OMNI, model),
    )


def seconds(spec: Spec, gpu: str) -> float:
    """Predicted from NVIDIA's benchmark of 189 frames."""
    options = chosen(spec)
    return profiles.seconds(
        profiles.OMNI,
        options.model,
        gpu,
        frames=max(1, spec.frames),
        steps=max(1, options.num_inference_steps),
        tier=options.resolution,
    )


def load_seconds(_: Spec, __: str) -> float:
    """Next to nothing: the server's model is loaded."""
    return profiles.CLIENT_SECONDS


def expect(spec: Spec) -> Expectation:
    """What was said in the form."""
    width, height = size_of(spec)
    return Expectation(
        name="video.mp4", frames=spec.frames, fps=Fraction(int(spec.fps)), width=width, height=height
    )


def review(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    """Everything the server would refuse, or accept and get wrong."""
    yield from _review_frames(spec)
    yield from _review_options(spec)
    yield from _review_input(spec, clip)
    for rate in sample.caption_rates(spec.prompt.text):
        if rate != spec.fps:
            yield fail(
                f"the caption says {rate:g} frames a second and the request {spec.fps}: the model would be told both",
                hint="change the caption",
                where="prompt",
            )


def _review_frames(spec: Spec) -> Iterator[Finding]:
    tier = chosen(spec).resolution
    if spec.frames != sizes.rounded(spec.frames):
        up = sizes.rounded(spec.frames)
        yield fail(
            f"{spec.frames} frames would become {up} without a word: the model makes 4k + 1",
            hint=f"--frames {up - 4} or --frames {up}",
            where="frames",
        )
    elif not sizes.LEAST_FRAMES <= spec.frames <= sizes.MOST_FRAMES[tier]:
        yield warn(
            f"{spec.frames} frames are outside {sizes.LEAST_FRAMES} to {sizes.MOST_FRAMES[tier]}, which the model was "
            f"trained for at {tier}",
            where="frames",
        )
    if spec.fps.denominator != 1:
        yield fail(
            f"{spec.fps} frames a second would be saved as {int(spec.fps)}, and the video would last longer than its clip",
            hint="render the clip at a whole rate, 24 or 30",
            where="fps",
        )
    elif not sizes.LEAST_FPS <= spec.fps <= sizes.MOST_FPS:
        yield warn(
            f"{spec.fps} frames a second are outside {sizes.LEAST_FPS} to {sizes.MOST_FPS}", where="fps"
        )


def _review_options(spec: Spec) -> Iterator[Finding]:
    options = chosen(spec)
    bounds = (("num_inference_steps", 1, 200), ("guidance_scale", 0, 20), ("control_guidance", 0, 10))
    for key, low, high in bounds:
        value = getattr(options, key)
        if value is not None and not low <= value <= high:
            yield fail(f"{key} {value:g} is outside {low} to {high}", where=key)
    trained = sizes.TRAINED.get(options.model.rpartition("/")[2])
    if trained and options.resolution not in trained:
        yield fail(
            f"{options.model} would run at {options.resolution} and was never trained for videos of that tier",
            hint=f"one of {', '.join(trained)}",
            where="resolution",
        )
    if not options.guardrails:
        yield warn("the guardrails are off: no safety model looks at prompt or video", where="guardrails")


def _review_input(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    options = chosen(spec)
    if options.control and options.start:
        yield fail(
            "a transfer and a first frame are two modes of the server", hint="leave one out", where="start"
        )
    if clip is None:
        if options.start or options.control:
            yield fail("there is no clip to take it from", hint="give --clip FOLDER", where="clip")
        return
    wanted = options.control or ("color" if options.start else "")
    if not wanted:
        yield fail(
            f"nothing of clip {clip.name} would reach the server",
            hint="-o control=depth, or -o start=first-frame",
            where="clip",
        )
    elif wanted not in clip.modalities:
        yield fail(
            f"clip {clip.name} has no {wanted}", hint=f"it has {', '.join(clip.modalities)}", where="control"
        )
    elif clip.file(wanted).bytes > LARGEST_CONTROL and options.control:
        yield fail(f"{wanted} of clip {clip.name} is larger than 512 MiB", where="control")


def compile_job(batch: Batch, _: Slot) -> Job:
    """The client, what it is to ask, and the files that it uploads."""
    asked = [
        {"name": each.run, "fields": fields_of(each.spec), "files": _files(each)} for each in batch.requests
    ]
    pictures = {each.name: each for request in batch.requests for each in _picture(request)}
    inputs = {each.name: each for request in batch.requests for each in _control(request)}
    return Job(
        argv=("python3", "omni.py", "batch.json"),
        files=(
            JobFile(name="omni.py", content=Path(__file__).with_name("client.py").read_bytes()),
            JobFile(name="batch.json", content=json.dumps(asked, indent=2).encode("ascii")),
            *pictures.values(),
        ),
        inputs=tuple(inputs.values()),
        env={"PYTHONUNBUFFERED": "1"},
        outputs=("out",),
        quiet=_QUIET,
    )


def _files(request: Request) -> dict[str, str]:
    named = {"input_reference": [each.name for each in _picture(request)]}
    named["control_reference"] = [each.name for each in _control(request)]
    return {key: names[0] for key, names in named.items() if names}


def _picture(request: Request) -> Iterator[JobFile]:
    if request.clip is not None and chosen(request.spec).start:
        import cv2

        from cosmos_core.media import read_frames

        first = next(read_frames(request.clip.path("color")))
        content = cv2.imencode(".png", first[:, :, ::-1])[1].tobytes()
        yield JobFile(name=f"inputs/{request.clip.digest}.png", content=content)


def _control(request: Request) -> Iterator[Input]:
    control = chosen(request.spec).control
    if request.clip is not None and control:
        yield Input.of(request.clip, control, name=f"inputs/{request.clip.file(control).sha256}.mp4")


def progress(line: str) -> Tick | None:
    """What the client passes on of the server's own percentage."""
    if found := _PROGRESS.search(line):
        return Tick(run=found["run"], done=int(found["done"]), total=int(found["total"]), note="percent")
    return None


def whole(request: Request, names: Collection[str]) -> tuple[str, ...]:
    """A video is whole once the client has written down how it ended, which comes last."""
    mine = tuple(f"out/{request.run}.{suffix}" for suffix in ("mp4", "json"))
    return mine if set(mine) <= set(names) else ()


def outcome(folder: Path, request: Request, ended: Exit) -> Outcomes:
    """How a request ended, as the client wrote it down.

    No answer of the server proves that a safety model ran, so the guardrail is never said to be on.
    """
    out = folder / "out"
    try:
        said = json.loads((out / f"{request.run}.json").read_text("utf-8"))
    except (OSError, ValueError):
        begun = (out / f"{request.run}.job.json").is_file()
        what = "while the server worked on it" if begun else "before it was asked for"
        return Outcomes(
            outcome=Outcome.FAILED if begun else Outcome.MISSING,
            reason=f"the client ended with exit code {ended.code} {what}",
        )
    video = out / f"{request.run}.mp4"
    reason = str(said.get("reason", ""))
    if said.get("outcome") == "done" and video.is_file():
        return Outcomes(outcome=Outcome.DONE, file=video, guardrail="off")
    if said.get("outcome") == "blocked":
        return Outcomes(outcome=Outcome.BLOCKED, reason=f"the server's guardrail refused it: {reason}")
    return Outcomes(outcome=Outcome.FAILED, reason=reason or "the client left no video and no reason")
