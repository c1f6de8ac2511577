"""The panel with the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosmos_houdini import command, queue
from cosmos_houdini.qt import QtCore, QtWidgets

EVERY = 3000
"""Milliseconds between two looks at the queue."""


class QueuePanel(QtWidgets.QWidget):
    """A table of runs that a process of its own fills, so that Houdini never waits for it."""

    def __init__(self, folder: str) -> None:
        """Show the queue of the workspace around *folder*."""
        super().__init__()
        self.folder = folder
        self.said = QtWidgets.QLabel("")
        self.said.setWordWrap(True)
        self.table = QtWidgets.QTableWidget(0, len(queue.COLUMNS))
        self.table.setHorizontalHeaderLabels(list(queue.COLUMNS))
        self.table.horizontalHeader().setStretchLastSection(True)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.said)
        layout.addWidget(self.table)
        self._asking: Any = None
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.look)
        self._timer.start(EVERY)
        self.look()

    def look(self) -> None:
        """Ask for the list, unless somebody asks already."""
        if self._asking is not None:
            return
        try:
            program = command.find()
        except command.NotFound as error:
            self.said.setText(str(error))
            return
        environment = QtCore.QProcessEnvironment()
        for name, value in command.environment().items():
            environment.insert(name, value)
        self._asking = QtCore.QProcess(self)
        self._asking.setProcessEnvironment(environment)
        self._asking.setWorkingDirectory(self.folder)
        self._asking.finished.connect(self._heard)
        self._asking.errorOccurred.connect(self._failed)
        self._asking.start(program, ["list", "--json"])

    def _heard(self, *_: Any) -> None:
        process, self._asking = self._asking, None
        if process is None:
            return
        text = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace")
        try:
            self.show_rows(queue.rows(text))
        except ValueError as error:
            words = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip()
            self.said.setText(words.splitlines()[0] if words else str(error))
        process.deleteLater()

    def _failed(self, *_: Any) -> None:
        self._asking = None
        self.said.setText("The cosmos command could not be started.")

    def show_rows(self, rows: list[tuple[str, ...]]) -> None:
        """Put *rows* into the table."""
        self.said.setText(
            "Nothing in the queue." if not rows else "1 run" if len(rows) == 1 else f"{len(rows)} runs"
        )
        self.table.setRowCount(len(rows))
        for at, row in enumerate(rows):
            for column, text in enumerate(row):
                self.table.setItem(at, column, QtWidgets.QTableWidgetItem(text))


def make() -> QueuePanel:
    """What Houdini asks for when the panel opens."""
    import hou

    beside = Path(hou.hipFile.path()).parent.resolve()
    # A scene outside of any workspace has got one in the folder of its jobs.
    own = beside / "cosmos"
    return QueuePanel(str(own if (own / "cosmos.toml").is_file() else beside))
