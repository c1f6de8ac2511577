"""What a prompt's words do to a look, and what a look does to pixels."""

from __future__ import annotations

import attrs
import cv2
import numpy as np
import pytest

from cosmos_core.builtin.preview.augment import augment
from cosmos_core.builtin.preview.geometry import FOCAL, NEAREST, Passes, fidelity, fit_ground, shape_of
from cosmos_core.builtin.preview.label import LARGEST_SHARE, stamp
from cosmos_core.builtin.preview.track import Tracker
from cosmos_core.builtin.preview.words import MEANINGS, Look, read

WIDTH, HEIGHT, HORIZON, EYE = 320, 176, 80, 2.0
GROUND, WALL, TREE, SKY = (120, 40, 200), (30, 200, 60), (220, 180, 30), (0, 0, 0)
FULL = {"depth": 1.0}
PROMPTS = [
    "a street",
    "sunny day",
    "dense fog",
    "heavy rain",
    "a blizzard",
    "night",
    "dusk",
    "dawn mist",
    "sandstorm",
    "an autumn evening",
    "a frosty winter morning",
    "a cyberpunk city at night in the rain",
]


def street(step: float = 0.0) -> Passes:
    """A ground plane, a wall with windows 12 m ahead on the right, a tree on the left, sky; exact passes.

    The camera has gone *step* metres ahead.
    """
    focal = FOCAL * WIDTH
    rows = np.arange(HEIGHT)[:, None] + np.zeros((1, WIDTH))
    depth = np.clip((rows - HORIZON) * (NEAREST * 255 / (EYE * focal)), 0, 255)
    color = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    color[:] = (110, 108, 104)
    color[:HORIZON] = (150, 185, 225)
    seg = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    seg[HORIZON:] = GROUND
    depth[:HORIZON] = 0
    _stand(color, depth, seg, away=12.0 - step, left=1.0, right=14.0, top=9.0, of=((150, 90, 75), WALL))
    _stand(color, depth, seg, away=9.0 - step, left=-5.0, right=-2.5, top=4.0, of=((60, 130, 40), TREE))
    for bay in range(5):
        left = 1.4 + bay * 1.2
        _pane(color, 12.0 - step, left, left + 0.7, 2.6, 4.0)
    return Passes(
        color=color,
        depth=depth.astype(np.uint8),
        seg=seg,
        edge=cv2.Canny(color, 100, 200),
        vis=cv2.blur(color, (9, 9)),
    )


def _stand(color, depth, seg, *, away, left, right, top, of):
    box = _box(away, left, right, 0.0, top)
    color[box], seg[box] = of
    depth[box] = NEAREST * 255 / away


def _pane(color, away, left, right, low, high):
    color[_box(away, left, right, low, high)] = (38, 46, 58)


def _box(away, left, right, low, high):
    pixels = FOCAL * WIDTH / away
    column = [int(np.clip(WIDTH / 2 + side * pixels, 0, WIDTH)) for side in (left, right)]
    row = [int(np.clip(HORIZON + (EYE - level) * pixels, 0, HEIGHT)) for level in (high, low)]
    return slice(*row), slice(*column)


def shown(prompt, passes=None, weights=FULL, seed=1, index=0):
    return augment(passes or street(), weights, read(prompt), seed=seed, index=index, fps=24.0)


def luma(frame):
    return float(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).mean())


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        (word.replace("_", " "), meaning)
        for axis in MEANINGS.values()
        for meaning, words in axis.items()
        for word in words.split()
    ],
)
def test_every_word_of_the_table_is_read(word, meaning):
    """
    Each word of the table, in a sentence and in capitals, gives its meaning.
    """
    assert meaning in read(f"A street, {word.upper()}, seen from a car").words


