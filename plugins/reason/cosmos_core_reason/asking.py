"""The forms in which media and sampling values are said to each kind of server."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_core import media

if TYPE_CHECKING:
    from cosmos_core_reason.questions import Sampling

PICTURE_WIDTH = 768


def words(how: Sampling, server: str, seed: int, *, is_video: bool) -> dict[str, Any]:
    """The sampling values as *server* takes them: OpenAI's own interface refuses what it does not know."""
    said: dict[str, Any] = {
        "temperature": how.temperature,
        "top_p": how.top_p,
        "max_tokens": how.max_tokens,
        "seed": seed,
        "presence_penalty": how.presence_penalty,
    }
    if server != "openai":
        said |= {"top_k": how.top_k, "repetition_penalty": how.repetition_penalty}
    if is_video and server == "vllm":
        said["mm_processor_kwargs"] = {"fps": how.fps, "do_sample_frames": True}
    if is_video and server == "nim":
        said["media_io_kwargs"] = {"video": {"fps": how.fps}}
    return said


def picture(video: Path, at: float) -> dict[str, Any]:
    """One moment of *video* as a part of a message, 0 the first frame and 1 the last."""
    with tempfile.TemporaryDirectory() as folder:
        facts = media.probe(video)
        made = media.poster(video, Path(folder) / "frame.jpg", at=at, width=min(PICTURE_WIDTH, facts.width))
        return {"type": "image_url", "image_url": {"url": data_url("image/jpeg", made.read_bytes())}}


def data_url(kind: str, content: bytes) -> str:
    """Bytes as an URL that holds them: a server elsewhere sees no files of ours."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
