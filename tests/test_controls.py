"""Control videos in the models' own conventions."""

from __future__ import annotations

import itertools
import subprocess
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmos_core import controls, media
from cosmos_core.errors import InputError
from cosmos_core.testing import media as make


@pytest.fixture(scope="module")
def rgb():
    """One frame of the test scene, large enough to have edges."""
    return next(make.scene(frames=1, width=320, height=176)).rgb


@pytest.mark.parametrize(
    ("preset", "lower", "upper"),
    [
        ("none", 20, 50),
        ("very_low", 20, 50),
        ("low", 50, 100),
        ("medium", 100, 200),
        ("high", 200, 300),
        ("very_high", 300, 400),
    ],
)
def test_edges_are_cannys_of_the_colour_frame(rgb, preset, lower, upper):
    """
    No blur and no grey conversion comes before Canny, and each preset has NVIDIA's thresholds.
    """
    found = controls.edge(rgb, preset)

    assert np.array_equal(cv2.Canny(rgb, lower, upper), found)
    assert {0, 255} == set(np.unique(found).tolist())


@pytest.mark.parametrize("function", [controls.edge, controls.vis])
def test_an_unknown_preset_is_refused(rgb, function):
    """
    The hint lists the presets there are.
    """
    with pytest.raises(InputError, match="no preset 'strong'") as refused:
        function(rgb, "strong")

    assert "very_low, low, medium, high, very_high" in refused.value.hint


def test_vis_follows_nvidias_steps(rgb):
    """
    Medium is: area to a half, bilateral 30/150/100, linear up, a tenth and back.
    """
    half = cv2.resize(rgb, (160, 88), interpolation=cv2.INTER_AREA)
    up = cv2.resize(cv2.bilateralFilter(half, 30, 150, 100), (320, 176), interpolation=cv2.INTER_LINEAR)
    rough = cv2.resize(cv2.resize(up, (32, 17), interpolation=cv2.INTER_AREA), (320, 176))

    blurred = controls.vis(rgb)

    assert ((176, 320, 3), np.uint8) == (blurred.shape, blurred.dtype)
    assert np.abs(blurred.astype(int) - rough.astype(int)).mean() < 4


def test_vis_none_is_the_frame_itself(rgb):
    """
    Preset none does nothing, and does not hand out the caller's own array.
    """
    same = controls.vis(rgb, "none")

    assert np.array_equal(rgb, same)
    assert not np.shares_memory(rgb, same)


@pytest.mark.parametrize("blur", [controls.vis, controls.vis_gaussian])
def test_a_blur_keeps_colour_and_drops_edges(rgb, blur):
    """
    What is left has the frame's mean and hardly an edge.
    """
    blurred = blur(rgb)

    assert pytest.approx(rgb.mean(), abs=3) == blurred.mean()
    assert controls.edge(blurred).sum() < controls.edge(rgb).sum() / 20


