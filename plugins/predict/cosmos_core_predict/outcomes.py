"""How each sample of a batch ended, from what Predict 2.5 left: files, an echo and a log. Hints, never proof of a video.

Source: nvidia-cosmos/cosmos-predict2.5: cosmos_predict2/inference.py. The echo ``<name>.json`` is written before any
work; a guardrail that refuses ends with exit code 0; the program keeps going after that, and after nothing else.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from cosmos_core.extend import Blame, Outcome, Outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cosmos_core.extend import Exit

BLOCKED_PROMPT = "Guardrail blocked text2world generation. Prompt:"
"""The program says text2world whatever the type."""
BLOCKED_VIDEO = "Guardrail blocked video2world generation."
PASSED = ("Passed guardrail on prompt", "Passed guardrail on generated video")
FAILS_OPEN = "No safety models found, returning safe"
STANDARD = "Generating video with standard mode"
CHECKING_VIDEO = "Running guardrail check on video"

_SAMPLE = re.compile(r"\[\d+/\d+\] Processing sample (\S+)")
_OOM = re.compile(r"OutOfMemoryError|CUDA out of memory")
_ERROR = re.compile(
    r"^(?:[\w.]*(?:Error|Exception|Interrupt)\b.*|Error validating .*|Error: .*)$", re.MULTILINE
)
_LARGEST_LOG = 32_000_000


def read(folder: Path, sent: Mapping[str, Any], ended: Exit) -> Outcomes:
    """How the sample that was *sent* ended, from the job's *folder* after it came home."""
    name = str(sent["name"])
    log = section(_log(folder), name)
    video, echo = folder / "out" / f"{name}.mp4", folder / "out" / f"{name}.json"
    if video.is_file():
        if wrong := (_differs(echo, sent) or _wrong_mode(log, sent)):
            return Outcomes(outcome=Outcome.FAILED, reason=wrong)
        return Outcomes(outcome=Outcome.DONE, file=video, guardrail=guardrail(log))
    if refused := _refused(log):
        return Outcomes(outcome=Outcome.BLOCKED, reason=refused)
    if not echo.is_file():
        return Outcomes(outcome=Outcome.MISSING, reason=_never_begun(folder, ended))
    if not ended.code and not ended.stopped:
        return Outcomes(outcome=Outcome.BLOCKED, reason=_silent(log))
    blame = Blame.MEMORY if _OOM.search(log) else Blame.RUN
    return Outcomes(outcome=Outcome.FAILED, reason=_broke(log, ended), blame=blame)


def section(log: str, name: str) -> str:
    """The part of *log* that is about one sample."""
    begins = [(found.start(), found[1]) for found in _SAMPLE.finditer(log)]
    ends = [*(start for start, _ in begins[1:]), len(log)]
    return "".join(log[start:end] for (start, found), end in zip(begins, ends, strict=False) if found == name)


def guardrail(log: str) -> str:
    """``on`` when the log proves that both safety models looked, else ``off``: asking for them proves nothing."""
    return "on" if all(_says(log, "SUCCESS", words) for words in PASSED) and FAILS_OPEN not in log else "off"


def _says(log: str, level: str, words: str) -> str:
    """What follows *words* on a line that the program itself logged: a prompt in the echo must not speak for it."""
    found = re.search(rf"^\[[^|\n]*\|{level}\|[^\]\n]*\] {re.escape(words)}(.*)$", log, re.MULTILINE)
    return f"{words}{found[1]}" if found else ""


def _log(folder: Path) -> str:
    # The debug log has what the console filters out; what Python prints as it dies stands in neither of the two.
    texts = []
    for path in (folder / "out" / "debug.log", folder / "log.txt"):
        if path.is_file():
            with path.open("rb") as file:
                texts.append(file.read(_LARGEST_LOG).decode("utf-8", "replace").replace("\r", "\n"))
    return "\n".join(texts)


def _refused(log: str) -> str:
    if said := _says(log, "CRITICAL", BLOCKED_PROMPT):
        return f"the guardrail refused the prompt:{said.removeprefix(BLOCKED_PROMPT)[:300]}"
    if _says(log, "CRITICAL", BLOCKED_VIDEO):
        return "the guardrail refused the video that was made"
    return ""


def _silent(log: str) -> str:
    where = "after the video was looked at" if CHECKING_VIDEO in log else "without a word"
    return f"there is no video and the exit code is 0, {where}: a guardrail refused it"


def _never_begun(folder: Path, ended: Exit) -> str:
    log = _log(folder)
    said = _ERROR.findall(log)
    why = f": {said[-1].strip()[:300]}" if said and ended.code else ""
    return f"the program ended with exit code {ended.code} before it began this sample{why}"


def _broke(log: str, ended: Exit) -> str:
    if _OOM.search(log):
        return (
            "the GPU ran out of memory; more GPUs do not help, since each holds all weights: "
            "use one with more memory that nobody else is using"
        )
    said = _ERROR.findall(log)
    return f"the program died on this sample with exit code {ended.code}" + (
        f": {said[-1].strip()[:300]}" if said else ""
    )


def _differs(echo: Path, sent: Mapping[str, Any]) -> str:
    """A sentence when the program's echo says that it did something else than it was sent."""
    try:
        did = json.loads(echo.read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    for key, value in sent.items():
        if key not in {"input_path", "prompt_path"} and key in did and did[key] != value:
            return f"the program used {key} {did[key]!r:.60} where {value!r:.60} was sent"
    return ""


def _wrong_mode(log: str, sent: Mapping[str, Any]) -> str:
    if sent.get("enable_autoregressive") and STANDARD in log:
        return "the program made one pass of 93 frames, though it was told to go on"
    return ""
