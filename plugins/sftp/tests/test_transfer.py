"""Inputs travel once, everything is verified on both sides, and what was cut goes on where it was."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest
from cosmos_core_sftp import far, transfer
from cosmos_core_sftp.session import SftpSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosmos_core.dispatch import is_full
from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import Freed, Job, JobFile, Keeper

LARGE = 24 << 20


def job(*inputs, **fields):
    return Job(argv=("true",), inputs=inputs, **fields)


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def blobs(root):
    return sorted(path for path in (root / "cas").rglob("*") if path.is_file())


@pytest.fixture
def outputs(session, sshd):
    """``outputs(size, …)``: a job with such output files; its handle."""

    def make(*sizes, key="o/1/1"):
        handle = session.put(job(), key)
        for number, size in enumerate(sizes):
            path = Path(handle.folder) / "outputs" / f"{number}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(os.urandom(size))
        return handle

    return make


def test_an_input_travels_once(session, root, make_input):
    """The second job with an input moves none of its bytes, and gets a copy of its own."""
    clip, mask = make_input(size=300_000), make_input("mask.mp4", 5)
    first = session.put(job(clip, mask), "b/1/1")
    assert 300_005 == session.sent
    second = session.put(job(clip, mask), "b/2/1")

    assert 300_005 == session.sent
    for handle in (first, second):
        assert clip.digest == sha(f"{handle.folder}/in/color.mp4")
    assert {clip.digest, mask.digest} == {path.name for path in blobs(root)}
    assert {0o444} == {path.stat().st_mode & 0o777 for path in blobs(root)}
    assert [] == list((root / "tmp").iterdir())


def test_one_input_under_two_names_travels_once(session, make_input):
    """A digest is sent once, however many names it has in a job."""
    clip = make_input(size=100_000)
    from attrs import evolve

    handle = session.put(job(clip, evolve(clip, name="in/again.mp4")), "b/1/1")

    assert 100_000 == session.sent
    assert clip.digest == sha(f"{handle.folder}/in/again.mp4")


def test_a_report_counts_bytes_up_to_all_of_them(session, make_input, outputs, tmp_path):
    """Up and down, for what travels and for what is there."""
    clip = make_input(size=3_000_000)
    told = {name: [] for name in ("new", "known", "down")}
    session.put(
        job(clip, files=(JobFile(name="a", content=b"12345"),)), "b/1/1", lambda *now: told["new"].append(now)
    )
    session.put(job(clip), "b/2/1", lambda *now: told["known"].append(now))
    session.get(outputs(2_500_000, 7), ["outputs"], tmp_path / "home", lambda *now: told["down"].append(now))

    for name, total in (("new", 3_000_005), ("known", 3_000_000), ("down", 2_500_007)):
        done = [each[0] for each in told[name]]
        assert done == sorted(done)
        assert total == done[-1]
        assert {total} == {each[1] for each in told[name]}
    assert len(told["new"]) > 3


def test_a_damaged_input_is_dropped_and_sent_anew(session, root, make_input):
    """What changed on the host's disk is noticed when a job gets its copy, and does not reach the job."""
    clip = make_input(size=200_000)
    session.put(job(clip), "b/1/1")
    (blob,) = blobs(root)
    blob.chmod(0o644)
    blob.write_bytes(b"\0" * 200_000)
    handle = session.put(job(clip), "b/2/1")

    assert clip.digest == sha(f"{handle.folder}/in/color.mp4") == sha(blob)
    assert 400_000 == session.sent


def test_an_input_that_changed_here_is_refused_and_not_kept(session, root, make_input):
    """The user's file is to blame, the error says so, and the host keeps nothing under the wrong name."""
    small, large = make_input(size=100_000), make_input("large.mp4", LARGE)
    for item in (small, large):
        with item.path.open("r+b") as file:
            file.seek(50_000)
            file.write(b"changed")
        with pytest.raises(InputError, match="not " + item.digest):
            session.put(job(item), "b/1/1")

    assert [] == blobs(root)
    assert session.find("b/1/1") is None
    assert [] == list((root / "tmp").iterdir())


