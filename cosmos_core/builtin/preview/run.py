"""The program that a preview job runs: request files in, labelled videos out.

    python -m cosmos_core.builtin.preview.run requests/a.json requests/b.json --out out

It behaves like the model programs it stands in for. For every request it writes ``NAME.json`` (what it will do) first,
``NAME.mp4`` when the last frame is encoded, and ``NAME.txt`` (the prompt) last, as the mark of completion. A bad
request or an unreadable input ends it with exit code 1 and one sentence; samples that were done before stay. SIGTERM
ends it with 143 and leaves no file under a final name that is not whole.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import cv2

from cosmos_core.builtin.preview.augment import augment
from cosmos_core.builtin.preview.geometry import Passes
from cosmos_core.builtin.preview.label import TEXT
from cosmos_core.builtin.preview.track import Tracker
from cosmos_core.builtin.preview.words import read
from cosmos_core.canonical import pretty
from cosmos_core.controls import VideoWriter
from cosmos_core.errors import CosmosError, InputError
from cosmos_core.media import read_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from types import FrameType

    from cosmos_core.builtin.preview.geometry import Bytes

MODALITIES = ("color", "depth", "seg", "edge", "vis")
WEIGHTS = ("edge", "depth", "seg", "vis")

_WORKERS = 2
_AHEAD = 4
"""Frames that may wait between reading and writing; with them memory stays at some tens of megabytes."""
_SECONDS_BETWEEN_LINES = 1.0

# NVIDIA resizes colour and vis by area, depth and edge bilinearly, segmentation by the nearest pixel.
_RESIZE = {
    "color": cv2.INTER_AREA,
    "vis": cv2.INTER_AREA,
    "depth": cv2.INTER_LINEAR,
    "edge": cv2.INTER_LINEAR,
    "seg": cv2.INTER_NEAREST,
}


@attrs.frozen(kw_only=True)
class Request:
    """One preview to make. ``inputs`` maps a modality to a file; ``color`` is always among them."""

    name: str
    prompt: str
    seed: int
    weights: Mapping[str, float]
    frames: int
    fps: Fraction
    width: int
    height: int
    spec_digest: str
    inputs: Mapping[str, Path]

    @property
    def effective(self) -> dict[str, Any]:
        """What is written before work begins: the request as understood, and the look its words gave."""
        return {
            "program": "cosmos-core preview",
            "notice": NOTICE,
            "name": self.name,
            "prompt": self.prompt,
            "seed": self.seed,
            "weights": dict(self.weights),
            "frames": self.frames,
            "fps": str(self.fps),
            "width": self.width,
            "height": self.height,
            "spec_digest": self.spec_digest,
            "inputs": {modality: path.name for modality, path in self.inputs.items()},
            "look": attrs.asdict(read(self.prompt)),
        }


NOTICE = "Made by the cosmos-core preview, a CPU augmentation of the clip's own passes. Not made by a Cosmos model."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the requests named on the command line; the exit code."""
    import argparse

    parser = argparse.ArgumentParser(prog="cosmos_core.builtin.preview.run", description=NOTICE)
    parser.add_argument("requests", nargs="+", type=Path, metavar="REQUEST.json")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    chosen = parser.parse_args(arguments)
    # One thread an operation: frames are made side by side, and no result may depend on how work is split.
    cv2.setNumThreads(1)
    signal.signal(signal.SIGTERM, _stop)
    try:
        run(chosen.requests, chosen.out)
    except CosmosError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


def run(requests: Sequence[Path], out: Path) -> None:
    """Make every preview in turn.

    Raises:
        InputError: at the first request that is wrong or whose inputs cannot be read; earlier ones are done.
    """
    out.mkdir(parents=True, exist_ok=True)
    _say(f"Preview ready: {NOTICE}")
    _say(f"Generating {len(requests)} samples")
    for number, path in enumerate(requests, start=1):
        request = load(path)
        _say(f"[{number}/{len(requests)}] Processing sample {request.name}")
        _write(out / f"{request.name}.json", pretty(request.effective))
        started = time.monotonic()
        make(request, out / f"{request.name}.mp4")
        _say(f"Saved video to {request.name}.mp4 ({time.monotonic() - started:.1f} s)")
        _write(out / f"{request.name}.txt", request.prompt)
        _say(f"Saved prompt to {request.name}.txt")


