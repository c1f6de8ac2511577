"""What can be said about the judge: in ``[plugins.reason]``, and with ``-o`` on the command line."""

from __future__ import annotations

import re
from typing import Any

import attrs

SERVERS = ("vllm", "nim", "openai")
SETS = ("plausibility", "anomaly", "attributes")
HERE = "http://127.0.0.1:8000/v1"


def _field(default: Any, text: str, *checks: Any, private: bool = False) -> Any:
    return attrs.field(
        default=default, metadata={"help": text, "private": private}, validator=list(checks) or None
    )


def _check_url(_: object, __: object, value: str) -> None:
    if not re.fullmatch(r"https?://[^/@\s]+(/[^@\s]*)?", value):
        raise ValueError(f"is no address such as {HERE}; a key belongs into a variable, not into it")


def _check_variable(_: object, __: object, value: str) -> None:
    # Whoever pastes the key itself here would have it in a settings file, and in this very sentence.
    if value and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,60}", value):
        raise ValueError("is not the name of a variable; the key itself stays in the environment")


def _check_pairs(_: object, __: object, value: tuple[str, ...]) -> None:
    for each in value:
        name, mark, said = each.partition("=")
        if not mark or not name.strip() or not said.strip():
            raise ValueError(f"{each!r} is not name=value, such as weather=rain")


def _at_least(low: float) -> Any:
    return attrs.validators.ge(low)


@attrs.frozen(kw_only=True)
class Endpoint:
    """An OpenAI-compatible chat endpoint."""

    url: str = _field(HERE, "address of the endpoint, up to /v1", _check_url, private=True)
    model: str = _field("", "the model's name there; empty for the only one it has")
    key_env: str = _field(
        "COSMOS_REASON_KEY",
        "name of the environment variable that holds the API key",
        _check_variable,
        private=True,
    )
    timeout: float = _field(180.0, "seconds that one answer may take", _at_least(0.1))
    patience: float = _field(
        120.0, "seconds that one question is asked again while the endpoint is busy", _at_least(0.0)
    )
    tries: int = _field(4, "how often one question is asked at most", _at_least(1))
    server: str = _field(
        "vllm",
        "vllm, nim, or openai for any other, which gets pictures in the place of a video",
        attrs.validators.in_(SERVERS),
    )


@attrs.frozen(kw_only=True)
class ReasonOptions(Endpoint):
    """What is asked of the judge, and how."""

    questions: tuple[str, ...] = _field(
        SETS, "question sets: plausibility, anomaly, attributes, or YAML files of must-pass questions"
    )
    trials: int = _field(
        4, "how often plausibility and anomaly are asked, each with another seed", _at_least(1)
    )
    expect: tuple[str, ...] = _field(
        (), "what a video should show beside what its run says, as name=value", _check_pairs
    )
    others: tuple[str, ...] = _field(
        (), "values that variables have in other videos, as name=value, to choose from", _check_pairs
    )
    reject_below: float = _field(
        0.0, "plausibility of 5 below which an output is rejected before it is sealed; 0 for never"
    )
    again: bool = _field(False, "ask also what was answered before")
    largest_mb: float = _field(64.0, "the largest video that is sent, in megabytes", _at_least(0.0))


@attrs.frozen(kw_only=True)
class EnhanceOptions(Endpoint):
    """How a prompt is rewritten."""

    frames: int = _field(
        2, "pictures of the prompt's clip that go along, 0 to 5", attrs.validators.in_(range(6))
    )
    words: int = _field(
        250, "the most words of the new text, 20 to 299", attrs.validators.in_(range(20, 300))
    )
    seed: int = _field(3407, "seed of the writing model", _at_least(0))
