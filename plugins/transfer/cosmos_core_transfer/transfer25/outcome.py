"""How each sample of a Transfer 2.5 job ended, from its files and its log. The exit code proves nothing.

``<name>.json`` is written before any work, so it proves nothing either; ``<name>.txt`` is written last. A refused prompt
and a refused video both end with 0 and without a video.

Source: nvidia-cosmos/cosmos-transfer2.5: cosmos_transfer2/inference.py (``_generate_sample``),
cosmos_transfer2/_src/imaginaire/auxiliary/guardrail/common/{core,presets}.py.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cosmos_core.extend import Exit, Outcome, Outcomes, Tick
from cosmos_core_transfer import logs
from cosmos_core_transfer.transfer25.job import sample_of
from cosmos_core_transfer.transfer25.schema import as_mapping

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from cosmos_core.extend import Request

SAMPLE = re.compile(r"\[\d+/\d+\] Processing sample (?P<name>\S+)$")
_CHUNK = re.compile(r"Generating chunk (?P<at>\d+)/(?P<of>\d+)$")
_SAVED = re.compile(r"Generated video saved to \S*?(?P<name>[^/\s]+)\.(?:mp4|jpg)$")
_STEP = re.compile(r"Generating samples:\s+\d+%\|.*\| (?P<done>\d+)/(?P<total>\d+) \[")
_BLOCKED = re.compile(r"Guardrail blocked generation\. (?P<what>Prompt|Negative prompt): (?P<text>.*)")
_WHY_BLOCKED = re.compile(r"GUARDRAIL BLOCKED: (?P<why>.*)")
_SCHEMA = re.compile(r"Error validating parameters from '[^']*?(?P<name>[^/']+)\.jsonl?' at line")
_USAGE = re.compile(
    r"Unrecognized options|Parsing error|invalid choice|Required options|expected \d+ argument", re.IGNORECASE
)


def progress(line: str) -> Tick | None:
    """What a line of ``log.txt``, ``console.log`` or ``debug.log`` says; None when it says nothing of progress."""
    if found := _STEP.search(line):
        return Tick(done=int(found["done"]), total=int(found["total"]), note="steps", inner=True)
    if not logs.PREFIX.match(line):
        return None
    text = logs.said(line)
    if found := SAMPLE.match(text):
        return Tick(run=found["name"], note="started")
    if found := _CHUNK.match(text):
        return Tick(done=int(found["at"]) - 1, total=int(found["of"]), note="passes")
    if found := _SAVED.match(text):
        return Tick(run=found["name"], done=1, total=1, note="saved")
    return None


def whole(request: Request, names: Collection[str]) -> Iterator[str]:
    """A sample's files once ``<name>.txt``, which the program writes last, is among them; or a resident one is through."""
    if {f"out/{request.run}.txt", f"out/finished/{request.run}"} & set(names):
        wanted = (f"out/{request.run}{suffix}" for suffix in (".json", ".mp4", ".jpg", ".txt"))
        yield from (name for name in wanted if name in names)


def outcome(folder: Path, request: Request, ended: Exit) -> Outcomes:
    """Done, refused, failed or never begun; with the safety models' state as the log proves it."""
    out = folder / "out"
    log = logs.lines(folder / "log.txt") or logs.lines(out / "debug.log")
    mine = logs.sections(log, SAMPLE).get(request.run, [])
    texts = list(logs.texts(mine))
    guardrail = _guardrail(texts)
    for suffix in (".mp4", ".jpg"):
        video = out / f"{request.run}{suffix}"
        if video.is_file():
            return _with_video(video, request, ended, guardrail)
    if not (out / f"{request.run}.json").is_file():
        return Outcomes(outcome=_never_begun(request, log), reason=_why_never(request, log, ended))
    if blocked := _refused(out, request, texts, log, ended):
        return Outcomes(outcome=Outcome.BLOCKED, reason=blocked, guardrail=guardrail)
    return Outcomes(
        outcome=Outcome.FAILED, reason=_why(mine, ended), guardrail=guardrail, blame=logs.blame(mine)
    )


def _with_video(video: Path, request: Request, ended: Exit, guardrail: str) -> Outcomes:
    if not video.with_suffix(".txt").is_file():
        why = f"the program ended with exit code {ended.code} while it wrote {video.name}: {video.stem}.txt is missing"
        return Outcomes(outcome=Outcome.FAILED, reason=why, guardrail=guardrail)
    if different := differences(video.with_suffix(".json"), request):
        why = f"the program did something else than it was asked: {'; '.join(different)}"
        return Outcomes(outcome=Outcome.FAILED, reason=why, guardrail=guardrail)
    return Outcomes(outcome=Outcome.DONE, file=video, guardrail=guardrail)


