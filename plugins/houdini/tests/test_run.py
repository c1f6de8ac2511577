"""``cosmos houdini run`` with real processes: every way a job goes well, and every way it does not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest
from cosmos_core_houdini import carry, record
from cosmos_core_houdini import job as jobs

from cosmos_core import Cosmos, media
from cosmos_core.clip import Clip

SMALL = {"start": 1, "end": 6, "width": 128, "height": 96, "fps": 24}


def _workspace(folder):
    """A workspace whose Houdini is not waited for long."""
    folder.mkdir(exist_ok=True)
    Cosmos.create(folder).close()
    settings = folder / "cosmos.toml"
    settings.write_text(
        settings.read_text()
        + "\n[plugins.houdini]\nlicence_pause = 0.1\nlicence_tries = 1\nhello = 20\nquiet = 30\n"
    )
    return folder


def _write_job(workspace, scene, changes):
    folder = workspace / "cosmos" / "shot7-001"
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"schema": 1, "id": "j1", "camera": "/obj/cam1", **SMALL, "follow": "leave"}
    if not {"city", "clip"} & changes.keys():
        shutil.copy2(scene, folder / "scene.hip")
        digest = media.file_digest(folder / "scene.hip")
        facts["scene"] = {"file": "scene.hip", "sha256": digest, "source": str(scene)}
    (folder / "job.json").write_text(json.dumps(facts | changes))
    return folder


@pytest.fixture
def workspace(tmp_path):
    return _workspace(tmp_path / "show")


@pytest.fixture
def write_job(workspace, scene):
    """Write a job folder beside the scene and give it."""
    return lambda **changes: _write_job(workspace, scene, changes)


@pytest.fixture(scope="module")
def rendered(a_houdini):
    """A job that went well, for tests that only look: its folder, and what the command said."""
    environ, scene = a_houdini
    folder = _write_job(_workspace(scene.parent), scene, {})
    return folder, _run(folder, **environ)


def _cosmos():
    return shutil.which("cosmos", path=sysconfig.get_path("scripts"))


def _run(folder, **environ):
    return subprocess.run(
        [_cosmos(), "houdini", "run", str(folder)],
        capture_output=True, text=True, check=False, env=os.environ | environ, timeout=240,
    )  # fmt: skip


def _result(folder):
    return json.loads((folder / jobs.RESULT).read_text())


def _events(folder):
    return [json.loads(line) for line in (folder / jobs.EVENTS).read_text().splitlines()]


def test_a_scene_becomes_sealed_passes(rendered):
    """Export, stage, render, every frame looked at, controls in the models' conventions, sealed with what made them."""
    folder, done = rendered

    assert 0 == done.returncode, done.stderr
    clip = Clip.load(folder / "clip")
    assert {"color", "depth", "seg", "edge", "vis"} == set(clip.modalities)
    assert (6, 128, 96, 24) == (clip.frames, clip.width, clip.height, clip.fps)
    assert "/obj/cam1" == clip.source["camera"]
    assert {"/crate/box1", "/ground/box1"} == set(clip.source["palette"])
    near, far = clip.source["depth_metres"]
    assert 6.0 < near < 6.5
    assert far > 20
    facts = _result(folder)
    assert (True, clip.digest) == (facts["verified"], facts["clip"])
    assert not (folder / "work").exists()


def test_near_is_bright_and_objects_keep_their_colour(rendered):
    """The box stands before the ground: it is brighter in depth, and the only thing of its colour."""
    folder, _ = rendered
    clip = Clip.load(folder / "clip")

    depth = next(media.read_frames(clip.path("depth")))
    seg = next(media.read_frames(clip.path("seg")))
    box = tuple(clip.source["palette"]["/crate/box1"])
    ground = tuple(clip.source["palette"]["/ground/box1"])

    assert box == tuple(seg[48, 64].tolist())
    assert ground == tuple(seg[90, 64].tolist())
    assert (0, 0, 0) == tuple(seg[5, 5].tolist())
    assert depth[48, 64, 0] > depth[60, 5, 0] > 0 == depth[5, 5, 0]


