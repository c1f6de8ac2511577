"""How the command line words things: tables, findings, sizes, times. Text in, text out; nothing is printed here."""

from __future__ import annotations

import os
import re
import secrets
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cosmos_core.errors import Finding
    from cosmos_core.retry import Rest
    from cosmos_core.run import Artifact, Run
    from cosmos_core.store import Traffic

GAP = "  "
BYTES = "bytes"
"""The unit of amounts that are said as sizes."""
WAYS = {"out": "sending", "home": "fetching"}

COLOURS = {
    "ok": "green",
    "active": "green",
    "sealed": "green",
    "verified": "green",
    "approved": "green",
    "warn": "yellow",
    "cancelled": "yellow",
    "blocked": "yellow",
    "needs-review": "yellow",
    "unverified": "yellow",
    "fail": "red",
    "failed": "red",
    "rejected": "red",
    "quarantined": "red",
    "unknown": "red",
    "placed": "cyan",
    "running": "cyan",
    "returned": "cyan",
}
"""Words that carry a judgement or a state. The word is always there; the colour only helps."""


# A number that only this process knows marks the colours that are ours: in a name or a log they are just letters.
_OURS = f"\x1b[{secrets.randbelow(10**9) + 10**9};"
_COLOUR = re.compile(re.escape(_OURS) + r"([\d;]+m)")
# C0 and C1 controls but line break and tab; marks that reorder or break a line of text; halves of letters.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def paint(text: str, **style: Any) -> str:
    """*text* in a style that :func:`shown` lets through."""
    before, after = click.style("|", **style).replace("\x1b[", _OURS).split("|")
    return f"{before}{text}{after}"


def shown(text: str) -> str:
    """*text* as a terminal may have it: with our own colours, and every other control character written out.

    The only place that decides what may reach a terminal. Names, prompts and logs come from anywhere; an escape
    sequence in one could hide a line, retitle the window or type for the person.
    """
    pieces = _COLOUR.split(text)
    pieces[0::2] = [_CONTROLS.sub(lambda found: ascii(found[0])[1:-1], piece) for piece in pieces[0::2]]
    pieces[1::2] = [f"\x1b[{code}" for code in pieces[1::2]]
    return "".join(pieces)


def word(text: str) -> str:
    """*text* in its colour, if it has one."""
    return paint(text, fg=COLOURS[text]) if text in COLOURS else text


def strong(text: str) -> str:
    """*text*, to be seen first."""
    return paint(text, bold=True)


def faint(text: str) -> str:
    """*text*, to be seen last."""
    return paint(text, dim=True) if text else ""


def width(text: str) -> int:
    """How many columns of a terminal *text* takes."""
    plain = click.unstyle(shown(text))
    if plain.isascii():
        return len(plain)
    return sum(_columns(letter) for letter in plain)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def table(
    rows: Iterable[Sequence[str]], head: Sequence[str] = (), *, right: Iterable[int] = (), indent: str = ""
) -> str:
    """Rows as aligned lines. Columns numbered in *right* are aligned to the right; empty columns are left out."""
    lines = [[str(cell) for cell in row] for row in rows]
    shown = [each for each in range(_columns_of(lines)) if any(line[each] for line in lines)]
    titles = [[faint(head[each]) for each in range(len(head))]] if head and lines else []
    every = titles + lines
    widths = {each: max(width(line[each]) for line in every) for each in shown}
    numbers = set(right)
    return "\n".join(
        indent + GAP.join(_cell(line[each], widths[each], right=each in numbers) for each in shown).rstrip()
        for line in every
    )


def _columns_of(lines: Sequence[Sequence[str]]) -> int:
    return max((len(line) for line in lines), default=0)


def _cell(text: str, columns: int, *, right: bool) -> str:
    space = " " * (columns - width(text))
    return space + text if right else text + space


def pairs(rows: Iterable[tuple[str, str]], *, indent: str = "") -> str:
    """Names and values, one a line; those without a value are left out."""
    return table([(faint(name), value) for name, value in rows if value], indent=indent)


def findings(found: Iterable[Finding], *, indent: str = "  ") -> str:
    """Findings as an aligned list, the worst first: level, what it is about, sentence; the hint below."""
    ordered = sorted(found, key=lambda finding: -finding.level.rank)
    rows: list[tuple[str, str, str]] = []
    for finding in ordered:
        rows.append((word(finding.level), finding.where or finding.check, finding.message))
        if finding.hint:
            rows.append(("", "", faint(f"hint: {finding.hint}")))
    return table(rows, indent=indent)


