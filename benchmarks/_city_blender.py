"""Render triangles with Blender, for ``benchmarks/city.py``; needs ``bpy`` (for Python 3.11: ``pip install bpy==5.0.1``).

Prints one JSON object: CPU milliseconds of a frame, without materials, by Workbench and by Cycles at one sample.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np


def scene_of(held: Any) -> Any:
    """A Blender scene with the mesh, the camera and a sun."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    mesh = bpy.data.meshes.new("city")
    mesh.from_pydata(held["vertices"].tolist(), [], held["triangles"].tolist())
    scene.collection.objects.link(bpy.data.objects.new("city", mesh))
    width, height = (int(side) for side in held["size"])
    lens = bpy.data.cameras.new("camera")
    lens.sensor_width, lens.clip_end = 36.0, 2000.0
    lens.lens = float(held["focal"]) * 36.0 / width
    eye = bpy.data.objects.new("camera", lens)
    pose = held["pose"].copy()
    pose[:3, 1:3] *= -1.0  # Blender looks along -z with y up
    eye.matrix_world = pose.T.tolist()
    scene.collection.objects.link(eye)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.rotation_euler = (0.7, 0.2, 0.4)
    scene.collection.objects.link(sun)
    scene.camera = eye
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    return scene


def cost(scene: Any, engine: str, folder: str) -> float:
    """CPU milliseconds of a frame; the second, as the first one builds what both need."""
    scene.render.engine = engine
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.render.use_persistent_data = True
    scene.render.filepath = str(Path(folder) / engine)
    times = []
    for _ in range(2):
        began = time.process_time()
        bpy.ops.render.render(write_still=True)
        times.append((time.process_time() - began) * 1000)
    if not list(Path(folder).glob(f"{engine}*")):
        raise RuntimeError(f"{engine} drew nothing")
    return min(times)


def main() -> None:
    """Render with each engine that works here."""
    found = {}
    with np.load(sys.argv[1]) as held, tempfile.TemporaryDirectory() as folder:
        scene = scene_of(held)
        engines = {"Cycles, 1 sample": "CYCLES"}
        if os.environ.get("COSMOS_BENCH_WORKBENCH", "1") == "1":
            engines["Workbench"] = "BLENDER_WORKBENCH"
        for name, engine in engines.items():
            found[name] = cost(scene, engine, folder)
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
