"""A client of any OpenAI-compatible chat endpoint: one question, one reply, and an error that says whose turn it is.

A busy or broken endpoint is asked again, with growing pauses or after what its ``Retry-After`` says. The key comes from
the environment, goes into one header, and is struck out of whatever the endpoint says.
"""

from __future__ import annotations

import email.utils
import json
import os
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import attrs
import httpx
import tenacity

from cosmos_core.errors import HostError, InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosmos_core_reason.options import Endpoint

CONNECT = 10.0
"""Seconds until an address counts as one where nobody listens."""
LARGEST = 8 << 20
"""Bytes of an answer that are read at most."""
LONGEST_PAUSE = 60.0
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
STRUCK = "***"


class Busy(HostError):
    """The endpoint did not answer this time and may the next."""

    def __init__(self, message: str, *, after: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.after = after
        """Seconds that it asks to be left alone."""


@attrs.frozen(kw_only=True)
class Reply:
    """What a model said."""

    text: str
    thinking: str = ""
    """What a server's reasoning parser took out of the text."""
    seconds: float = 0.0


class Chat:
    """An endpoint and one of its models. Used as a context.

    Raises:
        InputError: the key would travel in the clear.
    """

    def __init__(self, endpoint: Endpoint, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._endpoint = endpoint
        self._pause = pause
        self.url = endpoint.url.rstrip("/")
        self._key = os.environ.get(endpoint.key_env, "").strip() if endpoint.key_env else ""
        parts = urlsplit(self.url)
        near = parts.hostname in LOOPBACK
        if self._key and parts.scheme != "https" and not near:
            raise InputError(
                f"the key in {endpoint.key_env} would go to {self.url} unencrypted",
                hint="use https, or a tunnel: cosmos reason serve HOST; or unset the variable",
            )
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(endpoint.timeout, connect=min(CONNECT, endpoint.timeout)),
            # A proxy has no business between us and our own machine.
            trust_env=not near,
        )
        self._model = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def models(self) -> tuple[str, ...]:
        """The names of the models that the endpoint serves.

        Raises:
            HostError: it does not answer.
            InputError: it does not let us in, or is no such endpoint.
        """
        content = self._patiently("GET", "/models", None)
        listed = content.get("data")
        if not isinstance(listed, list):
            raise InputError(f"{self.url} lists no models", hint="the address ends with /v1")
        return tuple(str(each["id"]) for each in listed if isinstance(each, dict) and each.get("id"))

    def model(self) -> str:
        """The model that answers, asked for before any question.

        Raises:
            InputError: the one that is wanted is not there, or none is named where there are several.
            HostError: the endpoint does not answer.
        """
        if self._model:
            return self._model
        there = self.models()
        shown = ", ".join(there) or "none"
        wanted = self._endpoint.model
        if wanted and wanted not in there:
            raise InputError(f"{self.url} has no model {wanted!r}", hint=f"it has: {shown}")
        if not wanted and len(there) != 1:
            raise InputError(
                f"{self.url} has {len(there)} models, and none is named", hint=f"model = one of {shown}"
            )
        self._model = wanted or there[0]
        return self._model

    def ask(self, request: dict[str, Any]) -> Reply:
        """The reply to a chat request, which gets the model's name here.

        Raises:
            ModelError: the model refused, said nothing, or was cut off.
            HostError: the endpoint did not answer within its patience.
            InputError: it does not understand the request, or does not let us in.
        """
        began = time.monotonic()
        content = self._patiently("POST", "/chat/completions", {"model": self.model(), **request})
        return _reply(content, self.clean, time.monotonic() - began)

    def clean(self, text: str) -> str:
        """*text* without the key, should somebody have put it there."""
        return text.replace(self._key, STRUCK) if self._key else text

    def _patiently(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        endpoint = self._endpoint
        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Busy),
            wait=_wait,
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(endpoint.tries), tenacity.stop_before_delay(endpoint.patience)
            ),
            sleep=self._pause,
            reraise=True,
        )
        return again(self._once, method, path, body)

    def _once(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            code, headers, text = self._exchange(method, path, body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise HostError(
                f"nobody listens at {self.url}", hint="start a judge: cosmos reason serve HOST; or set url"
            ) from error
        except httpx.TimeoutException as error:
            raise Busy(
                f"{self.url} gave no answer within {self._endpoint.timeout:g} s",
                hint="timeout = …, in seconds",
            ) from error
        except httpx.TransportError as error:
            raise Busy(f"{self.url} cut the connection: {self.clean(str(error))}") from error
        if code != httpx.codes.OK:
            raise self._complaint(code, headers, text)
        try:
            content = json.loads(text)
        except ValueError as error:
            raise Busy(f"{self.url} answered with what is no JSON") from error
        if not isinstance(content, dict):
            raise Busy(f"{self.url} answered with what is no JSON object")
        return content

    def _exchange(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> tuple[int, httpx.Headers, str]:
        """One request; an answer that drips in for longer than it may, or is too long, is none."""
        end = time.monotonic() + self._endpoint.timeout
        with self._client.stream(method, self.url + path, json=body) as found:
            content = b""
            for piece in found.iter_bytes():
                content += piece
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("it drips")
                if len(content) > LARGEST:
                    raise httpx.ReadError(f"more than {LARGEST >> 20} MiB")
            return found.status_code, found.headers, content.decode("utf-8", "replace")

    def _complaint(self, code: int, headers: httpx.Headers, text: str) -> HostError | InputError:
        said = self.clean(_words(text))
        sentence = f"{self.url} answered {code}{f': {said}' if said else ''}"
        if (
            code == httpx.codes.TOO_MANY_REQUESTS
            or code in {408, 425}
            or code >= httpx.codes.INTERNAL_SERVER_ERROR
        ):
            return Busy(sentence, after=_after(headers.get("Retry-After", "")))
        if code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return InputError(
                sentence,
                hint=f"put a key that it takes into {self._endpoint.key_env or 'a variable, and name that in key_env'}",
            )
        if code == httpx.codes.NOT_FOUND:
            return InputError(sentence, hint="the address ends with /v1, or the model is gone")
        return InputError(sentence, hint="server = vllm, nim or openai says in which form it is asked")


def _wait(state: tenacity.RetryCallState) -> float:
    """What the endpoint asks for, else 1, 2, 4 … seconds, each a little off so that several askers spread."""
    error = state.outcome.exception() if state.outcome else None
    grown = tenacity.wait_random_exponential(multiplier=1, min=0.5, max=LONGEST_PAUSE)(state)
    return max(grown, getattr(error, "after", None) or 0.0)


def _after(said: str) -> float | None:
    """``Retry-After`` in seconds, whether it is a number or a date."""
    if said.strip().isdecimal():
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _words(text: str) -> str:
    """What an error body says, whichever way it puts it; not a page of HTML."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return "" if "<html" in text.lower() else " ".join(text.split())[:300]
    for key in ("error", "detail", "message"):
        inner = found.get(key) if isinstance(found, dict) else None
        inner = inner.get("message") if isinstance(inner, dict) else inner
        if inner:
            return " ".join(str(inner).split())[:300]
    return " ".join(text.split())[:300]


def _reply(content: dict[str, Any], clean: Callable[[str], str], seconds: float) -> Reply:
    try:
        choice = content["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        thinking = message.get("reasoning_content") or message.get("reasoning") or ""
        finish = choice.get("finish_reason")
    except (LookupError, TypeError, AttributeError) as error:
        raise ModelError("the reply has no message") from error
    if isinstance(text, list):
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    if refusal or finish == "content_filter":
        why = " ".join(clean(str(refusal or "its filter")).split())[:200]
        raise ModelError(f"the model refused: {why}")
    if finish == "length":
        raise ModelError("the reply was cut off at max_tokens")
    if not isinstance(text, str) or not text.strip():
        raise ModelError("the reply is empty")
    return Reply(text=clean(text), thinking=clean(str(thinking)), seconds=seconds)
