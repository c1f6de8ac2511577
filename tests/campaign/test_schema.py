"""The JSON schema says of a file what the reader says, as far as a schema can."""

from __future__ import annotations

from cosmos_core.campaign.form import DEFAULTS, ENTRY, FILE
from cosmos_core.campaign.schema import schema


def test_the_schema_has_every_key_with_its_meaning_and_no_other():
    """
    An editor offers what the reader knows, underlines the rest, and shows what a key is for.
    """
    made = schema()
    entry = made["properties"]["entries"]["items"]
    defaults = made["properties"]["defaults"]

    assert (FILE.keys(), ENTRY.keys(), DEFAULTS.keys()) == (
        made["properties"].keys(),
        entry["properties"].keys(),
        defaults["properties"].keys(),
    )
    assert (["campaign"], ["id"]) == (made["required"], entry["required"])
    assert {False} == {each["additionalProperties"] for each in (made, entry, defaults)}
    assert all(key["description"] for key in entry["properties"].values())
    assert {"type": "integer", "description": ENTRY["seed"].help} == entry["properties"]["seed"]
    assert ["string", "integer"] == entry["properties"]["id"]["type"]
