"""What hython runs for a job: ``hython worker.py --job job.json --events events.ndjson --result result.json``.

It opens or builds the scene, simulates, exports, and says so in events. It never decides that a clip is good: whoever
started it looks at the files. Exit codes: see :data:`CODES`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cosmos_houdini.files import Events, digest, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

CODES = {
    "done": 0,
    "arguments": 2,
    "licence": 10,
    "load": 11,
    "catalog": 12,
    "preflight": 13,
    "cook": 14,
    "render": 15,
    "output": 16,
    "cancelled": 17,
}
"""How hython ends, by what went wrong; 18 and signals are for whoever watches it."""
CANCEL = "cancel"
PARTS = ("export", "poses", "draft", "draft-depth", "draft-segmentation")
"""What one hython does: the scene as USD for husk, what fell for the city's renderer, or one pass of a draft."""


class Ended(Exception):
    """The work ends here, with a code of :data:`CODES`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Work:
    """One job in one hython."""

    def __init__(self, job: dict[str, Any], folder: Path, events: Events, part: str) -> None:
        """*part* is ``export``, ``poses``, or one of those of :mod:`cosmos_houdini.draft`."""
        self.job, self.folder, self.events, self.part = job, folder, events, part
        self.facts: dict[str, Any] = {"warnings": []}

    def run(self) -> list[Path]:
        """Do it all; gives the files made."""
        import hou

        self.hello(hou)
        camera = self.step("open", 1, lambda: self.scene(hou))
        self.refuse_if_cancelled()
        if self.part in ("export", "poses"):
            self.step("simulate", 2, lambda: self.simulate(hou))
            self.refuse_if_cancelled()
            if self.part == "poses":
                return [self.step("poses", 3, lambda: self.poses(hou))]
            return [self.step("export", 3, lambda: self.export(hou, camera))]
        return list(self.step("draw", 2, lambda: self.draw(hou, camera)))

    def hello(self, hou: Any) -> None:
        """Say which Houdini this is. Apprentice draws a watermark into every picture, so it is refused here too."""
        category = hou.licenseCategory().name()
        self.facts |= {
            "houdini": hou.applicationVersionString(),
            "licence": category,
            "python": ".".join(map(str, sys.version_info[:3])),
        }
        self.events.say("hello", **{key: self.facts[key] for key in ("houdini", "licence", "python")})
        if category in ("Apprentice", "ApprenticeHD"):
            raise Ended(
                "preflight", f"a licence of the category {category} draws a watermark into control passes"
            )

    def step(self, name: str, index: int, work: Callable[[], Any]) -> Any:
        """Say that *work* begins, and do it."""
        self.events.say("step", name=name, index=index, total=3)
        return work()

    def warn(self, text: str) -> None:
        """Keep a warning for the receipt, and say it."""
        self.facts["warnings"].append(text)
        self.events.say("warn", message=text)

    def refuse_if_cancelled(self) -> None:
        """End here when somebody put a file ``cancel`` into the folder."""
        if (self.folder / CANCEL).exists():
            raise Ended("cancelled", "somebody cancelled it")

    @property
    def frames(self) -> range:
        """The frames asked for."""
        return range(self.job["start"], self.job["end"] + 1)

    def scene(self, hou: Any) -> str:
        """Open or build the scene; gives the camera's path."""
        from cosmos_houdini import build_scene, export

        self.built = None
        job = self.job
        if job.get("city"):
            # What falls, and when, depends on how long the clip is.
            length = {"frames": len(self.frames), "fps": job["fps"]} if self.part == "poses" else {}
            built = build_scene.city(
                job["city"] | length,
                width=job["width"],
                height=job["height"],
                frames=len(self.frames),
                fps=float(job["fps"]),
                first=job["start"],
            )
            self.built = built
            for text in built.warnings:
                self.warn(text)
            return built.camera
        self.load(hou, self.folder / job["scene"]["file"], job["scene"]["sha256"])
        try:
            export.camera_of(job["camera"], width=job["width"], height=job["height"])
        except LookupError as error:
            raise Ended("preflight", f"the scene has no camera {job['camera']}") from error
        return str(job["camera"])

    def load(self, hou: Any, path: Path, wanted: str) -> None:
        """Open the copy of the scene. What Houdini only warns of is kept and does not stop us."""
        if digest(path) != wanted:
            raise Ended("load", f"{path.name} is not the scene that the job was written for")
        try:
            hou.hipFile.load(path.as_posix(), suppress_save_prompt=True)
        except hou.LoadWarning as warning:
            self.warn(str(warning))
            if "cosmos::" in str(warning):
                raise Ended("load", f"our own asset was not found: {warning}") from warning
        except hou.OperationFailed as error:
            raise Ended("load", str(error)) from error

    def simulate(self, hou: Any) -> None:
        """Cook the simulation forward once, and keep its digest: equal for equal runs."""
        from cosmos_houdini import rbd

        if self.built is None or self.built.chain is None:
            return
        try:
            self.facts["simulation_sha256"] = rbd.digest(self.built.chain.solver, self.frames)
        except hou.OperationFailed as error:
            raise Ended("cook", str(error)) from error

    def poses(self, hou: Any) -> Path:
        """Write the pose file."""
        from cosmos_houdini import poses

        if self.built is None or self.built.chain is None:
            raise Ended(
                "preflight", "nothing falls in this scene, so there are no poses; give the city damage"
            )
        path = self.folder / poses.FILE
        told = {"scene": "city " + json.dumps(self.job["city"], sort_keys=True)}
        try:
            self.facts["counts"] = poses.write(
                path,
                self.built.chain,
                self.built.resolved,
                frames=self.frames,
                fps=float(self.job["fps"]),
                told=told,
            )
        except (hou.OperationFailed, poses.Unfit) as error:
            raise Ended("cook", str(error)) from error
        return path

    def export(self, hou: Any, camera: str) -> Path:
        """Write the USD file."""
        from cosmos_houdini import export

        self.facts["camera"] = camera
        try:
            return export.usd(self.folder, start=self.job["start"], end=self.job["end"])
        except hou.OperationFailed as error:
            raise Ended("cook", str(error)) from error

    def draw(self, hou: Any, camera: str) -> list[Path]:
        """Draw one part of the draft."""
        from cosmos_houdini import draft

        self.facts["camera"] = camera
        job = self.job
        try:
            if self.part == draft.DEPTH:
                self.facts["far"] = float(hou.node(camera).evalParm("far"))
            if self.part == draft.SEGMENTATION:
                names = draft.number_objects()
                self.facts["segments"] = {str(number): name for number, name in names.items()}
            return draft.render(
                self.part,
                self.folder,
                camera=camera,
                start=job["start"],
                end=job["end"],
                size=(job["width"], job["height"]),
            )
        except hou.OperationFailed as error:
            raise Ended("render", str(error)) from error


