"""From the records of the stubs to a module ``hou`` whose every call is checked, in and out."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from hython_stubs.typed import Annotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from hython_stubs.spec import Argument, Class, Function, Spec

_KINDS = {
    "plain": inspect.Parameter.POSITIONAL_OR_KEYWORD,
    "star": inspect.Parameter.VAR_POSITIONAL,
    "word": inspect.Parameter.KEYWORD_ONLY,
    "stars": inspect.Parameter.VAR_KEYWORD,
}
_SUBMODULES_NEED = 1
"""A class without bases, of static functions only, is one of HOM's sub-modules."""


class Closed:
    """What all fakes are: objects with one private drawer, whose other attributes cannot be set.

    ``state`` belongs to the behaviours; code under test has no business with it.
    """

    __slots__ = ("_fake",)

    def __setattr__(self, name: str, value: object) -> None:
        if name != "_fake":
            kind = type(self).__name__
            raise AttributeError(f"hou.{kind} has no attribute {name!r} that could be set")
        object.__setattr__(self, name, value)


class Hou:
    """What stands in ``sys.modules`` for the module: only names that the stubs know."""

    def __init__(self, spec: Spec, behaviours: dict[str, Callable[..., Any]]) -> None:
        """Build every class and function of *spec*; *behaviours* do what has been written down."""
        self.__dict__["__name__"] = "hou"
        self.__dict__["_spec_of_stub"] = spec
        self.__dict__["_behaviours"] = behaviours
        names: dict[str, Any] = {}
        for record in spec.classes.values():
            if "type" in record.bases:
                continue  # SWIG's own metaclass, which nobody calls
            names[record.name] = self._made_class(record, names)
        self.__dict__["_annotations"] = Annotations(names, spec.aliases)
        self.__dict__.update(names)
        for function in spec.functions.values():
            self.__dict__[function.name] = self._function(function, "")
        for name in spec.untyped:
            self.__dict__.setdefault(name, self._untold(name))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"module 'hou' has no attribute {name!r} in Houdini {self._spec_of_stub.version}"
        )

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("__"):
            raise AttributeError(f"tests may not change hou.{name}: register a behaviour with the session")
        self.__dict__[name] = value

    def _made_class(self, record: Class, names: dict[str, Any]) -> type:
        above: tuple[type, ...] = tuple(
            Exception if base == "Exception" else names[base] for base in record.bases if base != "object"
        )
        is_error = any(issubclass(base, Exception) for base in above)
        bases = above or (Closed,)
        content: dict[str, Any] = {"__module__": "hou"} | ({} if is_error else {"__slots__": ()})
        for function in record.functions.values():
            if not function.name.startswith("__"):
                made = self._function(function, record.name)
                content[function.name] = made if function.bound else staticmethod(made)
        if not is_error:
            content |= self._special(record)
        made = type(record.name, bases, content)
        for member in record.members:
            type.__setattr__(made, member, self._enum_value(record.name, member, names))
        return made

    def _special(self, record: Class) -> dict[str, Any]:
        """Construction, and the double-underscore methods that somebody has written down."""
        special: dict[str, Any] = {}
        prefix = f"{record.name}.__"
        for name, behaviour in self._behaviours.items():
            if name.startswith(prefix):
                special[name.split(".", 1)[1]] = behaviour
        if record.is_closed and "__init__" not in special:
            special["__init__"] = _refuse_construction
        return special

    def _enum_value(self, kind: str, name: str, names: dict[str, Any]) -> Any:
        value = object.__new__(names["EnumValue"])
        value._fake = (kind, name)
        return value

    def _function(self, record: Function, owner: str) -> Callable[..., Any]:
        full = f"{owner}.{record.name}" if owner else record.name
        signature = inspect.Signature([_parameter(one) for one in record.arguments])

        def call(*given: Any, **words: Any) -> Any:
            me, rest = (given[:1], given[1:]) if record.bound else ((), given)
            try:
                bound = signature.bind(*rest, **words)
            except TypeError as error:
                raise TypeError(f"hou.{full}: {error}") from None
            self._check_arguments(full, record, bound)
            behaviour = self._behaviour(full, me)
            if behaviour is None:
                raise NotImplementedError(f"hou.{full} exists in Houdini; this fake has no behaviour for it")
            answer = behaviour(*me, *bound.args, **bound.kwargs)
            if not self._annotations.fits(answer, record.returns):
                raise AssertionError(f"the fake lies: hou.{full} gives {record.returns}, not {answer!r}")
            return answer

        call.__name__, call.__qualname__ = record.name, full
        return call

    def _behaviour(self, full: str, me: tuple[Any, ...]) -> Callable[..., Any] | None:
        """The behaviour of the object's own class or the nearest above it."""
        if not me:
            return self._behaviours.get(full)
        name = full.split(".", 1)[1]
        kinds = [kind.__name__ for kind in type(me[0]).__mro__]
        return next(
            (self._behaviours[f"{k}.{name}"] for k in kinds if f"{k}.{name}" in self._behaviours), None
        )

    def _check_arguments(self, full: str, record: Function, bound: inspect.BoundArguments) -> None:
        annotations = {one.name: one.annotation for one in record.arguments if one.kind in ("plain", "word")}
        for name, value in bound.arguments.items():
            if name in annotations and not self._annotations.fits(value, annotations[name]):
                raise TypeError(f"hou.{full}: {name} is {value!r}; Houdini takes {annotations[name]}")

    def _untold(self, name: str) -> Callable[..., Any]:
        def call(*given: Any, **words: Any) -> Any:
            if name not in self._behaviours:
                raise NotImplementedError(f"hou.{name} is deprecated, and this fake has no behaviour for it")
            return self._behaviours[name](*given, **words)

        return call


def _parameter(one: Argument) -> inspect.Parameter:
    default = ... if one.optional and one.kind in ("plain", "word") else inspect.Parameter.empty
    return inspect.Parameter(one.name, _KINDS[one.kind], default=default)


def _refuse_construction(self: Any, *_: Any, **__: Any) -> None:
    raise AttributeError(f"No constructor defined for hou.{type(self).__name__}")


def make(kind: Any, state: Any) -> Any:
    """An object of a class that has no constructor, with what the behaviours know of it."""
    made: Any = object.__new__(kind)
    made._fake = state
    return made
