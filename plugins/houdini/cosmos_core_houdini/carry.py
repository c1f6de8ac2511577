"""Carries a job from its folder to sealed passes, and on into the queue.

hython opens or builds the scene and exports it; we write the stage; husk renders; every frame is decoded and looked at;
the clip is sealed like any other; the run joins the queue like any other. What was finished is kept, so a job that is run
again goes on where it stopped.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import media
from cosmos_core.errors import CosmosError, InputError
from cosmos_core.extend import Generator, Report, silent
from cosmos_core_houdini import child, ends, package, programs, record
from cosmos_core_houdini import job as jobs
from cosmos_core_houdini.alone import alone
from cosmos_core_houdini.ends import Failed
from cosmos_core_houdini.options import HoudiniOptions, city_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cosmos_core import Cosmos
    from cosmos_core.clip import Clip
    from cosmos_core.extend import Run
    from cosmos_core_houdini.job import Ask, Job

WORK, CLIP, PLATE = "work", "clip", "plate"
"""Folders in the job's: what programs exchange, the passes, and the frames of the finished video."""
POSES = "street.poses"
"""What fell, kept in the job's folder, to be filmed again with another camera or light."""
_LOOK = 0.5
"""Seconds between two looks at a run."""
_AGAIN = 2
"""How often a program that crashed is started."""


@attrs.frozen(kw_only=True)
class Site:
    """Where a job is carried and with what."""

    folder: Path
    options: HoudiniOptions
    events: Any
    report: Report = silent
    cancel: Callable[[], bool] = lambda: False
    pause: Callable[[float], None] = time.sleep

    @property
    def log(self) -> Path:
        """Everything that the programs said."""
        return self.folder / jobs.LOG

    @property
    def work(self) -> Path:
        """What they exchange."""
        return self.folder / WORK

    def is_cancelled(self) -> bool:
        """Whether somebody asked it to stop, from here or by a file."""
        return self.cancel() or (self.folder / jobs.CANCEL).exists()

    def step(self, name: str) -> None:
        """Say what comes next."""
        if self.is_cancelled():
            raise Failed("cancelled", "somebody cancelled it")
        self.events.say("step", name=name)

    def progress(self, note: str, phase: int) -> Report:
        """A report for one of the three phases of a render: drawing, looking, encoding."""
        said, began = [0.0], time.monotonic()

        def report(done: int, total: int, inner: str = "") -> None:
            self.report(phase * total + done, 3 * total, inner or note)
            now = time.monotonic()
            if now - said[0] > 0.25 or done >= total:
                said[0] = now
                facts: dict[str, Any] = {"note": inner or note, "share": round(done / max(1, total), 4)}
                if 0 < done < total:
                    facts["left"] = round((now - began) * (total - done) / done)
                self.events.say("progress", **facts, done=done, total=total)
            if self.is_cancelled():
                raise Failed("cancelled", "somebody cancelled it")

        return report


def generate(options: HoudiniOptions, folder: Path, report: Report) -> Mapping[str, object]:
    """The generator: passes of a scene or of the city into *folder*.

    Raises:
        Failed: a program of Houdini failed, or what it left is no clip.
    """
    work = folder / ".houdini"
    work.mkdir()
    try:
        city = city_parameters(options.city)
        job = jobs.Job(
            id=uuid.uuid4().hex, city=city, camera=options.camera, renderer=options.renderer,
            scene=jobs.SCENE if options.hip else "", source=options.hip,
            start=options.start, end=options.end, fps=options.fps, width=options.width, height=options.height,
        )  # fmt: skip
        if options.hip:
            shutil.copy2(options.hip, work / jobs.SCENE)
            job = attrs.evolve(job, scene_sha256=media.file_digest(work / jobs.SCENE))
        _write_job(work, job)
        with closing(record.Events(work / jobs.EVENTS)) as events:
            return render(job, Site(folder=work, options=options, events=events, report=report), folder)
    except Failed as error:
        if (work / jobs.LOG).is_file():
            tail = child.said(work / jobs.LOG, 0).strip().splitlines()[-5:]
            error.hint = "\n".join(filter(None, [error.hint, *tail]))
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_job(folder: Path, job: Job) -> None:
    facts: dict[str, Any] = {"schema": jobs.SCHEMA, **attrs.asdict(job)}
    facts["scene"] = (
        {"file": job.scene, "sha256": job.scene_sha256, "source": job.source} if job.scene else None
    )
    for name in ("scene_sha256", "source"):
        del facts[name]
    record.write_result(folder / jobs.FILE, facts)


