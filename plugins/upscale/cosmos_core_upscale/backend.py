"""The backend ``resample``: one process for a batch, which enlarges the clips' colour videos frame by frame."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import attrs

from cosmos_core.errors import fail
from cosmos_core.extend import (
    Expectation,
    Input,
    Job,
    JobFile,
    Needs,
    Outcome,
    Outcomes,
    Tick,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosmos_core.extend import Batch, Clip, Exit, Finding, Request, Slot, Spec

NAME = "resample"
LARGEST = 8192
"""Width or height up to which H.264 goes, and every request."""
SMALLEST = 64
"""Below it there is nothing in a picture to enlarge."""
MOST, STRONGEST = 8.0, 2.0

# One frame of 3840x2112 on one core, encoder included; measured runs replace it in the planner.
_SECONDS_A_FRAME = 0.35

_SAMPLE = re.compile(r"\[\d+/\d+\] Resampling (?P<run>\S+)")
_FRAME = re.compile(r"(?P<run>\S+): frame (?P<done>\d+)/(?P<total>\d+)")


@attrs.frozen(kw_only=True)
class Resample:
    """How a video is enlarged."""

    factor: float = attrs.field(
        default=3.0, metadata={"help": f"times as wide and as high, above 1 and up to {MOST:g}"}
    )
    sharpen: float = attrs.field(
        default=0.0, metadata={"help": f"how much edges are sharpened, 0 to {STRONGEST:g}"}
    )


def options_of(spec: Spec) -> Resample:
    """The options that a spec carries."""
    return Resample(**spec.options)


def enlarged(width: int, height: int, factor: float) -> tuple[int, int]:
    """The size of the result: even, as H.264 wants it."""
    return round(width * factor / 2) * 2, round(height * factor / 2) * 2


def load_key(_: Spec) -> str:
    """Nothing is loaded, so any runs may share a process."""
    return NAME


def needs(_: Spec) -> Needs:
    """A CPU."""
    return Needs()


def seconds(spec: Spec, _: str) -> float:
    """In proportion to the pixels that are written."""
    width, height = enlarged(spec.width, spec.height, options_of(spec).factor)
    return 1.0 + spec.frames * _SECONDS_A_FRAME * (width * height) / (3840 * 2112)


def expect(spec: Spec) -> Expectation:
    """As many frames at the same rate, in the larger size; the picture is that of the input."""
    width, height = enlarged(spec.width, spec.height, options_of(spec).factor)
    return Expectation(
        name="video.mp4", frames=spec.frames, fps=spec.fps, width=width, height=height, keeps_input=True
    )


def review(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    """Everything against a request."""
    if clip is None:
        yield fail(
            "the resampler enlarges a clip, and the request names none",
            hint="cosmos upscale RUN|VIDEO, or give --clip FOLDER",
            where="clip",
        )
        return
    if spec.frames > clip.frames:
        yield fail(
            f"{spec.frames} frames are asked for and {clip.name} has {clip.frames}",
            hint="leave --frames out",
            where="frames",
        )
    chosen = options_of(spec)
    yield from judge_factor(chosen.factor, clip.width, clip.height)
    yield from judge_sharpen(chosen.sharpen)
    yield from judge_size(clip.width, clip.height)


def judge_factor(factor: float, width: int, height: int) -> Iterator[Finding]:
    """What stands against a factor, for a video of that size."""
    if not 1 < factor <= MOST:
        yield fail(
            f"a factor of {factor:g} does not enlarge; it goes from above 1 to {MOST:g}",
            hint="--factor 3 makes 3840x2112 of 1280x704",
            where="factor",
        )
        return
    size = enlarged(width, height, factor)
    if max(size) > LARGEST:
        most = int(LARGEST / max(width, height) * 100) / 100
        yield fail(
            f"{width}x{height} times {factor:g} is {size[0]}x{size[1]}; no side may have more than {LARGEST} pixels",
            hint=f"--factor {most:g}" if most > 1 else "it is as large as it can be",
            where="factor",
        )


def judge_sharpen(sharpen: float) -> Iterator[Finding]:
    """What stands against an amount of sharpening."""
    if not 0 <= sharpen <= STRONGEST:
        yield fail(
            f"sharpening by {sharpen:g} is outside 0 to {STRONGEST:g}", hint="--sharpen 0.5", where="sharpen"
        )


def judge_size(width: int, height: int) -> Iterator[Finding]:
    """What stands against the size of an input."""
    if min(width, height) < SMALLEST:
        yield fail(
            f"{width}x{height} is too small to be enlarged; each side needs {SMALLEST} pixels or more",
            hint="make it larger where it is made",
            where="size",
        )


def compile_job(batch: Batch, _: Slot) -> Job:
    """One process for the batch: a request file a run, the colour videos by digest."""
    files, inputs = [], {}
    for request in batch.requests:
        source = _input(request)
        if source is not None:
            inputs[source.name] = source
        content = _arguments(request, source)
        files.append(JobFile(name=f"requests/{request.run}.json", content=content))
    return Job(
        argv=(
            sys.executable,
            "-m",
            "cosmos_core_upscale.program",
            *(file.name for file in files),
            "--out",
            "out",
        ),
        files=tuple(files),
        inputs=tuple(inputs.values()),
        env={"PYTHONUNBUFFERED": "1"},
        outputs=("out",),
        quiet=600.0,
    )


def _input(request: Request) -> Input | None:
    return None if request.clip is None else Input.of(request.clip, "color")


def _arguments(request: Request, source: Input | None) -> bytes:
    spec = request.spec
    expected = expect(spec)
    arguments = {
        "name": request.run,
        "source": f"../{source.name}" if source else "",
        "frames": spec.frames,
        "fps": str(spec.fps),
        "width": expected.width,
        "height": expected.height,
        "sharpen": options_of(spec).sharpen,
        "spec_digest": spec.digest,
    }
    return json.dumps(arguments, indent=2, sort_keys=True).encode()


def progress(line: str) -> Tick | None:
    """What a line of the program's log says; None when it says nothing of progress."""
    if found := _FRAME.fullmatch(line.strip()):
        return Tick(run=found["run"], done=int(found["done"]), total=int(found["total"]), note="frames")
    if found := _SAMPLE.match(line):
        return Tick(run=found["run"], note="started")
    return None


def outcome(folder: Path, request: Request, ended: Exit) -> Outcomes:
    """Done when the video is there, which gets its name when it is whole. The video itself is judged elsewhere."""
    video = folder / "out" / f"{request.run}.mp4"
    if video.is_file():
        return Outcomes(outcome=Outcome.DONE, file=video)
    said = f": {error}" if (error := _error(folder / "out" / "error.txt")) else ""
    if (folder / "out" / f"{request.run}.json").is_file():
        return Outcomes(
            outcome=Outcome.FAILED, reason=f"the resampler ended with exit code {ended.code} midway{said}"
        )
    return Outcomes(
        outcome=Outcome.MISSING,
        reason=f"the resampler ended with exit code {ended.code} before it began{said}",
    )


def _error(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()[:300]
    except (OSError, ValueError):
        return ""
