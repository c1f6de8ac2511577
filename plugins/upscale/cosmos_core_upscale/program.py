"""The program that a resampling job runs: request files in, larger videos out.

    python -m cosmos_core_upscale.program requests/a.json requests/b.json --out out

For every request it writes ``NAME.json`` (what it will do) first and ``NAME.mp4`` when the last frame is encoded. A bad
request or an unreadable input ends it with exit code 1 and one sentence, on stderr and in ``error.txt``; samples that were
done before stay. SIGTERM ends it with 143 and leaves no file under a final name that is not whole. Frames are read, made
and encoded one by one, so memory does not grow with the length of a video: 0.6 GB at 3840x2112, most of it the encoder's.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import closing
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import cv2
import numpy as np

from cosmos_core.controls import VideoWriter
from cosmos_core.errors import CosmosError, InputError
from cosmos_core.media import probe, read_frames, write_bytes

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType

    from cosmos_core.media import Pixels

TITLE = "Enlarged by Lanczos resampling"
NOTICE = "Enlarged by cosmos-core-upscale with a Lanczos filter. Not made by a model: no detail was added."

_SECONDS_BETWEEN_LINES = 1.0


@attrs.frozen(kw_only=True)
class Request:
    """One video to enlarge."""

    name: str
    source: Path
    frames: int
    fps: Fraction
    width: int
    height: int
    sharpen: float
    spec_digest: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the requests named on the command line; the exit code."""
    import argparse

    parser = argparse.ArgumentParser(prog="cosmos_core_upscale.program", description=NOTICE)
    parser.add_argument("requests", nargs="+", type=Path, metavar="REQUEST.json")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    chosen.out.mkdir(parents=True, exist_ok=True)
    try:
        run(chosen.requests, chosen.out)
    except CosmosError as error:
        sys.stderr.write(f"error: {error}\n")
        write_bytes(chosen.out / "error.txt", f"{error}\n".encode())
        return 1
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


def run(requests: Sequence[Path], out: Path) -> None:
    """Enlarge every video in turn.

    Raises:
        InputError: at the first request that is wrong or whose input cannot be read; earlier ones are done.
    """
    for number, path in enumerate(requests, start=1):
        request = load(path)
        _say(f"[{number}/{len(requests)}] Resampling {request.name}")
        write_bytes(out / f"{request.name}.json", _effective(request))
        started = time.monotonic()
        enlarge(request, out / f"{request.name}.mp4")
        _say(f"Saved video to {request.name}.mp4 ({time.monotonic() - started:.1f} s)")


def load(path: Path) -> Request:
    """The request in a file; its input is relative to it.

    Raises:
        InputError: naming the file and what is missing or wrong.
    """
    try:
        given = json.loads(path.read_text("utf-8"))
        request = Request(
            name=str(given["name"]),
            source=path.parent / str(given["source"]),
            frames=int(given["frames"]),
            fps=Fraction(str(given["fps"])),
            width=int(given["width"]),
            height=int(given["height"]),
            sharpen=float(given["sharpen"]),
            spec_digest=str(given["spec_digest"]),
        )
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise InputError(f"{path} has no field {error}") from error
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise InputError(f"{path} is not a request: {error}") from error
    if not request.name or Path(request.name).name != request.name or request.name.startswith("."):
        raise InputError(f"{path} has a name that is no plain file name: {request.name!r}")
    return request


def _effective(request: Request) -> bytes:
    facts = probe(request.source)
    said = {
        "program": "cosmos-core-upscale",
        "notice": NOTICE,
        "filter": "lanczos",
        "source": request.source.name,
        "source_size": f"{facts.width}x{facts.height}",
        "size": f"{request.width}x{request.height}",
        "sharpen": request.sharpen,
        "frames": request.frames,
        "fps": str(request.fps),
        "spec_digest": request.spec_digest,
    }
    return (json.dumps(said, indent=2, sort_keys=True) + "\n").encode()


def enlarge(request: Request, path: Path) -> None:
    """Write the enlarged video of one request to *path*, which appears only when it is whole.

    Raises:
        InputError: when the input is unreadable or shorter than the request.
    """
    metadata = {
        "title": TITLE,
        "comment": f"{NOTICE} Spec {request.spec_digest}.",
        "description": NOTICE,
    }
    last = time.monotonic()
    with (
        closing(cast("Generator[Pixels]", read_frames(request.source))) as frames,
        VideoWriter(path, request.width, request.height, request.fps, metadata=metadata) as video,
    ):
        for frame in islice(frames, request.frames):
            video.write(resampled(frame, request.width, request.height, request.sharpen))
            if (now := time.monotonic()) - last >= _SECONDS_BETWEEN_LINES or video.frames == request.frames:
                last = now
                _say(f"{request.name}: frame {video.frames}/{request.frames}")
        if video.frames < request.frames:
            raise InputError(
                f"{request.source.name} has {video.frames} frames, not the {request.frames} asked for"
            )


def resampled(frame: Pixels, width: int, height: int, sharpen: float = 0.0) -> Pixels:
    """A frame (H, W, 3) at another size by a Lanczos filter over 8x8 pixels, then sharpened.

    Sharpening adds *sharpen* times what a blur, as wide as a pixel of the input, takes away.
    """
    large = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LANCZOS4)
    if sharpen:
        soft = cv2.GaussianBlur(large, (0, 0), max(0.5, 0.5 * width / frame.shape[1]))
        large = cv2.addWeighted(large, 1 + sharpen, soft, -sharpen, 0)
    return np.asarray(large, np.uint8)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
