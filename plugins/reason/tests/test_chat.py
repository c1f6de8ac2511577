"""An endpoint that misbehaves in each of the ways that real ones do."""

from __future__ import annotations

import time

import pytest
from cosmos_core_reason.chat import Busy, Chat
from cosmos_core_reason.options import Endpoint
from cosmos_core_reason.questions import plausibility

from cosmos_core.errors import HostError, InputError, ModelError

QUESTION = plausibility(1)
REQUEST = {
    "messages": [
        {"role": "system", "content": QUESTION.system},
        {"role": "user", "content": [{"type": "text", "text": QUESTION.text}]},
    ],
    "temperature": 0.7,
    "top_p": 0.8,
    "top_k": 20,
    "presence_penalty": 1.5,
    "repetition_penalty": 1.0,
    "max_tokens": 4096,
    "seed": 0,
}


@pytest.fixture
def pauses():
    """The pauses that a chat made, which take no time here."""
    return []


@pytest.fixture
def chat(endpoint, pauses):
    """``chat(timeout=1)``: a client of the endpoint."""
    opened = []

    def made(**fields):
        words = {"url": endpoint.url, "timeout": 5.0, "patience": 500.0, "tries": 4} | fields
        opened.append(Chat(Endpoint(**words), pause=pauses.append))
        return opened[-1]

    yield made
    for each in opened:
        each.close()


def test_a_model_is_looked_for_before_it_is_asked(chat, endpoint):
    """
    The only model there is answers where none is named.
    """
    assert "4" == chat().ask(REQUEST).text
    assert 1 == len(endpoint.lines("listed"))


def test_a_wrong_model_is_refused_with_those_there_are(chat, endpoint):
    """
    Nothing is asked of an endpoint that has not what is wanted.
    """
    endpoint.set(models='["one", "two"]')
    with pytest.raises(InputError, match="no model 'three'") as wrong:
        chat(model="three").ask(REQUEST)
    with pytest.raises(InputError, match="2 models, and none is named") as several:
        chat().ask(REQUEST)

    assert "one, two" in wrong.value.hint
    assert "one, two" in several.value.hint
    assert [] == endpoint.asked()


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_busy_endpoint_is_asked_again(chat, endpoint, pauses, code):
    """
    Twice busy, then an answer; the pauses grow.
    """
    endpoint.script(plausibility=[{"status": code}, {"status": code}, "3"])

    assert "3" == chat().ask(REQUEST).text
    assert 3 == len(endpoint.asked())
    assert 2 == len(pauses)
    assert all(pause > 0 for pause in pauses)


def test_what_an_endpoint_asks_to_be_left_alone_is_kept_to(chat, endpoint, pauses):
    """
    ``Retry-After`` is heard as seconds and as a date; one beyond the patience is not waited for.
    """
    soon = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    endpoint.script(
        plausibility=[
            {"status": 429, "headers": {"Retry-After": "17"}},
            {"status": 503, "headers": {"Retry-After": soon}},
            "5",
        ]
    )

    assert "5" == chat().ask(REQUEST).text
    assert pauses[0] >= 17
    assert 60 < pauses[1] <= 100
    endpoint.script(plausibility={"status": 429, "headers": {"Retry-After": "100000"}})
    with pytest.raises(Busy, match="429"):
        chat().ask(REQUEST)
    assert 2 == len(pauses)


def test_an_endpoint_that_stays_broken_is_given_up(chat, endpoint):
    """
    After as many tries as it may have, with the endpoint's own words.
    """
    endpoint.script(plausibility={"status": 500, "say": "CUDA out of memory"})
    with pytest.raises(HostError, match="500: CUDA out of memory"):
        chat().ask(REQUEST)

    assert 4 == len(endpoint.asked())


