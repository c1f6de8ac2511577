"""The campaign file as a JSON schema, by which editors complete keys and underline what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_core.campaign.form import FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cosmos_core.campaign.form import Key

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema. What it cannot say, such as that a part exists, ``cosmos campaign plan`` says."""
    return {"$schema": DIALECT, "title": "A campaign of cosmos-core", **_mapping(FILE)}


def _mapping(form: Mapping[str, Key]) -> dict[str, Any]:
    required = [name for name, key in form.items() if key.required]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _key(key) for name, key in form.items()},
        **({"required": required} if required else {}),
    }


def _key(key: Key) -> dict[str, Any]:
    made = {"description": key.help, **key.kind.schema}
    if key.inner is None:
        return made
    inner = _mapping(key.inner)
    return made | ({"items": inner} if made["type"] == "array" else inner)