def test_events_are_numbered_and_tell_the_story(rendered):
    """What the shelf reads: which Houdini, each step, how far, and the end."""
    folder, _ = rendered

    events = _events(folder)

    assert list(range(1, len(events) + 1)) == [event["seq"] for event in events]
    assert ["export", "render", "verify", "seal"] == [e["name"] for e in events if e["type"] == "step"]
    hello = next(event for event in events if event["type"] == "hello")
    assert ("21.0.671", "Commercial") == (hello["houdini"], hello["licence"])
    assert 1.0 == max(e["share"] for e in events if e["type"] == "progress" and e["note"] == "rendering")
    assert "done" == events[-1]["type"]


def test_the_city_is_built_simulated_and_rendered(write_job):
    """No scene at all: the asset cooks in hython, things fall, and the receipt has the simulation's digest."""
    folder = write_job(city={"seed": 4, "damage": 0.6}, camera="", end=3)

    done = _run(folder)

    assert 0 == done.returncode, done.stderr
    clip = Clip.load(folder / "clip")
    assert {"seed": 4, "damage": 0.6} == clip.source["city"]
    assert 64 == len(clip.source["simulation_sha256"])
    assert any(name.startswith("/city/building_") for name in clip.source["palette"])


def test_the_same_job_again_starts_nothing_anew(write_job):
    """A sealed clip is a fact; the second run finds it."""
    folder = write_job()
    _run(folder)
    digest = _result(folder)["clip"]

    done = _run(folder, COSMOS_HYTHON="")

    assert (0, digest) == (done.returncode, _result(folder)["clip"])


def test_rendered_passes_are_sealed_where_they_lie(write_job, tmp_path):
    """Submit Rendered Clip: no Houdini is started."""
    from cosmos_core.testing import media as make

    passes = tmp_path / "passes"
    passes.mkdir()
    make.make_video(passes / "color.mp4", frames=5)
    folder = write_job(clip=str(passes))

    done = _run(folder, COSMOS_HYTHON="")

    assert 0 == done.returncode, done.stderr
    assert str(passes) == _result(folder)["clip_folder"]


def test_a_draft_has_what_stands_up_to_a_look(rendered, write_job):
    """OpenGL in hython, a process a pass; depth and numbers are as those of Karma, and the clip says what it is."""
    karma = Clip.load(rendered[0] / "clip")
    want = {name: next(media.read_frames(karma.path(name))) for name in ("depth", "seg")}
    folder = write_job(renderer="opengl")

    done = _run(folder)

    assert 0 == done.returncode, done.stderr
    clip = Clip.load(folder / "clip")
    assert {"color", "depth", "seg", "edge", "vis"} == set(clip.modalities)
    assert (True, "opengl") == (clip.source["draft"], clip.source["renderer"])
    assert "left_out" not in clip.source
    assert {"/crate", "/ground"} == set(clip.source["palette"])
    assert karma.source["depth_metres"] == clip.source["depth_metres"]
    depth, seg = (next(media.read_frames(clip.path(name))) for name in ("depth", "seg"))
    assert (want["depth"] == depth).all()
    assert (want["seg"].any(axis=2) == seg.any(axis=2)).all()
    assert tuple(clip.source["palette"]["/crate"]) == tuple(seg[48, 64].tolist())


def test_a_draft_never_stands_for_karmas_passes(write_job):
    """Who asks for Karma in the same folder gets Karma, and another run than the draft's."""
    folder = write_job(renderer="opengl", ask={"prompt": "a crate"})
    assert 0 == _run(folder).returncode
    draft = _result(folder)
    write_job(ask={"prompt": "a crate"})

    done = _run(folder)

    assert 0 == done.returncode, done.stderr
    source = Clip.load(folder / "clip").source
    assert ("karma", False) == (source["renderer"], "draft" in source)
    exact = _result(folder)
    assert (draft["clip"], draft["run"]) != (exact["clip"], exact["run"])
    assert draft["run"] != exact["run"]


