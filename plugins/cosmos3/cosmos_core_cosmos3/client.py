"""Bring video jobs to a vLLM-Omni server and their files home. The program of a ``cosmos3-omni`` job.

    python3 omni.py batch.json

Runs in the job's folder on the host beside the server, with the standard library of any Python from 3.8 on. The server is
``COSMOS_OMNI_SERVER``, else http://127.0.0.1:8000. ``batch.json`` is a list of ``{"name", "fields", "files"}``: form fields as texts, and form
files as names in this folder. For each it leaves in ``out/``:

``<name>.job.json``   the server's job object, written before it is waited for
``<name>.mp4``        the video, under this name only when it is whole
``<name>.json``       how it ended, last of all: ``{"outcome": done|blocked|failed, "reason", "job"}``

and says ``cosmos-progress NAME 37/100``. Source of the interface: vllm-project/vllm-omni: docs/serving/videos_api.md and
vllm_omni/entrypoints/openai/protocol/videos.py. A form is multipart, since a JSON body is answered with 400; a prompt that the guardrail
refuses is a 500 with words; a job is gone after ``expires_at``, and all are gone when the server starts anew.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = os.environ.get("COSMOS_OMNI_SERVER", "http://127.0.0.1:8000").rstrip("/")
POLL = float(os.environ.get("COSMOS_OMNI_POLL", "2"))
PATIENCE = float(os.environ.get("COSMOS_OMNI_PATIENCE", "900"))
"""Seconds that a server which does not answer may take to start: a model loads for minutes."""
AGAIN = 2
"""How often a job that the server lost is asked for again."""
BLOCKED = "guardrail blocked"
PIECE = 1 << 20


class Refused(Exception):
    """The server said no; *code* is HTTP's, or 0 when its job failed."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class Lost(Exception):
    """The server does not know the job any more, or its file has expired."""


def main(path: str) -> int:
    """Work through the batch in its order; 0 when every video was made or refused by a guardrail."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    out = Path("out")
    out.mkdir(exist_ok=True)
    ends = [ask(one, out) for one in json.loads(Path(path).read_text("utf-8"))]
    return 0 if all(end != "failed" for end in ends) else 1


def ask(one: dict[str, Any], out: Path) -> str:
    """Bring one request to its end and write down which."""
    name = one["name"]
    say(f"[omni] {name} goes to {SERVER}")
    job: dict[str, Any] = {}
    try:
        job = carry(one, out)
        end, reason = "done", ""
    except Refused as error:
        reason = str(error)
        end = "blocked" if BLOCKED in reason.lower() else "failed"
        reason = reason if end == "blocked" or not error.code else f"HTTP {error.code}: {reason}"
    except Lost as error:
        end, reason = "failed", str(error)
    say(f"[omni] {name} is {end} {reason}")
    place(out / f"{name}.json", {"outcome": end, "reason": reason, "job": job, "server": SERVER})
    return end


def carry(one: dict[str, Any], out: Path) -> dict[str, Any]:
    """Ask, wait and fetch; once more when the server lost the job meanwhile."""
    for attempt in range(AGAIN + 1):
        try:
            return follow(one, out)
        except Lost as error:
            say(f"[omni] {one['name']}: {error}")
            if attempt == AGAIN:
                raise
    raise AssertionError("unreachable")


def follow(one: dict[str, Any], out: Path) -> dict[str, Any]:
    """Start a job, wait for its end and fetch its file before it expires; the job as it was then."""
    name = one["name"]
    job = post(one)
    place(out / f"{name}.job.json", job)
    try:
        while job["status"] in {"queued", "in_progress"}:
            say(f"cosmos-progress {name} {int(job.get('progress') or 0)}/100")
            time.sleep(POLL)
            job = get(job["id"])
        if job["status"] != "completed":
            words = job.get("error") or {}
            raise Refused(0, str(words.get("message") or f"its job is {job['status']}"))
        fetch(job, out / f"{name}.mp4")
    finally:
        # Also the way to cancel: whatever ends us, the server is not left at work for nobody.
        forget(job["id"])
    say(f"cosmos-progress {name} 100/100")
    return job


def post(one: dict[str, Any]) -> dict[str, Any]:
    """Start a job with a form; wait for a server that is not there yet."""
    boundary = secrets.token_hex(16)
    size = sum(len(part) if isinstance(part, bytes) else part.stat().st_size for part in parts(one, boundary))
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(size)}

    def request() -> urllib.request.Request:
        return urllib.request.Request(  # noqa: S310
            f"{SERVER}/v1/videos", data=stream(one, boundary), headers=headers, method="POST"
        )

    end = time.monotonic() + PATIENCE
    while True:
        try:
            return answer(request())
        except Refused as error:
            if error.code not in {0, 503} or time.monotonic() > end:
                raise
        time.sleep(POLL)


def parts(one: dict[str, Any], boundary: str) -> Iterator[bytes | Path]:
    """The body of a form: bytes as they are, and files to be read."""
    for key, value in one["fields"].items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n'
        yield head.encode() + str(value).encode("utf-8", "surrogatepass") + b"\r\n"
    for key, name in one["files"].items():
        plain = name.rpartition("/")[2]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"; filename="{plain}"\r\n'
        yield head.encode() + b"Content-Type: application/octet-stream\r\n\r\n"
        yield Path(name)
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def stream(one: dict[str, Any], boundary: str) -> Iterator[bytes]:
    """The body piece by piece: a control may have 512 MiB."""
    for part in parts(one, boundary):
        if isinstance(part, bytes):
            yield part
            continue
        with part.open("rb") as file:
            while True:
                piece = file.read(PIECE)
                if not piece:
                    break
                yield piece


def get(job: str) -> dict[str, Any]:
    """The job as the server sees it now. A server that does not answer for a while has not lost it yet."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return answer(urllib.request.Request(f"{SERVER}/v1/videos/{job}"))  # noqa: S310
        except Refused as error:
            if error.code == 404:
                raise Lost(f"the server does not know job {job} any more: it was started anew") from error
            if error.code not in {0, 502, 503, 504} or time.monotonic() > end:
                raise
        time.sleep(POLL)


