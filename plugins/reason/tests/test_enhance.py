"""Prompts rewritten by a model that sees the clip, shown word by word before they are saved."""

from __future__ import annotations

import json

import pytest
from cosmos_core_reason.enhance import enhance, rewritten
from cosmos_core_reason.options import EnhanceOptions

from cosmos_core.errors import InputError, ModelError
from cosmos_core.spec import Prompt

NEW = "A street at night in heavy rain, filmed with a steady camera."


@pytest.fixture
def options(endpoint):
    """``options(frames=0)``: a writer at that endpoint."""
    return lambda **fields: EnhanceOptions(**{"url": endpoint.url, "timeout": 5.0, "tries": 2} | fields)


def test_a_prompt_is_rewritten_with_pictures_of_its_clip(endpoint, options, make_clip):
    """
    The published sampling values are sent, which the endpoint checks; the negative text stays.
    """
    made = enhance(Prompt("night, rain", "people"), make_clip(), options())
    alone = enhance(Prompt("night, rain"), None, options(frames=5))
    asked = endpoint.asked()

    assert (Prompt(NEW, "people"), NEW) == (made, alone.text)
    assert [["image_url"] * 2, []] == [each["media"] for each in asked]
    assert ["rewrite", 3407] == [asked[0]["about"], asked[0]["seed"]]
    assert "night, rain" in asked[0]["text"]


@pytest.mark.parametrize("style", ["nim", "openai"])
def test_each_kind_of_server_is_asked_in_its_form(endpoint, options, make_clip, style):
    """
    OpenAI's own interface takes no top_k.
    """
    endpoint.set(style=style)

    assert NEW == enhance(Prompt("night"), make_clip(), options(server=style)).text


@pytest.mark.parametrize(
    "reply",
    [
        NEW,
        f'"{NEW}"',
        f"```text\n{NEW}\n```",
        f"**Rewritten prompt:** {NEW}",
        f"<think>Rain, so wet.</think>\n\n{NEW}",
        NEW.replace(", ", ",\n\n"),
    ],
)
def test_what_stands_around_a_prompt_is_left_out(reply):
    """
    Thinking, quotes, fences and labels are no prompt.
    """
    assert NEW == rewritten(reply)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "empty"),
        ("<think>hm", "still thinking"),
        ("I'm sorry, I cannot write about that.", "no prompt"),
        ("word " * 300, "300 words"),
    ],
)
def test_what_is_no_prompt_is_an_error(reply, why):
    """
    Nothing half-good is offered for saving.
    """
    with pytest.raises(ModelError, match=why):
        rewritten(reply)


def test_an_empty_prompt_and_a_host_are_refused(endpoint, options, say, cosmos):
    """
    Nobody is asked; the endpoint is where its address says, on no host of the workspace.
    """
    with pytest.raises(InputError, match="empty"):
        enhance(Prompt("  "), None, options())
    cosmos.create_prompt("night", name="night")
    code, _, err = say("prompt", "enhance", "night", "--with", "chat", "--host", "local")

    assert 2 == code
    assert "works in this process, on no host" in err
    assert [] == endpoint.asked()


def test_the_difference_is_shown_before_a_version_is_saved(say, cosmos, endpoint, make_clip, monkeypatch):
    """
    Coloured word by word, plain with NO_COLOR; without a yes nothing is saved.
    """
    cosmos.create_prompt("A street by day", make_clip().folder, name="street")
    words = ("prompt", "enhance", "street", "--with", "chat", "-o", f"url={endpoint.url}")
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = say(*words)
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setenv("NO_COLOR", "1")
    plain = say(*words)
    looked = json.loads(say("--json", *words)[1])
    versions = len(cosmos.store.prompt_versions("street"))
    saved = json.loads(say("--json", *words, "--yes")[1])["saved"]

    assert 2 == coloured[0] == plain[0]
    assert "\x1b[31m[-by day-]\x1b[0m" in coloured[1]
    assert "A street [-by day-] {+at night in heavy rain, filmed with a steady camera.+}" in " ".join(
        plain[1].split()
    )
    assert "\x1b" not in plain[1]
    assert (NEW, None, 1) == (looked["text"], looked["saved"], versions)
    assert ("street@2", "street@1", "chat", NEW) == (
        saved["ref"],
        saved["parent"],
        saved["made_by"],
        saved["prompt"]["text"],
    )
    assert ["image_url"] * 2 == endpoint.asked()[0]["media"]


def test_an_endpoint_that_is_gone_changes_nothing(say, cosmos):
    """
    The error says so, and the prompt has the versions it had.
    """
    cosmos.create_prompt("night", name="night")
    code, _, err = say(
        "prompt", "enhance", "night", "--with", "chat", "-o", "url=http://127.0.0.1:9/v1", "--yes"
    )

    assert 7 == code
    assert "nobody listens" in err
    assert 1 == len(cosmos.store.prompt_versions("night"))
