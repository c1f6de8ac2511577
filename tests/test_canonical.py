"""Canonical JSON and digests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import attrs
import pytest

from cosmos_core import canonical
from cosmos_core.errors import InputError


@attrs.frozen(kw_only=True)
class Thing:
    name: str
    rate: Fraction = Fraction(24)
    parts: tuple[int, ...] = ()


def test_equal_objects_have_equal_text_whatever_the_order_of_their_keys():
    """
    The canonical text sorts keys and has no spaces.
    """
    assert '{"name":"é","parts":[2,1],"rate":"30000/1001"}' == canonical.dumps(
        Thing(name="é", rate=Fraction(30000, 1001), parts=(2, 1))
    )


def test_an_object_survives_the_round_trip():
    """
    What was made plain is restored as it was.
    """
    thing = Thing(name="a", rate=Fraction(24000, 1001), parts=(1, 2))

    assert thing == canonical.restore(Thing, canonical.plain(thing))


def test_a_digest_changes_with_any_field():
    """
    Two things that differ in one field have different digests.
    """
    digests = {canonical.digest(Thing(name="a", parts=parts)) for parts in ((), (1,), (2,), (1, 2))}

    assert 4 == len(digests)


def test_nan_has_no_canonical_form():
    """
    JSON knows no NaN, so a digest of one is refused.
    """
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical.dumps({"x": float("nan")})


def test_what_a_person_wrote_is_answered_with_every_problem():
    """
    A missing and an unknown field are named in one error.
    """
    with pytest.raises(InputError) as caught:
        canonical.parse(Thing, {"nmae": "a", "parts": "x"}, where="thing.json")

    assert all(word in str(caught.value) for word in ("thing.json", "nmae", "name", "parts"))


def test_a_written_file_is_whole_or_as_it_was(tmp_path: Path):
    """
    A value that cannot be written leaves the old file and nothing else.
    """
    path = tmp_path / "a.json"
    canonical.write_file(path, {"a": 1})

    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical.write_file(path, {"a": float("inf")})

    assert '{\n  "a": 1\n}\n' == path.read_text()
    assert [path] == list(tmp_path.iterdir())
