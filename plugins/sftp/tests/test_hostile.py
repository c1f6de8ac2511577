"""Names, words and folders of an enemy: they arrive as data, and nothing outside of a job's folder is touched."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import Input, Job, JobFile, JobState

NASTY = "; touch outside; $(touch outside) `touch outside` ' \" \n --flag ../ \\ | & > outside %s {} é中\t*"

PARTS = st.text(
    st.one_of(
        st.sampled_from(NASTY.replace("/", "")),
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=20,
).filter(lambda part: part not in {".", ".."} and len(part.encode()) < 200)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30) | st.just(
    NASTY
)

TELL = """
import json, os, sys
os.makedirs(os.path.dirname("outputs/" + sys.argv[1]) or ".", exist_ok=True)
with open("outputs/" + sys.argv[1], "w") as out:
    json.dump([sys.argv[1:], os.environ["WORD"], open(sys.argv[1]).read()], out)
"""


def ended(session, handle):
    while (status := session.poll([handle])[handle.key]).state is JobState.ACTIVE:
        time.sleep(0.01)
    return status


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, WORDS, WORDS)
@example("a/; touch outside; $(touch outside)", NASTY, "--flag")
@example("-rf", "--", "../../outside")
@example("two\nlines/ \\ ' \"", "\n", "$HOME `id`")
def test_nasty_names_and_words_arrive_as_they_are(session, root, tmp_path, name, word, content):
    """Through a real server: files, argv, environment and outputs of any spelling; no shell looks at them."""
    if name.split("/")[0].removesuffix(".part") in {"job.json", "log.txt", "outputs"}:
        return
    before = sorted(path.name for path in root.iterdir())
    made = Job(
        argv=(sys.executable, "-X", "utf8", "-c", TELL, name, word),
        files=(JobFile(name=name, content=content.encode()),),
        env={"WORD": word},
        outputs=("outputs",),
    )
    handle = session.put(made, f"{secrets.token_hex(6)}/1/1")
    session.start(handle, made)
    status = ended(session, handle)
    assert 0 == status.exit.code, session.read(handle, "log.txt", 0)[0]
    (placed,) = session.get(handle, ["outputs"], tmp_path / handle.key)
    session.remove(handle)

    assert f"outputs/{name}" == placed.name
    told = json.loads(placed.path.read_text())
    assert [[name, word], word] == told[:2]
    assert content.replace("\r\n", "\n").replace("\r", "\n") == told[2]
    assert before == sorted(path.name for path in root.iterdir())
    assert not Path("outside").exists()
    assert [] == list(root.rglob("outside"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS.filter(bool), max_size=6), st.binary(max_size=200))
def test_nasty_commands_arrive_as_they_are(session, words, stdin):
    """What another transport runs through this one."""
    program = "import json, sys; print(json.dumps([sys.argv[1:], sys.stdin.buffer.read().hex()]))"
    done = session.run([sys.executable, "-X", "utf8", "-c", program, *words], stdin=stdin)

    assert [words, stdin.hex()] == json.loads(done.out)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a//b", "", "a/./b", "a\0b", "."])
def test_names_that_lead_outside_are_refused_on_both_sides(session, name, tmp_path):
    """Before anything is sent; and by the host's program, should somebody else ask it."""
    clip = tmp_path / "clip"
    clip.write_bytes(b"x")
    item = Input(name=name, digest="0" * 64, path=clip, bytes=1)
    with pytest.raises(InputError):
        session.put(Job(argv=("true",), inputs=(item,)), "b/1/1")
    handle = session.put(Job(argv=("true",)), "b/2/1")
    for verb, words in {
        "list": {"names": [name]},
        "read": {"name": name, "cursor": 0, "limit": 1},
        "digest": {"name": name},
        "place": {"files": [[name, 0]], "inputs": [], "order": {}},
    }.items():
        with pytest.raises(InputError):
            session.ask(verb, key="b/2/1" if verb != "place" else "b/3/1", **words)
    session.remove(handle)


@pytest.mark.parametrize("digest", ["../../x", "0" * 63, "A" * 64, "0" * 64 + "/.."])
def test_a_digest_is_no_path(session, digest):
    """Only sixty-four small hexadecimal digits name an input."""
    with pytest.raises(InputError):
        session.ask("plan", key="b/1/1", blobs=[[digest, 1]])


@pytest.mark.parametrize("key", ["../b", "b/../1", "/b", "b//1", "", ".", "b/1/1/", "b\n/1"])
def test_a_key_is_no_path(session, key):
    """Nor may a key leave the folder of jobs."""
    with pytest.raises(InputError):
        session.find(key)


def test_a_hostile_listing_writes_nothing_outside(session, tmp_path, monkeypatch):
    """A host that lies about its files' names cannot make us write elsewhere."""
    handle = session.put(Job(argv=("true",)), "b/1/1")
    home = tmp_path / "home"
    for name in ("../escaped", "/tmp/escaped", "a/../../escaped", ".."):
        monkeypatch.setattr(
            type(session), "ask", lambda self, do, *_, name=name, **__: [[name, 5]] if do == "list" else None
        )
        with pytest.raises((HostError, InputError)):
            session.get(handle, ["outputs"], home)
    monkeypatch.undo()

    assert [] == list(tmp_path.rglob("*escaped*"))
    assert not Path("/tmp/escaped").exists()