def test_the_city_is_drafted_with_its_own_numbers(write_job):
    """What the pieces carry goes before what is given, and the names are the pieces'."""
    folder = write_job(renderer="opengl", city={"seed": 4}, camera="", end=2)

    done = _run(folder)

    assert 0 == done.returncode, done.stderr
    source = Clip.load(folder / "clip").source
    assert "left_out" not in source
    assert any(name.startswith("/city/building_") for name in source["palette"])


LEFT_OUT = {
    "shaded": (
        {"segmentation": "have colours of no object: light or blending made them"},
        {"color", "depth"},
    ),
    "buffer": ({"depth": "between 0 and 1"}, {"color", "seg"}),
    "no-depth": ({"depth": "the depth pass is empty"}, {"color", "seg"}),
    "no-planes": ({"depth": "depth.0001.exr has no depth: it has B, G"}, {"color", "seg"}),
    "no-file": ({"depth": "wrote no depth.0001.exr"}, {"color", "seg"}),
    "curve": ({}, {"color", "depth", "seg"}),
}


@pytest.mark.parametrize("mood", LEFT_OUT)
def test_a_pass_that_is_not_what_it_should_be_is_left_out_and_said(write_job, monkeypatch, mood):
    """Nobody knows how each Houdini draws; a draft without a pass is better than a pass that lies."""
    words, there = LEFT_OUT[mood]
    monkeypatch.setenv("DOUBLE_OPENGL", mood)
    folder = write_job(renderer="opengl")

    carry.carry(folder)

    clip = Clip.load(folder / "clip")
    assert there | {"edge", "vis"} == set(clip.modalities)
    said = clip.source.get("left_out", {})
    assert words.keys() == said.keys()
    for part, sentence in words.items():
        assert sentence in said[part]
        assert any(
            f"the draft has no {part}" in one["message"] for one in _events(folder) if one["type"] == "warn"
        )


FILMED = {
    "city": {"seed": 4, "damage": 0.9, "camera": "drone", "offset": "after"},
    "camera": "",
    "renderer": "city",
    "width": 320,
    "height": 176,
}
ENDS = {
    "no licence": ({"DOUBLE_HYTHON": "licence"}, {}, 10, "no licence: No licenses could be found"),
    "no licence for Karma": ({"DOUBLE_HUSK": "licence"}, {}, 10, "Failed to acquire license for Karma"),
    "no such camera": ({}, {"camera": "/obj/cam9"}, 13, "no camera /obj/cam9"),
    "a watermark": ({"HYTHON_STUBS_LICENCE": "Apprentice"}, {}, 13, "draws a watermark"),
    "a Houdini that lacks something": ({"HYTHON_STUBS_PROFILE": "20.5"}, {}, 12, "none of sceneimport::2.0"),
    "nothing exported": ({"DOUBLE_HYTHON": "no-file"}, {}, 16, "wrote no scene.usd"),
    "a good end and no result": ({"DOUBLE_HYTHON": "empty"}, {}, 16, "without a result"),
    "crashes": ({"DOUBLE_HYTHON": "crash-always"}, {}, 19, "signal 11"),
    "a render that fails": ({"DOUBLE_HUSK": "fail"}, {}, 15, "husk ended with 1"),
    "a renderer that crashes": ({"DOUBLE_HUSK": "crash"}, {}, 19, "signal 11"),
    "half the frames": ({"DOUBLE_HUSK": "short"}, {}, 16, "3 of 6 frames are not there"),
    "black pictures": ({"DOUBLE_HUSK": "black"}, {}, 16, "every frame is black"),
    "one depth": ({"DOUBLE_HUSK": "flat"}, {}, 16, "not a depth pass"),
    "a damaged frame": ({"DOUBLE_HUSK": "cut"}, {}, 16, "render.0006.exr cannot be decoded"),
    "colour alone": ({"DOUBLE_HUSK": "beauty"}, {}, 16, "has no"),
    "points without names": ({"DOUBLE_RBD": "nameless"}, FILMED, 14, "have no attribute name"),
    "pieces that vanish": ({"DOUBLE_RBD": "lost"}, FILMED, 14, "has other pieces on frame"),
    "nothing that falls": ({"DOUBLE_RBD": "still"}, FILMED, 16, "rubble fills 0.0%"),
    "an empty draft": ({"DOUBLE_OPENGL": "background"}, {"renderer": "opengl"}, 16, "nothing was drawn"),
}  # fmt: skip


