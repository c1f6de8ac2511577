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
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]


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
        self._checks: dict[str, Check] = {}
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
        if text not in self._checks:
            self._checks[text] = _check(self.read(text))
        return self._checks[text](value)


def _check(kind: Any) -> Check:
    """What says whether a value is of *kind*; made once for each annotation, since cities are long lists."""
    plain = _plain(kind)
    if plain:
        return lambda value: isinstance(value, plain)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        checks = [_check(one) for one in inner]
        return lambda value: any(check(value) for check in checks)
    if origin is typing.Literal:
        return lambda value: value in inner
    return _generic(origin, inner) if origin is not None else _accept


def _accept(_: Any) -> bool:
    return True


def _plain(kind: Any) -> tuple[type, ...]:
    """The classes of which a value must be one; none where the class alone does not tell, or tells nothing."""
    if kind is None or kind is type(None):
        return (type(None),)
    if kind is bool:
        return (bool, int)  # HOM takes 0 and 1 for toggles everywhere
    if kind is int:
        return (int, numbers.Integral)
    if kind is float:
        return (float, int, numbers.Real)
    says_nothing = kind in (Anything, Any, object) or typing.get_origin(kind) is not None
    return (kind,) if isinstance(kind, type) and not says_nothing else ()


def _generic(origin: Any, inner: tuple[Any, ...]) -> Check:
    if origin is abc.Callable:
        return callable
    if origin is type:
        return lambda value: isinstance(value, type)
    if issubclass(origin, abc.Mapping):
        keys, values = map(_all, inner)
        return lambda value: isinstance(value, abc.Mapping) and keys(value) and values(value.values())
    if origin is tuple and not (len(inner) == 2 and inner[1] is Ellipsis):
        checks = [_check(one) for one in inner]
        return lambda value: (
            isinstance(value, tuple)
            and len(value) == len(checks)
            and all(check(one) for check, one in zip(checks, value, strict=True))
        )
    if issubclass(origin, tuple):
        each = _all(inner[0])
        return lambda value: isinstance(value, tuple) and each(value)
    if issubclass(origin, abc.Sequence):
        each = _all(inner[0])
        return lambda value: _is_list(value) and each(value)
    return lambda value: isinstance(value, abc.Iterable) and not isinstance(value, str | bytes)


def _is_list(value: Any) -> bool:
    # A text where a list of texts is wanted is a mistake that Python would not notice.
    is_text = isinstance(value, str | bytes)
    return not is_text and (isinstance(value, abc.Sequence) or hasattr(value, "__getitem__"))


def _all(kind: Any) -> Check:
    """Whether all of several values are of *kind*; of a hundred thousand numbers the classes are few."""
    plain = _plain(kind)
    if plain:
        return lambda values: all(issubclass(one, plain) for one in set(map(type, values)))
    check = _check(kind)
    return lambda values: all(map(check, values))
