"""``hou.ui``, panes and viewports: absent in hython, scripted and recorded where a test sits at the desk."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hython_stubs.module import make

if TYPE_CHECKING:
    from collections.abc import Callable

    from hython_stubs.session import Session


@dataclass
class Dialog:
    """A message or question that was shown."""

    text: str
    title: str = ""
    buttons: tuple[str, ...] = ()
    details: str = ""
    severity: str = "Message"


@dataclass
class Desk:
    """What a person at the screen would see, and what they answer."""

    here: bool = False
    """Whether anybody is; False is hython."""
    dialogs: list[Dialog] = field(default_factory=list)
    answers: deque[Any] = field(default_factory=deque)
    """For dialogs with a choice, in order: a button's number, or ``(number, text)`` where a text is asked for."""
    statuses: list[tuple[str, str]] = field(default_factory=list)
    callbacks: list[Callable[[], None]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    files: deque[str] = field(default_factory=deque)
    """Answers of the file chooser."""
    panes: dict[str, Any] = field(default_factory=dict)
    panels: set[str] = field(default_factory=set)
    """Names of the installed Python panels."""
    backgrounds: dict[tuple[str, int], str] = field(default_factory=dict)
    window: Any = None
    """Houdini's main window, where a test has made one of Qt."""
    viewed_through: list[Any] = field(default_factory=list)
    """Cameras that got the view's own place."""

    def pump(self, rounds: int = 1) -> None:
        """Let Houdini's event loop go round."""
        for _ in range(rounds):
            for callback in tuple(self.callbacks):
                callback()


class UI:
    """Behaviours of ``hou.ui`` and what hangs on it."""

    def __init__(self, session: Session) -> None:
        """For *session*."""
        self._session = session

    @property
    def _desk(self) -> Desk:
        if not self._session.desk.here:
            raise self._session.hou.NotAvailable("hou.ui is not available in hython")
        return self._session.desk

    def behaviours(self) -> dict[str, Callable[..., Any]]:
        """By full name."""
        return {
            "ui.displayMessage": self.message,
            "ui.readInput": self.read_input,
            "ui.readMultiInput": self.read_multi,
            "ui.setStatusMessage": self.status,
            "ui.addEventLoopCallback": lambda callback: self._desk.callbacks.append(callback),  # noqa: PLW0108 - the desk is another one after each reset
            "ui.removeEventLoopCallback": self.remove_callback,
            "ui.eventLoopCallbacks": lambda: tuple(self._desk.callbacks),
            "ui.selectFile": lambda *_, **__: self._desk.files.popleft() if self._desk.files else "",
            "ui.openUrl": lambda url: self._desk.urls.append(url),  # noqa: PLW0108 - the desk is another one after each reset
            "ui.showInFileBrowser": lambda path: self._desk.shown.append(path),  # noqa: PLW0108 - the desk is another one after each reset
            "ui.paneTabOfType": self.pane,
            "ui.curDesktop": lambda: make(self._session.hou.Desktop, self._desk),
            "Desktop.createFloatingPaneTab": self.float_pane,
            "pypanel.interfaceByName": lambda name: (
                make(self._session.hou.PythonPanelInterface, name) if name in self._desk.panels else None
            ),
            "HelpBrowser.setUrl": lambda _, url: self._desk.urls.append(url),
            "HelpBrowser.showUI": lambda *_: None,
            "PaneTab.setIsCurrentTab": lambda _: None,
            "SceneViewer.curViewport": lambda _: make(self._session.hou.GeometryViewport, "persp1"),
            "GeometryViewport.settings": lambda me: make(
                self._session.hou.GeometryViewportSettings, me._fake
            ),
            "qt.mainWindow": lambda: self._desk.window,
            "GeometryViewport.saveViewToCamera": lambda _, camera: self._desk.viewed_through.append(camera),
            "GeometryViewport.camera": lambda _: self._session.viewport_camera,
            "GeometryViewportSettings.backgroundImage": lambda _, view, layer=1: make(
                self._session.hou.GeometryViewportBackground, (view._fake[1], layer)
            ),
            "GeometryViewportSettings.setDisplayBackgroundImage": lambda _, on: None,
            "GeometryViewportBackground.setImageFile": lambda me, path: self._desk.backgrounds.update(
                {me._fake: path}
            ),
            "GeometryViewportBackground.imageFile": lambda me: self._desk.backgrounds.get(me._fake, ""),
        }

    def _answer(self, buttons: tuple[str, ...], default: Any) -> Any:
        if len(buttons) <= 1:
            return default
        if not self._desk.answers:
            raise AssertionError(f"nobody told the test what to answer: {self._desk.dialogs[-1]}")
        return self._desk.answers.popleft()

    def message(
        self,
        text: str,
        buttons: tuple[str, ...] = ("OK",),
        severity: Any = None,
        default_choice: int = 0,
        close_choice: int = -1,
        help: str | None = None,  # noqa: A002
        title: str | None = None,
        details: str | None = None,
        **_: Any,
    ) -> int:
        """Show, and answer as the test said."""
        level = severity._fake[1] if severity is not None else "Message"
        self._desk.dialogs.append(Dialog(text, title or "", tuple(buttons), details or "", level))
        return self._answer(tuple(buttons), 0)

    def read_input(
        self, text: str, buttons: tuple[str, ...] = ("OK",), *_: Any, **words: Any
    ) -> tuple[int, str]:
        """Ask for a line."""
        self._desk.dialogs.append(Dialog(text, words.get("title") or "", tuple(buttons)))
        return self._answer((*buttons, ""), (0, words.get("initial_contents") or ""))

    def read_multi(self, text: str, labels: Any, *_: Any, **words: Any) -> tuple[int, tuple[str, ...]]:
        """Ask for several lines."""
        self._desk.dialogs.append(
            Dialog(text, words.get("title") or "", tuple(words.get("buttons", ("OK",))))
        )
        initial = tuple(words.get("initial_contents") or [""] * len(labels))
        return self._answer((*words.get("buttons", ("OK",)), ""), (0, initial))

    def status(self, message: str, severity: Any = None) -> None:
        """Write into the status line."""
        self._desk.statuses.append((message, severity._fake[1] if severity is not None else "Message"))

    def remove_callback(self, callback: Callable[[], None]) -> None:
        """Call it no longer.

        Raises:
            hou.OperationFailed: nobody was calling it.
        """
        if callback not in self._desk.callbacks:
            raise self._session.hou.OperationFailed("that callback is not registered")
        self._desk.callbacks.remove(callback)

    def pane(self, kind: Any, index: int = 0) -> Any:
        """An open pane of that type, None when there is none."""
        return self._desk.panes.get(kind._fake[1])

    def float_pane(self, _: Any, kind: Any, *__: Any, **___: Any) -> Any:
        """Open one."""
        name = kind._fake[1]
        made = make(getattr(self._session.hou, name), name)
        self._desk.panes[name] = made
        return made