@pytest.mark.parametrize("what", ENDS)
def test_ends_with_its_own_code(write_job, monkeypatch, what):
    """The exit code, the sentence and the result say the same, and nothing is sealed."""
    environ, changes, code, words = ENDS[what]
    folder = write_job(**changes)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(carry.Failed) as raised:
        carry.carry(folder)

    assert code == raised.value.exit_code, raised.value
    assert words in str(raised.value)
    facts = _result(folder)
    assert (False, "failed") == (facts["verified"], facts["state"])
    assert words in facts["error"]
    assert "error" == _events(folder)[-1]["type"]
    assert not (folder / "clip").exists()


@pytest.mark.parametrize("mood", ["licence-once", "crash"])
def test_what_passes_is_tried_again(write_job, mood):
    """A licence that is free the second time, a crash that does not come back."""
    folder = write_job()

    done = _run(folder, DOUBLE_HYTHON=mood)

    assert 0 == done.returncode, done.stderr
    assert any("trying" in event.get("message", "") for event in _events(folder))


def test_a_crash_after_all_was_done_is_a_warning(write_job):
    """Plug-ins crash while Python shuts down; the files are there and have the bytes that the receipt says."""
    folder = write_job()

    done = _run(folder, DOUBLE_HYTHON="late")

    assert 0 == done.returncode, done.stderr
    assert any("after all was done" in event.get("message", "") for event in _events(folder))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 127}, "width is 127"),
        ({"end": 1}, "are no clip"),
        ({"follow": "hope"}, "follow is 'hope'"),
        ({"renderer": "mantra"}, "renderer is 'mantra'"),
        ({"renderer": "city"}, "films a city that Houdini wrecks"),
        ({"renderer": "city", "city": {"seed": 3}, "camera": ""}, "films a city that Houdini wrecks"),
        ({"cameras": []}, "nothing called 'cameras'"),
        ({"fps": "24"}, "fps is '24'"),
        ({"camera": ""}, "there is no camera"),
        ({"houdini": {"licence": "Apprentice"}}, "draws a watermark"),
        ({"ask": {"prompt": " "}}, "the prompt is empty"),
        ({"scene": {"file": "../shot7.hip", "sha256": ""}}, "not in the folder"),
        ({"clip": "gone"}, "there is no folder gone"),
    ],
)
def test_a_wrong_job_is_refused_before_any_program_starts(write_job, changes, words):
    """With every finding, and the folder as it was but for the result."""
    folder = write_job(**changes)

    done = _run(folder, COSMOS_HYTHON="/gone")

    assert done.returncode == 4
    assert words in done.stderr
    assert not (folder / "work").exists()


def test_a_scene_that_changed_under_the_job_is_refused(write_job):
    """The digest in the job is that of the scene it was written for."""
    folder = write_job()
    (folder / "scene.hip").write_text("something else")

    assert "not the file that the job was written for" in _run(folder).stderr


def test_a_program_that_says_nothing_is_ended(write_job, workspace):
    """It may wait for a licence server for ever."""
    settings = workspace / "cosmos.toml"
    settings.write_text(settings.read_text().replace("hello = 20", "hello = 2"))
    folder = write_job()

    done = _run(folder, DOUBLE_HYTHON="silent")

    assert 18 == done.returncode
    assert "waiting for a licence" in done.stderr


