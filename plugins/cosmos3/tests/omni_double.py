"""A vLLM-Omni server that has no model: ``omni_double.py PORT STATE``, port 0 for any; prints its port.

Jobs live in its memory, so they are gone when it is started anew. Words in a prompt choose what goes wrong: ``block-prompt`` (500 when asked
for), ``block-video`` (its job fails), ``fail`` (its job fails), ``slow`` (stays in progress in the server's first life), ``expires`` (its first video expires at
once), ``short`` (a body shorter than promised, once), ``busy`` (503, once). What happened is noted in STATE, a line an event.
"""

import hashlib
import importlib.util
import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STATE = Path(sys.argv[2])
JOBS = {}
VIDEO = importlib.util.spec_from_file_location("video", Path(__file__).with_name("video.py"))


def note(what, text=""):
    """Write an event down; how many of its kind there were before."""
    path = STATE / what
    before = len(path.read_text().splitlines()) if path.exists() else 0
    with path.open("a") as file:
        file.write(f"{text}\n")
    return before


LIFE = note("started")


def form_of(content_type, body):
    boundary = re.search(r"boundary=(\S+)", content_type)[1].encode()
    fields, files = {}, {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)[1].decode()
        (files if b"filename=" in head else fields)[name] = value[:-2]
    return {key: value.decode() for key, value in fields.items()}, files


def make(fields, path):
    module = importlib.util.module_from_spec(VIDEO)
    VIDEO.loader.exec_module(module)
    width, height = map(int, fields["size"].split("x"))
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    # Frames and rate are its own when they are not said: one frame at 24.
    frames, fps = int(fields.get("num_frames", 1)), int(fields.get("fps", 24))
    module.encode(path, frames, width, height, fps, int(digest[:12], 16))


class Omni(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/form-data"):
            return self.answer(400, {"error": {"message": "the body is a form, not JSON"}})
        fields, files = form_of(kind, body)
        prompt = fields.get("prompt", "")
        if not prompt:
            return self.answer(422, {"detail": "prompt is required"})
        if "block-prompt" in prompt:
            return self.answer(500, {"error": {"message": "Guardrail blocked prompt"}})
        if "busy" in prompt and not note("busy"):
            return self.answer(503, {"error": {"message": "warming up"}})
        made = note(
            "asked", json.dumps({**fields, "files": {key: len(value) for key, value in files.items()}})
        )
        job = {"id": f"video_gen_{LIFE}_{made}", "object": "video", "status": "queued", "progress": 0}
        job |= {"created_at": int(time.time()), "expires_at": int(time.time()) + 3600, "error": None}
        JOBS[job["id"]] = (job, fields)
        return self.answer(200, job)

    def do_GET(self):
        if self.path in {"/health", "/v1/models"}:
            return self.answer(200, {"data": [{"id": "nvidia/Cosmos3-Nano"}]})
        if self.path == "/v1/videos":
            return self.answer(200, {"object": "list", "data": [job for job, _ in JOBS.values()]})
        name, _, rest = self.path.removeprefix("/v1/videos/").partition("/")
        if name not in JOBS:
            return self.answer(404, {"error": {"message": "no such video"}})
        job, fields = JOBS[name]
        return (
            self.content(job, fields) if rest == "content" else self.answer(200, self.advanced(job, fields))
        )

    def advanced(self, job, fields):
        prompt = fields["prompt"]
        note("polled")
        if job["status"] == "queued":
            job |= {"status": "in_progress", "progress": 40}
        elif job["status"] == "in_progress" and not ("slow" in prompt and not LIFE):
            job |= {"status": "completed", "progress": 100, "inference_time_s": 1.5, "peak_memory_mb": 46000}
            if "expires" in prompt and not note("expired"):
                job["expires_at"] = int(time.time()) - 1
            if "block-video" in prompt or "fail" in prompt:
                words = "Guardrail blocked video: unsafe frames" if "block" in prompt else "out of memory"
                job |= {"status": "failed", "error": {"code": "500", "message": words}}
        return job

    def content(self, job, fields):
        if job["expires_at"] < time.time():
            return self.answer(410, {"error": {"message": "expired"}})
        path = STATE / f"{job['id']}.mp4"
        make(fields, path)
        body = path.read_bytes()
        note("fetched")
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if "short" in fields["prompt"] and not note("cut"):
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return None
        self.wfile.write(body)
        return None

    def do_DELETE(self):
        name = self.path.removeprefix("/v1/videos/")
        if JOBS.pop(name, None) is None:
            return self.answer(404, {"error": {"message": "no such video"}})
        note("deleted", name)
        return self.answer(200, {"id": name, "deleted": True, "object": "video.deleted"})

    def answer(self, code, content):
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Omni)
server.allow_reuse_address = True
print(server.server_port, flush=True)
server.serve_forever()