@pytest.mark.parametrize("meaning", [meaning for axis in MEANINGS.values() for meaning in axis])
def test_every_meaning_changes_the_look(meaning):
    """
    No meaning is a word without an effect.
    """
    word = next(
        words.split()[0] for axis in MEANINGS.values() for name, words in axis.items() if name == meaning
    )

    assert attrs.evolve(Look(), words=(meaning,)) != read(word.replace("_", " "))


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "a street in Tokyo",
        "a brainstorm in a nightclub",
        "a snowman under a rainbow",
        "clear glass",
        "prices fall",
    ],
)
def test_words_inside_other_words_say_nothing(prompt):
    """
    Only whole words count.
    """
    assert Look() == read(prompt)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a street, no rain", ()),
        ("without fog", ()),
        ("without any rain and fog", ()),
        ("no rain or heavy fog, snow", ("snow",)),
        ("no rain, fog or snow", ()),
        ("no rain, fog everywhere", ("fog",)),
        ("no rain and fog", ("fog",)),
        ("it isn't raining at night", ("night",)),
        ("it isn\u2019t raining", ()),
        ("a fog-free dawn", ("dawn",)),
        ("free of haze and smog", ()),
        ("no people. Rain", ("rain",)),
        ("no cars in the rain", ("rain",)),
        ("not foggy, but dusty", ("dust",)),
    ],
)
def test_a_negated_word_is_not_there(prompt, words):
    """
    A negation reaches as far as its list goes and no farther.
    """
    assert words == read(prompt).words


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a sunny night", ("night", "sunny")),
        ("night turns to dawn", ("night",)),
        ("night, then dawn, a pale dawn", ("dawn",)),
        ("snow and rain", ("snow",)),
        ("rain and snow", ("rain",)),
        ("fog and dust", ("fog", "dust")),
        ("after the rain", ("wet",)),
        ("a snow storm", ("blizzard",)),
        ("a dust storm at golden hour", ("golden hour", "sandstorm")),
        ("snow-covered roofs", ("snow-covered",)),
        ("neon-lit streets", ("neon",)),
    ],
)
def test_contradictions_and_phrases_resolve_as_documented(prompt, words):
    """
    The meaning named most often holds, the first among equals; phrases are one word.
    """
    assert words == read(prompt).words


@pytest.mark.parametrize("word", ["fog", "rain", "snow", "dust"])
def test_a_word_before_it_scales_the_strength(word):
    """
    Light weather is weaker and heavy weather stronger than plain weather.
    """
    light, plain, heavy = (read(f"{how} {word}") for how in ("light", "", "heavy"))

    assert light.fog < plain.fog < heavy.fog


def test_the_stronger_air_wins_whatever_the_order():
    """
    Fog and haze together are fog.
    """
    assert read("fog and haze").fog == read("haze and fog").fog == read("fog").fog


def test_the_ground_plane_is_found_in_inverse_depth():
    """
    Horizon and slope of the synthetic ground come back from its depth pass.
    """
    plane = fit_ground(street().depth)

    assert plane is not None
    assert HORIZON == pytest.approx(plane.horizon(WIDTH), abs=2.0)
    assert NEAREST * 255 / (EYE * FOCAL * WIDTH) == pytest.approx(plane.down, rel=0.03)


def test_a_depth_pass_without_ground_gives_no_plane():
    """
    A wall that fills the view has no horizon.
    """
    assert fit_ground(np.full((HEIGHT, WIDTH), 60, np.uint8)) is None