def fetch(job: dict[str, Any], path: Path) -> None:
    """Bring the video; it has its name only when it is as long as the server says."""
    expires = job.get("expires_at")
    if expires and time.time() >= float(expires):
        raise Lost(f"the video of job {job['id']} expired before it could be fetched")
    part = path.with_name(path.name + ".part")
    request = urllib.request.Request(f"{SERVER}/v1/videos/{job['id']}/content")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=600) as found, part.open("wb") as file:  # noqa: S310
            promised = found.headers.get("Content-Length")
            while True:
                piece = found.read(PIECE)
                if not piece:
                    break
                file.write(piece)
    except urllib.error.HTTPError as error:
        if error.code in {404, 410}:
            raise Lost(f"the video of job {job['id']} is gone from the server") from error
        raise Refused(error.code, words_of(error)) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Lost(f"the video of job {job['id']} did not come: {error}") from error
    if promised is not None and int(promised) != part.stat().st_size:
        raise Lost(f"{part.stat().st_size} of {promised} bytes of job {job['id']} came")
    part.replace(path)


def forget(job: str) -> None:
    """Cancel a job or remove its file; that it is gone already is no error."""
    with contextlib.suppress(Refused):
        answer(urllib.request.Request(f"{SERVER}/v1/videos/{job}", method="DELETE"))  # noqa: S310


def answer(request: urllib.request.Request) -> dict[str, Any]:
    """The server's answer as an object.

    Raises:
        Refused: with HTTP's code and the server's words; code 0 when nobody answers.
    """
    try:
        with urllib.request.urlopen(request, timeout=120) as found:  # noqa: S310
            said = json.loads(found.read() or b"{}")
    except urllib.error.HTTPError as error:
        raise Refused(error.code, words_of(error)) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Refused(0, f"{SERVER} does not answer: {error}") from error
    return dict(said)


def words_of(error: urllib.error.HTTPError) -> str:
    """What the server says about an error, whichever way it puts it."""
    text = error.read().decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except ValueError:
        return text.strip()[:500]
    for key in ("error", "detail", "message"):
        inner = said.get(key) if isinstance(said, dict) else None
        if isinstance(inner, dict):
            inner = inner.get("message")
        if inner:
            return str(inner)[:500]
    return text.strip()[:500]


def place(path: Path, content: object) -> None:
    """Write JSON so that *path* holds all of it or does not exist."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    part.replace(path)


def say(text: str) -> None:
    """Say *text* to the log, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
