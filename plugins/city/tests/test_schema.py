from __future__ import annotations

import json

import attrs
import pytest
from click.testing import CliRunner
from cosmos_core_city.commands import city as command
from cosmos_core_city.schema import digest, plain, schema
from cosmos_core_city.spec import City, CitySpec, resolve

from cosmos_core import canonical

WHY = "validating needs the package jsonschema: pip install jsonschema"


@pytest.fixture
def valid():
    """``valid(schema, value)``: whether a validator by other people accepts it."""
    judge = pytest.importorskip("jsonschema", reason=WHY).Draft202012Validator

    def check(rules, value):
        judge.check_schema(rules)
        return judge(rules).is_valid(value)

    return check


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_resolved_city_is_valid_and_comes_back_equal(valid, seed):
    """Its JSON validates, and reading it gives the very city."""
    city = resolve(CitySpec(seed=seed))
    facts = json.loads(json.dumps(plain(city)))

    assert valid(schema(resolved=True), facts)
    assert city == canonical.restore(City, facts)


def test_the_schema_refuses_what_is_missing_or_strange(valid):
    """A building without floors, and a member that nobody knows."""
    facts = plain(resolve(CitySpec()))
    strange = facts | {"weather": "fine"}
    missing = json.loads(json.dumps(facts))
    del missing["buildings"][0]["floors"]

    assert not valid(schema(resolved=True), strange)
    assert not valid(schema(resolved=True), missing)


@pytest.mark.parametrize(
    ("parameters", "good"),
    [
        ({}, True),
        ({"seed": 7, "haze": 0.5, "width": 640, "truth": ["depth"], "boxes": True}, True),
        ({"truth": "normal,depth"}, True),
        ({"width": None}, True),
        ({"haze": 1.5}, False),
        ({"camera": "balloon"}, False),
        ({"width": 641}, False),
        ({"truth": ["smell"]}, False),
        ({"sed": 1}, False),
    ],
)
def test_the_schema_of_parameters_agrees_with_the_class(valid, parameters, good):
    """What the schema accepts can be made, and what it refuses cannot."""
    assert good == valid(schema(), parameters)
    if good:
        CitySpec(**parameters)
    else:
        with pytest.raises((ValueError, TypeError)):
            CitySpec(**parameters)


def test_every_parameter_is_explained_and_has_its_default(valid):
    """Descriptions, defaults and ranges are those of the options, and the defaults are valid."""
    rules = schema()["properties"]

    assert {field.name for field in attrs.fields(CitySpec)} == set(rules)
    assert all(rule["description"] and "default" in rule for rule in rules.values())
    assert (0.0, 1.0) == (rules["haze"]["minimum"], rules["haze"]["maximum"])
    assert valid(schema(), plain_spec(CitySpec()))


def plain_spec(spec):
    return json.loads(json.dumps(attrs.asdict(spec)))


def test_the_digest_names_the_city_and_not_the_camera():
    """Another camera films the same city; another seed is another."""
    one = digest(resolve(CitySpec(seed=5)))

    assert one == digest(resolve(CitySpec(seed=5, camera="drone", haze=0.9)))
    assert one != digest(resolve(CitySpec(seed=6)))


def test_the_commands_print_schema_and_city():
    """`schema`, `schema --resolved` and `resolve` print JSON."""
    said = [
        json.loads(CliRunner().invoke(command, words, catch_exceptions=False).output)
        for words in (["schema"], ["schema", "--resolved"], ["resolve", "--seed", "9", "--trees", "0"])
    ]

    assert [schema(), schema(resolved=True), plain(resolve(CitySpec(seed=9, trees=0.0)))] == said
    assert [] == said[2]["trees"]
