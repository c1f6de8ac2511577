"""The window of :mod:`cosmos_houdini.talk` in Qt: a row a finding, with a button where something can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_houdini import talk
from cosmos_houdini.qt import QtCore, QtWidgets

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosmos_houdini import scene

WIDTH, HEIGHT = 720, 560
"""Pixels."""


class Row(QtWidgets.QWidget):
    """One finding."""

    def __init__(self, finding: scene.Finding, mend: Callable[[scene.Fix], None]) -> None:
        """*mend* is called with the finding's fix when its button is pressed."""
        super().__init__()
        mark = QtWidgets.QLabel(talk.MARKS[finding.level])
        mark.setFixedWidth(16)
        words = QtWidgets.QLabel(f"{finding.message}." + (f"\n→ {finding.hint}" if finding.hint else ""))
        words.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        words.setWordWrap(True)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 2)
        layout.addWidget(mark, 0, QtCore.Qt.AlignmentFlag.AlignTop)
        layout.addWidget(words, 1)
        self.button: Any = None
        if finding.fix:
            fix = finding.fix
            self.button = QtWidgets.QPushButton(fix.label)
            self.button.setAutoDefault(False)
            self.button.clicked.connect(lambda *_: mend(fix))
            layout.addWidget(self.button, 0, QtCore.Qt.AlignmentFlag.AlignTop)


class Dialog(QtWidgets.QDialog):
    """The findings above, the words of the video below."""

    def __init__(self, about: talk.Talk, window: Any = None) -> None:
        """*window* is Houdini's."""
        super().__init__(window)
        self.setWindowTitle(talk.TITLE)
        self.resize(WIDTH, HEIGHT)
        self.talk, self.wish = about, talk.LEAVE
        self.rows: dict[scene.Finding, Row] = {}
        self.nothing = QtWidgets.QLabel(talk.NOTHING)
        self.nothing.setWordWrap(True)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self._findings(), 1)
        layout.addLayout(self._form())
        layout.addLayout(self._buttons())
        self.show_talk()

    def _findings(self) -> Any:
        inside = QtWidgets.QWidget()
        self._list = QtWidgets.QVBoxLayout(inside)
        self._list.addWidget(self.nothing)
        self._list.addStretch(1)
        area = QtWidgets.QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inside)
        return area

    def _form(self) -> Any:
        form = QtWidgets.QFormLayout()
        self.fields = [QtWidgets.QLineEdit() for _ in talk.FIELDS]
        for label, field in zip(talk.FIELDS, self.fields, strict=True):
            field.editingFinished.connect(self._typed)
            form.addRow(label, field)
        return form

    def _buttons(self) -> Any:
        row = QtWidgets.QHBoxLayout()
        row.addStretch(1)
        self.buttons = {}
        for wish in (talk.GO, talk.PASSES, talk.LEAVE):
            button = QtWidgets.QPushButton(wish)
            button.setDefault(wish == talk.GO)
            button.setAutoDefault(wish == talk.GO)
            button.clicked.connect(self._pressed(wish))
            row.addWidget(button)
            self.buttons[wish] = button
        return row

    def _pressed(self, wish: str) -> Callable[..., None]:
        return lambda *_: self.want(wish)

    def show_talk(self) -> None:
        """What is known now. A row whose finding stays is left alone: somebody may be pressing its button."""
        findings = self.talk.findings
        for finding in self.rows.keys() - set(findings):
            gone = self.rows.pop(finding)
            gone.hide()
            gone.deleteLater()
        for at, finding in enumerate(dict.fromkeys(findings)):
            if finding not in self.rows:
                self.rows[finding] = Row(finding, self.mend)
                self._list.insertWidget(at, self.rows[finding])
        self.nothing.setVisible(not findings)
        for field, text in zip(self.fields, self.talk.fields, strict=True):
            if field.text().strip() != text:
                field.setText(text)
        for wish in (talk.GO, talk.PASSES):
            self.buttons[wish].setEnabled(not self.talk.stands)

    def _typed(self) -> None:
        self.talk.type([field.text() for field in self.fields])
        self.show_talk()

    def mend(self, fix: scene.Fix) -> None:
        """The button beside a finding."""
        self._typed()
        self.talk.mend(fix)
        self.show_talk()

    def want(self, wish: str) -> None:
        """One of the buttons below: close with it if it may be, say why not otherwise."""
        if wish != talk.LEAVE:
            self._typed()
        if self.talk.may(wish):
            self.wish = wish
            self.accept()
        else:
            self.show_talk()


def ask(about: talk.Talk, window: Any) -> str:
    """Show the window until somebody decides."""
    dialog = Dialog(about, window)
    # PySide2 has only the name that does not clash with a keyword of Python 2.
    (getattr(dialog, "exec", None) or dialog.exec_)()
    dialog.deleteLater()
    return dialog.wish
