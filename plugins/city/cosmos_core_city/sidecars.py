"""What is written beside the passes of a clip on request: ground truth and boxes."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from cosmos_core import media
from cosmos_core_city import truth
from cosmos_core_city.boxes import FILE, Boxes

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path
    from types import TracebackType

    from cosmos_core.controls import VideoWriter
    from cosmos_core_city.scene import Scene
    from cosmos_core_city.spec import CitySpec


class Sidecars:
    """Writes what a spec asks for beside its passes. A context manager: files appear when it is left without an error."""

    def __init__(
        self, spec: CitySpec, scene: Scene, folder: Path, size: tuple[int, int, int], fps: Fraction
    ) -> None:
        """Prepare for a clip of *size*, which is frames, height and width."""
        self._scene = scene
        self._folder = folder
        self._size = size
        self._fps = fps
        self._names = truth.wanted(spec.truth)
        self._boxes = Boxes(scene) if spec.boxes else None
        self._stack = ExitStack()
        self._writers: dict[str, VideoWriter | truth.ArrayWriter] = {}
        self._last: truth.Sight | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for name in self._names:
                self._writers[name] = truth.writer(name, self._folder, self._size, self._fps)
                stack.enter_context(self._writers[name])
            self._stack = stack.pop_all()
        return self

    def __bool__(self) -> bool:
        """Whether the spec asks for anything."""
        return bool(self._writers) or self._boxes is not None

    def write(self, frame: int, sight: truth.Sight) -> None:
        """Add *frame*; frames come in order, and never two at a time."""
        for name, writer in self._writers.items():
            writer.write(truth.frame(name, self._scene, sight))
        if self._boxes is not None:
            self._boxes.see(frame, sight.picture.ids, sight.view, sight.bodies)
        self._last = sight

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def facts(self) -> dict[str, object]:
        """The files that were written, by name, with digests; writes their JSON. For after the context."""
        found: dict[str, object] = {}
        for name in self._names:
            said = truth.describe(name, self._folder, self._size, self._scene)
            (self._folder / truth.FOLDER).mkdir(exist_ok=True)
            write_json(self._folder / truth.FOLDER / f"{name}.json", said)
            found[name] = {"file": said["file"], "sha256": said["sha256"]}
        if self._boxes is not None and self._last is not None:
            path = self._folder / FILE
            write_json(path, self._boxes.facts(self._last.view))
            found["boxes"] = {"file": FILE, "sha256": media.file_digest(path)}
        return found


def write_json(path: Path, facts: object) -> None:
    """Write *facts* so that *path* holds all of them or is as it was."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(facts) + "\n", encoding="utf-8")
    media.publish([(part, path)])
