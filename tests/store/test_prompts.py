"""The prompt library."""

from __future__ import annotations

import pytest

from cosmos_core.errors import InputError, UnknownError
from cosmos_core.spec import Prompt


def test_a_prompt_comes_back_as_it_was_saved(store):
    """
    Every field is kept, and the version is the first.
    """
    saved = store.save_prompt(
        name="burning-tram",
        text="A tram burns",
        negative="people",
        clip="c" * 64,
        parent="tram@4",
        made_by="enhancer",
    )

    assert ("burning-tram@1", Prompt("A tram burns", negative="people")) == (saved.ref, saved.prompt)
    assert ("c" * 64, "tram@4", "enhancer") == (saved.clip, saved.parent, saved.made_by)
    assert saved == store.prompt("burning-tram") == store.prompt("burning-tram@1")


def test_editing_makes_a_version_and_keeps_the_old(store):
    """
    ``name`` is the latest text, ``name@1`` is the first for ever.
    """
    first = store.save_prompt("tram", "one")
    second = store.save_prompt("tram", "two")

    assert (first, second, second) == (store.prompt("tram@1"), store.prompt("tram@2"), store.prompt("tram"))
    assert (second, first) == store.prompt_versions("tram")
    assert (second,) == store.prompts()


def test_an_unknown_prompt_is_unknown(store):
    """
    Neither a name nor a version is guessed.
    """
    store.save_prompt("tram", "one")

    for ref in ("tra", "tram@3", "tram@0", "tram@", "tram@x", "@1", "", "tram@1@1"):
        with pytest.raises(UnknownError):
            store.prompt(ref)


def test_a_name_is_a_slug(store):
    """
    What could not be typed, or would be read as a version, is refused.
    """
    for name in ("", "Tram", "a b", "tram@2", "-tram", "../tram", "träm"):
        with pytest.raises(InputError, match="cannot name a prompt"):
            store.save_prompt(name, "text")


def test_prompts_are_searched_by_beginnings_of_words(store):
    """
    Every word must begin some word of the name or text; case and accents do not matter; the newest comes first.
    """
    tram = store.save_prompt("burning-tram", "A tram on a rainy street, near a Café")
    snow = store.save_prompt("snow", "Snow falls on the RAILS")

    def found(text):
        return [prompt.name for prompt in store.prompts(text)]

    assert [snow.name, tram.name] == found("") == found("ra")
    assert [tram.name] == found("BURN cafe") == found("tram rain")
    assert [] == found("ram") == found("rain snow")
    assert (snow,) == store.prompts(limit=1)


def test_an_old_version_is_not_searched(store):
    """
    Only the text that a name stands for now is found.
    """
    store.save_prompt("tram", "fog")
    store.save_prompt("tram", "dust")

    assert () == store.prompts("fog")
    assert 1 == len(store.prompts("dust"))


def test_a_removed_prompt_is_gone_but_for_the_runs_that_used_it(store, accept):
    """
    Its used version can be read under its number; the name is free, and old numbers are never given again.
    """
    used = store.save_prompt("tram", "one")
    store.save_prompt("tram", "two")
    accept(1, prompt_ref=used.ref)

    store.remove_prompt("tram")

    assert used == store.prompt("tram@1")
    assert () == store.prompts()
    for ref in ("tram", "tram@2"):
        with pytest.raises(UnknownError):
            store.prompt(ref)
    for ask in (store.prompt_versions, store.remove_prompt):
        with pytest.raises(UnknownError):
            ask("tram")
    assert "tram@3" == store.save_prompt("tram", "three").ref