def test_an_upload_goes_on_where_it_was_cut(session, sshd, root, make_input):
    """Three cuts in one upload cost a tenth of its bytes at most, and nothing has its name before it is whole."""
    clip = make_input(size=8 * LARGE)
    marks = [LARGE, 3 * LARGE, 6 * LARGE, 10**12]

    def cut(done, _total, _note=""):
        if done > marks[0]:
            marks.pop(0)
            sshd.cut()

    for _ in range(3):
        with pytest.raises(HostError, match="is lost"):
            session.put(job(clip), "b/1/1", cut)
        assert [] == blobs(root)
        assert session.find("b/1/1") is None
    handle = session.put(job(clip), "b/1/1", cut)

    assert clip.digest == sha(f"{handle.folder}/in/color.mp4")
    assert session.sent <= 1.1 * clip.bytes
    assert [10**12] == marks


def test_a_download_goes_on_where_it_was_cut(session, sshd, outputs, tmp_path):
    """The bytes that are here and right are not fetched again; the name appears at the end."""
    handle = outputs(4 * LARGE)
    marks = [LARGE, 3 * LARGE, 10**12]

    def cut(done, _total, _note=""):
        if done > marks[0]:
            marks.pop(0)
            sshd.cut()

    for _ in range(2):
        with pytest.raises(HostError, match="is lost"):
            session.get(handle, ["outputs"], tmp_path / "home", cut)
        assert not (tmp_path / "home/outputs/0.bin").exists()
    (placed,) = session.get(handle, ["outputs"], tmp_path / "home", cut)

    assert sha(f"{handle.folder}/outputs/0.bin") == sha(placed.path) == placed.digest == placed.remote_digest
    assert session.received <= 1.2 * 4 * LARGE
    assert [placed.path] == list((tmp_path / "home/outputs").iterdir())


def test_what_comes_home_is_on_the_disk_before_it_has_its_name(session, outputs, tmp_path, monkeypatch):
    """Each file's bytes, then its name, then the folders that hold the names: a power cut leaves no empty file."""
    handle = outputs(300_000, LARGE, 0)
    done = []
    sync, rename = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (sync(fd), done.append(("sync", str(Path(f"/proc/self/fd/{fd}").readlink()))))
    )
    monkeypatch.setattr(
        Path, "replace", lambda part, to: (rename(part, to), done.append(("name", str(part), str(to))))
    )
    placed = session.get(handle, ["outputs"], tmp_path / "home")
    named = {step[2]: number for number, step in enumerate(done) if step[0] == "name"}

    assert {str(each.path) for each in placed} == named.keys()
    for number in named.values():
        assert ("sync", done[number][1]) in done[:number]
    for folder in (tmp_path / "home", tmp_path / "home/outputs"):
        assert max(named.values()) < done.index(("sync", str(folder)))


