from __future__ import annotations

import attrs
import numpy as np
import pytest
from cosmos_core_city import aim, camera, gates
from cosmos_core_city.build import build
from cosmos_core_city.generate import generate
from cosmos_core_city.labels import Label
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer, View
from cosmos_core_city.spec import CAMERAS, OFFSETS, CitySpec, resolve
from cosmos_core_city.wreck import wreck

from cosmos_core.extend import silent

FRAMES = 20
SPEC = CitySpec(seed=4, camera="drone", width=320, height=176, frames=FRAMES, damage=0.9)


@pytest.fixture(scope="module")
def city():
    return resolve(SPEC)


@pytest.fixture(scope="module")
def made(city):
    return wreck(city, FRAMES, 24.0)


@pytest.fixture(scope="module")
def path(city):
    return camera.path(SPEC, city, FRAMES, 24.0, 0)


def seen_labels(spec, city, made, path, frame):
    with Renderer(made.scene, daylight(spec, city), EXPOSURE, motion=made.motion, workers=2) as renderer:
        ids = renderer.look(path.view(frame, 320, 176), frame).ids
    return np.append(made.scene.classes(made.state(frame)), np.uint8(0))[ids]


@pytest.fixture(scope="module", params=[1, 4])
def growth(request):
    """Moved pieces, and pixels of rubble two seconds after the blast, by damage, from one place over the street."""
    found = []
    for damage in (0.0, 0.3, 0.6, 0.9, 1.0):
        spec = attrs.evolve(SPEC, seed=request.param, damage=damage, offset="after")
        city = resolve(spec)
        if city.blast:
            x, y, _ = city.blast.center
            city = attrs.evolve(city, blast=attrs.evolve(city.blast, preroll=2.0))
        made = wreck(city, 2, 24.0)
        if city.blast is None:
            assert made.motion is None
            found.append((0, 0))
            continue
        pose = camera.look(
            np.array([x, -np.sign(y) * 7.0, 16.0]), np.array([x, np.sign(y) * city.facade, 5.0])
        )
        view = View(pose, (240.0, 240.0, 160.0, 88.0), (320, 176))
        with Renderer(made.scene, daylight(spec, city), EXPOSURE, motion=made.motion, workers=2) as renderer:
            share = aim.rubble(made, renderer.look(view, 1), 1)
        found.append((made.facts["moved"], round(share * 320 * 176)))
    return found


@pytest.mark.parametrize("what", [0, 1], ids=["moved pieces", "rubble pixels"])
def test_more_damage_moves_more(growth, what):
    """With the same seed, moved pieces and pixels of rubble grow with the damage; without damage there are none."""
    values = [each[what] for each in growth]

    assert 0 == values[0]
    assert sorted(set(values)) == values


def test_without_damage_it_is_the_street_as_it_stands(city):
    """No damage, no blast: the scene has the arrays of the street without destruction, and nothing moves."""
    plain = resolve(attrs.evolve(SPEC, damage=0.0))
    made, static = wreck(plain, FRAMES, 24.0), build(plain)

    assert plain.blast is None
    assert made.motion is None
    assert {} == made.facts
    for name in ("vertices", "triangles", "material", "label", "instance"):
        assert getattr(static, name).tobytes() == getattr(made.scene, name).tobytes()
    assert len(static.triangles) == static.still
    assert plain == attrs.evolve(city, blast=None)


def test_at_first_nothing_has_moved(made):
    """The first frame is the street at rest, to the bit, and later frames have rubble."""
    matrices = made.motion.matrices(0)

    assert np.array_equal(np.broadcast_to(np.eye(3, 4, dtype=np.float32), matrices.shape), matrices)
    assert 0 == made.state(0).sum()
    assert made.state(FRAMES - 1).sum() > 1000


def test_everything_on_a_moving_wall_moves(made, city):
    """In the broken houses, windows, fire escapes and cornices are among what rides bodies, not only walls."""
    scene = made.scene
    riding = set(np.unique(scene.label[scene.rides >= 0]).tolist())

    assert {Label.BUILDING, Label.WINDOW, Label.EXPOSED_FLOOR, Label.INTERIOR, Label.REBAR} <= riding
    assert len(city.blast.victims) >= 1


