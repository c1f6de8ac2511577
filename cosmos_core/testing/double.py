"""A backend that stands in for a model on a GPU, and misbehaves as the real ones do.

Words in the prompt choose what goes wrong: ``block-prompt`` and ``block-video`` (a guardrail refuses; exit code 0 all the
same), ``crash`` (the process dies on this sample, later ones of the batch are lost), ``oom`` (killed), ``hungry``
(out of memory on a GPU with less than 141 GB), ``broken-gpu`` (CUDA finds none), ``hang`` (no output for ever), ``stubborn`` (hangs and ignores SIGTERM), ``cut``, ``pointer``, ``html``, ``empty``, ``black``, ``frozen``, ``short``
(half the frames), ``slow`` (a second a frame). Anything else gives a small moving picture, seeded by the spec's digest.

Register it in a test: ``cosmos.plugins.register("double", cosmos_core.testing.double)``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_core import hookimpl
from cosmos_core.extend import (
    Backend,
    Exit,
    Expectation,
    Job,
    JobFile,
    Needs,
    Outcome,
    Outcomes,
    Tick,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cosmos_core.extend import Batch, Request, Slot, Spec

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 1234567\n"


@hookimpl
def cosmos_backends() -> Iterator[Backend]:
    """Offer the double."""
    yield Backend(
        name="double",
        summary="Stands in for a model in tests.",
        controls=frozenset({"depth", "edge", "seg", "vis"}),
        needs_clip=False,
        load_key=lambda spec: "double",
        needs=lambda spec: Needs(),
        seconds=lambda spec, gpu: 1.0,
        expect=_expect,
        compile=_compile,
        progress=_progress,
        outcome=_outcome,
        whole=_whole,
    )


def _expect(spec: Spec) -> Expectation:
    return Expectation(
        name="video.mp4", frames=spec.frames, fps=spec.fps, width=spec.width, height=spec.height
    )


def _compile(batch: Batch, slot: Slot) -> Job:
    files = tuple(
        JobFile(name=f"requests/{request.run}.json", content=json.dumps(_arguments(request)).encode())
        for request in batch.requests
    )
    return Job(
        argv=(sys.executable, "-m", "cosmos_core.testing.double", *(file.name for file in files)),
        files=files,
        env={"PYTHONUNBUFFERED": "1", "DOUBLE_GPU": slot.gpu},
        outputs=("out", "log.txt"),
    )


def _arguments(request: Request) -> dict[str, Any]:
    spec = request.spec
    return {
        "name": request.run,
        "prompt": spec.prompt.text,
        "digest": spec.digest,
        "frames": spec.frames,
        "fps": str(spec.fps),
        "size": [spec.width, spec.height],
    }


def _progress(line: str) -> Tick | None:
    words = line.split()
    if len(words) == 3 and words[0] == "frame" and "/" in words[2]:
        done, _, total = words[2].partition("/")
        return Tick(run=words[1], done=int(done), total=int(total)) if (done + total).isdigit() else None
    return None


def _whole(request: Request, names: Collection[str]) -> tuple[str, ...]:
    mine = tuple(f"out/{request.run}.{suffix}" for suffix in ("json", "mp4", "txt"))
    return mine if set(mine) <= set(names) else ()


def _outcome(folder: Path, request: Request, ended: Exit) -> Outcomes:
    video = folder / "out" / f"{request.run}.mp4"
    if video.is_file():
        return Outcomes(outcome=Outcome.DONE, file=video)
    if (folder / "out" / f"{request.run}.blocked").is_file():
        return Outcomes(outcome=Outcome.BLOCKED, reason="the guardrail refused the prompt")
    if (folder / "out" / f"{request.run}.json").is_file() and not ended.code:
        return Outcomes(outcome=Outcome.BLOCKED, reason="the guardrail refused the video")
    if (folder / "out" / f"{request.run}.json").is_file():
        return Outcomes(
            outcome=Outcome.FAILED, reason=f"the double died with exit code {ended.code}{_last_word(folder)}"
        )
    return Outcomes(outcome=Outcome.MISSING, reason=f"the double never got to it{_last_word(folder)}")


def _last_word(folder: Path) -> str:
    log = folder / "log.txt"
    said = [line for line in log.read_text().splitlines() if "Error: " in line] if log.is_file() else []
    return f": {said[-1]}" if said else ""


def main() -> None:
    """Work through the request files, as a model's inference script does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("requests", nargs="+", type=Path)
    for path in parser.parse_args().requests:
        _sample(json.loads(path.read_text()), Path("out"))


def _sample(asked: dict[str, Any], out: Path) -> None:
    out.mkdir(exist_ok=True)
    name, prompt = asked["name"], asked["prompt"]
    # As in Transfer 2.5, the echo of the arguments comes before any work: a file of that name proves nothing.
    (out / f"{name}.json").write_text(json.dumps(asked))
    print(f"Processing sample {name}")
    if "block-prompt" in prompt:
        (out / f"{name}.blocked").touch()
        return
    if "crash" in prompt:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if "hungry" in prompt and os.environ.get("DOUBLE_GPU") not in {"h200", "b300"}:
        print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB.", file=sys.stderr)
        sys.exit(1)
    if "broken-gpu" in prompt:
        raise RuntimeError("CUDA error: no CUDA-capable device is detected")
    if "oom" in prompt:
        sys.exit(137)
    if "stubborn" in prompt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while "hang" in prompt or "stubborn" in prompt:
        time.sleep(0.1)
    if "block-video" in prompt:
        return
    _video(asked, out / f"{name}.mp4")
    # Last of all, as in Transfer 2.5: where it lies the video is whole.
    (out / f"{name}.txt").write_text(prompt)


def _video(asked: dict[str, Any], path: Path) -> None:
    prompt = asked["prompt"]
    if "pointer" in prompt:
        path.write_text(POINTER.format(asked["digest"]))
    elif "html" in prompt:
        path.write_text("<!DOCTYPE html><html><body>502 Bad Gateway</body></html>")
    elif "empty" in prompt:
        path.touch()
    else:
        _encode(asked, path)
        if "cut" in prompt:
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])


def _encode(asked: dict[str, Any], path: Path) -> None:
    from cosmos_core.controls import write_video

    write_video(path, _frames(asked), fps=asked["fps"], style="colour")


def _frames(asked: dict[str, Any]) -> Iterator[Any]:
    import numpy as np

    prompt, (width, height) = asked["prompt"], asked["size"]
    count = asked["frames"] // 2 if "short" in prompt else asked["frames"]
    random = np.random.default_rng(int(asked["digest"][:16], 16))
    picture = (
        random.integers(0, 256, (height // 8, width // 8 * 2, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    )
    for index in range(count):
        print(f"frame {asked['name']} {index + 1}/{count}")
        if "slow" in prompt:
            time.sleep(1.0)
        moved = 0 if "frozen" in prompt else index * 2
        frame = np.roll(picture, -moved, axis=1)[:height, :width]
        yield np.zeros_like(frame) if "black" in prompt else np.ascontiguousarray(frame)


if __name__ == "__main__":
    main()
