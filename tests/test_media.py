"""Facts about media files, each from real bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from cosmos_core import controls, media
from cosmos_core.errors import InputError
from cosmos_core.testing import media as make


@pytest.mark.parametrize(
    ("maker", "kind"),
    [
        (make.make_video, "video"),
        (make.make_cut, "video"),
        (make.make_tail_cut, "video"),
        (make.make_rotten, "video"),
        (make.make_pointer, "pointer"),
        (make.make_html, "html"),
        (make.make_text, "text"),
        (make.make_empty, "empty"),
    ],
)
def test_the_first_bytes_tell_what_a_file_is(tmp_path, maker, kind):
    """
    A sniff needs no decoder to tell a video from what was saved under its name.
    """
    path = maker(tmp_path / "out.mp4")

    found = media.sniff(path)

    assert (kind, path.stat().st_size) == (found.kind, found.size)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x1a\x45\xdf\xa3" + bytes(40), "video"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video"),
        (b"\x00\x00\x00\x1cftypavif", "image"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"v/1\x01\x02\x00\x00\x00", "image"),
        (b"\xff\xd8\xff\xe0", "image"),
        (b"  <?xml version='1.0'?><html xmlns='x'>", "html"),
        (b"<!-- proxy --><!doctype HTML>", "html"),
        (("naïve résumé " * 400).encode(), "text"),
        (("é" * 4000).encode()[: 4096 + 1], "text"),
        (b"x" + ("é" * 4000).encode(), "text"),
        (bytes(range(256)), "unknown"),
        (b"\x00", "unknown"),
    ],
)
def test_kinds_by_magic(tmp_path, content, kind):
    """
    Containers, stills, pages and prose are told apart, also where 4 kB end inside a character.
    """
    path = tmp_path / "x"
    path.write_bytes(content)

    assert kind == media.sniff(path).kind


def test_a_pointer_names_what_it_stands_for(tmp_path):
    """
    The digest inside a pointer is read, with either kind of line end, so that duplicates show without the videos.
    """
    unix = make.make_pointer(tmp_path / "a.mp4", oid="ab" * 32)
    windows = tmp_path / "b.mp4"
    windows.write_bytes(unix.read_bytes().replace(b"\n", b"\r\n"))

    assert ("ab" * 32, "ab" * 32) == (media.sniff(unix).oid, media.sniff(windows).oid)


def test_a_long_file_that_starts_like_a_pointer_is_not_one(tmp_path):
    """
    Pointers are at most 1 kB; a text about pointers is a text.
    """
    path = make.make_pointer(tmp_path / "a.txt")
    path.write_bytes(path.read_bytes() + b"and so on\n" * 200)

    assert ("text", "") == (media.sniff(path).kind, media.sniff(path).oid)


def test_what_is_no_file_is_said_so(tmp_path):
    """
    A missing path, a folder and a dead link are answers, not exceptions.
    """
    assert "missing" == media.sniff(tmp_path / "nothing.mp4").kind
    assert "not_a_file" == media.sniff(tmp_path).kind


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_does_not_block(tmp_path):
    """
    Only regular files are opened, so a pipe nobody writes to cannot hang a check.
    """
    os.mkfifo(tmp_path / "pipe.mp4")

    assert "not_a_file" == media.sniff(tmp_path / "pipe.mp4").kind


def test_file_digest_is_sha256(tmp_path):
    """
    The digest is that of the bytes, as every other tool computes it.
    """
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 100_000)

    assert hashlib.sha256(b"abc" * 100_000).hexdigest() == media.file_digest(path)


def test_probe_reads_headers(tmp_path):
    """
    Codec, size, rate, length and tags come from the header.
    """
    frames = [np.zeros((48, 64, 3), np.uint8)] * 10
    path = controls.write_video(
        tmp_path / "a.mp4", frames, Fraction(30000, 1001), metadata={"comment": "hello"}
    )

    facts = media.probe(path)

    assert ("h264", "yuv420p", 64, 48) == (facts.codec, facts.pix_fmt, facts.width, facts.height)
    assert (Fraction(30000, 1001), 10, path.stat().st_size) == (facts.fps, facts.frames, facts.bytes)
    assert pytest.approx(10 * 1001 / 30000) == facts.seconds
    assert "hello" == facts.metadata["comment"]


@pytest.mark.parametrize(
    ("maker", "words"),
    [
        (make.make_pointer, "Git LFS pointer of 132 bytes"),
        (make.make_html, "is an HTML page"),
        (make.make_empty, "is an empty file"),
        (make.make_text, "is a text file"),
        (make.make_tail_cut, "cannot be opened as a video"),
    ],
)
def test_probe_refuses_with_a_sentence(tmp_path, maker, words):
    """
    What is no video is named for what it is.
    """
    path = maker(tmp_path / "out.mp4")

    with pytest.raises(InputError, match=words) as refused:
        media.probe(path)

    assert str(refused.value).startswith("out.mp4 ")


def test_a_sound_file_is_no_video(tmp_path):
    """
    A container without a video stream is refused.
    """
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))

    with pytest.raises(InputError, match="holds no video stream"):
        media.probe(path)


def test_frames_come_back_as_they_were_written(tmp_path):
    """
    What the exact style wrote is read back bit for bit, in order.
    """
    written = [moment.rgb for moment in make.scene(frames=5)]
    path = controls.write_video(tmp_path / "a.mp4", written, 24, "exact")

    read = list(media.read_frames(path))

    assert (5, (48, 64, 3), np.uint8) == (len(read), read[0].shape, read[0].dtype)
    assert all(np.array_equal(a, b) for a, b in zip(written, read, strict=True))


def test_frames_are_read_as_cosmos_reads_them(tmp_path):
    """
    Colours of a lossy file are those of PyAV's plain conversion, which is what imageio gives the models.
    """
    path = make.make_video(tmp_path / "a.mp4", frames=3)
    with av.open(str(path)) as container:
        plain = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]

    assert np.array_equal(np.stack(plain), np.stack(list(media.read_frames(path))))


def test_frames_can_be_grey_and_small(tmp_path):
    """
    Grey frames have two dimensions and the size that was asked for.
    """
    path = make.make_video(tmp_path / "a.mp4", frames=2)

    assert [(6, 8), (6, 8)] == [f.shape for f in media.read_frames(path, width=8, height=6, pix_fmt="gray")]


def test_reading_a_broken_file_raises(tmp_path):
    """
    Frames of what is no video are an error at the first one.
    """
    with pytest.raises(InputError, match="cannot be opened"):
        next(media.read_frames(make.make_tail_cut(tmp_path / "a.mp4")))


@pytest.mark.parametrize("maker", [make.make_video, make.make_black, make.make_frozen, make.make_flicker])
def test_survey_of_a_whole_file(tmp_path, maker):
    """
    Good, black, frozen and flickering files all decode: header and decoder agree and nothing is corrupt.
    """
    survey = media.survey(maker(tmp_path / "a.mp4", frames=12))

    assert (12, 12, 0, "") == (survey.facts.frames, survey.decoded, survey.corrupt, survey.error)
    assert ((12, 90, 160), np.uint8) == (survey.small.shape, survey.small.dtype)
    assert ((12,), (12,), (8,)) == (survey.luma_mean.shape, survey.luma_std.shape, survey.phashes.shape)


@pytest.mark.parametrize(
    "maker", [make.make_pointer, make.make_empty, make.make_html, make.make_text, make.make_tail_cut]
)
def test_survey_of_what_does_not_open(tmp_path, maker):
    """
    A pointer, zero bytes, a page and a file without its index give no frame and say why, without an exception.
    """
    survey = media.survey(maker(tmp_path / "a.mp4"))

    assert (None, 0, 0, 0) == (survey.facts, survey.decoded, len(survey.small), len(survey.phashes))
    assert survey.error.startswith("a.mp4 ")


def test_survey_keeps_larger_pictures_where_asked(tmp_path, monkeypatch):
    """
    Grey pictures of each wanted size come out of the same decode, of the first frames only where there are many.
    """
    path = make.make_video(tmp_path / "a.mp4", frames=12)
    small = media.survey(path)
    large = media.survey(path, [(48, 32), (64, 48)])
    monkeypatch.setattr(media, "PICTURES", 5)
    few = media.survey(path, [(48, 32)])

    assert {} == small.pictures
    assert {(48, 32): (12, 32, 48), (64, 48): (12, 48, 64)} == {
        size: pictures.shape for size, pictures in large.pictures.items()
    }
    assert np.array_equal(small.small, large.small)
    assert ((5, 32, 48), 12) == (few.pictures[48, 32].shape, few.decoded)


def test_survey_of_no_video_has_no_pictures(tmp_path):
    """
    A page of HTML has none of any size.
    """
    found = media.survey(make.make_html(tmp_path / "a.mp4"), [(48, 32)])

    assert (0, 32, 48) == found.pictures[48, 32].shape


def test_survey_of_a_missing_file(tmp_path):
    """
    No file is an answer too.
    """
    survey = media.survey(tmp_path / "gone.mp4")

    assert ("missing", "gone.mp4 does not exist") == (survey.sniff.kind, survey.error)


def test_a_file_cut_behind_its_index_gives_fewer_frames_and_no_error(tmp_path):
    """
    Only the count gives it away: the header promises all frames and the decoder complains of nothing.
    """
    survey = media.survey(make.make_cut(tmp_path / "a.mp4", frames=24))

    assert (24, 0) == (survey.facts.frames, survey.corrupt)
    assert 0 < survey.decoded < 24


def test_bit_rot_is_marked(tmp_path):
    """
    All frames come out of a file with wrong bytes in its middle, and the decoder marks one as corrupt.
    """
    survey = media.survey(make.make_rotten(tmp_path / "a.mp4"))

    assert (12, 12) == (survey.facts.frames, survey.decoded)
    assert survey.corrupt >= 1


@pytest.fixture
def busy_machine():
    """More busy processes than cores, so that threads wait for each other at every turn."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    yield
    for process in spinning:
        process.kill()
        process.wait()


