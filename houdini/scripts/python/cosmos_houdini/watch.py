"""Follows a job from inside Houdini: an idle callback that reads a file twice a second, a status line, one message."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import hou

from cosmos_houdini import job as folder_of_job
from cosmos_houdini import results
from cosmos_houdini.files import Follower

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY = 0.5
"""Seconds between two looks."""
QUIET = 1800.0
"""Seconds without a word after which we stop looking; the job itself goes on."""
_WATCHED: dict[str, Watch] = {}


class Watch:
    """One job on its way."""

    def __init__(self, folder: Path, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Of the job in *folder*, carried by process *pid*."""
        self.folder, self.pid = folder, pid
        self._clock = clock
        self._events = Follower(folder / folder_of_job.EVENTS)
        self._looked = self._heard = clock()
        self._said = ""
        self.ended = False

    def begin(self) -> None:
        """Start looking."""
        _WATCHED[str(self.folder)] = self
        hou.ui.addEventLoopCallback(self.look)
        self.say(f"Cosmos: {self.folder.name} has started; Houdini is free")

    def look(self) -> None:
        """Called by Houdini when it is idle; does something twice a second, and never waits."""
        now = self._clock()
        if now - self._looked < EVERY:
            return
        self._looked = now
        try:
            for event in self._events.read():
                self._heard = now
                self.hear(event)
            if not self.ended and now - self._heard > QUIET:
                self.end(f"{self.folder.name} has said nothing for {QUIET / 60:.0f} minutes", failed=True)
            elif (
                not self.ended and not alive(self.pid) and not (self.folder / folder_of_job.RESULT).is_file()
            ):
                self.end(f"{self.folder.name} ended without a result", failed=True)
        except Exception:
            self.stop()
            raise

    def hear(self, event: dict[str, Any]) -> None:
        """Take one event in."""
        kind = event.get("type")
        if kind == "progress":
            self.say(f"Cosmos: {self.folder.name}: {progress(event)}")
        elif kind == "step":
            self.say(f"Cosmos: {self.folder.name}: {event.get('name', '')}")
        elif kind == "warn":
            self.say(f"Cosmos: {event.get('message', '')}", hou.severityType.Warning)
        elif kind == "error":
            self.end(str(event.get("message", "it failed")), failed=True)
        elif kind == "done":
            self.end(str(event.get("message", "it is done")), failed=False)

    def say(self, text: str, severity: hou.EnumValue = hou.severityType.Message) -> None:
        """Write into the status line, if it is something new."""
        if text != self._said:
            self._said = text
            hou.ui.setStatusMessage(text, severity)

    def end(self, text: str, *, failed: bool) -> None:
        """Say how it ended, in one message, and look no more."""
        self.stop()
        reap(self.pid)
        self.say(f"Cosmos: {text}", hou.severityType.Error if failed else hou.severityType.Message)
        buttons = ("Close", "Show Folder", *(("Show Log",) if failed else results.CHOICES))
        chosen = hou.ui.displayMessage(
            f"{self.folder.name}: {text}",
            buttons=buttons,
            severity=hou.severityType.Error if failed else hou.severityType.Message,
            default_choice=0,
            close_choice=0,
            title="Cosmos",
            details=tail(self.folder / folder_of_job.LOG) if failed else summary(self.folder),
        )
        if chosen == 1:
            hou.ui.showInFileBrowser(self.folder.as_posix())
        elif chosen == 2 and failed:
            hou.ui.showInFileBrowser((self.folder / folder_of_job.LOG).as_posix())
        elif chosen >= 2:
            results.show(self.folder, results.CHOICES[chosen - 2])

    def stop(self) -> None:
        """Look no more."""
        if not self.ended:
            self.ended = True
            _WATCHED.pop(str(self.folder), None)
            hou.ui.removeEventLoopCallback(self.look)


def progress(event: dict[str, Any]) -> str:
    """How far, and for how long yet."""
    said = f"{event.get('note', '')} {100 * event.get('share', 0):.0f} %"
    left = event.get("left")
    if not isinstance(left, (int, float)):
        return said
    return f"{said}, {left:.0f} s left" if left < 100 else f"{said}, {left / 60:.0f} min left"


def watched() -> tuple[Watch, ...]:
    """Every job that this Houdini follows."""
    return tuple(_WATCHED.values())


def alive(pid: int) -> bool:
    """Whether the process is there. Where that cannot be asked, it is taken to be."""
    if os.name == "nt":
        return True
    reap(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def reap(pid: int) -> None:
    """Let an ended child of ours go; somebody else's is none of our business."""
    if hasattr(os, "waitpid") and os.name != "nt":
        try:
            os.waitpid(pid, os.WNOHANG)
        except (ChildProcessError, OSError):
            return


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log."""
    try:
        content = path.read_bytes()[-8000:]
    except OSError:
        return ""
    return "\n".join(content.decode("utf-8", "replace").splitlines()[-lines:])


def summary(folder: Path) -> str:
    """What the result says, a line each."""
    try:
        facts = json.loads((folder / folder_of_job.RESULT).read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return "\n".join(f"{key}: {facts[key]}" for key in ("clip", "run", "state", "video") if facts.get(key))
