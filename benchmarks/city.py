"""What a frame of the city costs: ``python benchmarks/city.py [--frames 12] [--seed 1] [--damage 0.6] [--threads 2]``.

CPU milliseconds a frame by stage, each stage's best of all frames, because a busy machine only ever adds; then the
wall and CPU time and the memory of a whole clip with all encoders. Beside them, in the same run: the traffic to memory
that no renderer avoids; where ``embreex`` is installed, Embree's time for the primary rays alone; and where ``bpy`` is
(here, or in the interpreter that ``--blender`` names), Blender's Workbench and Cycles on the same triangles.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cosmos_core_city import camera, raster, shade
from cosmos_core_city.generate import PASSES, Moment, control, generate
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import NEAR, Renderer
from cosmos_core_city.spec import CitySpec, resolve
from cosmos_core_city.wreck import wreck
from rich.console import Console
from rich.table import Table

from cosmos_core import controls
from cosmos_core.extend import silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosmos_core_city.render import View
    from cosmos_core_city.scene import Scene
    from cosmos_core_city.wreck import Wreck

STAGES = {
    raster: ("pose", "turn", "project", "setup", "sort", "values", "visibility", "soften"),
    shade: ("occlusion", "calm", "shade"),
}
SEEING = ("pose", "project", "setup", "sort", "visibility")
"""Stages that do what a ray tracer's primary rays do."""
WIDTH, HEIGHT = 1280, 704
FRAMES = 93
BYTES = 8 + 4 + 4 + 3 + 3 + 3
"""A pixel's keys, triangle, 1/z, colour before and after, and half-size occlusion thrice."""


class Clock:
    """CPU time by stage and frame, whichever thread spent it."""

    def __init__(self) -> None:
        self.frames: list[defaultdict[str, float]] = []
        self._lock = threading.Lock()

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """*function*, timed."""

        def timed(*arguments: Any) -> Any:
            began = time.thread_time()
            result = function(*arguments)
            with self._lock:
                self.frames[-1][name] += time.thread_time() - began
            return result

        return timed

    def mean(self, name: str) -> float:
        """Milliseconds a frame, for what does its work later than it is asked, as encoders do."""
        return sum(frame[name] for frame in self.frames) / len(self.frames) * 1000

    def best(self, name: str) -> float:
        """Milliseconds of the frame in which *name* took least."""
        return min(frame[name] for frame in self.frames) * 1000


def stages(made: Wreck, path: camera.Path, renderer: Renderer, frames: int) -> Clock:
    """Draw and encode *frames* of the clip, timing each stage."""
    clock = Clock()
    for module, names in STAGES.items():
        for name in names:
            setattr(module, name, clock.wrap(name, getattr(module, name)))
    group = np.append(made.scene.group, 0).astype(np.uint16)
    colours = controls.palette(range(60), 1)
    with tempfile.TemporaryDirectory() as folder:
        videos = {
            name: controls.VideoWriter(Path(folder) / f"{name}.mp4", WIDTH, HEIGHT, 24, style)
            for name, style in PASSES.items()
        }
        for video in videos.values():
            video.__enter__()
        for number in range(frames):
            clock.frames.append(defaultdict(float))
            frame = number * (FRAMES - 1) // max(1, frames - 1)
            seen, rgb = renderer.draw(path.view(frame, WIDTH, HEIGHT), frame)
            moment = Moment(rgb, seen.inverse, group[seen.ids])
            for name, video in videos.items():
                picture = clock.wrap(f"{name} from arrays", control)(name, moment, (0.0, 0.2), colours)
                clock.wrap(f"{name} encoder", video.write)(picture)
        for name, video in videos.items():
            clock.wrap(f"{name} encoder", video.__exit__)(None, None, None)
    return clock


def memory_floor() -> float:
    """Milliseconds to copy once what a frame must write and read at least."""
    size = WIDTH * HEIGHT * BYTES
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        target[:] = source
        times.append(time.perf_counter() - began)
    return min(times) * 1000


def embree(scene: Scene, view: View) -> float | None:
    """CPU milliseconds for one primary ray a pixel; None without the wheel."""
    try:
        rtc = import_module("embreex.rtcore_scene")
        meshes = import_module("embreex.mesh_construction")
    except ImportError:
        return None
    fx, fy, cx, cy = view.lens
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    rays = np.stack([(x - cx) / fx, (y - cy) / fy, np.ones_like(x)], 2).reshape(-1, 3) @ view.pose[:3, :3].T
    rays = rays.astype(np.float32)
    world = rtc.EmbreeScene()
    meshes.TriangleMesh(world, scene.vertices[scene.triangles])
    origins = np.repeat(view.pose[None, :3, 3], len(rays), axis=0).astype(np.float32) + rays * np.float32(
        NEAR
    )
    times = []
    for _ in range(3):
        began = time.process_time()
        world.run(origins, rays, output=1)
        times.append(time.process_time() - began)
    return min(times) * 1000