def test_bit_rot_is_marked_at_every_look(tmp_path, busy_machine):
    """
    Whether damage is seen does not hang on how the decoder's threads are scheduled.
    """
    path = make.make_rotten(tmp_path / "a.mp4", seed=7)

    assert {1} == {media.survey(path).corrupt for _ in range(60)}


@pytest.mark.parametrize("seed", range(6))
def test_large_damage_never_passes(tmp_path, seed):
    """
    Whatever a kilobyte of noise does to a file, frames are missing, marked, or an error is kept.
    """
    path = make.make_video(tmp_path / "a.mp4", frames=24, width=128, height=96, seed=seed)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1024] = np.random.default_rng(seed).bytes(1024)
    path.write_bytes(content)

    survey = media.survey(path)

    assert survey.corrupt or survey.error or survey.decoded < 24


def test_luma_is_full_range(tmp_path):
    """
    Black is 0 and white is 255, whatever range the file stores.
    """
    black = media.survey(make.make_black(tmp_path / "black.mp4"))
    white = media.survey(make.make_flat(tmp_path / "white.mp4", level=255))

    assert (0.0, 0.0) == (black.luma_mean.max(), black.luma_std.max())
    assert 255.0 == white.luma_mean.min()


def test_frozen_and_flicker_show_in_the_small_stack(tmp_path):
    """
    A frozen file repeats its picture exactly; a flickering one swings in mean luma; a moving one does neither.
    """
    frozen = media.survey(make.make_frozen(tmp_path / "frozen.mp4")).small.astype(float)
    moving = media.survey(make.make_video(tmp_path / "moving.mp4"))
    flicker = media.survey(make.make_flicker(tmp_path / "flicker.mp4", swing=60))

    assert 0.0 == np.abs(np.diff(frozen, axis=0)).max()
    assert np.abs(np.diff(moving.small.astype(float), axis=0)).mean(axis=(1, 2)).min() > 0.05
    assert np.abs(np.diff(moving.luma_mean, n=2)).max() < 8 < np.abs(np.diff(flicker.luma_mean, n=2)).min()