def test_the_bicubic_is_antialiased():
    """
    A chequerboard shrunk tenfold is grey, and a ramp has the values that Pillow's and torchvision's bicubic give.
    """
    chequers = np.repeat((np.indices((40, 40)).sum(0) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    ramp = np.repeat(np.arange(0, 240, 6, dtype=np.uint8)[None, :, None].repeat(40, 0), 3, axis=2)

    assert np.abs(controls._bicubic(chequers, 4, 4).astype(int) - 127.5).max() < 1
    assert [28, 86, 148, 206] == controls._bicubic(ramp, 4, 4)[0, :, 0].tolist()


def test_inverse_depth_of_sky_is_zero():
    """
    Whatever a renderer writes where there is nothing (infinity, NaN, zero, -1) is infinitely far.
    """
    z = np.array([[2.0, 0.5, np.inf], [np.nan, 0.0, -1.0]])

    assert [[0.5, 2.0, 0.0], [0.0, 0.0, 0.0]] == controls.inverse_depth(z).tolist()


def test_near_is_bright_and_sky_is_black():
    """
    The nearest surface is 255, half of its inverse depth is half as bright, sky is 0.
    """
    inverse = controls.inverse_depth(np.array([[1.0, 2.0, 4.0, np.inf]]))

    assert [[255, 127, 63, 0]] == controls.depth(inverse, 0.0, 1.0).tolist()


def test_depth_is_clipped_and_cut_like_nvidias():
    """
    Values past the range saturate, values between are cut, not rounded.
    """
    assert [[255, 254, 0]] == controls.depth(np.array([[9.0, 0.9999, -0.1]]), 0.0, 1.0).tolist()


def test_depth_of_nothing_but_sky_is_black():
    """
    An empty range gives black and divides by nothing.
    """
    assert 0 == controls.depth(np.zeros((4, 4)), 0.0, 0.0).max()


def test_soft_depth_keeps_size_and_blurs_borders():
    """
    Large frames go down to 504 lines and back; small ones are already there.
    """
    step = np.zeros((704, 1280), np.float32)
    step[:, 641:] = 1

    soft = controls.depth(step, 0, 1, soft=True)

    assert ((704, 1280), np.uint8) == (soft.shape, soft.dtype)
    assert set(np.unique(soft).tolist()) - {0, 255}
    assert {0, 255} == set(np.unique(controls.depth(step[:300], 0, 1, soft=True)).tolist())


def test_the_range_is_one_percentile_over_the_whole_clip():
    """
    It equals NumPy's percentile over all frames together, in half precision, and starts at sky.
    """
    rng = np.random.default_rng(0)
    frames = [controls.inverse_depth(rng.uniform(1 + i, 90, (90, 160))) for i in range(4)]

    lo, hi = controls.depth_range(frames)

    assert 0.0 == lo
    assert np.percentile(np.stack(frames).astype(np.float16), 99.95, method="inverted_cdf") == hi


def test_one_car_before_the_lens_does_not_blacken_the_rest():
    """
    A few pixels a hand from the camera do not move the range.
    """
    frame = np.full((100, 100), 0.1, np.float32)
    frame[0, :3] = 10

    assert pytest.approx(0.1, rel=1e-3) == controls.depth_range([frame])[1]


def test_a_range_needs_frames():
    """
    No frame has no range.
    """
    with pytest.raises(InputError, match="no depth frame"):
        controls.depth_range([])


@pytest.mark.parametrize("seed", range(5))
def test_palette_colours_are_far_apart_and_bright(seed):
    """
    Forty objects get colours at least 60 apart in RGB, black included, each with a channel of 60 or more.
    """
    colours = controls.palette(range(1, 41), seed)

    assert (
        min(
            np.linalg.norm(np.subtract(a, b))
            for a, b in itertools.combinations(list(colours.values())[1:], 2)
        )
        >= 55
    )
    assert min(max(colour) for number, colour in colours.items() if number) >= 60


def test_a_palette_of_a_hundred_still_has_a_hundred_colours():
    """
    Where 60 apart is impossible, colours come closer but never meet, nor what training takes for one (30).
    """
    colours = list(controls.palette(range(1, 101), 1).values())

    assert 101 == len(set(colours))
    assert min(np.linalg.norm(np.subtract(a, b)) for a, b in itertools.combinations(colours[1:], 2)) > 30


@given(ids=st.sets(st.integers(0, 2**40), max_size=12), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_a_palette_depends_on_the_set_and_the_seed_alone(ids, seed):
    """
    Order and repetition of the ids change nothing, and 0 is always black.
    """
    listed = sorted(ids, reverse=True) * 2

    assert controls.palette(ids, seed) == controls.palette(listed, seed)
    assert (0, 0, 0) == controls.palette(ids, seed)[0]


def test_another_seed_gives_other_colours():
    """
    Colours mean nothing, so that a model cannot learn one.
    """
    assert controls.palette([1, 2, 3], 1) != controls.palette([1, 2, 3], 2)


@pytest.mark.parametrize("offset", [0, 10_000_000_000])
def test_segmentation_paints_objects(offset):
    """
    Each object has its colour, what has none is black, and ids may be as large as hashes.
    """
    labels = np.array([[0, 1], [2, 3]], np.int64) + offset * np.array([[0, 1], [1, 1]])
    colours = {0: (0, 0, 0), 1 + offset: (255, 0, 0), 2 + offset: (0, 9, 200)}

    painted = controls.segmentation(labels, colours)

    assert [[[0, 0, 0], [255, 0, 0]], [[0, 9, 200], [0, 0, 0]]] == painted.tolist()


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_the_exact_style_is_exact(tmp_path, size):
    """
    Noise, the worst case, decodes to the very values that were written, at odd sizes too.
    """
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(4)]

    path = controls.write_video(tmp_path / "a.mp4", frames, 24, "exact")

    assert np.array_equal(np.stack(frames), np.stack(list(media.read_frames(path))))


def test_grey_frames_become_three_equal_channels(tmp_path):
    """
    Edge and depth frames are written as they are made, with one channel.
    """
    grey = np.arange(64 * 48, dtype=np.uint8).reshape(48, 64)

    (read,) = media.read_frames(controls.write_video(tmp_path / "a.mp4", [grey], 24, "exact"))

    assert np.array_equal(np.dstack([grey] * 3), read)


@pytest.mark.parametrize("style", list(controls.STYLES))
def test_equal_frames_give_equal_bytes(tmp_path, style):
    """
    No clock, no random id and no thread leaves a trace in a file.
    """
    one, two = (make.make_video(tmp_path / f"{i}.mp4", frames=30, style=style) for i in range(2))

    assert one.read_bytes() == two.read_bytes()


def test_the_proxy_has_its_index_in_front(tmp_path):
    """
    A browser can play it before it is loaded.
    """
    content = make.make_video(tmp_path / "a.mp4", style="proxy").read_bytes()

    assert content.index(b"moov") < content.index(b"mdat")


def test_write_proxy_shrinks_to_even_sizes(tmp_path):
    """
    Even an exact video with odd proportions becomes small, 4:2:0 and of the same length.
    """
    source = make.make_video(tmp_path / "a.mp4", frames=5, width=101, height=67, style="exact")

    facts = media.probe(controls.write_proxy(source, tmp_path / "p.mp4", width=51))

    assert (50, 34, 5, "yuv420p") == (facts.width, facts.height, facts.frames, facts.pix_fmt)


def test_lossy_styles_say_how_their_colours_were_made(tmp_path):
    """
    The BT.601 tag keeps players from shifting hues, and colours come back close to what was written.
    """
    red = np.zeros((48, 64, 3), np.uint8)
    red[:, :, 0] = 200

    (read,) = media.read_frames(controls.write_video(tmp_path / "a.mp4", [red], 24))

    assert np.abs(read.astype(int) - red).max() <= 4


@pytest.mark.parametrize("fps", [24, 30, Fraction(30000, 1001), 29.97])
def test_rates_are_exact(tmp_path, fps):
    """
    The rate that is asked for is the rate that is read back, as a fraction.
    """
    path = make.make_video(tmp_path / "a.mp4", fps=fps)

    assert Fraction(fps).limit_denominator(1001) == media.probe(path).fps


def test_metadata_is_kept(tmp_path):
    """
    A title and a comment survive, so that a file can say what made it.
    """
    said = {"title": "preview", "comment": "not a Cosmos model"}

    path = controls.write_video(tmp_path / "a.mp4", [np.zeros((8, 8), np.uint8)], 24, metadata=said)

    assert said.items() <= media.probe(path).metadata.items()


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("no style 'best'", {"style": "best"}),
        ("needs even sizes, not 63x48", {"width": 63}),
        ("0 fps is no video", {"fps": 0}),
        ("keeps no tag 'mood'", {"metadata": {"mood": "dark"}}),
    ],
)
def test_a_writer_refuses_before_it_writes(tmp_path, words, arguments):
    """
    What cannot be encoded is said at once, and no file is begun.
    """
    with pytest.raises(InputError, match=words):
        controls.VideoWriter(tmp_path / "a.mp4", **({"width": 64, "height": 48, "fps": 24} | arguments))

    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "frame",
    [np.zeros((48, 65, 3), np.uint8), np.zeros((48, 64, 4), np.uint8), np.zeros((48, 64, 3), np.float32)],
)
def test_a_frame_of_another_size_or_type_is_refused(tmp_path, frame):
    """
    The sentence names the frame, what it is and what it should be; the file is not left half-written.
    """
    good = np.zeros((48, 64, 3), np.uint8)

    with pytest.raises(InputError, match=r"frame 1 is .* not uint8 \(48, 64"):
        controls.write_video(tmp_path / "a.mp4", [good, frame], 24)

    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_writer_leaves_the_old_file(tmp_path, error):
    """
    While a video is written, its name keeps the old content, also after an error.
    """
    path = make.make_video(tmp_path / "a.mp4")
    before = path.read_bytes()

    with pytest.raises(error), controls.VideoWriter(path, 64, 48, 24) as video:  # noqa: PT012
        video.write(np.zeros((48, 64, 3), np.uint8))
        raise error

    assert before == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_leaves_nothing(tmp_path):
    """
    When the system refuses more bytes, the error is the system's and no half-written file stays.
    """
    code = (
        "import resource, signal, sys; from cosmos_core.testing import media as make;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000));"
        "make.make_video(sys.argv[1], frames=40, width=320, height=240, style='exact')"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.mp4")], capture_output=True, text=True, check=False
    )

    assert 1 == done.returncode
    assert "OSError" in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_a_video_needs_a_frame(tmp_path):
    """
    Nothing written is nothing published.
    """
    with pytest.raises(InputError, match="no frame was written"):
        controls.write_video(tmp_path / "a.mp4", [], 24)
    with (
        pytest.raises(InputError, match="no frame was written"),
        controls.VideoWriter(tmp_path / "a.mp4", 64, 48, 24),
    ):
        pass

    assert [] == list(tmp_path.iterdir())


