"""Where sealed clips lie."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cosmos_core.errors import InputError


def _clip(digest, folder, name="street"):
    # The store reads these three of a Clip; sealing a real one takes a video.
    return SimpleNamespace(digest=digest * 64, folder=folder, name=name)


def test_a_clip_is_found_by_digest_beginning_or_name(store, tmp_path):
    """
    Whatever names it clearly leads to its folder.
    """
    store.remember_clip(_clip("a", tmp_path / "clips" / "street"))
    store.remember_clip(_clip("b", tmp_path.parent / "harbour", name="harbour"))

    assert tmp_path / "clips" / "street" == store.clip_folder("a" * 64)
    assert tmp_path / "clips" / "street" == store.clip_folder("street")
    assert tmp_path.parent / "harbour" == store.clip_folder("BBB")
    assert ["harbour", "street"] == [known.name for known in store.clips()]


def test_an_unknown_clip_has_no_folder(store, tmp_path):
    """
    None is an answer; nothing is guessed.
    """
    store.remember_clip(_clip("a", tmp_path / "street"))

    for ref in ("", "aa", "ccc", "a" * 65, "stree", "%"):
        assert store.clip_folder(ref) is None


def test_an_unclear_clip_names_the_candidates(store, tmp_path):
    """
    Two clips of one name are told apart by digest.
    """
    store.remember_clip(_clip("a", tmp_path / "1"))
    store.remember_clip(_clip("b", tmp_path / "2"))

    with pytest.raises(InputError) as refused:
        store.clip_folder("street")

    assert "street (aaaaaaaaaaaa)" in str(refused.value)
    assert "street (bbbbbbbbbbbb)" in str(refused.value)


def test_a_clip_that_moved_is_found_where_it_was_seen_last(store, tmp_path):
    """
    One digest has one folder: the latest.
    """
    store.remember_clip(_clip("a", tmp_path / "old"))
    store.remember_clip(_clip("a", tmp_path / "new"))

    assert tmp_path / "new" == store.clip_folder("street")
    assert 1 == len(store.clips())


def test_a_folder_holds_one_clip(store, tmp_path):
    """
    A clip generated anew into the same folder takes the old one's place.
    """
    store.remember_clip(_clip("a", tmp_path / "street"))
    store.remember_clip(_clip("b", tmp_path / "street"))

    assert store.clip_folder("a" * 64) is None
    assert tmp_path / "street" == store.clip_folder("street")


def test_a_clip_is_forgotten(store, tmp_path):
    """
    Forgetting it twice is no error.
    """
    store.remember_clip(_clip("a", tmp_path / "street"))

    store.forget_clip("a" * 64)
    store.forget_clip("a" * 64)

    assert () == store.clips()