def test_a_disk_that_fails_here_leaves_no_file_with_a_name(session, outputs, tmp_path, monkeypatch):
    """What the disk did not take is not called whole, and what is left of it is not trusted."""
    handle = outputs(300_000, LARGE)

    def broken(fd):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(HostError, match="Input/output error"):
        session.get(handle, ["outputs"], tmp_path / "home")

    assert [] == [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    monkeypatch.undo()
    assert 2 == len(session.get(handle, ["outputs"], tmp_path / "home"))


def test_what_came_for_a_job_is_taken_or_forgotten(session, open_session, host, sshd, root, make_input):
    """Small inputs are at hand by a second name until their job has them: none is left, also of an upload that was cut."""
    inputs = [make_input(f"{number}.mp4", 400_000) for number in range(40)]

    def cut(done, total, _=""):
        if done > total / 2:
            sshd.cut()

    with pytest.raises(HostError):
        session.put(job(*inputs), "b/1/1", cut)
    end = time.monotonic() + 60
    while left := [path.name for path in root.glob("tmp/*") if path.suffix in {".link", ".part"}]:
        assert time.monotonic() < end, left
        time.sleep(0.1)
    handle = open_session(host).put(job(*inputs), "b/1/1")

    assert [] == list(root.glob("tmp/*.*"))
    assert [each.digest for each in inputs] == [sha(f"{handle.folder}/{each.name}") for each in inputs]


def test_what_came_for_another_job_is_not_taken(session, root, make_input):
    """What no job took, since its upload failed here, is gone with the next."""
    clip, wrong = make_input(size=400_000), make_input("wrong.mp4", 400_000)
    wrong.path.write_bytes(os.urandom(400_000))
    with pytest.raises(InputError, match="not"):
        session.put(job(clip, wrong), "b/1/1")
    session.put(job(), "b/2/1")

    assert [] == list(root.glob("tmp/*.*"))
    assert [clip.digest] == [path.name for path in blobs(root)]


@pytest.mark.parametrize("size", [300_000, LARGE])
def test_what_a_job_does_to_its_input_reaches_no_other(session, root, make_input, size):
    """Changed in place, with its size and times as they were: the next job has the right bytes, and so has the one after."""
    clip = make_input(size=size)
    first = Path(session.put(job(clip), "b/1/1").folder) / clip.name
    times = first.stat()
    with first.open("r+b") as file:
        file.write(b"spoilt by its job")
    os.utime(first, ns=(times.st_atime_ns, times.st_mtime_ns))
    second = Path(session.put(job(clip), "b/2/1").folder) / clip.name
    with second.open("r+b") as file:
        file.write(b"spoilt again")
    third = Path(session.put(job(clip), "b/3/1").folder) / clip.name

    assert clip.digest == sha(third)
    assert clip.digest == sha(blobs(root)[0])
    assert b"spoilt by its job" == first.read_bytes()[:17]
    assert b"spoilt again" == second.read_bytes()[:12]


def test_an_input_that_a_job_took_from_us_travels_again(session, root, make_input, monkeypatch):
    """A container's root may make the file its own, so that we cannot read it any more."""
    clip = make_input(size=300_000)
    session.put(job(clip), "b/1/1")
    (blob,) = blobs(root)
    blob.chmod(0)
    second = Path(session.put(job(clip), "b/2/1").folder) / clip.name

    assert clip.digest == sha(second)


def test_what_is_left_of_an_upload_is_not_trusted(session, root, make_input):
    """Holes, wrong bytes and a tail that is too long cost their chunks, not the upload."""
    clip = make_input(size=LARGE + 12345)
    content = bytearray(clip.path.read_bytes())
    content[5 << 20 : 6 << 20] = bytes(1 << 20)
    content[9 << 20] ^= 1
    (root / "tmp" / f"{clip.digest}.part").write_bytes(content + b"too long")
    with pytest.raises(HostError, match="did not arrive"):
        session.put(job(clip), "b/1/1")
    (root / "tmp" / f"{clip.digest}.part").write_bytes(content)
    session.sent = 0
    handle = session.put(job(clip), "b/1/1")

    assert clip.digest == sha(f"{handle.folder}/in/color.mp4")
    assert 2 << 20 == session.sent


def test_several_lines_share_a_transfer(make_host, open_session, make_input, tmp_path, sshd):
    """A large file is divided, small ones are dealt out; order and digests are those of one line."""
    session = open_session(make_host(connections=3))
    inputs = [make_input(size=LARGE), *(make_input(f"{number}.png", 150_000) for number in range(20))]
    handle = session.put(job(*inputs), "b/1/1")
    lines = len(session._lines)
    placed = session.get(handle, ["in"], tmp_path / "home")

    assert 3 == lines
    assert {item.name: item.digest for item in inputs} == {each.name: each.digest for each in placed}
    assert [each.digest for each in placed] == [sha(each.path) for each in placed]
    assert [each.name for each in placed] == sorted(each.name for each in placed)


def test_a_long_line_gets_a_second_connection(session, monkeypatch):
    """One is enough nearby; the time there and back decides."""
    assert 1 == session.connections()
    monkeypatch.setattr(session, "_round_trip", 0.04)

    assert 2 == session.connections()


@pytest.mark.parametrize(
    ("answers", "connections"), [((0.05, 0.02, 0.001), 1), ((0.001,), 1), ((0.05, 0.042, 0.041, 0.043), 2)]
)
def test_a_busy_machine_is_not_taken_for_a_long_line(session, monkeypatch, answers, connections):
    """One quick answer shows that the line is short; nobody waits for more than a few slow ones."""
    monkeypatch.setattr(session, "_ping", iter(answers).__next__)

    assert connections == session.connections()
    assert min(answers) == session.round_trip()


def test_sessions_that_send_one_input_at_once_both_succeed(open_session, host, make_input):
    """Two workers with the same clip do not spoil each other's upload."""
    from concurrent.futures import ThreadPoolExecutor

    clip = make_input(size=LARGE)
    sessions = [open_session(host) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(each.put, job(clip), f"b/{number}/1") for number, each in enumerate(sessions)]
        handles = [each.result() for each in made]

    assert {clip.digest} == {sha(f"{handle.folder}/in/color.mp4") for handle in handles}


def test_free_removes_what_no_job_needs_and_nothing_else(session, root, make_input):
    """Inputs of jobs that are there stay; a dry run only counts; strangers' files are not ours."""
    needed, idle = make_input(size=1000), make_input("idle.mp4", 2000)
    session.put(job(needed), "b/1/1")
    session.remove(session.put(job(idle), "b/2/1"))
    stranger = root / "cas" / "sha256" / "notes.txt"
    stranger.write_text("not ours")
    (blobs(root)[0].parent / "README").write_text("not ours")
    dry = session.free(dry=True)
    assert 4 == len(blobs(root))
    freed = session.free()

    assert isinstance(session, Keeper)
    assert Freed(files=1, bytes=2000) == dry == freed == Freed(files=1, bytes=2000)
    assert {needed.digest, "notes.txt", "README"} == {path.name for path in blobs(root)}
    assert Freed(files=0, bytes=0) == session.free()


def test_free_touches_no_folder_without_our_mark(session, root, make_input):
    """A root that lost its mark is left as it is."""
    session.remove(session.put(job(make_input()), "b/1/1"))
    (root / far.MARKER).unlink()
    with pytest.raises(HostError, match=far.MARKER):
        session.free()

    assert 1 == len(blobs(root))


def test_a_folder_that_may_be_somebody_elses_is_not_taken(host, root, open_session):
    """A root with a folder named like ours, and without our mark, is refused with what to do."""
    (root / "jobs").mkdir(parents=True)
    with pytest.raises(HostError, match="is not a folder of cosmos-core") as caught:
        open_session(host)
    assert far.MARKER in caught.value.hint
    (root / far.MARKER).touch()

    assert open_session(host).find("b/1/1") is None


def test_a_job_put_before_the_machine_went_down_is_put_anew(session, root, make_input):
    """Its inputs may not have reached the disk; a job that was started is left to be found lost."""
    import json

    clip = make_input()
    handle = session.put(job(clip), "b/1/1")
    order = Path(handle.folder) / "job.json"
    order.write_text(json.dumps(json.loads(order.read_text()) | {"boot": "an earlier one"}))
    copy = Path(handle.folder) / "in/color.mp4"
    copy.write_bytes(b"")
    again = session.put(job(clip), "b/1/1")

    assert handle == again
    assert clip.digest == sha(copy)


@pytest.fixture
def small_disk(root):
    """A root on a file system of 8 MB."""
    root.mkdir()
    if os.geteuid() or subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(root)], stderr=subprocess.DEVNULL
    ):
        pytest.skip("a small file system cannot be mounted here")
    yield root
    subprocess.run(["umount", "-l", str(root)], check=True)