def test_a_clip_writer_writes_equal_passes(tmp_path):
    """
    Every pass has the same length, size and rate, and holds exactly what the functions above give.
    """
    moments = list(make.scene(frames=4))
    colours = controls.palette(range(10), 3)

    with controls.ClipWriter(tmp_path, 64, 48, fps=30, colours=colours, edges="medium") as clip:
        for moment in moments:
            clip.write(moment.rgb, depth=moment.z, labels=moment.ids, normal=moment.rgb)

    facts = {path.stem: media.probe(path) for path in sorted(tmp_path.iterdir())}
    depths = [controls.inverse_depth(moment.z) for moment in moments]
    assert ["color", "depth", "edge", "normal", "segmentation"] == list(facts)
    assert {(64, 48, 4, 30)} == {(f.width, f.height, f.frames, f.fps) for f in facts.values()}
    assert controls.depth_range(depths) == clip.depth_range
    for number, frame in enumerate(media.read_frames(tmp_path / "segmentation.mp4")):
        assert np.array_equal(controls.segmentation(moments[number].ids, colours), frame)
    for number, frame in enumerate(media.read_frames(tmp_path / "depth.mp4")):
        wanted = controls.depth(depths[number], *clip.depth_range)
        assert np.abs(frame[:, :, 0].astype(int) - wanted).max() <= 1
    for number, frame in enumerate(media.read_frames(tmp_path / "edge.mp4")):
        assert np.array_equal(controls.edge(moments[number].rgb), frame[:, :, 0])


