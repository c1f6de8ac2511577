"""What a frame of the city costs: ``python benchmarks/city.py [--frames 12] [--seed 1] [--threads 2]``.

CPU milliseconds a frame by stage, each stage's best of all frames, because a busy machine only ever adds; then the
wall time of a whole clip with all encoders. Beside them: the traffic to memory that no renderer avoids, and, where
``embreex`` is installed, Embree's time for the primary rays alone.
"""

from __future__ import annotations

import argparse
import os
import resource
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
from cosmos_core_city.build import build
from cosmos_core_city.generate import PASSES, Moment, control, generate
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import NEAR, Renderer
from cosmos_core_city.spec import CitySpec, resolve
from rich.console import Console
from rich.table import Table

from cosmos_core import controls
from cosmos_core.extend import silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosmos_core_city.render import View
    from cosmos_core_city.scene import Scene

STAGES = {
    raster: ("project", "setup", "sort", "visibility", "soften"),
    shade: ("occlusion", "calm", "shade"),
}
WIDTH, HEIGHT = 1280, 704


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


def stages(scene: Scene, path: camera.Path, renderer: Renderer, frames: int) -> Clock:
    """Draw and encode *frames* of the clip, timing each stage."""
    clock = Clock()
    for module, names in STAGES.items():
        for name in names:
            setattr(module, name, clock.wrap(name, getattr(module, name)))
    group = np.append(scene.group, 0).astype(np.uint16)
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
            view = path.view(number * 92 // max(1, frames - 1), WIDTH, HEIGHT)
            seen, rgb = renderer.draw(view)
            made = Moment(rgb, seen.inverse, group[seen.ids])
            for name, video in videos.items():
                picture = clock.wrap(f"{name} from arrays", control)(name, made, (0.0, 0.2), colours)
                clock.wrap(f"{name} encoder", video.write)(picture)
        for name, video in videos.items():
            clock.wrap(f"{name} encoder", video.__exit__)(None, None, None)
    return clock


def memory_floor() -> float:
    """Milliseconds to copy what a frame must read and write at least: keys at 1x and 2x, ids, 1/z, colour twice."""
    size = WIDTH * HEIGHT * (8 + 4 * 8 + 4 + 4 + 3 + 3)
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    times = []
    for _ in range(5):
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


def whole_clip(spec: CitySpec) -> tuple[float, float]:
    """Wall and CPU seconds of one clip, gates and encoders included."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        generate(spec, Path(folder), silent)
        return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    told = parser.parse_args()
    os.environ["COSMOS_CITY_THREADS"] = str(told.threads)
    console = Console()
    spec = CitySpec(seed=told.seed)
    city = resolve(spec)
    began = time.process_time()
    scene = build(city)
    building = time.process_time() - began
    wall, cpu = whole_clip(spec)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << 20 if sys.platform == "darwin" else 1 << 10
    )
    path = camera.path(spec, city, 93, 24.0, 0)
    with Renderer(scene, daylight(spec, city), EXPOSURE, workers=1) as renderer:
        renderer.draw(path.view(0, WIDTH, HEIGHT))
        clock = stages(scene, path, renderer, told.frames)
    show(console, clock, len(scene.triangles))
    rays = embree(scene, path.view(46, WIDTH, HEIGHT))
    console.print(f"copying what a frame must read and write: {memory_floor():.0f} ms")
    console.print(
        "Embree, primary rays only: " + (f"{rays:.0f} ms CPU" if rays else "embreex is not installed")
    )
    console.print(
        f"building the street: {building:.2f} s; a clip of 93 frames with {told.threads} thread(s): {wall:.1f} s wall, "
        f"{cpu:.1f} s CPU, {cpu / 93 * 1000:.0f} ms CPU a frame, {3600 / wall:.0f} clips an hour, peak {peak:.0f} MB"
    )


def show(console: Console, clock: Clock, triangles: int) -> None:
    """The stages as a table, with their sums."""
    table = Table(title=f"CPU a frame, 1280x704, {triangles:,} triangles, best of {len(clock.frames)} frames")
    table.add_column("stage")
    table.add_column("ms", justify="right")
    rendering = [name for names in STAGES.values() for name in names]
    rows = [(name, clock.best(name)) for name in rendering]
    for name in PASSES:
        rows.append((f"{name} from arrays", clock.best(f"{name} from arrays")))
        rows.append((f"{name} encoder (mean)", clock.mean(f"{name} encoder")))
    for name, cost in rows:
        table.add_row(name, f"{cost:.1f}")
    table.add_section()
    table.add_row("rendering", f"{sum(cost for _, cost in rows[: len(rendering)]):.0f}")
    table.add_row("controls and encoders", f"{sum(cost for _, cost in rows[len(rendering) :]):.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