def blender(python: str, scene: Scene, view: View) -> dict[str, float]:
    """CPU milliseconds of a frame by each of Blender's engines that works; none without bpy."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scene.npz"
        np.savez(
            file,
            vertices=scene.vertices,
            triangles=scene.triangles,
            pose=view.pose,
            focal=view.lens[0],
            size=view.size,
        )
        words = [python, str(Path(__file__).with_name("_city_blender.py")), str(file)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}


def whole_clip(spec: CitySpec) -> tuple[float, float]:
    """Wall and CPU seconds of one clip, gates and encoders included."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        generate(spec, Path(folder), silent)
        return time.perf_counter() - wall, time.process_time() - cpu


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--damage", type=float, default=0.0)
    parser.add_argument("--camera", default="dolly")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--blender", default=sys.executable, metavar="PYTHON", help="an interpreter with bpy")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    told = arguments()
    os.environ["COSMOS_CITY_THREADS"] = str(told.threads)
    os.environ["COSMOS_CITY_KEPT"] = "0"
    spec = CitySpec(seed=told.seed, damage=told.damage, camera=told.camera)
    whole_clip(CitySpec(seed=told.seed, width=64, height=64, frames=2, camera="tripod"))  # compiles
    wall, cpu = whole_clip(spec)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << 20 if sys.platform == "darwin" else 1 << 10
    )
    city = resolve(spec)
    began = time.process_time()
    made = wreck(city, FRAMES, 24.0)
    building = time.process_time() - began
    path = camera.path(spec, city, FRAMES, 24.0, 0)
    with Renderer(made.scene, daylight(spec, city), EXPOSURE, motion=made.motion, workers=1) as renderer:
        renderer.draw(path.view(FRAMES // 2, WIDTH, HEIGHT), FRAMES // 2)
        clock = stages(made, path, renderer, told.frames)
    console = Console()
    rendering = show(console, clock, made)
    compare(console, clock, rendering, made.scene, path.view(FRAMES // 2, WIDTH, HEIGHT), told.blender)
    console.print(
        f"a clip of {FRAMES} frames, everything included, {told.threads} thread(s): {cpu / FRAMES * 1000:.0f} ms CPU and "
        f"{wall / FRAMES * 1000:.0f} ms wall a frame, {3600 / wall:.0f} clips an hour, peak {peak:.0f} MB; "
        f"building and falling {building:.2f} s CPU of {cpu:.1f}"
    )


def compare(console: Console, clock: Clock, rendering: float, scene: Scene, view: View, python: str) -> None:
    """What others need for the same, as multiples."""
    table = Table(title="the same frame elsewhere")
    for name in ("what", "ms", "of ours"):
        table.add_column(name, justify="left" if name == "what" else "right")
    seeing = sum(clock.best(name) for name in SEEING)
    floor = memory_floor()
    table.add_row(f"limit: copy a frame's {WIDTH * HEIGHT * BYTES / 1e6:.0f} MB once", f"{floor:.1f}", "")
    table.add_row("ours, rendering", f"{rendering:.1f}", f"{rendering / floor:.0f} x the limit")
    table.add_row("ours, visibility alone", f"{seeing:.1f}", f"{seeing / floor:.1f} x the limit")
    rays = embree(scene, view)
    if rays:
        table.add_row("Embree, primary rays alone", f"{rays:.0f}", f"{rays / seeing:.1f} x our visibility")
    for name, cost in blender(python, scene, view).items():
        table.add_row(f"Blender {name}", f"{cost:.0f}", f"{cost / rendering:.0f} x our rendering")
    console.print(table)


def show(console: Console, clock: Clock, made: Wreck) -> float:
    """The stages as a table, with their sums; the milliseconds of rendering."""
    bodies = made.motion.poses.shape[1] if made.motion else 0
    pieces = f", {made.facts['pieces']:,} pieces, {bodies:,} bodies" if bodies else ""
    console.print(f"{WIDTH}x{HEIGHT}, {len(made.scene.triangles):,} triangles{pieces}")
    table = Table(title=f"CPU a frame, best of {len(clock.frames)}")
    table.add_column("stage")
    table.add_column("ms", justify="right")
    rendering = [name for names in STAGES.values() for name in names]
    rows = [(name, clock.best(name)) for name in rendering]
    for name in PASSES:
        rows.append((f"{name} from arrays", clock.best(f"{name} from arrays")))
        rows.append((f"{name} encoder (mean)", clock.mean(f"{name} encoder")))
    for name, cost in rows:
        table.add_row(name, f"{cost:.1f}")
    drawn, told = (sum(cost for _, cost in part) for part in (rows[: len(rendering)], rows[len(rendering) :]))
    table.add_section()
    table.add_row("rendering", f"{drawn:.0f}")
    table.add_row("controls and encoders", f"{told:.0f}")
    console.print(table)
    return drawn


if __name__ == "__main__":
    main()
