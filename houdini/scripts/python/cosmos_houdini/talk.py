"""The one question before a job: everything that stands against it, each with its button, and the words of the video.

:class:`Talk` knows what was said; the window of Qt and Houdini's own plain message only show it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import hou

from cosmos_houdini import fixes, job, scene
from cosmos_houdini.nodes import CatalogError

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE = "Cosmos"
FIELDS = ("Prompt", "Negative prompt", "Model", "Workspace", "First frame", "Last frame", "Width", "Height")
GO, PASSES, LEAVE = "Render and Submit", "Passes Only", "Cancel"
MARKS = {"fail": "✗", "warn": "!"}


class Talk:
    """A request on its way to a job."""

    def __init__(self, request: job.Request, rops: Sequence[hou.OpNode] = ()) -> None:
        """*rops* are the render nodes that it is about."""
        self.request = request
        self._rops = tuple(rops)
        self._said: list[scene.Finding] = []
        self.look()

    def look(self) -> None:
        """Look at the scene anew."""
        self._findings = scene.review(scene.gather(self.request, self._rops), self.request)

    @property
    def findings(self) -> list[scene.Finding]:
        """All that there is to say, what was asked for last first."""
        return [*self._said, *self._findings]

    @property
    def stands(self) -> bool:
        """Whether something stops the job."""
        return any(one.level == "fail" for one in self._findings)

    def mend(self, fix: scene.Fix) -> None:
        """Do *fix*, and look again."""
        self._said = []
        try:
            self.request = fixes.apply(fix, self.request)
        except (hou.Error, LookupError, CatalogError) as error:
            self._said = [scene.Finding("warn", f"{fix.label} did not work: {error}")]
        self.look()

    @property
    def fields(self) -> tuple[str, ...]:
        """What stands in the fields, in the order of :data:`FIELDS`."""
        request, ask = self.request, self.request.ask or job.Ask(prompt="")
        numbers = (request.start, request.end, request.width, request.height)
        return (ask.prompt, ask.negative, ask.backend, request.workspace, *map(str, numbers))

    def type(self, values: Sequence[str]) -> None:
        """Take what was typed; a number that is none stays as it was."""
        prompt, negative, backend, workspace, *numbers = (text.strip() for text in values)
        before = self.request
        start, end, width, height = (
            int(text) if _is_number(text) else old
            for text, old in zip(
                numbers, (before.start, before.end, before.width, before.height), strict=True
            )
        )
        ask = before.ask or job.Ask(prompt="")
        self.request = replace(
            before,
            start=start,
            end=end,
            width=width,
            height=height,
            workspace=workspace,
            ask=replace(ask, prompt=prompt, negative=negative, backend=backend),
        )
        if self.request != before:
            self._said = []
            self.look()

    def may(self, wish: str) -> bool:
        """Whether *wish*, one of the buttons below, can be granted now; if not, the findings say why."""
        if wish == LEAVE:
            return True
        has_words = bool(self.request.ask and self.request.ask.prompt)
        self._said = [scene.NO_PROMPT] if wish == GO and not has_words else []
        return not self._said and not self.stands


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def ask(talk: Talk) -> str:
    """Show *talk* until somebody decides: one of :data:`GO`, :data:`PASSES` and :data:`LEAVE`, which may be granted then."""
    window: Any = hou.qt.mainWindow()
    if window is None:
        return plain(talk)
    try:
        from cosmos_houdini import dialog
    except ImportError:
        return plain(talk)
    return dialog.ask(talk, window)


def plain(talk: Talk) -> str:
    """Without Qt: Houdini's own message, with a button a finding, shown again after each."""
    while True:
        wishes = [LEAVE] if talk.stands else [GO, PASSES, LEAVE]
        mending = [one.fix for one in talk.findings if one.fix]
        buttons = [*wishes[:-1], *(fix.label for fix in mending), LEAVE]
        chosen, values = hou.ui.readMultiInput(
            said(talk.findings),
            FIELDS,
            buttons=tuple(buttons),
            severity_type=hou.severityType.Error if talk.stands else hou.severityType.Message,
            default_choice=0,
            close_choice=len(buttons) - 1,
            title=TITLE,
            initial_contents=talk.fields,
        )
        at = chosen % len(buttons) - (len(wishes) - 1)
        if 0 <= at < len(mending):
            talk.type(values)
            talk.mend(mending[at])
            continue
        wish = buttons[chosen]
        if wish != LEAVE:
            talk.type(values)
        if talk.may(wish):
            return wish


def said(findings: Sequence[scene.Finding]) -> str:
    """All findings as one text, each with what to do."""
    if not findings:
        return NOTHING
    return "\n".join(
        f"{MARKS[one.level]} {one.message}." + (f"\n    → {one.hint}" if one.hint else "") for one in findings
    )


NOTHING = "Nothing stands against it. The scene is copied; your file is neither saved nor changed."


def tell(text: str, *, error: bool = False) -> None:
    """One message."""
    level: Any = hou.severityType.Error if error else hou.severityType.Message
    hou.ui.displayMessage(text, severity=level, title=TITLE)