def carry(
    folder: Path,
    *,
    heard: Callable[[str, dict[str, Any]], None] | None = None,
    cancel: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Carry the job in *folder* to its end; gives its result, which also lies in ``result.json``.

    *heard* is told every event as it is written: its type and its facts.

    Raises:
        InputError: another process carries it already.
        CosmosError: it failed; ``result.json`` says so too.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder}", hint="give the folder of a job, as the shelf makes it"
        )
    with alone(folder):
        return _carry(folder, heard, cancel)


def _carry(
    folder: Path, heard: Callable[[str, dict[str, Any]], None] | None, cancel: Callable[[], bool]
) -> dict[str, Any]:
    (folder / jobs.RESULT).unlink(missing_ok=True)
    (folder / jobs.CANCEL).unlink(missing_ok=True)
    events = record.Events(folder / jobs.EVENTS, heard)
    facts: dict[str, Any] = {"schema": jobs.SCHEMA, "verified": False}
    began = time.monotonic()
    try:
        facts |= _carried(folder, events, cancel, facts)
    except CosmosError as error:
        code = error.code if isinstance(error, Failed) else "preflight"
        facts |= {
            "state": "failed" if code != "cancelled" else "cancelled",
            "error": str(error),
            "code": code,
        }
        record.write_result(folder / jobs.RESULT, facts | {"seconds": round(time.monotonic() - began, 1)})
        events.say("error", code=code, message=str(error), hint=error.hint)
        raise
    else:
        facts["seconds"] = round(time.monotonic() - began, 1)
        record.write_result(folder / jobs.RESULT, facts)
        events.say(
            "done", message=facts["message"], **{k: facts[k] for k in ("clip", "run", "video") if k in facts}
        )
        return facts
    finally:
        events.close()


def _carried(folder: Path, events: Any, cancel: Callable[[], bool], facts: dict[str, Any]) -> dict[str, Any]:
    job = jobs.load(folder)
    facts["id"] = job.id
    with _open(job, folder) as cosmos:
        site = Site(folder=folder, options=_settings(cosmos), events=events, cancel=cancel)
        clip = _clip(job, site, cosmos)
        facts |= {
            "verified": True,
            "state": "sealed passes",
            "clip": clip.digest,
            "clip_folder": str(clip.folder),
        }
        events.say("clip", clip=clip.digest, folder=str(clip.folder))
        if job.ask is None:
            return facts | {"message": "the passes are sealed; nothing was submitted"}
        return facts | _submitted(job, job.ask, site, cosmos, clip)


def _open(job: Job, folder: Path) -> Cosmos:
    """The workspace named, or the one around the scene or the job."""
    from cosmos_core import Cosmos

    # A TD who never made one gets one beside the scene.
    place = _workspace(job, folder)
    return Cosmos(place) if place else Cosmos.create(folder.parent)


def _workspace(job: Job, folder: Path) -> str | Path | None:
    """The workspace named, or the one around the scene or the job; None where there is none."""
    if job.workspace:
        return job.workspace
    for start in (folder, Path(job.source).parent if job.source else folder):
        for place in (start, *start.parents):
            if (place / "cosmos.toml").is_file():
                return place
    return None


def _settings(cosmos: Cosmos) -> HoudiniOptions:
    """``[plugins.houdini]``, as far as it speaks of programs and patience."""
    known = {field.name for field in attrs.fields(HoudiniOptions)}
    said = cosmos.settings.plugins.get("houdini", {})
    try:
        return HoudiniOptions(**{name: value for name, value in dict(said).items() if name in known})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"[plugins.houdini] in cosmos.toml: {error}", hint="cosmos plugins show houdini"
        ) from error