def code_of(error: BaseException) -> str:
    """Which of :data:`CODES` an error means. Classes are told by name: ``hou`` may not have been imported."""
    if isinstance(error, Ended):
        return error.code
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "LicenseError" in kinds:
        return "licence"
    if "CatalogError" in kinds:
        return "catalog"
    if "NothingWritten" in kinds:
        return "output"
    return "cook"


def main(words: list[str] | None = None) -> int:
    """Do the job and give the exit code."""
    parser = argparse.ArgumentParser(description="Render a job inside hython.")
    parser.add_argument("--job", type=Path, required=True)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--part", default="export", choices=PARTS)
    asked = parser.parse_args(words)
    events = Events(asked.events)
    try:
        job = json.loads(asked.job.read_text("utf-8"))
        work = Work(job, asked.job.parent, events, asked.part)
    except (OSError, ValueError) as error:
        events.say("error", code="arguments", message=f"{asked.job} cannot be read: {error}")
        return CODES["arguments"]
    try:
        made = work.run()
        artifacts = [
            {"path": path.name, "bytes": path.stat().st_size, "sha256": digest(path)} for path in made
        ]
    except Exception as error:  # noqa: BLE001 - the outermost line: an exit code tells what it was
        code = code_of(error)
        events.say(
            "error",
            code=code,
            message=str(error) or type(error).__name__,
            traceback=traceback.format_exc() if code == "cook" else "",
        )
        return CODES[code]
    for artifact in artifacts:
        events.say("artifact", **artifact)
    write_json(asked.result, {"id": job["id"], "part": asked.part, **work.facts, "artifacts": artifacts})
    events.say("done")
    events.close()
    return CODES["done"]


def leave(code: int) -> None:
    """End at once: plug-ins of other people crash while Python shuts down, after all was well."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
