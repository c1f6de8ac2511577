"""The Python interface, as the README shows it."""

from __future__ import annotations

import pytest

from cosmos_core import Cosmos
from cosmos_core.errors import InputError, ModelError, RefusedError, UnknownError, VerifyError
from cosmos_core.run import State
from cosmos_core.testing import double, media


@pytest.fixture
def clip_dir(tmp_path):
    """A clip that nobody sealed yet."""
    return media.make_clip(tmp_path / "clip_dir", frames=8)


def test_the_readme_s_lines_end_in_a_sealed_artifact(cosmos, clip_dir):
    """
    Prompt, weights, run, path: blocking until sealed, with the preview.
    """
    prompt = cosmos.create_prompt("Cyberpunk city", clip_dir)
    run = cosmos.run(prompt, weights={"vis": 0.3, "edge": 0.4, "depth": 0.2, "seg": 0.1})

    assert run.artifact.path.is_file()
    assert (State.SEALED, 8) == (run.state, run.artifact.frames)


def test_many_are_submitted_and_finished_together(cosmos, clip_dir):
    """
    `submit` queues, `finish` works until each is final.
    """
    cosmos.plugins.register("double", double)
    runs = [cosmos.submit(text, clip=clip_dir, backend="double") for text in ("rain", "snow", "fog")]
    seen = []

    finished = cosmos.finish(runs, on_change=lambda run: seen.append(run.state))

    assert [State.SEALED] * 3 == [run.state for run in finished]
    assert State.RUNNING in seen


@pytest.mark.parametrize(
    ("prompt", "error"), [("black", VerifyError), ("crash", ModelError), ("block-prompt", ModelError)]
)
def test_what_is_not_sealed_is_an_error_of_its_own_class(cosmos, clip_dir, prompt, error):
    """
    Rejected is not failed, and neither looks like success.
    """
    cosmos.plugins.register("double", double)

    with pytest.raises(error):
        cosmos.run(prompt, clip=clip_dir, backend="double")


def test_an_unknown_run_is_unknown(cosmos):
    """
    Never "done".
    """
    with pytest.raises(UnknownError):
        cosmos.cancel("r9999999")


def test_a_word_that_cannot_be_asked_is_refused_with_the_list(cosmos, clip_dir):
    """
    A typo in a keyword is not ignored.
    """
    with pytest.raises(InputError, match="wieghts") as caught:
        cosmos.submit("rain", clip=clip_dir, wieghts={})

    assert "weights" in caught.value.hint


def test_a_bad_clip_is_refused_with_all_findings(cosmos, tmp_path):
    """
    Nothing is queued for a clip that cannot be sealed.
    """
    folder = media.make_clip(tmp_path / "bad", frames=6)
    media.make_pointer(folder / "depth.mp4")
    media.make_cut(folder / "segmentation.mp4")

    with pytest.raises(RefusedError) as caught:
        cosmos.submit("rain", clip=folder)

    assert 2 <= len({finding.where for finding in caught.value.findings})
    assert {} == {state: count for state, count in cosmos.store.counts().items() if count}


def test_running_while_paused_says_so_and_keeps_the_run(cosmos, clip_dir):
    """
    Nobody waits for ever on a queue that stands still.
    """
    cosmos.store.pause("lunch")

    with pytest.raises(InputError, match="lunch") as caught:
        cosmos.run("rain", clip=clip_dir)

    assert "cosmos queue resume" in caught.value.hint
    assert 1 == cosmos.store.counts()[State.QUEUED]


def test_outside_a_workspace_the_way_in_is_said(tmp_path, monkeypatch):
    """
    Opening never makes a workspace by accident; creating does.
    """
    monkeypatch.delenv("COSMOS_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        Cosmos()

    with Cosmos.create(tmp_path / "new") as cosmos:
        assert cosmos.workspace.settings.is_file()
    with Cosmos(tmp_path / "new") as again:
        assert cosmos.workspace == again.workspace


def test_prompts_keep_their_versions(cosmos):
    """
    Editing makes a new version that names its parent; the old one stays.
    """
    first = cosmos.create_prompt("A burning tram at night")
    second = cosmos.edit_prompt(first.name, text="A burning tram at dawn")

    assert ("burning-tram-night@1", "burning-tram-night@2") == (first.ref, second.ref)
    assert first.ref == second.parent
    assert "A burning tram at night" == cosmos.store.prompt(first.ref).prompt.text


def test_a_second_prompt_of_the_same_words_gets_a_name_of_its_own(cosmos):
    """
    A suggested name never makes a new version of somebody else's prompt.
    """
    assert ["tram-night", "tram-night-2", "tram-night-3"] == [
        cosmos.create_prompt("A tram at night").name for _ in range(3)
    ]


def test_enhancing_shows_before_it_saves(cosmos):
    """
    The enhancer's words come back; the library is as it was.
    """
    prompt = cosmos.create_prompt("A tram")
    old, text, _ = cosmos.enhance_prompt(prompt.ref)

    assert old == prompt
    assert "tram" in text.lower()
    assert text != old.prompt.text
    assert 1 == cosmos.store.prompt(prompt.name).version


def test_two_runs_of_one_request_give_the_same_bytes_and_both_are_sealed(cosmos, clip_dir):
    """
    Equal recipe and equal bytes is determinism, not duplication.
    """
    one = cosmos.run("snow at night", clip=clip_dir)
    again = cosmos.run("snow at night", clip=clip_dir)

    assert one.artifact.digest == again.artifact.digest
    assert one.id != again.id
