"""How each item of a Transfer 1 job ended, from its files and its log.

``prompt.txt`` is written after ``output.mp4``, so it is the marker. A refused prompt or video kills the program: it
unpacks None, and every later item is lost.

Source: nvidia-cosmos/cosmos-transfer1: cosmos_transfer1/diffusion/inference/transfer.py,
cosmos_transfer1/diffusion/inference/world_generation_pipeline.py (``generate``).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from cosmos_core.extend import Exit, Outcome, Outcomes, Tick
from cosmos_core_transfer import logs
from cosmos_core_transfer.transfer1.job import LINES, folder_of, options_of

if TYPE_CHECKING:
    from pathlib import Path

    from cosmos_core.extend import Request

# The first thing the program says of each item; with --batch_size 1 once an item.
_BEGIN = "running preprocessor"
_SAVED = re.compile(r"Saved video to \S*/of-(?P<total>\d+)/video_(?P<index>\d+)/output\.mp4$")
_CLIP = re.compile(r"^\s*\d+%\|.*\| (?P<done>\d+)/(?P<total>\d+) \[")
_UNSAFE_PROMPT = re.compile(r"Input text prompt \d+ is not safe|All prompts failed safety checks")
_UNSAFE_VIDEO = re.compile(r"Generated video \d+ is not safe|All generated videos failed safety checks")
_WHY = re.compile(r"GUARDRAIL BLOCKED: (?P<why>.*)")


def progress(line: str) -> Tick | None:
    """What a line of the log says. The program names no item, so what it saves counts for the batch as a whole."""
    if found := _CLIP.match(line):
        return Tick(done=int(found["done"]), total=int(found["total"]), note="clips", inner=True)
    if logs.PREFIX.match(line) and (found := _SAVED.match(logs.said(line))):
        return Tick(done=int(found["index"]) + 1, total=int(found["total"]), note="saved")
    return None


def outcome(folder: Path, request: Request, ended: Exit) -> Outcomes:
    """Done, refused, failed or never begun, for a run of a batch."""
    order = _order(folder / LINES)
    if request.run not in order:
        return Outcomes(outcome=Outcome.MISSING, reason=_never(logs.lines(folder / "log.txt"), ended))
    index = order.index(request.run)
    place = folder / folder_of(len(order)) / f"video_{index}"
    wanted = None if options_of(request.spec).upsample_prompt else request.spec.prompt.text
    return _judge(folder, place / "output.mp4", place / "prompt.txt", wanted, index, ended)


def upscale_outcome(folder: Path, request: Request, ended: Exit) -> Outcomes:
    """The same for the upscaler, which makes one file."""
    video = folder / "out" / f"{request.run}.mp4"
    return _judge(folder, video, video.with_suffix(".txt"), request.spec.prompt.text, 0, ended)


def _order(path: Path) -> list[str]:
    """The runs of a batch in their order, from the file that came home with its outputs."""
    try:
        lines = path.read_text("utf-8").splitlines()
        return [str(json.loads(line)["run"]) for line in lines]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _judge(folder: Path, video: Path, marker: Path, wanted: str | None, index: int, ended: Exit) -> Outcomes:
    log = logs.lines(folder / "log.txt")
    begun = _items(log)
    mine = begun[index] if index < len(begun) else []
    texts = list(logs.texts(mine))
    guardrail = _guardrail(texts)
    if video.is_file():
        why = _against(video, marker, wanted, ended)
        kind = Outcome.FAILED if why else Outcome.DONE
        return Outcomes(outcome=kind, reason=why, file=None if why else video, guardrail=guardrail)
    if not mine:
        return Outcomes(outcome=Outcome.MISSING, reason=_never(log, ended))
    if refused := _refused(texts):
        return Outcomes(outcome=Outcome.BLOCKED, reason=refused, guardrail=guardrail)
    return Outcomes(
        outcome=Outcome.FAILED, reason=_why(mine, ended), guardrail=guardrail, blame=logs.blame(mine)
    )


def _items(log: list[str]) -> list[list[str]]:
    """The lines of each item, from its first to the next one's; rank 0 alone says it."""
    items: list[list[str]] = []
    for line in log:
        if logs.PREFIX.match(line) and logs.said(line) == _BEGIN:
            items.append([])
        if items:
            items[-1].append(line)
    return items


def _against(video: Path, marker: Path, wanted: str | None, ended: Exit) -> str:
    if not marker.is_file():
        return f"the program ended with exit code {ended.code} while it wrote {video.name}: {marker.name} is missing"
    # Of a micro-batch that was refused in part, the survivors are renumbered and lie in other runs' folders.
    if wanted is not None and marker.read_text("utf-8", "replace") != wanted:
        return f"{marker.parent.name}/{marker.name} has another prompt: this is another run's video"
    return ""


def _guardrail(texts: list[str]) -> str:
    """The program has no option without safety models; ``on`` where it says that it asked them and none was missing."""
    asked = (
        "Running guardrail checks on all prompts" in texts and "Run guardrail on generated videos" in texts
    )
    return "on" if asked and logs.UNLOADED not in texts else "off"


def _refused(texts: list[str]) -> str:
    reason = next((found["why"].rstrip(".") for text in texts if (found := _WHY.match(text))), "")
    why = f": {reason}" if reason else ""
    if any(_UNSAFE_PROMPT.match(text) for text in texts):
        return f"the guardrail refused the prompt{why}"
    if any(_UNSAFE_VIDEO.match(text) for text in texts):
        return f"the guardrail refused the generated video{why}"
    return ""


def _why(mine: list[str], ended: Exit) -> str:
    error = logs.error_in(mine)
    if ended.oom or logs.is_oom(error):
        return f"the GPU's memory is full: {error[:200] or 'the process was killed'}"
    if ended.stopped:
        return f"the job was stopped ({ended.stopped}) while this item was made"
    if error:
        return f"the program died of it: {error[:300]}"
    return f"the program ended with exit code {ended.code}, and left neither a video nor a reason"


def _never(log: list[str], ended: Exit) -> str:
    error = logs.error_in(log)
    if ended.code == 2 and not error:
        return "the program did not understand its command line (exit code 2): another version of it?"
    end = f"the program ended with exit code {ended.code} before it came to this item"
    return f"{end}: {error[:300]}" if error else end