def differences(echo: Path, request: Request) -> list[str]:
    """Where the arguments that the program says it used are not those that it was given.

    Catches an override that applied to all, and a file of another run in the same folder. Paths are compared by name,
    which is their digest.
    """
    try:
        used = json.loads(echo.read_text("utf-8"))
    except (OSError, ValueError):
        return [f"{echo.name} cannot be read"]
    if not isinstance(used, dict):
        return [f"{echo.name} holds no object"]
    asked = as_mapping(sample_of(request.run, request.spec, request.clip))
    return [
        f"{name} was {_short(used.get(name))}, not {_short(value)}"
        for name, value in asked.items()
        if _plain(used.get(name)) != _plain(value)
    ]


def _plain(value: Any) -> Any:
    """A value without what a program may add to it: nulls, folders, the spelling of a number."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items() if each is not None}
        case str() if "/" in value and PurePosixPath(value).suffix:
            return PurePosixPath(value).name
        case str():
            return value.strip()
        case bool() | None:
            return value
        case int() | float():
            return float(value)
        case _:
            return value


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _guardrail(texts: list[str]) -> str:
    """``on`` only where the log says that the video passed and that a model was there to pass it."""
    is_proved = "Passed guardrail on prompt" in texts and "Passed guardrail on generated video" in texts
    return "on" if is_proved and logs.UNLOADED not in texts else "off"


def _refused(out: Path, request: Request, texts: list[str], log: list[str], ended: Exit) -> str:
    """Why the guardrail refused the sample; empty when it did not."""
    reason = next((found["why"] for text in texts if (found := _WHY_BLOCKED.match(text))), "")
    why = f": {reason.rstrip('.')}" if reason else ""
    for text in texts:
        if found := _BLOCKED.match(text):
            return f"the guardrail refused the {found['what'].lower()}{why}; it was: {_short(found['text'])}"
    is_checked = "Running guardrail check on video..." in texts
    if is_checked and reason:
        return f"the guardrail refused the generated video{why}"
    # The console's log has no line for a refused video. What shows it: the controls are there, the program went on or
    # ended well, and it did not die here.
    was_made = any(out.glob(f"{request.run}_control_*"))
    went_on = ended.code == 0 or _is_followed(log, request.run)
    if was_made and went_on and not logs.error_in(texts):
        return "the guardrail refused the generated video; the console says nothing of it, only the video is missing"
    return ""


def _is_followed(log: list[str], run: str) -> bool:
    """Whether the program went on to another sample after this one."""
    names = list(logs.sections(log, SAMPLE))
    return run in names and names[-1] != run


def _why(mine: list[str], ended: Exit) -> str:
    error = logs.error_in(mine)
    if ended.oom or logs.is_oom(error):
        return (
            f"the GPU's memory is full: {_short(error) if error else 'the process was killed'}; more GPUs do not help, "
            "because context parallelism does not split weights"
        )
    if ended.stopped:
        return f"the job was stopped ({ended.stopped}) while this sample was made"
    if error:
        return f"the program died of it: {error[:300]}"
    return f"the program ended with exit code {ended.code}, and left neither a video nor a reason"


def _never_begun(request: Request, log: list[str]) -> Outcome:
    """A sample that the program's own schema refuses has failed; those beside it were only never begun."""
    refused = {found["name"] for line in log if (found := _SCHEMA.search(line))}
    return Outcome.FAILED if request.run in refused else Outcome.MISSING


def _why_never(request: Request, log: list[str], ended: Exit) -> str:
    refused = [found["name"] for line in log if (found := _SCHEMA.search(line))]
    if request.run in refused:
        at = next(index for index, line in enumerate(log) if _SCHEMA.search(line))
        return f"the program refused the spec file: {' '.join(log[at + 1 : at + 6]).strip()[:300]}"
    if refused:
        return f"the program refused the spec of {refused[0]}, and ran nothing"
    if ended.code == 2 or any(_USAGE.search(line) for line in log[-40:]):
        return "the program did not understand its command line (exit code 2): another version of it?"
    error = logs.error_in(log)
    end = f"the program ended with exit code {ended.code} before it came to this sample"
    return f"{end}: {error[:300]}" if error else end
