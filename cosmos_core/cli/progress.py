"""Progress of things that take time: bars at a terminal, a line now and then elsewhere, nothing for programs."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, Self

from cosmos_core.cli import say
from cosmos_core.cli.asked import echo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cosmos_core.cli.asked import Asked

EVERY = 10.0
"""Seconds between two lines about the same thing, where there is no terminal."""


class Progress(Protocol):
    """Shows how far things are, by key. Used as a context."""

    def show(
        self, key: str, label: str, done: float, total: float, note: str = "", *, unit: str = ""
    ) -> None:
        """Say that *key* is at *done* of *total*; 0 for a total nobody knows. A *unit* of its own, or everybody's."""

    def drop(self, key: str) -> None:
        """Speak of *key* no more."""

    def say(self, text: str) -> None:
        """Say a line that stays."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def progress(asked: Asked, *, unit: str = "") -> Progress:
    """Progress as this invocation wants it, on stderr. With a *unit* a rate is shown, such as ``frames/s``."""
    if asked.json:
        return Lines(unit) if asked.verbose else Silence()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return Bars(unit)
    return Lines(unit)


class Silence:
    """Nobody looks."""

    def show(
        self, key: str, label: str, done: float, total: float, note: str = "", *, unit: str = ""
    ) -> None:
        """Say nothing."""

    def drop(self, key: str) -> None:
        """Say nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Pace:
    """How fast one thing goes, counted from its first move: what comes before, building and compiling, is no measure."""

    def __init__(self, done: float, at: float) -> None:
        self._from = done
        self._since = at
        self.moved = False
        """Whether anything was done since."""

    def see(self, done: float, at: float) -> Self:
        """Start again until something has moved, and when it goes back."""
        if not self.moved or done < self._from:
            self.moved = done > self._from
            self._from, self._since = done, at
        return self

    def rate(self, done: float, at: float) -> float:
        """Units a second so far; 0 when nothing moved."""
        seconds = at - self._since
        return (done - self._from) / seconds if seconds > 0 else 0.0

    def left(self, done: float, total: float, at: float) -> float | None:
        """Seconds to go at this pace; None when nobody can say."""
        rate = self.rate(done, at)
        return (total - done) / rate if rate > 0 and total > done else None


class Lines:
    """Plain lines on stderr: when a note changes, and every ten seconds. What is quick and has no note is not told."""

    def __init__(self, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._unit = unit
        self._clock = clock
        self._paces: dict[str, Pace] = {}
        self._told: dict[str, tuple[str, float]] = {}
        self._said: dict[str, str] = {}

    def show(
        self, key: str, label: str, done: float, total: float, note: str = "", *, unit: str = ""
    ) -> None:
        """Say it, if there is something new to say."""
        now = self._clock()
        pace = self._paces.setdefault(key, Pace(done, now)).see(done, now)
        before, at = self._told.setdefault(key, ("", now))
        whole = done >= total > 0
        if note == before and now - at < EVERY and not (whole and note and pace.moved):
            return
        self._told[key] = (note, now)
        sentence = ", ".join(self._parts(pace, done, total, note, now, unit or self._unit))
        if sentence and self._said.get(key) != sentence:
            self._said[key] = sentence
            self.say(f"{label}: {sentence}")

    def drop(self, key: str) -> None:
        """Forget it."""
        for known in (self._paces, self._told, self._said):
            known.pop(key, None)

    def say(self, text: str) -> None:
        """Say a line."""
        echo(text, err=True)

    def _parts(
        self, pace: Pace, done: float, total: float, note: str, now: float, unit: str
    ) -> Iterator[str]:
        if note:
            yield note
        if unit and total:
            yield say.counted(done, total, unit)
        elif 0 < done < total:
            yield f"{done / total:.0%}"
        if unit and (rate := pace.rate(done, now)) > 0:
            yield say.speed(rate, unit)
        if (left := pace.left(done, total, now)) is not None:
            yield f"{say.duration(left)} left"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Bars:
    """A bar for each thing, drawn again and again at the bottom of the terminal."""

    def __init__(self, unit: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Drawn

        self._unit = unit
        self._paces: dict[str, Pace] = {}
        self._tasks: dict[str, Any] = {}
        self._drawn = Drawn(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}", markup=False, style="dim"),
            console=Console(stderr=True),
            transient=True,
        )

    def show(
        self, key: str, label: str, done: float, total: float, note: str = "", *, unit: str = ""
    ) -> None:
        """Draw its bar there."""
        now = time.monotonic()
        label, note = say.shown(label), say.shown(note)
        pace = self._paces.setdefault(key, Pace(done, now)).see(done, now)
        if (unit := unit or self._unit) and total:
            rate = pace.rate(done, now)
            speed = f" {say.speed(rate, unit)}" if rate > 0 else ""
            note = f"{say.counted(done, total, unit)}{speed} {note}".rstrip()
        if (left := pace.left(done, total, now)) is not None:
            note = f"{note} {say.duration(left)} left".lstrip()
        if key not in self._tasks:
            self._tasks[key] = self._drawn.add_task(label, total=total or None, note=note)
        self._drawn.update(
            self._tasks[key], description=label, completed=done, total=total or None, note=note
        )

    def drop(self, key: str) -> None:
        """Take its bar away."""
        self._paces.pop(key, None)
        if (task := self._tasks.pop(key, None)) is not None:
            self._drawn.remove_task(task)

    def say(self, text: str) -> None:
        """Write a line above the bars."""
        from rich.text import Text

        self._drawn.console.print(Text.from_ansi(say.shown(text)), soft_wrap=True)

    def __enter__(self) -> Self:
        self._drawn.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._drawn.stop()