def _alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("how", ["a file", "a signal"])
def test_cancelling_ends_every_program(write_job, how):
    """The hython, and the child that it started, are gone when the command is."""
    folder = write_job()
    process = subprocess.Popen(
        [_cosmos(), "houdini", "run", str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | {"DOUBLE_HYTHON": "hang"},
    )  # fmt: skip
    note = folder / "work" / "double-child"
    _until(lambda: note.is_file() and note.read_text())
    child = int(note.read_text())

    if how == "a file":
        (folder / "cancel").touch()
    else:
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    assert 17 == process.returncode
    assert "cancelled" == _result(folder)["state"]
    _until(lambda: not _alive(child))


def _until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_was_rendered_is_not_rendered_again(write_job):
    """A job that is run again after a mishap goes on: the export is believed by its digest, the frames are there."""
    folder = write_job()
    assert 15 == _run(folder, DOUBLE_HUSK="fail").returncode

    done = _run(folder, DOUBLE_HYTHON="crash-always")

    assert 0 == done.returncode, done.stderr


def test_refused_frames_are_rendered_again(write_job):
    """A damaged render is kept to be looked at, and never taken for one that is there."""
    folder = write_job()
    assert 16 == _run(folder, DOUBLE_HUSK="cut").returncode
    assert 6 == len(list((folder / "work" / "refused").iterdir()))

    done = _run(folder)

    assert 0 == done.returncode, done.stderr


def test_two_cannot_carry_one_job(write_job):
    """The second says who goes on and how to stop it, and touches nothing."""
    folder = write_job()
    first = subprocess.Popen(
        [_cosmos(), "houdini", "run", str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"DOUBLE_HYTHON": "hang"},
    )  # fmt: skip
    _until((folder / "work" / "double-child").is_file)

    second = _run(folder)
    (folder / "cancel").touch()
    first.wait(60)

    assert 2 == second.returncode
    assert "is being carried already" in second.stderr
    assert 17 == first.returncode


def test_wrong_settings_are_a_sentence(write_job, workspace):
    """With the value and what it may be."""
    settings = workspace / "cosmos.toml"
    settings.write_text(settings.read_text().replace("quiet = 30", "quiet = 0"))

    done = _run(write_job())

    assert 2 == done.returncode
    assert "[plugins.houdini] in cosmos.toml" in done.stderr


def test_the_city_runs_without_anybodys_plug_ins(write_job):
    """A scene gets the artist's preferences, which it may need; a city an empty folder of its own."""
    folder = write_job(city={"seed": 1}, camera="", end=2)
    _run(folder, DOUBLE_HUSK="fail", PYTHONPATH="/somewhere", OFX_PLUGIN_PATH="/x")

    text = (folder / "work" / "double-environment").read_text()

    assert f"HOUDINI_USER_PREF_DIR={folder / 'work' / 'prefs'}" in text
    assert "PYTHONPATH" not in text
    assert "OFX_PLUGIN_PATH" not in text


def test_a_job_asks_and_its_video_comes_home(write_job):
    """Submitted, worked, sealed; the artifact's very bytes lie beside the scene, with a plate numbered as the scene is."""
    folder = write_job(
        ask={"prompt": "a crate in fog", "tags": ["houdini"]}, follow="work", start=1001, end=1006
    )

    done = _run(folder)

    assert 0 == done.returncode, done.stderr
    facts = _result(folder)
    assert "sealed" == facts["state"]
    assert facts["video_sha256"] == media.file_digest(folder / "shot7-001.mp4")
    assert ["1001", "1006"] == [path.name.split(".")[1] for path in sorted((folder / "plate").iterdir())][::5]
    with Cosmos(folder.parents[1]) as cosmos:
        run = cosmos.store.run(facts["run"])
        assert (facts["clip"], ("houdini",)) == (run.spec.clip, tuple(run.tags))


def test_a_scene_outside_of_any_workspace_gets_one(write_job, workspace):
    """In the folder of its jobs, so that nothing of ours lies beside the artist's own files."""
    folder = write_job(ask={"prompt": "a crate"})
    (workspace / "cosmos.toml").unlink()

    done = _run(folder)

    assert 0 == done.returncode, done.stderr
    assert (folder.parent / "cosmos.toml").is_file()
    assert not (workspace / "cosmos.toml").exists()


def test_a_person_sees_where_it_is(rendered):
    """Each step on stderr, beside the answer."""
    _, done = rendered

    assert ["export", "render", "verify", "seal"] == [
        line for line in done.stderr.splitlines() if " " not in line
    ]  # fmt: skip


def test_the_same_job_twice_is_one_run(write_job):
    """The job's id is the token of its submission."""
    folder = write_job(ask={"prompt": "a crate"})
    _run(folder)
    first = _result(folder)["run"]
    _run(folder)

    assert first == _result(folder)["run"]


def test_cancelling_while_it_waits_cancels_the_run(write_job):
    """Nobody works; the job waits until somebody says otherwise."""
    folder = write_job(ask={"prompt": "a crate"}, follow="wait")
    stop = threading.Event()
    raised = []

    def work():
        try:
            carry.carry(folder, cancel=stop.is_set)
        except carry.Failed as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    _until(lambda: (folder / jobs.EVENTS).is_file() and '"wait"' in (folder / jobs.EVENTS).read_text(), 120)
    stop.set()
    thread.join(60)

    assert ["cancelled"] == [error.code for error in raised]


def test_events_of_the_worker_are_read_line_by_line(tmp_path):
    """Half a line is nobody's yet, and garbage is passed over."""
    path = tmp_path / "events.ndjson"
    heard = record.Heard(path)
    assert [] == heard.read()
    path.write_text('{"type": "hello"}\nnonsense\n{"type": "er')
    assert ["hello"] == [event["type"] for event in heard.read()]
    with path.open("a") as out:
        out.write('ror", "code": "cook"}\n')
    assert ["error"] == [event["type"] for event in heard.read()]
    assert sys.maxsize > heard.count == 2


CITY = FILMED["city"]


def _filmed_job(write_job):
    """A city that Houdini wrecks and the city's own renderer films."""
    return write_job(**FILMED, end=9)


def test_the_city_films_what_houdini_simulated(write_job):
    """
    Build, simulate, write poses, film, seal: the clip has every pass of the city's own, its record says which Houdini
    simulated what, and the poses lie beside it, with the digest that the record names.
    """
    folder = _filmed_job(write_job)

    done = _run(folder)

    assert 0 == done.returncode, done.stderr
    clip = Clip.load(folder / "clip")
    assert {"color", "depth", "seg", "edge", "vis"} == set(clip.modalities)
    assert (9, 320, 176, 24) == (clip.frames, clip.width, clip.height, clip.fps)
    source = clip.source
    by = source["destruction"]["made_by"]
    assert ("houdini", "city", "21.0.671", "Commercial") == (
        source["generator"], source["renderer"], source["houdini"], source["licence"]
    )  # fmt: skip
    assert ("Houdini", "21.0.671", "rbdbulletsolver, rbdmaterialfracture::3.0") == (
        by["program"], by["build"], by["simulation"]
    )  # fmt: skip
    assert CITY == source["city"] == json.loads(by["scene"].removeprefix("city "))
    assert 64 == len(source["simulation_sha256"])
    assert media.file_digest(folder / "street.poses") == source["destruction"]["file_sha256"]
    assert {"road", "building_02"} <= set(source["palette"])
    assert any(name.startswith("rubble of building_") for name in source["palette"])
    assert "rubble" in source["labels_seen"]
    assert ["poses", "film", "seal"] == [e["name"] for e in _events(folder) if e["type"] == "step"]
    assert not (folder / "work").exists()


def test_what_was_simulated_is_filmed_again(write_job, workspace):
    """The poses that lie beside the clip become another one, from another place in other light, without Houdini."""
    folder = _filmed_job(write_job)
    _run(folder)
    poses = folder / "street.poses"
    words = {**CITY, "light": "overcast", "frames": 9, "width": 320, "height": 176, "poses": poses}
    params = [f"-p{name}={value}" for name, value in words.items()]

    done = subprocess.run(
        [_cosmos(), "-C", str(workspace), "generate", "city", *params, f"-pposes_sha256={media.file_digest(poses)}", "--json"],
        capture_output=True, text=True, check=False, env=os.environ | {"COSMOS_HYTHON": ""}, timeout=240,
    )  # fmt: skip

    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)["clips"][0]
    assert "Houdini" == told["source"]["destruction"]["made_by"]["program"]
    assert media.file_digest(poses) == told["source"]["options"]["poses_sha256"]