def test_rubble_is_one_group_a_house_and_stays_rubble(made):
    """Triangles change from their house's group to its rubble, once; vehicles keep theirs."""
    scene = made.scene
    before = scene.grouped(made.state(0))
    for frame in range(1, FRAMES):
        now = scene.grouped(made.state(frame))
        changed = now != before

        assert all(scene.groups[g].startswith("rubble of") for g in np.unique(now[changed]))
        assert not any(scene.groups[g].startswith("rubble of") for g in np.unique(before[changed]))
        before = now
    names = {scene.groups[g] for g in np.unique(before)}
    assert any(name.startswith("rubble of building") for name in names)


def test_threads_do_not_change_a_bit_of_what_moves(made, city, path):
    """One and two threads draw the same frames, in any order of frames."""

    def drawn(workers, frames):
        with Renderer(
            made.scene, daylight(SPEC, city), EXPOSURE, motion=made.motion, workers=workers
        ) as renderer:
            return {f: [a.tobytes() for a in _flat(renderer.draw(path.view(f, 320, 176), f))] for f in frames}

    assert drawn(1, [0, 12, 19]) == drawn(2, [19, 0, 12])


def _flat(drawn):
    picture, rgb = drawn
    return picture.ids, picture.inverse, rgb


def test_the_same_again(made, city):
    """Building and simulating again gives the same poses and triangles."""
    again = wreck(city, FRAMES, 24.0)

    assert made.facts == again.facts
    assert made.motion.digest == again.motion.digest
    assert made.scene.vertices.tobytes() == again.scene.vertices.tobytes()
    assert made.scene.body.tobytes() == again.scene.body.tobytes()


def test_before_is_the_untouched_street():
    """A clip from before the blast ends as it goes off: nothing has moved in any frame."""
    made = wreck(resolve(attrs.evolve(SPEC, offset="before")), FRAMES, 24.0)

    assert made.motion.poses.shape[1] > 100
    assert not made.motion.moved(0.0).any()


