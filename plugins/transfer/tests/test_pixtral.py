"""Prompts that Transfer 1's Pixtral rewrites on a host, with the stand-in as a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from cosmos_core_transfer import pixtral
from cosmos_core_transfer.pixtral import PixtralOptions, compile_job, whole_sentences

from cosmos_core.cli.root import root
from cosmos_core.errors import HostError, InputError, ModelError, UnknownError
from cosmos_core.extend import Host, Prompt, Ran
from cosmos_core.run import State
from cosmos_core.submission import Ask


@pytest.fixture
def cosmos(workspace, street):
    """A workspace with a prompt that is written for a clip."""
    opened = workspace()
    opened.create_prompt("a street in fog", street.folder, negative="people", name="street")
    return opened


@pytest.fixture
def enhance(cosmos, street):
    """``enhance("crash")``: what becomes of a prompt with these words."""

    def asked(words="a street in fog", **given):
        saved = cosmos.create_prompt(words, street.folder)
        return cosmos.enhance_prompt(saved.ref, "pixtral", **given)[1]

    return asked


@pytest.fixture
def say(capsys):
    """``say("prompt", …)``: type a command; its exit code, and what it said on both ways."""

    def typed(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            root.main([str(word) for word in words])
        return (ended.value.code, *capsys.readouterr())

    return typed


def left_of(cosmos):
    """What a job left here and on the host."""
    here = cosmos.workspace.state / "returned"
    return [*cosmos.store.leases(), *(here.iterdir() if here.is_dir() else ())]


def test_the_models_words_come_back_and_nothing_is_left(cosmos, street):
    """
    It sees two frames of the clip's colour, and the negative text stays; the slot is free again.
    """
    old, text, negative = cosmos.enhance_prompt("street", "pixtral")

    assert ("a street in fog", "people") == (old.prompt.text, negative)
    assert text.startswith(
        "The video shows a street in fog. Upsampled prompt: it is filmed slowly, in 2 pictures"
    )
    assert [] == left_of(cosmos)


def test_the_difference_is_shown_and_saved_with_where_it_comes_from(cosmos, say, monkeypatch):
    """
    Without a yes nothing is saved; with one a version whose parent and maker are known.
    """
    monkeypatch.setenv("NO_COLOR", "1")
    code, out, err = say("prompt", "enhance", "street", "--with", "pixtral")
    before = len(cosmos.store.prompt_versions("street"))
    saved, _, _ = say("prompt", "enhance", "street", "--with", "pixtral", "--host", "local", "--yes")
    made = cosmos.store.prompt("street")

    assert (2, 1) == (code, before)
    assert "{+The video shows+} a street in" in " ".join(out.split())
    assert "nothing was changed" in err
    assert (0, "street@2", "street@1", "pixtral") == (saved, made.ref, made.parent, made.made_by)
    assert "people" == made.prompt.negative


def test_another_of_the_clips_videos_can_be_looked_at(enhance):
    """
    Other frames are seen of another modality.
    """
    assert enhance() == enhance()
    assert enhance() != enhance(modality="depth")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("many-lines", "in 2 pictures"),
        ("cut-off", "in 2 pictures"),
        ("dies-after", "in 2 pictures"),
    ],
)
def test_what_is_no_fault_of_the_text_costs_nothing(enhance, words, said):
    """
    Lines become one text, a sentence that was cut off is left out, and how vLLM ends is not asked.
    """
    text = enhance(words)

    assert said in text
    assert "\n" not in text
    assert text.endswith(".")
    assert "The camera then" not in text


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ("crash", "RuntimeError: CUDA error", "its log: "),
        ("oom", "the GPU's memory is full: torch.cuda.OutOfMemoryError", "its log: "),
        ("shared", "vLLM wants 98 % of it: Free memory on device (70.1/79.1 GiB)", "--host NAME"),
        ("empty", "answered with nothing", "--with template"),
        ("hang", "was stopped (timeout)", "its log: "),
    ],
)
def test_a_job_without_an_answer_says_why(cosmos, enhance, words, said, hint):
    """
    The reason is that of the program, the log is kept, and the slot is free again.
    """
    with pytest.raises(ModelError) as failed:
        enhance(words, timeout=1 if words == "hang" else 0)

    assert said in str(failed.value)
    assert hint in failed.value.hint
    assert [] == left_of(cosmos)


def test_weights_that_are_not_there_are_named(enhance, tmp_path):
    """
    Before the model is loaded.
    """
    with pytest.raises(ModelError, match=rf"there is no {tmp_path}/none/nvidia/Cosmos-UpsamplePrompt1"):
        enhance(checkpoint_dir=str(tmp_path / "none"))


def test_a_video_without_frames_is_never_asked_about(checkout, tmp_path):
    """
    NVIDIA's own function gives no frame and says nothing, and its caller asks the model without a picture.
    """
    job = tmp_path / "job"
    job.mkdir()
    for file in ("rewrite.py", "enter.py"):
        (job / file).write_bytes((pixtral.Path(pixtral.__file__).parent / file).read_bytes())
    (job / "asked.json").write_text('{"prompt": "a street", "video": "broken.mp4"}')
    (job / "broken.mp4").write_text("no video")
    ended = subprocess.run(
        [sys.executable, "rewrite.py", str(checkout / "checkpoints")],
        cwd=job,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (1, "Error: no frame of broken.mp4 can be read") == (
        ended.returncode,
        ended.stderr.splitlines()[-1],
    )
    assert not (job / "out").exists()


@pytest.mark.parametrize(
    ("prompt", "options", "said"),
    [
        (Prompt("  "), {}, "the prompt is empty"),
        (Prompt("fog"), {"modality": "hdmap"}, "has no hdmap to look at"),
    ],
)
def test_what_it_cannot_begin_with_is_refused(street, slot, prompt, options, said):
    """
    Before any host is asked.
    """
    with pytest.raises(InputError, match=said):
        compile_job(prompt, street, PixtralOptions(**options), slot)


def test_a_prompt_without_a_clip_is_refused(cosmos):
    """
    NVIDIA's program takes none either.
    """
    cosmos.create_prompt("fog", name="fog")
    with pytest.raises(InputError, match="looks at the clip") as refused:
        cosmos.enhance_prompt("fog", "pixtral")

    assert "--clip FOLDER" in refused.value.hint


def test_a_slot_that_cannot_do_it_is_not_taken(workspace, street):
    """
    Too little memory, no such host, and a queue that is paused, each in a sentence.
    """
    cosmos = workspace(gpu="rtx_4090")
    cosmos.create_prompt("fog", street.folder, name="fog")
    with pytest.raises(HostError, match="rtx_4090 has 24 GB and the model needs 32"):
        cosmos.enhance_prompt("fog", "pixtral")
    with pytest.raises(UnknownError, match="no host 'moon' with a slot"):
        cosmos.enhance_prompt("fog", "pixtral", host="moon")


def test_a_paused_queue_starts_nothing(cosmos):
    """
    The reason is told.
    """
    cosmos.store.pause("cables are being changed")
    with pytest.raises(InputError, match="paused: cables are being changed"):
        cosmos.enhance_prompt("street", "pixtral")


def test_it_waits_for_a_slot_that_a_run_has(cosmos, street, work, wait_for):
    """
    One job at a time: while a run is worked on the prompt waits, and then has its turn.
    """
    (run,) = cosmos.submit_many(
        [Ask(prompt="hang", backend="transfer1", clip=str(street.folder), weights={"edge": 1.0})]
    )
    worker = threading.Thread(target=work, args=(cosmos,))
    worker.start()
    wait_for(lambda: cosmos.store.run(run.id).state is State.RUNNING)
    notes = []

    def heard(_done, _total, note=""):
        if note.startswith("waits for") and not notes:
            cosmos.cancel(run.id)
        notes.append(note)

    _, text, _ = cosmos.enhance_prompt("street", "pixtral", report=heard)
    worker.join()

    assert "waits for local/0" == notes[0]
    assert "works on local/0" in notes
    assert "a street in fog" in text


@pytest.fixture
def hanging(cosmos, street, wait_for):
    """A process whose job on the host never answers."""
    cosmos.edit_prompt("street", text="hang")
    words = (
        "import sys; from cosmos_core import Cosmos; Cosmos(sys.argv[1]).enhance_prompt('street', 'pixtral')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", words, str(cosmos.workspace.root)], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait_for(lambda: any("Initializing" in log for log in logs_of(cosmos)))
            yield process
        finally:
            process.kill()


def logs_of(cosmos):
    folder = cosmos.workspace.log("b").parent
    return [path.read_text() for path in folder.iterdir()] if folder.is_dir() else []


def test_whoever_goes_takes_the_job_along(cosmos, hanging):
    """
    After Ctrl-C nothing runs on the host and the slot is free.
    """
    hanging.send_signal(signal.SIGINT)
    hanging.communicate(timeout=60)

    assert [] == left_of(cosmos)
    assert [] == jobs_of(cosmos)


@pytest.mark.parametrize("finder", ["worker", "enhancer"])
def test_what_a_killed_process_left_is_cleared_by_the_next(cosmos, hanging, work, finder):
    """
    A worker frees the slot, and so does the next one who asks for it.
    """
    hanging.kill()
    hanging.wait()
    assert [()] == [lease.runs for lease in cosmos.store.leases()]
    if finder == "worker":
        work(cosmos)
    else:
        assert cosmos.enhance_prompt("street@1", "pixtral")[1]

    assert [] == left_of(cosmos)
    assert [] == jobs_of(cosmos)


def jobs_of(cosmos):
    """Folders of jobs on the host, which is this machine."""
    from contextlib import closing

    from cosmos_core.dispatch import session_to

    (host,) = cosmos.settings.each_host()
    with closing(session_to(cosmos.site, host)) as session:
        return list(session.sweep((), age=0.0))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Wet stone. A tram", "Wet stone."),
        ("Wet stone.", "Wet stone."),
        ("It costs 3.5 euros and", "It costs 3.5 euros and"),
        ('He says "go." Then', 'He says "go."'),
        ("no end", "no end"),
        ("", ""),
    ],
)
def test_a_sentence_without_an_end_is_left_out(text, wanted):
    """
    Only where another one ends.
    """
    assert wanted == whole_sentences(text)


class Shell:
    """A host on which ``test -d`` ends with that code."""

    def __init__(self, code):
        self.code = code

    def run(self, argv, *, stdin=b"", timeout=60.0):
        return Ran(code=self.code)


@pytest.mark.parametrize(
    ("host", "code", "levels"),
    [
        (Host(name="g", gpus=1), 0, ["ok"]),
        (Host(name="g", gpus=1), 1, ["warn"]),
        (Host(name="g", gpus=1, transport="docker"), 1, []),
    ],
)
def test_a_host_without_its_weights_is_told_of(host, code, levels):
    """
    As a warning: nothing else needs them.
    """
    assert levels == [found.level.value for found in pixtral.check(Shell(code), host, PixtralOptions())]
