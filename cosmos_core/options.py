"""Options of a registration object: an attrs class that validates, reads command-line words and prints itself."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from cosmos_core import canonical
from cosmos_core.errors import InputError, RefusedError, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


@attrs.frozen(kw_only=True)
class Described:
    """One option as shown to people."""

    name: str
    type: str
    default: str
    help: str


def describe(options: type) -> Iterator[Described]:
    """Each field of an options class, in order: name, type, default and the ``help`` of its metadata."""
    hints = typing.get_type_hints(options)
    for field in attrs.fields(options):
        yield Described(
            name=field.name,
            type=_type_name(hints[field.name]),
            default=_default(field),
            help=field.metadata.get("help", ""),
        )


def lists(options: type | None) -> frozenset[str]:
    """Names of the fields that hold several values: on a command line ``a,b``, or given more than once."""
    if options is None:
        return frozenset()
    hints = typing.get_type_hints(options)
    return frozenset(
        field.name
        for field in attrs.fields(options)
        if _list_type(hints[field.name]) or _is_mapping(hints[field.name])
    )


def build(options: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """An instance of *options* from *values*, whose strings are read as the fields' types say.

    A wrong value is shown, but of a field with ``metadata={"private": True}``, where a secret may be by mistake.

    Raises:
        RefusedError: with a finding for every unknown field, unreadable word and value out of range.
    """
    hints = typing.get_type_hints(options)
    known = {field.name: field for field in attrs.fields(options) if field.init}  # type: ignore[arg-type]
    findings = [
        fail(f"{where} has no option {name!r}", hint=f"one of {', '.join(known) or 'none'}", where=name)
        for name in values
        if name not in known
    ]
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            continue
        try:
            read[name] = _read(hints[name], value)
            _validate(options, known[name], read[name])
        except (InputError, ValueError, TypeError) as error:
            shown = "" if known[name].metadata.get("private") else f" = {value!r}"
            findings.append(fail(f"{where}.{name}{shown}: {_sentence(error)}", where=name))
    missing = [name for name, field in known.items() if field.default is attrs.NOTHING and name not in values]
    findings += [fail(f"{where}.{name} is required", where=name) for name in missing]
    if findings:
        raise RefusedError(f"the options of {where} have {len(findings)} problem(s)", findings)
    try:
        return options(**read)
    except (ValueError, TypeError) as error:
        raise RefusedError(f"the options of {where} do not fit together", [fail(_sentence(error))]) from error


def _validate(options: type, field: attrs.Attribute[Any], value: object) -> None:
    """Run one field's converter and validator by themselves, so that all fields are judged, not the first bad one."""
    converter: Any = field.converter
    converted = converter(value) if callable(converter) else value
    validator: Any = field.validator
    if validator is not None:
        validator(object.__new__(options), field, converted)


def _read(hint: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return canonical.restore(hint, value) if not isinstance(value, _plain_types(hint)) else value
    wanted = _plain_types(hint)
    if several := _list_type(hint):
        return None if type(None) in wanted and value.lower() == "none" else _items(several, value)
    if _is_mapping(hint):
        return _table(hint, value)
    if str in wanted:
        return value
    if bool in wanted and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    if type(None) in wanted and value.lower() in {"", "none"}:
        return None
    for number in (int, float):
        if number in wanted:
            return _number(number, value)
    return canonical.restore(hint, value)


_LISTS = (tuple, list, set, frozenset)


def _list_type(hint: Any) -> Any:
    """The member of *hint* that holds several values, such as ``tuple[int, ...]``; None when there is none."""
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return next((each for each in members if (typing.get_origin(each) or each) in _LISTS), None)


def _is_mapping(hint: Any) -> bool:
    made = typing.get_origin(hint) or hint
    return isinstance(made, type) and issubclass(made, Mapping)


def _table(hint: Any, text: str) -> dict[Any, Any]:
    """``a=b,c=d`` as names with their values; an empty text has none."""
    key_hint, value_hint = typing.get_args(hint) or (str, str)
    table = {}
    for word in text.split(",") if text.strip() else ():
        key, mark, value = (part.strip() for part in word.partition("="))
        if not mark or not key:
            raise InputError(f"{word.strip()!r} is not name=value; several are joined by commas")
        table[_read(key_hint, key)] = _read(value_hint, value)
    return table


def _items(hint: Any, text: str) -> Any:
    """``a,b`` as the values of a list, each read as its own type says; an empty text has none."""
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    made: Any = typing.get_origin(hint) or hint
    inner = typing.get_args(hint) or (str,)
    if made is tuple and inner[-1] is not Ellipsis and typing.get_args(hint):
        if len(words) != len(inner):
            raise InputError(f"has {len(words)} values, and takes {len(inner)}")
        return tuple(_read(each, word) for each, word in zip(inner, words, strict=True))
    return made([_read(inner[0], word) for word in words])


def _number(kind: type, value: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        name = {int: "a whole number", float: "a number"}[kind]
        raise InputError(f"is not {name}") from None


def _plain_types(hint: Any) -> tuple[type, ...]:
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return tuple(member for member in members if isinstance(member, type))


def _type_name(hint: Any) -> str:
    return (
        hint.__name__
        if isinstance(hint, type) and not typing.get_args(hint)
        else str(hint).replace("typing.", "")
    )


def _default(field: attrs.Attribute[Any]) -> str:
    if field.default is attrs.NOTHING:
        return "required"
    factory = getattr(field.default, "factory", None)
    return repr(factory() if factory else field.default)


def _sentence(error: Exception) -> str:
    """The first words of an error; attrs' validators add the field's whole description after them."""
    return str(error.args[0] if error.args else error)