def test_during_shows_the_street_and_then_the_blast(made):
    """The first frames are the street as it stands; the blast comes after a third of the clip at most."""
    moved = made.motion.moved()

    assert not moved[FRAMES // 4].any()
    assert moved[FRAMES // 2 + 3].any()


def test_the_three_offsets_are_one_event(city):
    """Before, during and after share the blast, its place and its victims; only its time differs."""
    blasts = [resolve(attrs.evolve(SPEC, offset=offset)).blast for offset in OFFSETS]

    assert 1 == len({attrs.evolve(blast, delay=0.0, preroll=0.0) for blast in blasts})
    assert 3 == len({(blast.delay, blast.preroll) for blast in blasts})


@pytest.mark.parametrize("family", CAMERAS)
def test_every_camera_films_the_same_blast(family, city):
    """The blast does not depend on the camera, and the path of every family looks at it."""
    spec = attrs.evolve(SPEC, camera=family)

    assert city == resolve(spec)
    assert [] == list(aim.refuse_aim(city, camera.path(spec, city, FRAMES, 24.0, 0)))


def test_all_has_fallen_after():
    """A clip from after the blast starts with rubble, ninety-seven bodies in a hundred lie still, and none falls free."""
    made = wreck(resolve(attrs.evolve(SPEC, offset="after", damage=0.7)), 2, 24.0)
    speeds = np.linalg.norm(made.motion.velocities(1)[:, :3], axis=1)

    assert made.state(0).any()
    assert made.facts["moved"] > 50
    assert (speeds < 0.5).mean() > 0.97
    assert speeds.max() < 6.0


@pytest.fixture(scope="module")
def whole(city):
    """A clip of full length: its wreck, and what its first path sees at the moments that the gates look at."""
    made = wreck(city, 93, 24.0)
    path = camera.path(SPEC, city, 93, 24.0, 0)
    with Renderer(made.scene, daylight(SPEC, city), EXPOSURE, motion=made.motion) as renderer:
        return made, [renderer.look(path.view(frame, 320, 176), frame) for frame in gates.moments(93)]


def test_a_clip_does_not_end_in_a_blur(whole):
    """In the last frame of a whole clip of the blast nothing is faster than 15 m/s."""
    assert whole[0].facts["fastest_at_the_end"] < 15.0


def test_a_path_must_show_the_rubble(whole):
    """Rubble fills as much of the last third as the gate allows; a sky without any is refused, but not before the blast."""
    made, pictures = whole
    empty = [attrs.evolve(each, ids=np.full_like(each.ids, -1)) for each in pictures]

    assert [] == list(aim.refuse_rubble(SPEC, made, pictures))
    assert 1 == len(list(aim.refuse_rubble(SPEC, made, empty)))
    assert [] == list(aim.refuse_rubble(attrs.evolve(SPEC, offset="before"), made, empty))


@pytest.mark.parametrize("place", [None, 2.0, 42.0, 82.0])
@pytest.mark.parametrize("family", CAMERAS)
def test_paths_towards_a_blast_stay_between_the_signals(place, family):
    """Wherever the blast is, no path of the street runs past the signals at the crossings, whose arms reach over it."""
    spec = CitySpec(seed=8, camera=family, damage=0.8, blast=place)
    city = resolve(spec)
    eyes = np.concatenate(
        [camera.path(spec, city, 93, 24.0, attempt).poses[:, :3, 3] for attempt in range(8)]
    )

    assert family == "aerial" or (eyes[:, 0].min() > 2.0 and eyes[:, 0].max() < city.length - 2.0)


def test_a_blast_is_where_it_was_asked_for():
    """A position along the block names the house there, and the blast is behind its front."""
    city = resolve(attrs.evolve(SPEC, blast=30.0))
    x, y, _ = city.blast.center
    house = city.buildings[city.blast.victims[0]]

    assert 30.0 == x
    assert city.facade < abs(y) < city.facade + house.depth
    assert any(
        city.buildings[v].x <= 30.0 <= city.buildings[v].x + city.buildings[v].width
        for v in city.blast.victims
    )


def test_a_path_that_looks_away_is_refused(city, path):
    """A path of its family sees the blast; the same path turned round does not."""
    turned = path.poses.copy()
    turned[:, :3, 0] *= -1
    turned[:, :3, 2] *= -1

    assert [] == list(aim.refuse_aim(city, path))
    assert "of its attention" in next(aim.refuse_aim(city, attrs.evolve(path, poses=turned)))


def test_a_clip_with_a_blast_is_the_same_from_one_thread(tmp_path, monkeypatch):
    """The files of a destroyed street do not depend on threads, and its facts tell what fell."""
    spec = attrs.evolve(SPEC, frames=12, truth=("damage",))
    first = generate(spec, _made(tmp_path / "a"), silent)
    monkeypatch.setenv("COSMOS_CITY_THREADS", "1")
    second = generate(spec, _made(tmp_path / "b"), silent)

    assert first == second
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")
    assert 64 == len(first["destruction"]["poses"])
    assert first["destruction"]["moved"] > 0
    assert "rubble" in first["labels_seen"]


def _made(folder):
    folder.mkdir()
    return folder


def _bytes(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_class_is_seen_somewhere(made, city):
    """The cameras of one damaged street, between them, see all 21 classes; only the bars, 14 mm thick, are few pixels."""
    count = np.zeros(len(Label), dtype=int)
    with Renderer(made.scene, daylight(SPEC, city), EXPOSURE, motion=made.motion) as renderer:
        for family in CAMERAS:
            for attempt in range(3):
                path = camera.path(attrs.evolve(SPEC, camera=family), city, FRAMES, 24.0, attempt)
                ids = renderer.look(path.view(FRAMES - 1, 1280, 704), FRAMES - 1).ids
                labels = np.append(made.scene.classes(made.state(FRAMES - 1)), np.uint8(Label.SKY))[ids]
                count += np.bincount(labels.ravel(), minlength=len(Label))

    assert 21 == len(Label)
    assert count[Label.REBAR] > 0
    assert [] == [Label(number).name for number in np.flatnonzero(count < 1000) if number != Label.REBAR]