@pytest.mark.parametrize(
    ("turn", "why"),
    [
        ({"say": "4", "delay": 3}, "no answer within"),
        ({"say": "4", "drip": 0.05}, "no answer within"),
        ({"cut": True}, "cut the connection"),
        ({"raw": "<html>oops"}, "no JSON"),
        ({"raw": "[]"}, "no JSON object"),
    ],
    ids=["slow", "drip", "cut", "html", "list"],
)
def test_what_is_no_answer_is_asked_for_again(chat, endpoint, turn, why):
    """
    The next try may be better; when none is, the error says what came.
    """
    endpoint.script(plausibility=[turn, "4"])

    assert "4" == chat(timeout=1.0).ask(REQUEST).text
    endpoint.script(plausibility=turn)
    with pytest.raises(Busy, match=why):
        chat(timeout=1.0, tries=2).ask(REQUEST)


@pytest.mark.parametrize(
    ("turn", "why"),
    [
        ({"say": ""}, "empty"),
        ({"say": None}, "empty"),
        ({"say": None, "refusal": "I cannot judge people."}, "refused: I cannot judge people"),
        ({"say": "4", "finish": "content_filter"}, "refused"),
        ({"say": "Let me think", "finish": "length"}, "cut off"),
        ({"raw": '{"choices": []}'}, "no message"),
        ({"raw": '{"choices": [{"message": null}]}'}, "no message"),
    ],
)
def test_a_model_that_does_not_answer_is_asked_once(chat, endpoint, turn, why):
    """
    The same words would bring the same silence.
    """
    endpoint.script(plausibility=turn)
    with pytest.raises(ModelError, match=why):
        chat().ask(REQUEST)

    assert 1 == len(endpoint.asked())


def test_where_nobody_listens_nothing_is_waited_for(chat, pauses):
    """
    The error says how a judge is started.
    """
    with pytest.raises(HostError, match="nobody listens") as caught:
        chat(url="http://127.0.0.1:9/v1").ask(REQUEST)

    assert "cosmos reason serve" in caught.value.hint
    assert [] == pauses


def test_an_address_that_is_no_endpoint_is_said(chat, endpoint):
    """
    Without /v1 nothing is found there.
    """
    with pytest.raises(InputError, match="404") as caught:
        chat(url=endpoint.url.removesuffix("/v1")).ask(REQUEST)

    assert "/v1" in caught.value.hint


CANARY = "sk-canary-5f1e0c"


def test_a_key_is_sent_in_its_header_and_said_nowhere(chat, endpoint, monkeypatch):
    """
    An endpoint that repeats it in errors and replies does not bring it into ours.
    """
    endpoint.set(key=CANARY)
    with pytest.raises(InputError, match="401") as refused:
        chat().ask(REQUEST)
    assert "COSMOS_REASON_KEY" in refused.value.hint
    monkeypatch.setenv("COSMOS_REASON_KEY", f"{CANARY}x")
    with pytest.raises(InputError, match="401") as wrong:
        chat().ask(REQUEST)
    monkeypatch.setenv("COSMOS_REASON_KEY", CANARY)
    endpoint.script(plausibility=[{"say": "4", "echo": True}, {"status": 400, "echo": True}])
    said = chat().ask(REQUEST).text
    with pytest.raises(InputError, match="400") as echoed:
        chat().ask(REQUEST)

    assert f"Bearer {CANARY}" in endpoint.lines("authorized")
    assert "4 Bearer ***" == said
    assert CANARY not in f"{wrong.value} {echoed.value} {refused.value}"


def test_a_key_does_not_travel_in_the_clear(monkeypatch):
    """
    Over plain HTTP it goes to this very machine and no further.
    """
    monkeypatch.setenv("COSMOS_REASON_KEY", CANARY)
    with pytest.raises(InputError, match="unencrypted") as caught:
        Chat(Endpoint(url="http://judge.example/v1"))

    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("url", "http://me:secret@judge/v1", "belongs into a variable"),
        ("url", "judge:8000", "is no address"),
        ("key_env", "sk-canary-5f1e0c", "not the name of a variable"),
        ("tries", 0, ">= 1"),
    ],
)
def test_wrong_settings_are_refused(field, value, why):
    """
    A key that was pasted where its name belongs is not repeated.
    """
    with pytest.raises(ValueError, match=why) as caught:
        Endpoint(**{field: value})

    assert CANARY not in str(caught.value)