def test_links_here_do_not_lead_downloads_elsewhere(session, tmp_path):
    """A link under the very name of an output is replaced, not followed."""
    handle = session.put(
        Job(argv=("true",), files=(JobFile(name="outputs/a.bin", content=b"theirs"),)), "b/1/1"
    )
    precious = tmp_path / "precious"
    precious.write_bytes(b"ours")
    (tmp_path / "home/outputs").mkdir(parents=True)
    (tmp_path / "home/outputs/a.bin").symlink_to(precious)
    (placed,) = session.get(handle, ["outputs"], tmp_path / "home")

    assert b"ours" == precious.read_bytes()
    assert b"theirs" == placed.path.read_bytes()
    assert not placed.path.is_symlink()


def test_a_link_planted_for_an_upload_is_not_followed(session, root, make_input, tmp_path):
    """A part or an input that is a link to elsewhere is refused or replaced; elsewhere stays as it is."""
    clip, small = make_input(size=9_000_000), make_input("small.mp4")
    precious = tmp_path / "precious"
    precious.write_bytes(b"ours")
    for each in (clip, small):
        (root / "tmp" / f"{each.digest}.part").symlink_to(precious)
    with pytest.raises(HostError):
        session.put(Job(argv=("true",), inputs=(clip,)), "b/1/1")
    session.put(Job(argv=("true",), inputs=(small,)), "b/2/1")

    assert b"ours" == precious.read_bytes()


def test_whatever_removes_stays_in_its_folder(session, root, make_input, tmp_path):
    """Links out of job folders, the scratch folder and the kept inputs: removing, sweeping and freeing end at them."""
    outside = tmp_path / "outside"
    clip = make_input()
    taken = "cd" if clip.digest.startswith("ab") else "ab"
    digest = taken + "0" * 62
    for name in ("notes.txt", "deep/notes.txt", digest, f"{digest}.part"):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_text("not ours")
    handles = [session.put(Job(argv=("true",), inputs=(clip,)), f"b/{number}/1") for number in range(2)]
    for handle in handles:
        Path(handle.folder, "deep").symlink_to(outside / "deep")
        Path(handle.folder, "outputs").symlink_to(outside)
        Path(handle.folder, "locked").mkdir(mode=0o000)
    (root / "jobs/stranger").symlink_to(outside)
    (root / "tmp/old").symlink_to(outside)
    os.utime(root / "tmp/old", (0, 0), follow_symlinks=False)
    (root / "cas/sha256" / taken).symlink_to(outside)
    session.remove(handles[0])
    swept = session.sweep((), age=0.0)
    freed = session.free()

    assert (handles[1].key,) == swept
    assert (1, clip.bytes) == (freed.files, freed.bytes)
    assert {"not ours"} == {path.read_text() for path in outside.rglob("*") if path.is_file()}
    assert 4 == sum(path.is_file() for path in outside.rglob("*"))
    assert not (root / "tmp/old").is_symlink()


SECRETS = {
    "HF_TOKEN": "canary-hf-token",
    "NGC_API_KEY": "canary-ngc-key",
    "COSMOS_SSH_PASSPHRASE": "canary-passphrase",
}
LOOK = """
import glob, os, time
seen = b""
end = time.monotonic() + 1
while time.monotonic() < end:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try: seen += open(path, "rb").read() + b"\\n"
        except OSError: pass
print(b"can" + b"ary" in seen)
"""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="arguments are seen in /proc")
def test_secrets_stay_where_they_must_be(session, host, open_session, monkeypatch, tmp_path, root, sshd):
    """Nothing secret is on a command line, in a log, an error or a file but the job's own order, for its owner alone."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    watch = subprocess.Popen([sys.executable, "-c", LOOK], stdout=subprocess.PIPE, text=True)
    made = Job(
        argv=(sys.executable, "-c", "import time; time.sleep(0.5)"), env={"HF_TOKEN": SECRETS["HF_TOKEN"]}
    )
    session = open_session(host)
    handle = session.put(made, "b/1/1")
    session.start(handle, made)
    session.run(["true"])
    ended(session, handle)
    said, _ = watch.communicate(timeout=60)
    with pytest.raises(HostError) as caught:
        session.start(type(handle)(host="gpu", key="none/1/1", folder=""), made)

    assert "False" == said.strip()
    assert "canary" not in f"{caught.value} {caught.value.hint} {session!r} {session.__dict__}"
    places = [
        path
        for folder in (root, tmp_path / "state", sshd.folder)
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert ["job.json"] == [path.name for path in places if b"canary" in path.read_bytes()]
    order = Path(handle.folder) / "job.json"
    assert 0o600 == order.stat().st_mode & 0o777
    assert os.fspath(order).startswith(os.fspath(root))