def test_surveys_are_equal_for_equal_bytes(tmp_path):
    """
    Threads do not change what is measured.
    """
    one, two = (media.survey(make.make_video(tmp_path / "a.mp4", frames=30)) for _ in range(2))

    assert np.array_equal(one.small, two.small)
    assert np.array_equal(one.phashes, two.phashes)


def test_hashes_tell_a_re_encode_from_another_scene(tmp_path):
    """
    The perceptual distance is near zero for the same pictures and large for unrelated ones.
    """
    original = media.survey(make.make_video(tmp_path / "a.mp4", width=160, height=120))
    smaller = media.survey(make.make_video(tmp_path / "b.mp4", width=160, height=120, style="proxy"))
    other = media.survey(make.make_video(tmp_path / "c.mp4", width=160, height=120, seed=9))
    nothing = media.survey(make.make_empty(tmp_path / "d.mp4"))

    assert 0.0 == media.phash_distance(original, original)
    assert media.phash_distance(original, smaller) < 2
    assert media.phash_distance(original, other) > 15
    assert 64.0 == media.phash_distance(original, nothing)


def test_a_still_is_one_frame(tmp_path):
    """
    A picture under a video's name opens as one frame, and its sniff says that it is a still.
    """
    path = media.write_image(tmp_path / "a.png", np.zeros((48, 64, 3), np.uint8))

    survey = media.survey(path)

    assert ("image", 1) == (survey.sniff.kind, survey.decoded)


