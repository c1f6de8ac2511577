"""``hou.undos``: changes of flags, parameters and new nodes, in groups, and taking them back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hython_stubs.module import make

if TYPE_CHECKING:
    from collections.abc import Callable

    from hython_stubs.session import Session


@dataclass
class Step:
    """What one press of Undo takes back."""

    label: str
    changes: list[tuple[str, Callable[[], Any]]] = field(default_factory=list)
    """Each change in words, and what takes it back."""


class Undos:
    """Behaviours of ``hou.undos``. A group within a group belongs to the outer one; one that changes nothing is no step."""

    def __init__(self, session: Session) -> None:
        """For *session*."""
        self._session = session

    def behaviours(self) -> dict[str, Callable[..., Any]]:
        """By full name."""
        return {
            "undos.areEnabled": lambda: True,
            "undos.group": lambda label, *_: make(self._session.hou.UndosGroup, Step(label)),
            "undos.undoLabels": lambda: tuple(step.label for step in reversed(self._session.steps)),
            "undos.performUndo": self.undo,
            "UndosGroup.label": lambda me: me._fake.label,
            "UndosGroup.__enter__": lambda me: self.enter(me),  # noqa: PLW0108 - a method of the class takes the group, not ours
            "UndosGroup.__exit__": lambda me, *_: self.leave(me),
        }

    def enter(self, me: Any) -> Any:
        """Changes belong together from here."""
        self._session.open_steps.append(
            self._session.open_steps[-1] if self._session.open_steps else me._fake
        )
        return me

    def leave(self, me: Any) -> None:
        """To here."""
        step = self._session.open_steps.pop()
        if step is me._fake and step.changes:
            self._session.steps.append(step)

    def undo(self) -> bool:
        """Take the last step back; False when there is none."""
        if not self._session.steps:
            return False
        for _, back in reversed(self._session.steps.pop().changes):
            back()
        return True
