from __future__ import annotations

import json

import attrs
import numpy as np
import pytest
from cosmos_core_city import kept as module
from cosmos_core_city.kept import kept
from cosmos_core_city.spec import CitySpec, resolve
from cosmos_core_city.wreck import wreck

FRAMES, FPS = 3, 24.0


@pytest.fixture(scope="module")
def city():
    return resolve(CitySpec(seed=2, damage=0.4, offset="during", frames=FRAMES, width=320, height=176))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "folder", lambda: tmp_path)
    monkeypatch.setenv("COSMOS_CITY_KEPT", "8")
    return tmp_path


@pytest.fixture(scope="module")
def made(city):
    return wreck(city, FRAMES, FPS)


def same(one, two):
    """Whether two objects of arrays and other things hold equal bytes and equal things."""
    for field in attrs.fields(type(one)):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name
            assert a.tobytes() == b.tobytes(), field.name
        elif attrs.has(type(a)) and field.name in {"scene", "motion"}:
            same(a, b)
        else:
            assert json.dumps(a, default=str) == json.dumps(b, default=str), field.name


def test_what_is_read_is_what_was_made(made, tmp_path):
    """Every array of scene and poses comes back bit by bit, and every table and fact equal."""
    module.save(made, tmp_path / "a.npz")

    same(made, module.load(tmp_path / "a.npz"))


def test_a_wreck_is_made_once(made, city, cache, monkeypatch):
    """The second time nothing falls; the result is the same."""
    monkeypatch.setattr(module, "wreck", lambda *_: made)
    kept(city, FRAMES, FPS)
    monkeypatch.setattr(module, "wreck", lambda *_: pytest.fail("made again"))

    same(made, kept(city, FRAMES, FPS))
    assert 1 == len(list(cache.iterdir()))


def test_another_length_is_another_wreck(made, city, cache, monkeypatch):
    """What is kept for one number of frames is not taken for another."""
    monkeypatch.setattr(module, "wreck", lambda *_: made)
    kept(city, FRAMES, FPS)
    kept(city, FRAMES + 1, FPS)

    assert 2 == len(list(cache.iterdir()))


def test_a_damaged_file_is_made_again(made, city, cache, monkeypatch):
    """Half a file, and one flipped byte, are as good as none."""
    monkeypatch.setattr(module, "wreck", lambda *_: made)
    kept(city, FRAMES, FPS)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    for broken in (whole[:middle], whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]):
        path.write_bytes(broken)
        same(made, kept(city, FRAMES, FPS))

        assert whole == path.read_bytes()


def test_only_the_last_used_stay(made, city, cache, monkeypatch):
    """The cache does not grow without end, and a folder that cannot be made is no failure."""
    monkeypatch.setattr(module, "wreck", lambda *_: made)
    monkeypatch.setenv("COSMOS_CITY_KEPT", "2")
    for frames in range(1, 5):
        kept(city, frames, FPS)

    assert 2 == len(list(cache.iterdir()))
    (cache / "file").write_text("in the way")
    monkeypatch.setattr(module, "folder", lambda: cache / "file")
    same(made, kept(city, FRAMES, FPS))


def test_nothing_is_kept_where_nobody_wants_it(made, city, cache, monkeypatch):
    """With COSMOS_CITY_KEPT=0 every wreck is made anew."""
    monkeypatch.setenv("COSMOS_CITY_KEPT", "0")
    monkeypatch.setattr(module, "wreck", lambda *_: made)
    kept(city, FRAMES, FPS)

    assert not list(cache.iterdir())


def test_what_does_not_fall_is_not_kept(cache):
    """A street without a blast is built faster than it is read."""
    kept(resolve(CitySpec(seed=2)), FRAMES, FPS)

    assert not list(cache.iterdir())