def load(path: Path) -> Request:
    """The request in a file; its inputs are relative to it.

    Raises:
        InputError: naming the file and the first field that is missing or wrong.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        weights = {name: float(weight) for name, weight in given["weights"].items()}
        request = Request(
            name=str(given["name"]),
            prompt=str(given["prompt"]),
            seed=int(given["seed"]),
            weights=weights,
            frames=int(given["frames"]),
            fps=Fraction(str(given["fps"])),
            width=int(given["width"]),
            height=int(given["height"]),
            spec_digest=str(given["spec_digest"]),
            inputs={name: path.parent / file for name, file in given["inputs"].items() if file},
        )
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise InputError(f"{path} has no field {error}") from error
    except (ValueError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise InputError(f"{path} is not a request: {error}") from error
    _check(request, path)
    return request


def _check(request: Request, path: Path) -> None:
    wrong = [name for name in request.weights if name not in WEIGHTS]
    outside = [name for name, weight in request.weights.items() if not 0 <= weight <= 1]
    unknown = [name for name in request.inputs if name not in MODALITIES]
    problem = (
        f"knows no control {wrong[0]!r}; there are {', '.join(WEIGHTS)}"
        if wrong
        else f"has a weight of {request.weights[outside[0]]:g} for {outside[0]}; weights go from 0 to 1"
        if outside
        else f"knows no input {unknown[0]!r}; there are {', '.join(MODALITIES)}"
        if unknown
        else "names no colour video under inputs.color"
        if "color" not in request.inputs
        else f"has a name that is no plain file name: {request.name!r}"
        if not request.name or Path(request.name).name != request.name or request.name.startswith(".")
        else f"asks for {request.width}x{request.height}; both must be even and at least 16"
        if min(request.width, request.height) < 16 or request.width % 2 or request.height % 2
        else f"asks for {request.frames} frames at {request.fps} a second; both must be above 0"
        if request.frames < 1 or request.fps <= 0
        else ""
    )
    if problem:
        raise InputError(f"{path} {problem}")


def make(request: Request, path: Path) -> None:
    """Write the preview of one request to *path*, which appears only when it is whole.

    Raises:
        InputError: when an input is unreadable or shorter than the request.
    """
    metadata = {
        "title": TEXT,
        "comment": f"{NOTICE} Spec {request.spec_digest}.",
        "description": NOTICE,
    }
    with VideoWriter(
        path, request.width, request.height, request.fps, style="colour", metadata=metadata
    ) as video:
        for index, frame in enumerate(_frames(request)):
            video.write(frame)
            _tell(request, index + 1)


def _frames(request: Request) -> Iterator[Bytes]:
    """Finished frames in order: read here, made by two threads, handed on as the oldest is ready."""
    look, fps = read(request.prompt), float(request.fps)
    tracker = Tracker(look, request.seed)
    waiting: deque[Future[Bytes]] = deque()
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="preview") as pool:
        try:
            for index, passes in enumerate(_read(request)):
                scene = tracker.follow(passes)
                waiting.append(
                    pool.submit(
                        augment,
                        passes,
                        request.weights,
                        look,
                        seed=request.seed,
                        index=index,
                        fps=fps,
                        scene=scene,
                    )
                )
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for job in waiting:
                job.cancel()


def _read(request: Request) -> Iterator[Passes]:
    """The request's first frames, every pass at the request's size."""
    with ExitStack() as stack:
        streams = {}
        for name, path in request.inputs.items():
            streams[name] = read_frames(path, pix_fmt="gray" if name in {"depth", "edge"} else "rgb24")
            stack.callback(streams[name].close)  # type: ignore[attr-defined]
        for index in range(request.frames):
            yield Passes(**{name: _next(stream, name, index, request) for name, stream in streams.items()})


def _next(stream: Iterator[Bytes], name: str, index: int, request: Request) -> Bytes:
    try:
        frame = next(stream)
    except StopIteration:
        shown = request.inputs[name].name
        raise InputError(f"{name} ({shown}) has {index} frames and {request.frames} were asked for") from None
    size = (request.width, request.height)
    if frame.shape[1::-1] == size:
        return frame
    return cv2.resize(frame, size, interpolation=_RESIZE[name])


_told: dict[str, float] = {}


def _tell(request: Request, done: int) -> None:
    """A progress line, at most one a second, and always the last."""
    now = time.monotonic()
    if done == request.frames or now - _told.get(request.name, 0.0) >= _SECONDS_BETWEEN_LINES:
        _told[request.name] = now
        _say(f"{request.name}: frame {done}/{request.frames}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _write(path: Path, text: str) -> None:
    """Write a text file so that its name never stands for half of it."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
