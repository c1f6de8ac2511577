"""Qt as this Houdini has it: PySide6 from 21 on, PySide2 before; both are asked for the same few things."""

from __future__ import annotations

try:
    from PySide6 import QtCore, QtWidgets
except ImportError:  # Houdini 20.5
    from PySide2 import QtCore, QtWidgets  # type: ignore[no-redef]

__all__ = ["QtCore", "QtWidgets"]