def test_a_full_disk_on_the_host_says_so(small_disk, session, make_input):
    """The error names the reason, the core knows it for a full disk, nothing half-made has a name, and room heals it."""
    clip = make_input(size=10_000_000)
    with pytest.raises(HostError, match="No space left on device") as caught:
        session.put(job(clip), "b/1/1")
    assert is_full(caught.value)
    assert "free some space" == caught.value.hint
    assert [] == blobs(small_disk)
    assert session.find("b/1/1") is None
    for part in (small_disk / "tmp").iterdir():
        part.unlink()
    fits = make_input("fits.mp4", 5_000_000)
    first = session.put(job(fits), "b/1/1")
    with pytest.raises(HostError, match="No space left on device"):
        session.put(job(fits), "b/2/1")
    assert [fits.digest] == [path.name for path in blobs(small_disk)]
    assert [Path(first.folder)] == list((small_disk / "jobs").iterdir())
    assert [] == list((small_disk / "tmp").iterdir())

    assert session.put(job(make_input("small.mp4", 1_000_000)), "b/3/1") == session.find("b/3/1")


def test_a_full_disk_here_says_so(session, outputs, tmp_path):
    """What has no room here leaves nothing in the way, and is known for a full disk."""
    home = tmp_path / "home"
    home.mkdir()
    if os.geteuid() or subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(home)], stderr=subprocess.DEVNULL
    ):
        pytest.skip("a small file system cannot be mounted here")
    try:
        with pytest.raises(HostError, match="No space left on device") as caught:
            session.get(outputs(1000, 9 << 20), ["outputs"], home)
        assert is_full(caught.value)
        assert ["0.bin"] == [path.name for path in (home / "outputs").iterdir()]
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


