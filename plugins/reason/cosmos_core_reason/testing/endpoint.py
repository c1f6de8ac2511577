"""A chat endpoint that has no model, follows a script and misbehaves as real ones do.

``python -m cosmos_core_reason.testing.endpoint PORT STATE [WORDS…]``, port 0 for any; prints its port. As a server that
``cosmos reason serve`` starts it reads vLLM's own words: ``serve MODEL --host 127.0.0.1 --port PORT``.

``STATE/script.json`` says what is answered, by what is asked (``plausibility``, ``anomaly``, ``attributes``, ``rewrite``, ``else``): a
list of turns, of which the last is repeated. A turn is a text, or a table of ``say``, ``thinking``, ``refusal``, ``finish``, ``status``,
``choose`` (the letter of the first of these texts that is offered), ``headers``, ``raw`` (a body as it is), ``delay`` (seconds), ``drip`` (seconds between bytes), ``cut`` (the connection ends), ``echo`` (say
what the Authorization was). ``STATE/models.json`` lists the models, ``STATE/key`` holds the key that it wants, ``STATE/style`` is vllm,
nim or openai. What is asked against the published forms is answered with 400 and noted in ``STATE/wrong``.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

MODEL = "nvidia/Cosmos-Reason2-2B"
DEFAULT = {
    "plausibility": ["4"],
    "anomaly": ["<think><overview>A street.</overview></think>\n<answer>\nNo\n</answer>"],
    "attributes": ["Yes"],
    "rewrite": ["A street at night in heavy rain, filmed with a steady camera."],
    "else": ["Yes"],
}
SAMPLING = {
    "plausibility": {
        "temperature": 0.7,
        "top_p": 0.8,
        "top_k": 20,
        "presence_penalty": 1.5,
        "max_tokens": 4096,
    },
    "anomaly": {
        "temperature": 0.6,
        "top_p": 0.95,
        "top_k": 50,
        "repetition_penalty": 1.05,
        "max_tokens": 4096,
    },
    "rewrite": {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "presence_penalty": 1.5, "max_tokens": 20000},
    "attributes": {},
    "else": {"temperature": 0.01},
}
"""What NVIDIA publishes, by what is asked."""
FPS = {"plausibility": 4.0, "anomaly": 16.0, "else": 4.0}
KNOWN = {"model", "messages", "temperature", "top_p", "max_tokens", "seed", "presence_penalty"}
EXTRA = {
    "vllm": {"top_k", "repetition_penalty", "mm_processor_kwargs"},
    "nim": {"top_k", "repetition_penalty", "media_io_kwargs"},
    "openai": set[str](),
}
MOST_IMAGES = 5


class WrongError(Exception):
    """The request is not what is published."""


def about(text: str) -> str:
    """What a request asks, by its last text."""
    marks = {
        "adhere to the physical laws": "plausibility",
        "anomalies or artifacts": "anomaly",
        "this picture": "attributes",
        "Rewrite": "rewrite",
    }
    return next((kind for mark, kind in marks.items() if mark in text), "else")


def examine(body: dict[str, Any], style: str) -> tuple[str, list[str]]:
    """What is asked, and the kinds of media that go along.

    Raises:
        WrongError: a part or a value is not as published.
    """
    if strange := set(body) - KNOWN - EXTRA[style]:
        raise WrongError(f"unknown fields {sorted(strange)}")
    messages = body["messages"]
    if [each["role"] for each in messages] not in (["user"], ["system", "user"]):
        raise WrongError("roles are system and user")
    parts = messages[-1]["content"]
    kinds = [part["type"] for part in parts]
    if kinds[-1] != "text" or kinds.count("text") != 1:
        raise WrongError("the media stand before the one text")
    for part in parts[:-1]:
        _media(part)
    if kinds.count("image_url") > MOST_IMAGES:
        raise WrongError("too many pictures")
    asked = about(parts[-1]["text"])
    wanted = {name: value for name, value in SAMPLING[asked].items() if name in KNOWN | EXTRA[style]}
    if wrong := {name: body.get(name) for name, value in wanted.items() if body.get(name) != value}:
        raise WrongError(f"sampling of {asked} is {wrong}, not {wanted}")
    _frames(body, asked, style, is_video="video_url" in kinds)
    return asked, kinds[:-1]


def _media(part: dict[str, Any]) -> None:
    kind = part["type"]
    heads = {
        "video_url": ("data:video/mp4;base64,", slice(4, 8), b"ftyp"),
        "image_url": ("data:image/jpeg;base64,", slice(2), b"\xff\xd8"),
    }
    if kind not in heads or set(part) != {"type", kind} or set(part[kind]) != {"url"}:
        raise WrongError(f"a part is {kind} with an url")
    head, place, magic = heads[kind]
    url = part[kind]["url"]
    try:
        content = base64.b64decode(url.removeprefix(head), validate=True)
    except binascii.Error as error:
        raise WrongError(f"{kind} holds no base64") from error
    if not url.startswith(head) or content[place] != magic:
        raise WrongError(f"{kind} is not {head}")


def _frames(body: dict[str, Any], asked: str, style: str, *, is_video: bool) -> None:
    """How many frames a second are looked at stands where each server reads it, and nowhere without a video."""
    forms = {
        "vllm": {"mm_processor_kwargs": {"fps": FPS.get(asked), "do_sample_frames": True}},
        "nim": {"media_io_kwargs": {"video": {"fps": FPS.get(asked)}}},
    }
    wanted = forms.get(style, {}) if is_video else {}
    found = {name: body[name] for name in ("mm_processor_kwargs", "media_io_kwargs") if name in body}
    if found != wanted:
        raise WrongError(f"frames are asked for by {found}, not {wanted}")


class Endpoint(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    state: ClassVar[Path]
    turns: ClassVar[dict[tuple[str, str], int]] = {}

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """List the models."""
        if not self._is_let_in():
            return
        if self.path != "/v1/models":
            self._answer(404, {"error": {"message": "Not Found"}})
            return
        self._note("listed", "")
        names = json.loads(self._read("models.json", json.dumps([MODEL])))
        self._answer(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in names]})

    def do_POST(self) -> None:
        """Answer by the script."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._is_let_in():
            return
        body = json.loads(content)
        if self.path != "/v1/chat/completions":
            self._answer(404, {"error": {"message": "Not Found"}})
        elif body["model"] not in json.loads(self._read("models.json", json.dumps([MODEL]))):
            self._answer(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        else:
            self._examined(body)

    def _examined(self, body: dict[str, Any]) -> None:
        try:
            asked, kinds = examine(body, self._read("style", "vllm"))
        except (WrongError, LookupError, TypeError) as error:
            self._note("wrong", repr(error))
            self._answer(
                400, {"object": "error", "message": str(error), "type": "BadRequestError", "code": 400}
            )
            return
        text = body["messages"][-1]["content"][-1]["text"]
        self._note("asked", json.dumps({"about": asked, "media": kinds, "seed": body["seed"], "text": text}))
        script = self._read("script.json", "{}")
        turns = json.loads(script).get(asked) or DEFAULT[asked]
        # A new script begins at its first turn.
        number = self.turns[script, asked] = self.turns.get((script, asked), 0) + 1
        turn = turns[min(number, len(turns)) - 1]
        if isinstance(turn, dict) and "choose" in turn:
            offered = re.findall(r"^\((\w)\) (.*)$", text, re.MULTILINE)
            fits = (letter for letter, said in offered if said in turn["choose"])
            turn = next(fits, "none of them" if offered else "Yes")
        self._take({"say": turn} if isinstance(turn, str) else turn)

    def _take(self, turn: dict[str, Any]) -> None:
        time.sleep(turn.get("delay", 0.0))
        if turn.get("cut"):
            self.close_connection = True
            self.connection.close()
            return
        if "status" in turn:
            said = turn.get("say", "something went wrong") + (
                self.headers.get("Authorization", "") if turn.get("echo") else ""
            )
            self._answer(turn["status"], {"error": {"message": said}}, turn.get("headers", {}))
            return
        if "raw" in turn:
            self._send(200, turn["raw"].encode(), {})
            return
        said = turn.get("say")
        if turn.get("echo"):
            said = f"{said} {self.headers.get('Authorization', '')}"
        message = {"role": "assistant", "content": said, "reasoning_content": turn.get("thinking")}
        if "refusal" in turn:
            message["refusal"] = turn["refusal"]
        choice = {"index": 0, "message": message, "finish_reason": turn.get("finish", "stop")}
        self._answer(
            200,
            {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]},
            drip=turn.get("drip", 0.0),
        )

    def _is_let_in(self) -> bool:
        key = self._read("key", "")
        sent = self.headers.get("Authorization", "")
        self._note("authorized", sent)
        if not key or sent == f"Bearer {key}":
            return True
        self._answer(401, {"error": {"message": f"Incorrect API key provided: {sent}"}})
        return False

    def _answer(
        self, code: int, content: object, headers: dict[str, str] | None = None, *, drip: float = 0.0
    ) -> None:
        self._send(code, json.dumps(content).encode(), headers or {}, drip)

    def _send(self, code: int, body: bytes, headers: dict[str, str], drip: float = 0.0) -> None:
        self.send_response(code)
        for name, value in (
            {"Content-Type": "application/json", "Content-Length": str(len(body))} | headers
        ).items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(body), 1 if drip else len(body) or 1):
            self.wfile.write(body[start : start + (1 if drip else len(body))])
            self.wfile.flush()
            time.sleep(drip)

    def _read(self, name: str, default: str) -> str:
        path = self.state / name
        return path.read_text("utf-8").strip() if path.is_file() else default

    def _note(self, name: str, text: str) -> None:
        with (self.state / name).open("a", encoding="utf-8") as out:
            out.write(f"{text}\n")


class Quiet(ThreadingHTTPServer):
    """A server that does not complain of callers who hang up."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: whoever asked has stopped waiting."""


def main(words: list[str]) -> None:
    """Serve until ended."""
    if words[:1] == ["serve"]:
        given = dict(itertools.pairwise(words))
        host, port, state = given["--host"], int(given["--port"]), Path.cwd()
        (state / "models.json").write_text(json.dumps([words[1]]))
        time.sleep(0.3)
    else:
        host, port, state = "127.0.0.1", int(words[0]), Path(words[1])
    made = type("Scripted", (Endpoint,), {"state": state, "turns": {}})
    server = Quiet((host, port), made)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
