"""Option classes: validated, read from words, printed."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest

from cosmos_core.errors import InputError, RefusedError
from cosmos_core.options import build, describe, lists


@attrs.frozen(kw_only=True)
class Options:
    steps: int = attrs.field(
        default=35,
        validator=[attrs.validators.ge(1), attrs.validators.le(100)],
        metadata={"help": "denoising steps"},
    )
    strength: float = 0.5
    fast: bool = False
    label: str = ""
    seed: int | None = None
    sizes: tuple[int, ...] = ()


def test_words_are_read_as_the_fields_types_say():
    """
    What comes from a command line becomes numbers, truth values and None.
    """
    made = build(
        Options, {"steps": "4", "strength": "0.25", "fast": "yes", "label": "12", "seed": "none"}, where="x"
    )

    assert Options(steps=4, strength=0.25, fast=True, label="12", seed=None) == made


@attrs.frozen(kw_only=True)
class Names:
    images: Mapping[str, str] = attrs.field(factory=dict)
    ports: dict[str, int] = attrs.field(factory=dict)


def test_names_with_values_are_read_from_one_word():
    """
    A mapping is ``a=b,c=d``, may be given more than once, and says which part of it is none.
    """
    made = build(Names, {"images": "nvcr.io/m:2=local:2, b=c=d", "ports": "web=80"}, where="x")
    with pytest.raises(RefusedError) as caught:
        build(Names, {"images": "a=b,c", "ports": "web=eighty"}, where="x")

    assert Names(images={"nvcr.io/m:2": "local:2", "b": "c=d"}, ports={"web": 80}) == made
    assert Names() == build(Names, {"images": "", "ports": {}}, where="x")
    assert {"images", "ports"} == lists(Names)
    said = [finding.message for finding in caught.value.findings]
    assert ["'c' is not name=value" in said[0], "is not a whole number" in said[1]] == [True, True]


def test_values_from_toml_are_taken_as_they_are():
    """
    A list becomes a tuple, an int a float where one is wanted.
    """
    assert Options(strength=1.0, sizes=(1, 2)) == build(Options, {"strength": 1, "sizes": [1, 2]}, where="x")


def test_every_problem_comes_at_once():
    """
    An unknown name, an unreadable word and a value out of range are three findings.
    """
    with pytest.raises(RefusedError) as caught:
        build(Options, {"stepps": 1, "steps": 101, "strength": "much"}, where="upscale")

    said = {finding.where: finding for finding in caught.value.findings}
    assert {"stepps", "steps", "strength"} == set(said)
    assert "steps, strength, fast" in said["stepps"].hint
    assert "<= 100" in said["steps"].message
    assert "is not a number" in said["strength"].message


def test_what_a_converter_refuses_is_a_finding_beside_the_others():
    """
    A field without a validator may refuse its value too, such as a path where no file is.
    """

    def _no(value):
        raise InputError(f"{value} does not exist")

    @attrs.frozen(kw_only=True)
    class WithAFile:
        mask: str = attrs.field(default="", converter=lambda value: _no(value) if value else "")
        steps: int = 1

    with pytest.raises(RefusedError) as caught:
        build(WithAFile, {"mask": "gone.mp4", "steps": "many"}, where="model")

    assert {"mask", "steps"} == {finding.where for finding in caught.value.findings}
    assert "gone.mp4 does not exist" in caught.value.findings[0].message


def test_options_print_themselves():
    """
    Name, type, default and help of each field.
    """
    first = next(describe(Options))

    assert ("steps", "int", "35", "denoising steps") == (first.name, first.type, first.default, first.help)


def test_a_required_option_is_asked_for():
    """
    A field without a default must be given.
    """

    @attrs.frozen(kw_only=True)
    class Needs:
        url: str

    with pytest.raises(RefusedError) as caught:
        build(Needs, {}, where="reason")

    assert "reason.url is required" == caught.value.findings[0].message


@attrs.frozen(kw_only=True)
class Several:
    passes: tuple[str, ...] = ("depth",)
    sizes: list[int] = attrs.field(factory=list)
    at: tuple[int, float] = (0, 0.0)
    kinds: frozenset[str] = frozenset()
    maybe: tuple[str, ...] | None = ()
    name: str = "a,b"


def test_a_word_becomes_a_list_as_the_field_says():
    """
    Commas part the values, each is read as its own type, and an empty word has none; a text keeps its commas.
    """
    words = {
        "passes": "depth, seg",
        "sizes": "1,2",
        "at": "3,4.5",
        "kinds": "x,y,x",
        "maybe": "none",
        "name": "c,d",
    }

    assert Several(
        passes=("depth", "seg"), sizes=[1, 2], at=(3, 4.5), kinds=frozenset("xy"), maybe=None, name="c,d"
    ) == build(Several, words, where="x")
    assert Several(passes=()) == build(Several, {"passes": ""}, where="x")
    assert {"passes", "sizes", "at", "kinds", "maybe"} == lists(Several)
    assert frozenset() == lists(None)


def test_a_list_that_does_not_fit_is_a_finding():
    """
    What is wrong is said of the option by name: how many it takes, or which value cannot be read.
    """
    with pytest.raises(RefusedError) as caught:
        build(Several, {"at": "1,2,3", "sizes": "1,two"}, where="x")

    said = {finding.where: finding.message for finding in caught.value.findings}
    assert "has 3 values, and takes 2" in said["at"]
    assert "is not a whole number" in said["sizes"]
