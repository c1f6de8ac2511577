"""A backend whose model is :mod:`model`, for containers: its videos are prepared here and copied by the program there."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from cosmos_core import hookimpl
from cosmos_core.controls import write_video
from cosmos_core.extend import Backend, Expectation, Job, JobFile, Needs, Outcome, Outcomes
from cosmos_core.testing import double

PROGRAM = Path(__file__).with_name("model.py")


@hookimpl
def cosmos_backends():
    yield Backend(
        name="boxed",
        summary="A model in a box.",
        needs_clip=False,
        load_key=lambda spec: "boxed",
        needs=lambda spec: Needs(),
        seconds=lambda spec, gpu: 1.0,
        expect=lambda spec: Expectation(
            name="video.mp4", frames=spec.frames, fps=spec.fps, width=spec.width, height=spec.height
        ),
        compile=compile_job,
        progress=lambda line: None,
        outcome=outcome,
    )


def compile_job(batch, slot):
    files = [JobFile(name="model.py", content=PROGRAM.read_bytes())]
    specs = []
    for request in batch.requests:
        asked = double._arguments(request)
        specs.append(f"specs/{request.run}.json")
        files.append(JobFile(name=specs[-1], content=json.dumps(asked).encode()))
        files.append(JobFile(name=f"prepared/{request.run}.mp4", content=video(asked)))
    quiet = 1.0 if any("quiet" in request.spec.prompt.text for request in batch.requests) else 0.0
    return Job(
        argv=("python3", "model.py", "-i", *specs, "-o", "outputs"),
        files=tuple(files),
        outputs=("outputs",),
        quiet=quiet,
    )


def video(asked):
    """A few kilobytes of moving picture, other bytes for other requests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write_video(path, double._frames({**asked, "prompt": ""}), fps=asked["fps"], style="colour")
        return path.read_bytes()


def outcome(folder, request, ended):
    out = folder / "outputs"
    if (out / f"{request.run}.txt").is_file():
        return Outcomes(outcome=Outcome.DONE, file=out / f"{request.run}.mp4")
    if (out / f"{request.run}.json").is_file() and not ended.code:
        return Outcomes(outcome=Outcome.BLOCKED, reason="the guardrail refused it")
    if (out / f"{request.run}.json").is_file():
        return Outcomes(outcome=Outcome.FAILED, reason=f"the model died with exit code {ended.code}")
    return Outcomes(outcome=Outcome.MISSING, reason="the model never got to it")