CHUNKS = st.lists(st.sampled_from("abc"), max_size=12)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHUNKS, CHUNKS, st.integers(0, 12 * transfer.CHUNK))
def test_pieces_and_what_is_equal_make_up_the_file(source, copy, size):
    """Whatever the digests say, each chunk is fetched or was proved to be there, and no piece leaves the file."""
    pieces = transfer.differing(source, copy, size)
    lacking = {
        number
        for offset, length in pieces
        for number in range(offset // transfer.CHUNK, -(-(offset + length) // transfer.CHUNK))
    }

    for number in range(-(-size // transfer.CHUNK)):
        equal = number < min(len(source), len(copy)) and source[number] == copy[number]
        assert equal is (number not in lacking)
    assert all(0 <= offset < offset + length <= size for offset, length in pieces)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 3 * transfer.LARGE), min_size=1, max_size=20), st.integers(1, 4))
def test_shares_cover_every_byte_once(sizes, count):
    """Dealing pieces to lines loses none and doubles none, keeps their order and is fair where files are large."""
    pieces = [transfer.Piece(index, 0, size) for index, size in enumerate(sizes)]
    shares = transfer.deal(pieces, count)
    flat = [piece for share in shares for piece in share]

    assert len(shares) <= count
    assert all(shares)
    for index, size in enumerate(sizes):
        mine = [piece for piece in flat if piece.file == index]
        assert size == sum(piece.size for piece in mine)
        assert [0, *(piece.offset + piece.size for piece in mine)][:-1] == [piece.offset for piece in mine]
    fair = sum(sizes) / count
    assert max(sum(piece.size for piece in share) for share in shares) <= fair + max(transfer.LARGE, 1) + 1


def test_the_session_is_the_one_that_the_plugin_opens(host, tmp_path):
    """Through the hook, as the core does it."""
    import cosmos_core_sftp

    (transport,) = cosmos_core_sftp.cosmos_transports()
    session = transport.connect(host, tmp_path / "state")

    assert isinstance(session, SftpSession)
    session.close()
