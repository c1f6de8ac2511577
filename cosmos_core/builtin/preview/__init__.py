"""The backend ``preview``: a CPU augmentation of the clip's own passes. Not a Cosmos model, and it says so.

It exists so that the whole path, from a scene to a sealed artifact, can be walked on any machine, and so that a
prompt's weather and light can be judged roughly before a GPU is rented.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

from cosmos_core import hookimpl
from cosmos_core.errors import fail
from cosmos_core.extend import (
    Backend,
    Exit,
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

    from cosmos_core.clip import Clip
    from cosmos_core.errors import Finding
    from cosmos_core.extend import Batch, Request, Slot, Spec

TAKES = ("depth", "edge", "seg", "vis")

# Seconds for one 1280x704 frame on two cores; measured runs replace it in the planner.
_SECONDS_A_FRAME = 0.25

_SAMPLE = re.compile(r"\[\d+/\d+\] Processing sample (?P<run>\S+)")
_FRAME = re.compile(r"(?P<run>\S+): frame (?P<done>\d+)/(?P<total>\d+)")


@hookimpl
def cosmos_backends() -> Iterator[Backend]:
    """Offer the preview."""
    yield Backend(
        name="preview",
        summary="A CPU look-alike for trying things out: weather and light from the prompt. Not a Cosmos model.",
        controls=frozenset(TAKES),
        load_key=_load_key,
        needs=_needs,
        seconds=_seconds,
        expect=expect,
        compile=compile_job,
        progress=progress,
        outcome=outcome,
        review=_review,
        # It has no model, on a host with GPUs neither.
        load_seconds=lambda _, __: 1.0,
    )


def _load_key(_: Spec) -> str:
    return "preview"


def _needs(_: Spec) -> Needs:
    return Needs()


def _seconds(spec: Spec, _: str) -> float:
    return 1.0 + spec.frames * _SECONDS_A_FRAME * (spec.width * spec.height) / (1280 * 704)


def _review(_: Spec, clip: Clip | None) -> Iterator[Finding]:
    if clip is None:
        yield fail(
            "the preview changes a clip, and the request names none", hint="give --clip FOLDER", where="clip"
        )


def expect(spec: Spec) -> Expectation:
    """One mp4 of the requested size, rate and length."""
    return Expectation(
        name="video.mp4", frames=spec.frames, fps=spec.fps, width=spec.width, height=spec.height
    )


def compile_job(batch: Batch, _: Slot) -> Job:
    """One process for the whole batch: a request file a run, the clips' files by digest."""
    files, inputs = [], {}
    for request in batch.requests:
        mine = _inputs(request)
        inputs.update({each.name: each for each in mine.values()})
        arguments = _arguments(request, mine)
        files.append(JobFile(name=f"requests/{request.run}.json", content=arguments))
    return Job(
        argv=(
            sys.executable,
            "-m",
            "cosmos_core.builtin.preview.run",
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


def _inputs(request: Request) -> dict[str, Input]:
    if request.clip is None:
        return {}
    return {
        file.modality: Input.of(request.clip, file.modality)
        for file in request.clip.files
        if file.modality in {"color", *TAKES}
    }


def _arguments(request: Request, inputs: dict[str, Input]) -> bytes:
    spec = request.spec
    arguments = {
        "name": request.run,
        "prompt": spec.prompt.text,
        "negative": spec.prompt.negative,
        "seed": spec.seed,
        "weights": spec.weights,
        "frames": spec.frames,
        "fps": str(spec.fps),
        "width": spec.width,
        "height": spec.height,
        "spec_digest": spec.digest,
        "inputs": {modality: f"../{each.name}" for modality, each in inputs.items()},
    }
    return json.dumps(arguments, indent=2, sort_keys=True).encode()


def progress(line: str) -> Tick | None:
    """What a line of the program's log says; None when it says nothing of progress."""
    if found := _FRAME.search(line):
        return Tick(run=found["run"], done=int(found["done"]), total=int(found["total"]), note="frames")
    if found := _SAMPLE.search(line):
        return Tick(run=found["run"], note="started")
    return None


def outcome(folder: Path, request: Request, ended: Exit) -> Outcomes:
    """Done when both the video and its completion marker are there. The video itself is judged elsewhere."""
    video = folder / "out" / f"{request.run}.mp4"
    if video.is_file() and (folder / "out" / f"{request.run}.txt").is_file():
        return Outcomes(outcome=Outcome.DONE, file=video)
    if (folder / "out" / f"{request.run}.json").is_file():
        return Outcomes(
            outcome=Outcome.FAILED, reason=f"the preview ended with exit code {ended.code} midway"
        )
    return Outcomes(
        outcome=Outcome.MISSING, reason=f"the preview ended with exit code {ended.code} before it began"
    )
