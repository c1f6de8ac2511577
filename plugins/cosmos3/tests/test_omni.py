"""The backend ``cosmos3-omni``: its contract, its forms, and its runs against a real HTTP server."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request

import attrs
import cosmos_core_cosmos3
import pytest
from cosmos_core_cosmos3 import omni

from cosmos_core.errors import Level
from cosmos_core.extend import Prompt, Spec
from cosmos_core.run import State
from cosmos_core.submission import Ask
from cosmos_core.testing.backend import BackendContract
from cosmos_core.work import Worker

_, BACKEND = cosmos_core_cosmos3.cosmos_backends()


def spec(clip="", *, frames=25, fps=24, prompt="a street", **options):
    return Spec(
        backend="cosmos3-omni",
        prompt=Prompt(prompt),
        clip=clip,
        frames=frames,
        fps=fps,
        width=1280,
        height=704,
        seed=7,
        options=attrs.asdict(omni.Omni(**options)),
    )


class TestText(BackendContract):
    @pytest.fixture
    def backend(self):
        return BACKEND

    @pytest.fixture
    def clip(self):
        return None

    @pytest.fixture
    def spec(self):
        return spec()


class TestControl(BackendContract):
    @pytest.fixture
    def backend(self):
        return BACKEND

    @pytest.fixture
    def clip(self, make_clip):
        return make_clip(frames=9, width=64, height=48)

    @pytest.fixture
    def spec(self, clip):
        return spec(clip.digest, frames=9, control="depth")


class TestFirstFrame(BackendContract):
    @pytest.fixture
    def backend(self):
        return BACKEND

    @pytest.fixture
    def clip(self, make_clip):
        return make_clip(frames=9, width=64, height=48)

    @pytest.fixture
    def spec(self, clip):
        return spec(clip.digest, frames=9, start="first-frame")


def test_a_form_says_frames_rate_and_size():
    """
    The server's own default is one frame.
    """
    fields = omni.fields_of(spec(frames=189))

    assert ("189", "24", "1280x720") == (fields["num_frames"], fields["fps"], fields["size"])
    assert {"guardrails": True} == json.loads(fields["extra_params"])
    assert not {"control_type", "guidance_scale", "negative_prompt"} & set(fields)


def test_a_transfer_says_its_hint_and_what_was_tuned_for_it():
    """
    Our vis is the server's blur.
    """
    fields = omni.fields_of(spec("c" * 64, control="vis"))

    assert ("blur", "3.0") == (fields["control_type"], fields["guidance_scale"])
    assert {"control_guidance": 1.5, "max_frames": 25}.items() <= json.loads(fields["extra_params"]).items()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"frames": 120}, "become 121 without a word"),
        ({"fps": "24000/1001"}, "saved as 23"),
        ({"resolution": "768"}, "never trained"),
        ({"control": "depth"}, "no clip to take it from"),
        ({"control": "depth", "start": "first-frame"}, "two modes"),
        ({"num_inference_steps": 201}, "outside 1 to 200"),
        ({"guidance_scale": 21.0}, "outside 0 to 20"),
        ({"prompt": '{"fps": 30}'}, "would be told both"),
    ],
)
def test_what_the_server_refuses_or_gets_wrong_is_refused(asked, said):
    """
    Before a form is sent.
    """
    failed = [one.message for one in BACKEND.review(spec(**asked), None) if one.level is Level.FAIL]

    assert any(said in sentence for sentence in failed), failed


def test_a_clip_of_which_nothing_would_be_sent_is_refused(street):
    """
    A clip without a control and without a first frame is a mistake.
    """
    failed = [one.message for one in BACKEND.review(spec(street.digest), street) if one.level is Level.FAIL]
    lacks = list(BACKEND.review(spec(street.digest, control="wsm"), street))

    assert any("nothing of clip street" in sentence for sentence in failed)
    assert any("has no wsm" in one.message for one in lacks)


def ask(prompt, frames=25, seed=1, **options):
    return Ask(
        prompt=prompt,
        backend="cosmos3-omni",
        frames=frames,
        seed=seed,
        options={"resolution": "256", **options},
    )


@pytest.mark.parametrize(
    ("prompt", "state", "said"),
    [
        ("a street", State.SEALED, ""),
        ("block-prompt", State.BLOCKED, "Guardrail blocked prompt"),
        ("block-video", State.BLOCKED, "unsafe frames"),
        ("fail", State.FAILED, "out of memory"),
        ("expires", State.SEALED, ""),
        ("short", State.SEALED, ""),
        ("busy", State.SEALED, ""),
    ],
)
def test_each_answer_of_the_server_has_its_own_ending(cosmos, server, work, prompt, state, said):
    """
    A refusal is blocked and never asked again; what expired or came short is asked for once more.
    """
    (run,) = work(*cosmos.submit_many([ask(prompt)]))

    assert state == run.state, run.reason
    assert said in run.reason
    assert [] == json.loads(server.get("/v1/videos"))["data"]


def test_a_refused_prompt_is_asked_once(cosmos, server, work):
    """
    HTTP 500 with the guardrail's words is an answer, not an accident.
    """
    work(*cosmos.submit_many([ask("block-prompt")]))

    assert 0 == server.count("asked")


def test_a_server_that_starts_anew_is_asked_again(cosmos, server):
    """
    Its list of jobs is gone; our own record is not, and the video is sealed in the same attempt.
    """
    (run,) = cosmos.submit_many([ask("slow")])
    thread = threading.Thread(target=Worker(cosmos.site).work, kwargs={"until_idle": True})
    thread.start()
    server.wait_for("polled")
    server.stop()
    server.start()
    thread.join(timeout=60)
    after = cosmos.store.run(run.id)

    assert (State.SEALED, 1) == (after.state, after.attempt), after.reason
    assert (2, 2) == (server.count("asked"), server.count("started"))


def test_cancelling_a_run_cancels_the_servers_job(cosmos, server):
    """
    The client is asked to end, and takes its job from the server first.
    """
    (run,) = cosmos.submit_many([ask("slow")])
    thread = threading.Thread(target=Worker(cosmos.site).work, kwargs={"until_idle": True})
    thread.start()
    server.wait_for("polled")
    cosmos.store.cancel(run.id)
    thread.join(timeout=60)

    assert State.CANCELLED == cosmos.store.run(run.id).state
    assert 1 == server.count("deleted")


@pytest.mark.parametrize(("options", "file"), [({"control": "depth"}, "control_reference"), ({"start": "first-frame"}, "input_reference")])  # fmt: skip
def test_a_file_travels_in_the_form(cosmos, server, work, street, options, file):
    """
    A control as it was sealed, or the first frame as a picture.
    """
    asked = attrs.evolve(ask("a street", **options), clip=str(street.folder))
    (run,) = work(*cosmos.submit_many([asked]))
    sent = json.loads((server.state / "asked").read_text().splitlines()[0])["files"]

    assert State.SEALED == run.state, run.reason
    assert [file] == list(sent)
    assert options.get("control") is None or street.file("depth").bytes == sent[file]


def test_no_server_is_a_failure_with_its_address(cosmos, server, work, monkeypatch):
    """
    After a while of patience, since a model loads for minutes.
    """
    server.stop()
    monkeypatch.setenv("COSMOS_OMNI_PATIENCE", "0.2")
    (run,) = work(*cosmos.submit_many([ask("a street")]))
    server.start()

    assert State.FAILED == run.state
    assert f"{server.url} does not answer" in run.reason


def test_the_double_refuses_json_as_the_server_does(server):
    """
    Only a form is understood.
    """
    request = urllib.request.Request(
        f"{server.url}/v1/videos", data=b'{"prompt": "x"}', headers={"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    caught.value.close()

    assert 400 == caught.value.code


def test_a_result_is_whole_once_the_client_says_how_it_ended():
    """
    Then it comes home while the rest of its batch is still worked on.
    """
    from cosmos_core.extend import Request

    request = Request(run="r1", spec=spec())

    assert () == BACKEND.whole(request, {"out/r1.mp4"})
    assert ("out/r1.mp4", "out/r1.json") == BACKEND.whole(request, {"out/r1.mp4", "out/r1.json"})


def test_time_is_predicted_from_the_benchmark():
    """
    189 frames at 720p took 208 s on an H200; a draft at 256 is thirty times cheaper.
    """
    full, draft = spec(frames=189), spec(frames=189, resolution="256")

    assert 208.36 == pytest.approx(BACKEND.seconds(full, "h200"))
    assert BACKEND.seconds(full, "h200") / BACKEND.seconds(draft, "h200") > 30
    assert time.time() > BACKEND.seconds(full, "b300") > 100


def test_the_servers_model_is_loaded_already():
    """
    A job of the server is a client: the next run elsewhere saves no load.
    """
    assert 1 == BACKEND.load_seconds(spec(), "h200")