def test_poster_shows_the_moment_that_was_asked_for(tmp_path):
    """
    A poster has the video's shape at the asked width and the pixels of that moment.
    """
    levels = [np.full((48, 64, 3), level, np.uint8) for level in (0, 100, 200)]
    video = controls.write_video(tmp_path / "a.mp4", levels, 24, "exact")

    shown = [
        cv2.imread(str(media.poster(video, tmp_path / f"{at}.png", at=at, width=32))) for at in (0, 0.5, 1)
    ]

    assert [(24, 32, 3)] * 3 == [picture.shape for picture in shown]
    assert [0, 100, 200] == [int(picture.mean()) for picture in shown]


def test_poster_of_a_cut_file_shows_its_last_frame(tmp_path):
    """
    A header that promises too much does not cost the picture.
    """
    cut = make.make_cut(tmp_path / "a.mp4", frames=24)

    assert media.poster(cut, tmp_path / "p.jpg", at=1).stat().st_size > 0


def test_contact_sheet_has_a_row_a_stream_and_a_column_a_moment(tmp_path):
    """
    Files and arrays may be mixed; each row shows the stream from its first frame to its last.
    """
    video = make.make_video(tmp_path / "a.mp4")
    grey = [np.full((48, 64), level, np.uint8) for level in (0, 255)]

    sheet = media.contact_sheet(
        {"output": video, "edge": grey}, tmp_path / "s.png", columns=3, width=316, title="x"
    )
    pixels = cv2.imread(str(sheet))

    assert (32 + 2 * (75 + 8), 316, 3) == pixels.shape
    assert (0, 255) == (int(pixels[-20, 40, 0]), int(pixels[-20, -40, 0]))


def test_a_sheet_needs_a_stream(tmp_path):
    """
    Nothing to show is an error, not an empty picture.
    """
    with pytest.raises(InputError, match="at least one stream"):
        media.contact_sheet({}, tmp_path / "s.png")


@pytest.mark.parametrize("name", ["p.gif2", "p"])
def test_pictures_of_unknown_suffix_are_refused(tmp_path, name):
    """
    The suffix says the format, and nothing is left behind when it says none.
    """
    with pytest.raises(InputError, match=r"\.jpg or \.png"):
        media.write_image(tmp_path / name, np.zeros((4, 4, 3), np.uint8))

    assert [] == list(tmp_path.iterdir())


def test_write_bytes_replaces_whole_or_not_at_all(tmp_path):
    """
    A target that cannot be replaced keeps its content, and no temporary file stays.
    """
    media.write_bytes(tmp_path / "a", b"one")
    media.write_bytes(tmp_path / "a", b"two")
    (tmp_path / "folder").mkdir()

    with pytest.raises(OSError, match="folder"):
        media.write_bytes(tmp_path / "folder", b"three")

    assert b"two" == (tmp_path / "a").read_bytes()
    assert ["a", "folder"] == sorted(path.name for path in tmp_path.iterdir())


def test_media_and_clip_import_nothing_heavy():
    """
    Both are read by ``cosmos --help``.
    """
    code = (
        "import sys, cosmos_core.clip, cosmos_core.media;"
        "print(sorted({'av', 'numpy', 'cv2', 'cattrs', 'OpenEXR'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()