def test_depth_has_one_range_for_the_whole_clip(tmp_path):
    """
    A wall that stays where it is keeps its grey while something else comes near.
    """
    wall, near = np.full((48, 64), 10.0, np.float32), np.full((48, 64), 10.0, np.float32)
    near[:, :32] = 2
    rgb = np.zeros((48, 64, 3), np.uint8)

    with controls.ClipWriter(tmp_path, 64, 48) as clip:
        clip.write(rgb, depth=wall)
        clip.write(rgb, depth=near)

    first, second = media.read_frames(tmp_path / "depth.mp4")
    assert first[0, 63, 0] == second[0, 63, 0] < second[0, 0, 0]


def test_a_clip_writer_that_fails_leaves_nothing(tmp_path):
    """
    An error in the middle of a render publishes no pass at all.
    """
    moment = next(make.scene(frames=1))

    with pytest.raises(ZeroDivisionError), controls.ClipWriter(tmp_path, 64, 48) as clip:  # noqa: PT012
        clip.write(moment.rgb, depth=moment.z)
        1 / 0  # noqa: B018

    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({}, "pass 'depth' is not given at every moment"),
        ({"depth": np.ones((48, 64)), "normal": np.zeros((48, 64), np.uint8)}, "pass 'normal' is not given"),
        ({"depth": np.ones((48, 65))}, r"depth is \(48, 65\), not \(48, 64\)"),
        ({"depth": np.ones((48, 64)), "labels": np.ones((48, 64), int)}, "labels need colours"),
    ],
)
def test_passes_are_given_at_every_moment(tmp_path, second, words):
    """
    A pass that starts late, stops early or changes size is refused where it happens.
    """
    rgb = np.zeros((48, 64, 3), np.uint8)

    with pytest.raises(InputError, match=words), controls.ClipWriter(tmp_path, 64, 48) as clip:  # noqa: PT012
        clip.write(rgb, depth=np.ones((48, 64)))
        clip.write(rgb, **second)

    assert [] == list(tmp_path.iterdir())


def test_profiles_name_their_source():
    """
    Sizes are even, rates are whole numbers, and each says where it was read.
    """
    for profile in controls.PROFILES.values():
        assert (0, 0, 1) == (profile.width % 2, profile.height % 2, profile.fps.denominator)
        assert profile.source
    assert (1280, 704, 93) == tuple(
        getattr(controls.PROFILES["transfer2.5"], x) for x in ("width", "height", "frames")
    )