def _clip(job: Job, site: Site, cosmos: Cosmos) -> Clip:
    """The sealed passes: those that were handed over, those of an earlier try, or new ones."""
    if job.clip:
        site.step("seal")
        return cosmos.clip(job.clip)
    final = site.folder / CLIP
    if not _is_of(final, job):
        part = site.folder / f".{CLIP}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        facts = render(job, site, part)
        site.step("seal")
        from cosmos_core.clip import seal

        seal(part, name=site.folder.name, source={"generator": "houdini", **facts})
        shutil.rmtree(final, ignore_errors=True)
        part.rename(final)
        shutil.rmtree(site.work, ignore_errors=True)
    return cosmos.clip(final)


def _is_of(folder: Path, job: Job) -> bool:
    """Whether *folder* holds sealed passes by the renderer that *job* names: a draft never stands for Karma's."""
    try:
        source = json.loads((folder / "clip.json").read_text("utf-8"))["source"]
        return bool(source["renderer"] == job.renderer)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def render(job: Job, site: Site, into: Path) -> dict[str, object]:
    """The passes of *job* into *into*; gives what made them.

    Raises:
        Failed: a program failed, or what it left is no clip.
        InputError: a program or package is not there.
    """
    hython = programs.hython(site.options.hython)
    site.work.mkdir(exist_ok=True)
    if job.renderer == "opengl":
        return _draft(job, site, into, hython)
    if job.renderer == "city":
        return _filmed(job, site, into, hython)
    husk = programs.husk(hython, site.options.husk)
    from cosmos_core_houdini import frames, stage

    site.step("export")
    paths = frames.expected(site.work, job.start, job.end)
    if not _receipt(job, site, site.work / "export.json"):
        # Frames of another export are of another scene.
        _put_aside(paths)
    receipt = _hython(job, site, hython, "export")
    shot = stage.Shot(
        camera=receipt["camera"],
        start=job.start,
        end=job.end,
        fps=job.fps,
        width=job.width,
        height=job.height,
    )
    authored = stage.author(site.work / receipt["artifacts"][0]["path"], shot)
    site.step("render")
    _husk(job, site, husk, authored.path, paths)
    site.step("verify")
    size = (job.width, job.height)
    try:
        found = frames.measure(paths, size, site.progress("looking at the frames", 1))
    except Failed as error:
        if error.code == "output":
            _put_aside(paths)
        raise
    colours = frames.encode(paths, into, size, job.fps, found, job.seed, site.progress("encoding", 2))
    return _facts(job, receipt) | {
        "renderer": "karma",
        "depth_range": list(found.depth_range),
        "depth_unit": "1/m",
        "depth_metres": [round(found.nearest, 4), round(found.farthest, 4)],
        "palette": {
            authored.segments.get(number, str(number)): list(rgb) for number, rgb in colours.items() if number
        },
        "own_light": authored.lit,
    }


def _put_aside(paths: Iterable[Path]) -> None:
    """Frames that were refused are kept to be looked at, and are not taken for rendered when the job is run again."""
    for path in paths:
        if path.exists():
            aside = path.parent / "refused"
            aside.mkdir(exist_ok=True)
            path.replace(aside / path.name)


def _facts(job: Job, receipt: Mapping[str, Any]) -> dict[str, object]:
    kept = ("houdini", "licence", "python", "simulation_sha256", "warnings", "camera")
    facts: dict[str, object] = {
        "scene": "houdini",
        **{name: receipt[name] for name in kept if name in receipt},
    }
    if job.city:
        facts |= {"city": dict(job.city), "seed": job.seed}
    else:
        facts |= {"hip": job.source, "hip_sha256": job.scene_sha256}
    return facts


_PARTS = {"depth": "exr", "segmentation": "png"}
"""What a draft may hold beside its colour, and how the worker's pictures of it end."""


