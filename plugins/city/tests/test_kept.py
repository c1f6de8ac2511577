from __future__ import annotations

import json

import attrs
import numpy as np
import pytest
from cosmos_core_city import generate
from cosmos_core_city import kept as module
from cosmos_core_city.kept import kept
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer
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


def test_an_untouched_street_is_kept_too(cache, monkeypatch):
    """Building is most of what a look at a street costs; its length does not matter where nothing moves."""
    street = resolve(CitySpec(seed=2, width=320, height=176))
    made = kept(street, FRAMES, FPS)
    monkeypatch.setattr(module, "wreck", lambda *_: pytest.fail("built again"))

    same(made, kept(street, FRAMES + 1, FPS))


def test_a_clip_takes_the_path_that_was_kept(cache, monkeypatch):
    """The second choice looks at nothing and is the first, with its refusals and what it sees."""
    spec = CitySpec(seed=1, width=320, height=176, frames=4)
    city, out = resolve(spec), generate.output(spec)
    made = wreck(city, out.frames, FPS)
    with Renderer(made.scene, daylight(spec, city), EXPOSURE) as renderer:
        one = generate.chosen(spec, city, made, renderer, out)
        monkeypatch.setattr(generate, "choose", lambda *_: pytest.fail("chosen again"))
        two = generate.chosen(spec, city, made, renderer, out)

    assert one.refused == two.refused
    assert one.path.attempt == two.path.attempt
    assert one.path.poses.tobytes() == two.path.poses.tobytes()
    assert one.seen.shares.tobytes() == two.seen.shares.tobytes()
    assert (one.seen.labels, one.seen.depth_range) == (two.seen.labels, two.seen.depth_range)


def test_a_path_is_kept_for_its_own_parameters(cache):
    """What was chosen for one spec is no answer for another."""
    module.remember({"seed": 1}, {"attempt": 7})

    assert {"attempt": 7} == module.recall({"seed": 1})
    assert module.recall({"seed": 2}) is None


def test_no_path_is_kept_where_nobody_wants_it(cache, monkeypatch):
    """With COSMOS_CITY_KEPT=0 a path is neither written nor read."""
    module.remember({"seed": 1}, {"attempt": 7})
    monkeypatch.setenv("COSMOS_CITY_KEPT", "0")

    assert module.recall({"seed": 1}) is None