def answers(found: Iterable[Finding], *, indent: str = "") -> str:
    """Findings in the order they were asked, as of an examination; the hint below what is not well."""
    rows: list[tuple[str, str, str]] = []
    for finding in found:
        rows.append((word(finding.level), finding.where, finding.message))
        if finding.hint and finding.level.rank:
            rows.append(("", "", faint(f"hint: {finding.hint}")))
    return table(rows, indent=indent)


def one_line(text: str, columns: int) -> str:
    """*text* without line breaks, cut to *columns* with an ellipsis."""
    flat = " ".join(text.split())
    if width(flat) <= columns:
        return flat
    while flat and width(flat) >= columns:
        flat = flat[:-1]
    return f"{flat.rstrip()}…"


def many(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(count: float) -> str:
    """A number of bytes, such as ``12.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """A length of time in at most two units, such as ``3.2 s`` or ``1 h 05 min``."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def ago(moment: datetime, *, now: datetime | None = None) -> str:
    """How long ago *moment* was, in one unit."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 1:
        return "now"
    return f"{duration(seconds).split(' ')[0].split('.')[0]} {duration(seconds).split(' ')[1]} ago"


def clock(moment: datetime) -> str:
    """*moment* by this machine's clock, to the minute; without the date when it is today."""
    here = moment.astimezone()
    today = datetime.now(UTC).astimezone().date()
    return here.strftime("%H:%M" if here.date() == today else "%Y-%m-%d %H:%M")


def short(path: Path | str) -> str:
    """*path* relative to the current folder when it lies inside it."""
    full = Path(path)
    try:
        return str(full.resolve().relative_to(Path.cwd().resolve()))
    except (OSError, ValueError):
        return str(full)


def quoted(text: str) -> str:
    """*text* as one word for the shell of this machine."""
    if os.name == "nt":
        return f'"{text}"'
    import shlex

    return shlex.quote(text)


def video(made: Artifact) -> str:
    """What an artifact is: length, size, rate."""
    seconds = float(made.frames / made.fps) if made.fps else 0.0
    rate = f"{float(made.fps):g}"
    return f"{many(made.frames, 'frame')}, {made.width}x{made.height}, {rate} fps, {seconds:.1f} s, {size(made.bytes)}"


def percent(run: Run) -> str:
    """How far a run's job says it is; empty when it says nothing."""
    return f"{run.progress:.0%}" if run.state.is_held and run.progress else ""


def counted(done: float, total: float, unit: str) -> str:
    """``3 of 9 frames``; ``1.2 MB of 4.0 MB`` for bytes."""
    return f"{size(done)} of {size(total)}" if unit == BYTES else f"{done:g} of {total:g} {unit}"


def speed(rate: float, unit: str) -> str:
    """``3.1 frames/s``; ``1.2 MB/s`` for bytes."""
    return f"{size(rate)}/s" if unit == BYTES else f"{rate:.1f} {unit}/s"


def traffic(moving: Traffic | None) -> str:
    """Bytes on their way: ``sending 12.0 MB of 210.0 MB (6%), 3.1 MB/s, 1 min 04 s left``; empty when none move."""
    if moving is None:
        return ""
    share = f" ({moving.done / moving.total:.0%})" if moving.total else ""
    parts = [f"{WAYS[moving.way]} {counted(moving.done, moving.total, BYTES)}{share}"]
    if moving.rate:
        parts.append(speed(moving.rate, BYTES))
    if moving.seconds_left is not None:
        parts.append(f"{duration(moving.seconds_left)} left")
    return ", ".join(parts)


def resting(rests: Iterable[Rest]) -> str:
    """Which slots are left alone, how long and why; those of a full host in one sentence."""
    return "\n".join(f"{word('warn')}  {told}" for told in dict.fromkeys(map(str, rests)))


def paragraphs(*blocks: str) -> str:
    """The blocks that are not empty, with an empty line between them."""
    return "\n\n".join(filter(None, blocks))


def steps(*lines: str) -> str:
    """What to type next, as an indented list after an empty line."""
    return "\n".join(["", faint("next:"), *(f"  {line}" for line in lines)])


def words(texts: Iterable[str]) -> str:
    """Texts as a list within a sentence."""
    return ", ".join(texts)


def log_lines(text: str) -> Iterator[str]:
    """Lines of a log for a terminal: a carriage return also ends one, and colours are left out."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    yield from plain.replace("\r\n", "\n").replace("\r", "\n").split("\n")