def _draft(job: Job, site: Site, into: Path, hython: str) -> dict[str, object]:
    """Colour by OpenGL, and of depth and segmentation what stands up to a look; the rest is left out, and said."""
    from cosmos_core_houdini import draft, frames

    site.step("draw")
    receipt = _hython(job, site, hython, "draft")
    size = (job.width, job.height)
    paths = frames.expected(site.work, job.start, job.end, "color", "png")
    draft.encode_color(paths, into, size, job.fps, site.progress("encoding", 2))
    facts = _facts(job, receipt) | {"renderer": "opengl", "draft": True}
    left_out: dict[str, str] = {}
    for part, suffix in _PARTS.items():
        site.step(f"draw {part}")
        try:
            found = _hython(job, site, hython, f"draft-{part}")
            paths = frames.expected(site.work, job.start, job.end, part, suffix)
            facts |= _drafted(part, found, job, into, paths, site.progress(f"looking at the {part}", 1))
        except Failed as error:
            if error.code not in _LEFT_OUT:
                raise
            (into / f"{part}.mp4").unlink(missing_ok=True)
            left_out[part] = str(error)
            site.events.say("warn", message=f"the draft has no {part}: {error}")
    return facts | ({"left_out": left_out} if left_out else {})


_LEFT_OUT = ("catalog", "cook", "render", "output", "crash")
"""Ends of one pass that do not end the draft: this Houdini cannot draw it."""


def _drafted(
    part: str, receipt: Mapping[str, Any], job: Job, into: Path, paths: Sequence[Path], report: Report
) -> dict[str, object]:
    from cosmos_core_houdini import draft

    size = (job.width, job.height)
    if part == "depth":
        depth = draft.encode_depth(paths, into, size, job.fps, float(receipt.get("far") or "inf"), report)
        return {
            "depth_range": list(depth.depth_range),
            "depth_unit": "1/m, if OpenGL draws the scene's own units",
            "depth_metres": [round(depth.nearest, 4), round(depth.farthest, 4)],
        }
    names = {int(number): str(name) for number, name in dict(receipt.get("segments") or {}).items()}
    return {"palette": draft.encode_segmentation(paths, into, size, job.fps, names, job.seed, report)}


def _filmed(job: Job, site: Site, into: Path, hython: str) -> dict[str, object]:
    """Houdini simulates; the city's own renderer films the poses, with its own camera and all its passes."""
    maker = _city_generator(job, site)
    clip = {"frames": job.frames, "fps": job.fps, "width": job.width, "height": job.height}
    try:
        options = maker.options(**dict(job.city) | clip)
    except (TypeError, ValueError) as error:
        raise Failed("preflight", f"the city cannot be made so: {error}") from error
    site.step("poses")
    receipt = _hython(job, site, hython, "poses")
    artifact = receipt["artifacts"][0]
    options = attrs.evolve(options, poses=str(site.work / artifact["path"]), poses_sha256=artifact["sha256"])
    site.step("film")
    report = site.progress("filming", 2)
    try:
        facts = dict(maker.generate(options, into, report))
    except InputError as error:
        failed = Failed("output", f"what Houdini simulated cannot be filmed: {error}")
        failed.hint = error.hint
        raise failed from error
    _copy(Path(options.poses), site.folder / POSES)
    return {**facts, **_facts(job, receipt), "renderer": "city"}


def _city_generator(job: Job, site: Site) -> Any:
    """The generator ``city``, which films poses.

    Raises:
        InputError: it is not installed, or too old for poses.
    """
    from cosmos_core import Cosmos

    place = _workspace(job, site.folder)
    if place is None:
        raise InputError(f"{site.folder} lies in no workspace", hint="cosmos init")
    with Cosmos(place) as cosmos:
        maker = cosmos.plugins.find(Generator, "city")
    if not maker.options or not hasattr(attrs.fields(maker.options), "poses"):
        raise InputError("this cosmos-core-city films no poses", hint="pip install -U cosmos-core-city")
    return maker