def test_shape_tells_sky_ground_height_and_normals():
    """
    The passes give masks, metres and directions that fit the scene.
    """
    shape = shape_of(street(), trust=1.0)
    small = shape.small

    assert shape.sky[10, 20] == pytest.approx(1.0)
    assert shape.ground[HEIGHT - 10, WIDTH // 2] == pytest.approx(1.0)
    assert shape.ground[HORIZON - 10, 250] == pytest.approx(0.0)
    assert 4.2 == pytest.approx(
        shape.height[_box(12.0, 5.0, 5.1, 4.1, 4.3)[0].start // small, 250 // small], abs=0.7
    )
    assert shape.normal[HEIGHT // small - 8, WIDTH // 2 // small, 1] < -0.9
    assert shape.normal[HORIZON // small - 6, 250 // small, 2] < -0.9


def test_fog_thickens_with_distance_as_an_exponential():
    """
    What is left of the contrast of two equal marks falls by exp(-density · distance).
    """
    passes = street()
    near, far = _box(9.0, -4.4, -3.0, 1.0, 3.0), _box(12.0, 5.5, 6.8, 4.4, 5.5)
    for box in (near, far):
        passes.color[box] = (10, 10, 10)
    white = attrs.evolve(passes, color=passes.color.copy())
    for box in (near, far):
        white.color[box] = (250, 250, 250)
    look = attrs.evolve(Look(), fog=0.05)
    linear = [
        (augment(each, FULL, look, seed=1, index=0, fps=24.0) / 255.0) ** 2.2 for each in (passes, white)
    ]
    left = [float((linear[1] - linear[0])[box][3:-3, 3:-3].mean()) for box in (near, far)]

    assert np.exp(-0.05 * 3.0) == pytest.approx(left[1] / left[0], abs=0.12)


def test_snow_lies_on_the_ground_and_not_on_walls():
    """
    Snow whitens what faces up far more than what stands.
    """
    before, after = street().color, shown("snow-covered")
    ground, wall = (slice(150, 160), slice(140, 200)), _box(12.0, 2.0, 10.0, 4.4, 5.5)

    assert after[ground].mean() > before[ground].mean() + 60
    assert after[ground].mean() > after[wall].mean() + 60


def test_rain_mirrors_the_wall_in_the_wet_ground():
    """
    Below a bright wall the wet road is brighter than below a dark one.
    """
    bright, dark = street(), street()
    wall = _box(12.0, 1.0, 14.0, 0.0, 9.0)
    bright.color[wall], dark.color[wall] = (250, 250, 250), (5, 5, 5)
    foot = (slice(wall[0].stop + 6, wall[0].stop + 20), slice(220, 300))

    assert shown("wet", bright)[foot].mean() > shown("wet", dark)[foot].mean() + 15


def test_dry_ground_mirrors_nothing():
    """
    Without wetness the road does not know what stands behind it.
    """
    bright, dark = street(), street()
    wall = _box(12.0, 1.0, 14.0, 0.0, 9.0)
    bright.color[wall], dark.color[wall] = (250, 250, 250), (5, 5, 5)
    foot = (slice(wall[0].stop + 6, wall[0].stop + 20), slice(220, 300))

    assert shown("day", dark)[foot].mean() == pytest.approx(shown("day", bright)[foot].mean(), abs=1.0)


def test_night_is_dark_with_lit_windows():
    """
    At night the wall falls dark and at least one pane is brighter than the wall around it.
    """
    night = shown("night with lit windows")
    panes = [night[_box(12.0, 1.5 + bay * 1.2, 2.0 + bay * 1.2, 2.9, 3.7)].mean() for bay in range(5)]
    wall = night[_box(12.0, 2.0, 10.0, 4.4, 5.5)].mean()

    assert luma(night) < 0.5 * luma(street().color)
    assert max(panes) > wall + 60


def test_particles_fall_behind_what_is_nearer():
    """
    No flake or drop is drawn over a thing that is nearer than every layer.
    """
    passes = street()
    passes.depth[:] = 255
    calm, storm = (
        augment(passes, FULL, attrs.evolve(read("overcast"), **extra), seed=1, index=5, fps=24.0)
        for extra in ({}, {"rain": 1.0, "snowfall": 1.0})
    )

    assert np.array_equal(calm, storm)


def test_autumn_turns_the_tree_and_leaves_the_wall():
    """
    Green turns towards red; brick stays.
    """
    plain, autumn = shown("a street"), shown("autumn")
    tree, wall = _box(9.0, -4.5, -3.0, 1.5, 3.5), _box(12.0, 2.0, 10.0, 4.4, 5.5)

    assert plain[tree][..., 1].mean() > plain[tree][..., 0].mean()
    assert autumn[tree][..., 0].mean() > autumn[tree][..., 1].mean()
    assert abs(autumn[wall].mean() - plain[wall].mean()) < 12


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_look_is_neither_black_nor_flat_nor_the_input(prompt):
    """
    The content checks would pass every frame, and no look leaves the clip as it was.
    """
    frame = shown(prompt, index=3)
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)

    assert grey.std() > 8
    assert grey.mean() > 16
    assert np.abs(frame.astype(int) - street().color).mean() > 0.5


@pytest.mark.parametrize("prompt", PROMPTS)
def test_no_look_flickers(prompt):
    """
    Over a moving camera brightness changes smoothly, and but for falling drops so does every pixel.
    """
    look, frames = read(prompt), [street(0.08 * index) for index in range(10)]
    tracker = Tracker(look, 1)
    made = [
        augment(
            passes,
            {"depth": 0.5, "edge": 0.4},
            look,
            seed=1,
            index=index,
            fps=24.0,
            scene=tracker.follow(passes),
        )
        for index, passes in enumerate(frames)
    ]
    grey = np.stack([cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), (160, 90)).astype(float) for f in made])

    assert np.abs(np.diff(grey.mean(axis=(1, 2)), 2)).max() < 2
    if not (look.rain or look.snowfall):
        assert np.abs(np.diff(grey, 2, axis=0)).mean() < 3


def test_windows_stay_as_they_are_while_the_camera_moves():
    """
    A pane that is lit in the first frame is lit in the tenth, and a dark one dark.
    """
    look, tracker = read("night with lit windows"), Tracker(read("night with lit windows"), 1)
    glow = [tracker.follow(street(0.08 * index)).glow for index in range(10)]

    def lit(index):
        scale = glow[index].shape[1] / WIDTH
        centres = [
            _box(12.0 - 0.08 * index, left + 0.3, left + 0.4, 3.2, 3.5) for left in np.arange(5) * 1.2 + 1.4
        ]
        return [glow[index][int(r.start * scale), int(c.start * scale)].max() > 0.15 for r, c in centres]

    assert 0 < look.windows < 1
    assert lit(0) == lit(9)


def test_the_camera_is_followed():
    """
    The pose says how far the camera went, on the scale of the depth pass.
    """
    tracker = Tracker(read("wet night"), 1)
    scenes = [tracker.follow(_textured(0.1 * index)) for index in range(11)]

    assert scenes[-1].pose is not None
    assert -1.0 == pytest.approx(scenes[-1].pose[2, 3], abs=0.15)


def _textured(step: float) -> Passes:
    """A wall with marks, 8 m ahead at the start, as seen *step* metres nearer."""
    away = 8.0 - step
    marks = np.random.default_rng(2).integers(0, 255, (60, 120), np.uint8)
    pixels = FOCAL * WIDTH / away * 0.18
    place = np.array(
        [[pixels, 0, WIDTH / 2 - 60 * pixels], [0, pixels, HEIGHT / 2 - 30 * pixels]], np.float32
    )
    grey = cv2.warpAffine(marks, place, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    depth = np.full((HEIGHT, WIDTH), round(NEAREST * 255 / away), np.uint8)
    return Passes(color=cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), depth=depth)


def test_equal_arguments_give_equal_bytes_and_the_seed_matters():
    """
    A frame is a function of its arguments, whatever was made before.
    """
    first = shown("a cyberpunk city at night in the rain", index=7)
    shown("a blizzard", seed=3)

    assert np.array_equal(first, shown("a cyberpunk city at night in the rain", index=7))
    assert not np.array_equal(first, shown("a cyberpunk city at night in the rain", index=7, seed=2))


def test_edge_weight_brings_detail_back():
    """
    In fog a higher edge weight leaves more contrast along the clip's edges.
    """
    edges = street().edge > 0
    contrast = [
        np.abs(cv2.Laplacian(shown("mist", weights={"depth": 1.0, "edge": edge}), cv2.CV_32F))[edges].mean()
        for edge in (0.0, 0.5, 1.0)
    ]

    assert contrast[0] < contrast[1] < contrast[2]


def test_vis_weight_holds_the_colours_of_the_clip():
    """
    The more vis weighs, the nearer the soft colours stay to the clip's.
    """
    wanted = cv2.blur(street().color, (15, 15)).astype(float)
    away = [
        np.abs(cv2.blur(shown("dusk", weights={"depth": 1.0, "vis": vis}), (15, 15)) - wanted).mean()
        for vis in (0.0, 0.5, 1.0)
    ]

    assert away[0] > away[1] > away[2]


def test_seg_weight_makes_a_segment_uniform():
    """
    Two halves of one segment with different hues come closer as seg weighs more.
    """
    passes = street()
    left, right = _box(12.0, 2.0, 4.2, 4.4, 5.5), _box(12.0, 4.8, 7.0, 4.4, 5.5)
    passes.color[left], passes.color[right] = (160, 80, 80), (80, 80, 160)
    apart = []
    for seg in (0.0, 1.0):
        frame = shown("a street", passes, weights={"depth": 1.0, "seg": seg}).astype(float)
        apart.append(np.abs(frame[left].mean(axis=(0, 1)) - frame[right].mean(axis=(0, 1))).max())

    assert apart[1] < 0.5 * apart[0]


def test_depth_weight_goes_from_a_guess_to_the_pass():
    """
    Without depth weight near and far things stand in equal fog; with it, the near one is clearer.
    """
    tree, wall = _box(9.0, -4.4, -3.0, 2.4, 3.6), _box(12.0, 5.5, 6.8, 4.4, 5.5)
    passes = street()
    for box in (tree, wall):
        passes.color[box] = (20, 20, 20)
    flat, deep = (shown("dense fog", passes, weights={"depth": depth}).astype(float) for depth in (0.0, 1.0))

    assert abs(flat[tree].mean() - flat[wall].mean()) < 8
    assert deep[wall].mean() > deep[tree].mean() + 8
    assert [0.0, 1.0] == [fidelity(0.0), fidelity(1.0)]


@pytest.mark.parametrize(
    "missing", [("depth",), ("seg",), ("edge",), ("vis",), ("depth", "seg", "edge", "vis")]
)
@pytest.mark.parametrize("prompt", ["a cyberpunk city at night in the rain", "snow and fog", "a sunny day"])
def test_missing_passes_and_no_weights_still_give_a_picture(missing, prompt):
    """
    Colour alone is enough.
    """
    frame = shown(prompt, attrs.evolve(street(), **dict.fromkeys(missing)), weights={})

    assert (HEIGHT, WIDTH, 3) == frame.shape
    assert frame.std() > 8


@pytest.mark.parametrize(
    ("width", "height"), [(16, 16), (64, 48), (128, 72), (704, 1280), (1280, 704), (1920, 1080)]
)
def test_the_label_is_there_and_small(width, height):
    """
    Every frame carries the label, which covers at most 4 % of it and is brighter than what it covers.
    """
    frame = np.full((height, width, 3), 128, np.uint8)
    stamp(frame)
    changed = (frame != 128).any(axis=2)

    assert 0 < changed.sum() <= LARGEST_SHARE * width * height
    assert changed[height // 2 :, : width // 2].sum() > 0


def test_the_label_can_be_read_at_full_size():
    """
    At 1280×704 its letters are at least 12 pixels high.
    """
    frame = np.zeros((704, 1280, 3), np.uint8)
    stamp(frame)
    rows = np.flatnonzero((frame > 150).any(axis=(1, 2)))

    assert rows.max() - rows.min() >= 12


def test_tiny_frames_work():
    """
    A frame of a few pixels is made without an error.
    """
    tiny = Passes(color=np.full((16, 16, 3), 90, np.uint8), depth=np.full((16, 16), 40, np.uint8))
    look = read("a snowy cyberpunk night in the fog and rain")

    assert (16, 16, 3) == augment(
        tiny, {}, look, seed=0, index=0, fps=24.0, scene=Tracker(look, 0).follow(tiny)
    ).shape
