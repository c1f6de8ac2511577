"""Whether a value is what an annotation of the stubs says.

Annotations are evaluated as Python would read them, in a namespace of the fake's own classes. What says nothing
(``Any``, ``Incomplete``, a name of ``pxr`` or Qt) accepts everything.
"""

from __future__ import annotations

import numbers
import os
import types
import typing
from collections import abc
from typing import Any


class Anything:
    """Stands for a type of another package: every value is one, and so is every attribute of it."""

    def __class_getitem__(cls, _: object) -> type[Anything]:
        return cls


class _Foreign:
    """A module of another package: everything in it is :class:`Anything`."""

    def __getattr__(self, name: str) -> type[Anything]:
        return Anything


class Annotations:
    """Reads annotations once, and asks values."""

    def __init__(self, names: dict[str, Any], aliases: dict[str, str]) -> None:
        """*names* are the fake's own; *aliases* the stub's."""
        self._names: dict[str, Any] = {
            **{name: getattr(typing, name) for name in typing.__all__},
            "Incomplete": Anything,
            "datetime": __import__("datetime"),
            "typing": typing,
            "Path": os.PathLike,
            "pxr": _Foreign(),
            "QtCore": _Foreign(),
            "QtGui": _Foreign(),
            "QtWidgets": _Foreign(),
            "TracebackType": types.TracebackType,
            **names,
        }
        self._read: dict[str, Any] = {}
        for name, text in aliases.items():
            self._names[name] = self.read(text)

    def read(self, text: str) -> Any:
        """The type that *text* names; :class:`Anything` where it cannot be told."""
        if text not in self._read:
            self._read[text] = self._evaluated(text)
        return self._read[text]

    def _evaluated(self, text: str) -> Any:
        if not text:
            return Anything
        try:
            return eval(
                text.replace("'", ""), {"__builtins__": __builtins__}, self._names
            )  # text of the stub
        except (NameError, AttributeError, TypeError):
            return Anything

    def fits(self, value: Any, text: str) -> bool:
        """Whether *value* is a *text*."""
        return _is(value, self.read(text))


def _is(value: Any, kind: Any) -> bool:
    if kind in (Anything, Any, object) or isinstance(kind, str | typing.TypeVar) or kind is typing.Self:
        return True
    if kind is None or kind is type(None):
        return value is None
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_is(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if origin is not None:
        return _is_generic(value, origin, inner)
    return _is_plain(value, kind)


def _is_plain(value: Any, kind: Any) -> bool:
    if kind is bool:
        return isinstance(value, bool | int)  # HOM takes 0 and 1 for toggles everywhere
    if kind is int:
        return isinstance(value, numbers.Integral)
    if kind is float:
        return isinstance(value, numbers.Real)
    return isinstance(value, kind) if isinstance(kind, type) else True


def _is_generic(value: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    if origin is abc.Callable:
        return callable(value)
    if origin is type:
        return isinstance(value, type)
    if issubclass(origin, abc.Mapping):
        return isinstance(value, abc.Mapping) and all(
            _is(key, inner[0]) and _is(each, inner[1]) for key, each in value.items()
        )
    if origin is tuple and not (len(inner) == 2 and inner[1] is Ellipsis):
        return isinstance(value, tuple) and len(value) == len(inner) and all(map(_is, value, inner))
    if isinstance(value, str | bytes):
        return False  # a text where a list of texts is wanted is a mistake that Python would not notice
    if issubclass(origin, tuple):
        return isinstance(value, tuple) and all(_is(each, inner[0]) for each in value)
    if issubclass(origin, abc.Sequence):
        is_list = isinstance(value, abc.Sequence) or hasattr(value, "__getitem__")
        return is_list and all(_is(each, inner[0]) for each in value)
    return isinstance(value, abc.Iterable)