def _hython(job: Job, site: Site, hython: str, part: str) -> dict[str, Any]:
    """Run the worker, believe only its files, and give its receipt."""
    receipt_path = site.work / f"{part}.json"
    kept = _receipt(job, site, receipt_path)
    if kept:
        return kept
    root = package.folder()
    env = programs.environment(root, site.folder / WORK / "prefs" if job.city else None)
    heard = _Worker(job, site, part)

    def once() -> None:
        code, log = child.run(
            heard.argv(hython, root), log=site.log, cwd=site.work, env=env, watched=heard.watched()
        )
        heard.events.read()
        if code != 0 and not (heard.events.is_done and receipt_path.is_file()):
            error = heard.events.error
            raise ends.of_hython(code, str(error.get("code", "")), str(error.get("message", "")), log)
        if code != 0:
            site.events.say("warn", message=f"hython {ends.spoken(code)} after all was done")
        if not _receipt(job, site, receipt_path):
            raise ends.of_hython(0, "", "", log)

    _patiently(once, site, heard.anew)
    return _receipt(job, site, receipt_path)


class _Worker:
    """One run of the worker inside hython."""

    def __init__(self, job: Job, site: Site, part: str) -> None:
        self.job, self.site, self.part = job, site, part
        self.anew()

    def anew(self) -> None:
        """Forget what an earlier run said."""
        self.path = self.site.work / f"{self.part}-events.ndjson"
        self.path.unlink(missing_ok=True)
        self.events = record.Heard(self.path)

    def argv(self, hython: str, root: Path) -> list[str]:
        """The command line."""
        worker = root / "scripts" / "python" / "cosmos_houdini" / "worker.py"
        _hand_over(self.site)
        return [
            hython, str(worker), "--job", str(self.site.work / jobs.FILE), "--events", str(self.path),
            "--result", str(self.site.work / f"{self.part}.json"), "--part", self.part,
        ]  # fmt: skip

    def watched(self) -> child.Watched:
        """How it is looked after."""
        options = self.site.options
        return child.Watched(
            quiet=options.quiet,
            limit=options.limit,
            first=options.hello,
            cancel=self.site.is_cancelled,
            life=self.life,
        )

    def life(self) -> float:
        """How many events it has written, told on to ours."""
        for event in self.events.read():
            if event.get("type") in ("hello", "step", "warn"):
                facts = {key: value for key, value in event.items() if key not in ("t", "seq", "type")}
                kind = {"step": "inner"}.get(event["type"], event["type"])
                self.site.events.say(kind, **facts)
        return float(self.events.count)


def _hand_over(site: Site) -> None:
    """The job and its scene into the folder that the worker sees; so it can write nowhere else of ours."""
    for name in (jobs.FILE, jobs.SCENE):
        here, there = site.folder / name, site.work / name
        if here.is_file():
            shutil.copy2(here, there)


def _receipt(job: Job, site: Site, path: Path) -> dict[str, Any]:
    """The worker's receipt, if it is this job's and every file of it has the bytes that it says; else empty."""
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(facts, dict) or facts.get("id") != job.id or not facts.get("artifacts"):
        return {}
    for artifact in facts["artifacts"]:
        file = site.work / str(artifact.get("path", ""))
        if not file.is_file() or media.file_digest(file) != artifact.get("sha256"):
            return {}
    return facts


def _husk(job: Job, site: Site, husk: str, stage: Path, paths: list[Path]) -> None:
    """Render what is not rendered yet; husk itself says little, so its files are counted."""
    from cosmos_core_houdini import frames

    if not frames.missing(paths):
        return
    env = programs.environment(package.folder())
    argv = [
        husk, "--renderer", "BRAY_HdKarma", "--res", str(job.width), str(job.height), "--frame", str(job.start),
        "--frame-count", str(job.frames), "--frame-inc", "1", "--output", str(site.work / "render.$F4.exr"), str(stage),
    ]  # fmt: skip
    report = site.progress("rendering", 0)

    def life() -> float:
        there = len(paths) - len(frames.missing(paths))
        report(there, len(paths))
        return float(there)

    def once() -> None:
        options = site.options
        watched = child.Watched(quiet=options.quiet, limit=options.limit, cancel=site.is_cancelled, life=life)
        code, log = child.run(argv, log=site.log, cwd=site.work, env=env, watched=watched)
        if code != 0:
            raise ends.of_husk(code, log)
        if absent := frames.missing(paths):
            raise Failed(
                "output",
                f"husk ended without an error, and {len(absent)} of {len(paths)} frames are not there",
            )

    _patiently(once, site, lambda: None)


