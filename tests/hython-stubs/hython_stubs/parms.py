"""Parameters: single ones and tuples, with the strictness of their rows and the stubbornness of expressions."""

from __future__ import annotations

import numbers
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hython_stubs.module import make

if TYPE_CHECKING:
    from collections.abc import Callable

    from hython_stubs.catalog import ParmRow
    from hython_stubs.session import Session
    from hython_stubs.tree import Node

_EMPTY = {"Float": 0.0, "String": "", "Button": 0}


@dataclass
class Tuple:
    """A parameter tuple of one node."""

    node: Node
    row: ParmRow
    name: str
    """With the instance's number where the row has ``#``."""
    values: list[Any] = field(default_factory=list)
    expressions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start from the defaults."""
        default = self.row.default
        if isinstance(default, list):
            self.values = list(default)
        else:
            self.values = [_EMPTY.get(self.row.kind, 0) if default is None else default] * self.row.size
        said = self.row.expression.split()
        self.expressions = said if len(said) == self.row.size else [""] * self.row.size

    def components(self) -> list[str]:
        """Names of its single parameters."""
        if self.row.size == 1:
            return [self.name]
        return [self.name + self.row.suffix[at] for at in range(self.row.size)]


def find(node: Node, name: str) -> tuple[Tuple, int] | None:
    """The tuple and the place in it of a single parameter, or None as Houdini says it."""
    for row in node.row.parms.values():
        for full in _names(node, row, name):
            parms = node.parms.setdefault(full, Tuple(node, row, full))
            if name in parms.components():
                return parms, parms.components().index(name)
    return None


def find_tuple(node: Node, name: str) -> Tuple | None:
    """The tuple of that name."""
    for row in node.row.parms.values():
        if name in _names(node, row, name):
            return node.parms.setdefault(name, Tuple(node, row, name))
    return None


def _names(node: Node, row: ParmRow, asked: str) -> list[str]:
    """The names a row can have: one, or one for each instance of its folder."""
    if "#" not in row.name:
        return [row.name]
    pattern = re.escape(row.name).replace(r"\#", r"(\d+)") + "[xyzw1-4]?"
    match = re.fullmatch(pattern, asked)
    if not match or not 1 <= int(match[1]) <= _instances(node):
        return []
    return [row.name.replace("#", match[1])]


def _instances(node: Node) -> int:
    """How many instances its folders have; the table does not say which row belongs to which folder."""
    counts = [row.name for row in node.row.parms.values() if row.kind == "Folder"]
    if not counts:
        return 9
    return max(int(node.parms[name].values[0]) if name in node.parms else 1 for name in counts)


class Parms:
    """Behaviours of ``hou.Parm`` and ``hou.ParmTuple``."""

    def __init__(self, session: Session) -> None:
        """For the nodes of *session*."""
        self._session = session

    def behaviours(self) -> dict[str, Callable[..., Any]]:
        """By full name."""
        return {
            "OpNode.parm": self.parm,
            "OpNode.parmTuple": self.parm_tuple,
            "Node.parm": self.parm,
            "Node.parmTuple": self.parm_tuple,
            "OpNode.parms": lambda me: tuple(
                self._parm(parms, at) for parms in self._all(me._fake) for at in range(parms.row.size)
            ),
            "OpNode.parmTuples": lambda me: tuple(map(self._tuple, self._all(me._fake))),
            "OpNode.evalParm": lambda me, name: self._known(me, name).eval(),
            "OpNode.setParms": self.set_parms,
            "Parm.name": lambda me: me._fake[0].components()[me._fake[1]],
            "Parm.path": lambda me: f"{me._fake[0].node.path}/{me._fake[0].components()[me._fake[1]]}",
            "Parm.node": lambda me: me._fake[0].node.object,
            "Parm.tuple": lambda me: self._tuple(me._fake[0]),
            "Parm.set": self.set,
            "Parm.eval": lambda me: self._value(*me._fake),
            "Parm.evalAsString": self.as_string,
            "Parm.evalAsInt": lambda me: int(self._number(*me._fake)),
            "Parm.evalAsFloat": lambda me: float(self._number(*me._fake)),
            "Parm.evalAtFrame": self.at_frame,
            "Parm.unexpandedString": lambda me: str(me._fake[0].values[me._fake[1]]),
            "Parm.rawValue": lambda me: str(me._fake[0].values[me._fake[1]]),
            "Parm.menuItems": lambda me: self._tokens(me._fake[0].row),
            "Parm.menuLabels": lambda me: me._fake[0].row.labels or self._tokens(me._fake[0].row),
            "Parm.pressButton": self.press,
            "Parm.deleteAllKeyframes": self.delete_keyframes,
            "Parm.setExpression": self.set_expression,
            "Parm.expression": self.expression,
            "Parm.isLocked": lambda me: False,
            "Parm.__eq__": lambda me, other: type(other) is type(me) and me._fake == other._fake,
            "Parm.__hash__": lambda me: id(me._fake[0]),
            "ParmTuple.name": lambda me: me._fake.name,
            "ParmTuple.node": lambda me: me._fake.node.object,
            "ParmTuple.set": self.set_tuple,
            "ParmTuple.eval": lambda me: tuple(self._value(me._fake, at) for at in range(me._fake.row.size)),
            "ParmTuple.deleteAllKeyframes": self.delete_all_keyframes,
            "ParmTuple.__len__": lambda me: me._fake.row.size,
            "ParmTuple.__getitem__": lambda me, at: self._parm(me._fake, range(me._fake.row.size)[at]),
            "ParmTuple.__iter__": lambda me: iter(
                [self._parm(me._fake, at) for at in range(me._fake.row.size)]
            ),
        }

    def _all(self, node: Node) -> list[Tuple]:
        names = [row.name for row in node.row.parms.values() if "#" not in row.name]
        return [found for name in names if (found := find_tuple(node, name))]

    def _parm(self, parms: Tuple, at: int) -> Any:
        return make(self._session.hou.Parm, (parms, at))

    def _tuple(self, parms: Tuple) -> Any:
        return make(self._session.hou.ParmTuple, parms)

    def parm(self, me: Any, path: str) -> Any:
        """The parameter, None when there is none: Houdini's own answer."""
        found = find(me._fake, path)
        return self._parm(*found) if found else None

    def parm_tuple(self, me: Any, path: str) -> Any:
        """The same for a tuple."""
        found = find_tuple(me._fake, path)
        return self._tuple(found) if found else None

    def _known(self, me: Any, name: str) -> Any:
        found = self.parm(me, name)
        if found is None:
            raise self._session.hou.OperationFailed(f"Invalid parameter name {name!r} on {me._fake.path}")
        return found

    def set_parms(self, me: Any, values: dict[str, Any]) -> None:
        """Each by name, of a tuple or a single one."""
        for name, value in values.items():
            found = self.parm_tuple(me, name) if isinstance(value, tuple | list) else self.parm(me, name)
            if found is None:
                raise self._session.hou.OperationFailed(f"Invalid parameter name {name!r} on {me._fake.path}")
            found.set(value)

    def set(self, me: Any, value: Any, *_: Any, **__: Any) -> None:
        """Set one; an expression that stands there stays, as in Houdini."""
        parms, at = me._fake
        self._changing(parms)
        parms.values[at] = self._checked(parms.row, value)
        self._session.touch(parms.node)

    def set_tuple(self, me: Any, values: Any, *_: Any, **__: Any) -> None:
        """Set all of a tuple."""
        parms = me._fake
        if len(values) != parms.row.size:
            raise self._session.hou.InvalidSize(
                f"{parms.name} has {parms.row.size} components, not {len(values)}"
            )
        self._changing(parms)
        parms.values[:] = [self._checked(parms.row, value) for value in values]
        self._session.touch(parms.node)

    def _changing(self, parms: Tuple) -> None:
        """What stands there now comes back when this is undone."""
        values, expressions = list(parms.values), list(parms.expressions)

        def back() -> None:
            parms.values[:], parms.expressions[:] = values, expressions

        self._session.did(f"set {parms.node.path}/{parms.name}", back)

    def _checked(self, row: ParmRow, value: Any) -> Any:
        def refuse(why: str) -> Exception:
            return TypeError(f"{row.name} cannot be set to {value!r}: {why}")

        if row.kind == "Button":
            raise refuse("it is a button")
        if row.kind == "Float" and not isinstance(value, numbers.Real):
            raise refuse("it is a number")
        if row.kind in ("Int", "Toggle", "Folder") and not isinstance(value, numbers.Integral):
            raise refuse("it is a whole number")
        if row.kind == "String" and not isinstance(value, str):
            raise refuse("it is a text")
        if isinstance(value, str) and (row.kind == "Menu" or (row.kind == "String" and row.tokens)):
            return self._token(row, value)
        if row.kind == "Menu" and not 0 <= value < max(len(row.tokens), len(row.labels)):
            raise refuse(f"the menu has {max(len(row.tokens), len(row.labels))} items")
        return float(value) if row.kind == "Float" else value

    def _token(self, row: ParmRow, value: str) -> Any:
        if value not in row.tokens:
            known = (
                f"one of {', '.join(row.tokens)}" if row.tokens else "only labels are known, set it by index"
            )
            raise self._session.hou.OperationFailed(f"{row.name} has no menu item {value!r}: {known}")
        return value

    def _tokens(self, row: ParmRow) -> tuple[str, ...]:
        if not (row.complete and row.tokens):
            return row.tokens or tuple(map(str, range(len(row.labels))))
        return row.tokens

    def _value(self, parms: Tuple, at: int, frame: float | None = None) -> Any:
        if parms.expressions[at]:
            return self._session.evaluate(parms.expressions[at], frame)
        value = parms.values[at]
        if parms.row.kind == "String":
            return self._session.expand(str(value), parms.node, frame)
        if parms.row.kind == "Menu" and isinstance(value, str):
            return parms.row.tokens.index(value) if parms.row.complete else value
        return value

    def _number(self, parms: Tuple, at: int) -> float:
        value = self._value(parms, at)
        if isinstance(value, str):
            raise TypeError(f"{parms.name} is a text")
        return value

    def as_string(self, me: Any) -> str:
        """The value as text; of a menu the token."""
        parms, at = me._fake
        value = parms.values[at]
        if parms.row.kind == "Menu" and parms.row.tokens and not parms.expressions[at]:
            return value if isinstance(value, str) else parms.row.tokens[int(value)]
        return str(self._value(parms, at))

    def at_frame(self, me: Any, frame: float) -> Any:
        """The value at another frame."""
        parms, at = me._fake
        return self._value(parms, at, frame)

    def press(self, me: Any, *_: Any) -> None:
        """Do what the session was told the button does."""
        parms, _at = me._fake
        if parms.row.kind != "Button":
            raise self._session.hou.OperationFailed(f"{parms.name} is no button")
        self._session.pressed(parms.node, parms.name)

    def delete_keyframes(self, me: Any) -> None:
        """Remove the expression; the value last set comes to light."""
        parms, at = me._fake
        self._changing(parms)
        parms.expressions[at] = ""

    def delete_all_keyframes(self, me: Any) -> None:
        """The same for every component."""
        self._changing(me._fake)
        me._fake.expressions[:] = [""] * me._fake.row.size

    def set_expression(self, me: Any, expression: str, *_: Any, **__: Any) -> None:
        """Put an expression there."""
        parms, at = me._fake
        parms.expressions[at] = expression

    def expression(self, me: Any) -> str:
        """The expression that stands there.

        Raises:
            hou.OperationFailed: there is none, as in Houdini.
        """
        parms, at = me._fake
        if not parms.expressions[at]:
            raise self._session.hou.OperationFailed(f"{parms.name} has no expression")
        return parms.expressions[at]
