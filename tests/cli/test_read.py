"""What people type into values."""

from __future__ import annotations

import pytest

from cosmos_core.cli import read
from cosmos_core.errors import InputError


def test_weights_are_read_from_several_words_and_from_one():
    """``-w`` may be repeated, and one word may hold several."""
    assert {"vis": 0.3, "edge": 0.4, "seg": 1.0} == read.weights(["vis=0.3, edge=0.4", "seg=1"])
    assert {} == read.weights([])


def test_every_wrong_weight_is_named_at_once():
    """A person corrects the line once, not once a mistake."""
    with pytest.raises(InputError) as caught:
        read.weights(["edge", "vis=much,depth=nan", "seg=1", "seg=0.5"])

    for what in ("'edge'", "'vis=much'", "'depth=nan'", "seg is given twice"):
        assert what in str(caught.value)
    assert "-w edge=0.4" in caught.value.hint


def test_options_may_carry_the_name_of_their_offer():
    """``-o preview.fog=1`` and ``-o fog=1`` are the same for the backend preview; values keep their ``=``."""
    assert {"fog": "1", "text": "a=b"} == read.options(["preview.fog=1", "text=a=b"], of="preview")


@pytest.mark.parametrize("word", ["fog", "=1", ""])
def test_an_option_without_a_name_or_value_is_refused(word):
    """The sentence shows the word as it was typed."""
    with pytest.raises(InputError, match="is not name=value"):
        read.options([word])


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("1..5", (1, 2, 3, 4, 5)), ("3..1", (3, 2, 1)), ("7", (7,)), ("1,4..6,4", (1, 4, 5, 6))],
)
def test_seeds_are_ranges_and_lists(text, seeds):
    """A range holds both its ends, and no seed comes twice."""
    assert seeds == read.seeds(text)


@pytest.mark.parametrize("text", ["a..b", "1.5", "1..x", ""])
def test_what_is_no_seed_is_refused(text):
    """The hint shows how seeds are written."""
    with pytest.raises(InputError, match="are not seeds"):
        read.seeds(text)


def test_a_range_is_not_longer_than_anybody_means():
    """A slip of the finger does not queue a million runs."""
    with pytest.raises(InputError, match="more than 10,000"):
        read.values("1..1000000")


def test_combinations_come_in_order_and_quotes_keep_a_comma():
    """Every value of one option meets every value of the other; a quoted text is one value."""
    found = list(read.product({"seed": "1..2", "damage": "0.3,0.6", "text": '"a, b"'}))

    assert 4 == len(found)
    assert {"seed": "1", "damage": "0.3", "text": "a, b"} == found[0]
    assert {"seed": "2", "damage": "0.6", "text": "a, b"} == found[-1]
    assert ("seed", "damage") == read.varied(found)


def test_an_option_that_is_a_list_itself_is_left_whole():
    """A comma inside a list option does not mean several clips."""
    assert [{"palette": "a,b"}] == list(read.product({"palette": "a,b"}, whole={"palette"}))


def test_too_many_combinations_are_refused():
    """Each range may be short and the product still absurd."""
    with pytest.raises(InputError, match="combinations"):
        list(read.product({"a": "1..200", "b": "1..200"}))


def test_without_options_there_is_one_combination():
    """A generator with all its defaults makes one clip."""
    assert [{}] == list(read.product({}))
    assert () == read.varied([{}])
