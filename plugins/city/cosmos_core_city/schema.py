"""The two levels of a city as JSON, and the header of a pose file: schemas that other programs validate with, and the digest of a resolved city.

Written from the classes themselves, so that schema and code cannot differ. The dialect is JSON Schema 2020-12.
"""

from __future__ import annotations

import hashlib
import json
import types
import typing
from typing import Any

import attrs

from cosmos_core_city.spec import City, CitySpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_WORDS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def schema(*, resolved: bool = False) -> dict[str, Any]:
    """The JSON schema of the parameters, :class:`CitySpec`; or of the *resolved* description, :class:`City`.

    Every member of a resolved city is required; every parameter has a default.
    """
    return of(City if resolved else CitySpec)


def of(kind: type) -> dict[str, Any]:
    """The JSON schema of any class whose validators say what they allow."""
    return {"$schema": DIALECT, "title": kind.__name__, **_object(kind)}


def plain(city: City) -> dict[str, Any]:
    """A resolved city as JSON knows it: lists where it has tuples."""
    return dict(json.loads(json.dumps(attrs.asdict(city), allow_nan=False)))


def digest(city: City) -> str:
    """SHA-256 over a resolved city's JSON with sorted keys, as 64 hexadecimal digits."""
    text = json.dumps(plain(city), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _object(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    fields = attrs.fields(kind)
    return {
        "type": "object",
        "description": (kind.__doc__ or "").split("\n\n")[0].strip(),
        "properties": {field.name: _property(field, hints[field.name]) for field in fields},
        "required": [field.name for field in fields if field.default is attrs.NOTHING],
        "additionalProperties": False,
    }


def _property(field: attrs.Attribute[Any], hint: Any) -> dict[str, Any]:
    found = _kind(hint) | _limits(field.validator)
    if "enum" in found and "null" in _listed(found.get("type", ())):
        found["enum"] = [*found["enum"], None]
    if field.default is not attrs.NOTHING:
        found["default"] = list(field.default) if isinstance(field.default, tuple) else field.default
    return found | ({"description": field.metadata["help"]} if "help" in field.metadata else {})


def _limits(validator: Any) -> dict[str, Any]:
    """What the validators of a field say of themselves; attrs joins several under ``_validators``."""
    found: dict[str, Any] = {}
    for each in getattr(validator, "_validators", (validator,)):
        found |= getattr(each, "schema", {})
    return found


def _kind(hint: Any) -> dict[str, Any]:
    if hint in _WORDS:
        return {"type": _WORDS[hint]}
    if attrs.has(hint):
        return _object(hint)
    members = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return {"type": [word for member in members for word in _listed(_kind(member)["type"])]}
    if len(members) == 2 and members[1] is Ellipsis:
        return {"type": "array", "items": _kind(members[0])}
    return {
        "type": "array",
        "prefixItems": [_kind(each) for each in members],
        "items": False,
        "minItems": len(members),
    }


def _listed(words: Any) -> list[str]:
    return [words] if isinstance(words, str) else list(words)