def _patiently(once: Callable[[], None], site: Site, anew: Callable[[], None]) -> None:
    """Do *once*; wait and try again where no licence was free, and once where it crashed."""
    crashes, waits, pause = 1, 0, site.options.licence_pause
    while True:
        try:
            once()
        except Failed as error:
            if error.code == "licence" and waits < site.options.licence_tries:
                waits += 1
                site.events.say("warn", message=f"{error}; trying again in {pause:g} s")
                _wait(site, pause)
                pause *= 2
            elif error.code == "crash" and crashes < _AGAIN:
                crashes += 1
                site.events.say("warn", message=f"{error}; trying once more")
            else:
                raise
            anew()
        else:
            return


def _wait(site: Site, seconds: float) -> None:
    """Wait, but not for somebody who has cancelled."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if site.is_cancelled():
            raise Failed("cancelled", "somebody cancelled it")
        site.pause(min(left, 0.5))


def _submitted(job: Job, ask: Ask, site: Site, cosmos: Cosmos, clip: Clip) -> dict[str, Any]:
    """Put the run into the queue, follow it as far as was asked, and bring its video beside the scene."""
    site.step("submit")
    words: dict[str, Any] = {"clip": clip.folder, "name": site.folder.name, "tags": ask.tags}
    words |= {"negative": ask.negative, "backend": ask.backend, "seed": ask.seed}
    # The same job twice is the same run, unless it was rendered anew in between.
    run = cosmos.submit(ask.prompt, token=f"houdini-{job.id}-{clip.digest[:16]}", **words)
    site.events.say("submitted", run=run.id)
    facts: dict[str, Any] = {"run": run.id, "state": str(run.state)}
    if job.follow == "leave":
        return facts | {"message": f"run {run.id} is in the queue"}
    site.step("wait" if job.follow == "wait" else "work")
    finished = _followed(job, site, cosmos, run)
    facts["state"] = str(finished.state)
    if finished.artifact is None:
        code = "cancelled" if finished.state == "cancelled" else "output"
        raise Failed(code, f"run {run.id} is {finished.state}: {finished.reason}")
    video = site.folder / f"{site.folder.name}.mp4"
    _copy(finished.artifact.path, video)
    return facts | {
        "video": video.name,
        "video_sha256": finished.artifact.digest,
        "plate": _plate(video, site, job.start),
        "message": f"{video.name} is finished: decoded, measured and compared with what was asked",
    }


def _followed(job: Job, site: Site, cosmos: Cosmos, run: Run) -> Run:
    """The run when it is final. Who cancels the job cancels the run."""
    with ThreadPoolExecutor(1, thread_name_prefix="work") as thread:
        working = thread.submit(cosmos.finish, [run]) if job.follow == "work" else None
        cancelled = False
        while not run.state.is_final:
            site.pause(_LOOK)
            if site.is_cancelled() and not cancelled:
                cancelled = True
                cosmos.cancel(run.id)
            before, run = run, cosmos.store.run(run.id)
            if run.state != before.state:
                site.events.say("run", run=run.id, state=str(run.state), reason=run.reason)
            if working is not None and working.done():
                working.result()
    return run


def _copy(source: Path, target: Path) -> None:
    """A copy under its final name only when it is whole."""
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    media.publish([(part, target)])


def _plate(video: Path, site: Site, first: int) -> str:
    """The video's frames as pictures, numbered as the scene's, which every Houdini can show behind the camera."""
    import cv2

    folder = site.folder / PLATE
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, frame in enumerate(media.read_frames(video), first):
        cv2.imwrite(str(folder / f"frame.{number:04}.jpg"), frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    return f"{PLATE}/frame.$F4.jpg"
