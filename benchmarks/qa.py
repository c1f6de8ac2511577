"""What each check costs: ``python benchmarks/qa.py [--rounds 3]``.

A clip of 93 frames at 1280x704 and a video made from it are decoded once, as verifying does, and then every check of
the core and of the installed plugins is asked by itself, with the decode already there. So the decode, which all share,
and what each check adds stand apart. The yardstick is one plain decode by PyAV; the limit beside it is the time in which
this machine copies the decoded pictures from memory to memory, which nothing that looks at all of them can beat. Seconds
are the processor's, of all threads, so that neighbours on a busy machine count for little.

Depth and regions are asked without a model, whose cost is its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import av
import numpy as np
from verify import FRAMES, HEIGHT, WIDTH, decode, street

from cosmos_core import clip as clips
from cosmos_core import controls, media, plugins
from cosmos_core.examine import examine, sizes_of
from cosmos_core.extend import Check, Output
from cosmos_core.spec import controls as weighed
from cosmos_core.testing.checks import make_output, make_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosmos_core.extend import Spec

YARDSTICK = "plain decode"
KINDS = ("edge", "vis", "depth", "seg")


def offered() -> list[Check]:
    """Every check of the core and of installed plugins, in the order they are asked."""
    loaded = plugins.load()
    return [loaded.find(Check, name) for name in sorted(loaded.offers(Check))]


def copying(frames: int) -> Callable[[], object]:
    """Copy as many bytes as the decoded pictures have (YUV 4:2:0); more than any cache holds."""
    pictures = np.ones((frames, WIDTH * HEIGHT * 3 // 2), np.uint8)
    target = np.ones_like(pictures)
    return lambda: np.copyto(target, pictures)


def prepared(folder: Path) -> tuple[Path, clips.Clip, Spec]:
    """A clip, the video that was made from it, and the request that asked for it."""
    (folder / "clip").mkdir()
    controls.write_video(folder / "clip" / "color.mp4", street(5), 24, "colour")
    clip = clips.seal(folder / "clip", derive=())
    frames = (np.clip(frame * 0.7 + 20, 0, 255).astype(np.uint8) for frame in street(5))
    path = controls.write_video(folder / "street.mp4", frames, 24, "colour")
    spec = make_spec(
        frames=FRAMES,
        width=WIDTH,
        height=HEIGHT,
        fps=Fraction(24),
        clip=clip.digest,
        controls=weighed(dict.fromkeys(KINDS, 0.5)),
    )
    return path, clip, spec


def shared(
    path: Path, clip: clips.Clip, spec: Spec, checks: list[Check], *, enlarged: bool = False
) -> Output:
    """An output whose decode, and its input's, are there already."""
    output = make_output(path, spec, clip=clip, sizes=sizes_of(checks))
    if output.expected is not None and enlarged:
        output.expected = attrs.evolve(output.expected, keeps_input=True)
    assert output.survey.decoded == FRAMES
    assert output.input_survey is not None
    return output


def contenders(
    path: Path, clip: clips.Clip, spec: Spec, checks: list[Check]
) -> dict[str, Callable[[], object]]:
    """What is compared, by name: first what every video needs, then each check, then all of it."""
    sizes = sizes_of(checks)
    color = clip.path("color")
    mine = shared(path, clip, spec, checks)
    larger = shared(path, clip, spec, checks, enlarged=True)

    def asked(check: Check) -> Callable[[], object]:
        output = larger if check.name == "control.kept" else mine
        return lambda: list(check.look(output, spec))

    def everything() -> None:
        media.survey_kept.cache_clear()
        examine(make_output(path, spec, clip=clip, sizes=sizes), spec, checks)

    shares = {
        YARDSTICK: lambda: decode(path, "SLICE"),
        "sha256, for file.hash and dup.exact": lambda: media.file_digest(path),
        "limit: copy its pictures": copying(FRAMES),
        "decode for all checks": lambda: media.survey(path, sizes),
        "the same without larger pictures": lambda: media.survey(path),
        "decode of the input, once a clip": lambda: media.survey(color, sizes),
    }
    each = {check.name: asked(check) for check in checks}
    return shares | each | {"all of it": everything}


def measure(rounds: int) -> tuple[dict[str, list[float]], int]:
    """Seconds by contender, in turns; a first round that only warms caches is not counted."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    checks = offered()
    with tempfile.TemporaryDirectory() as folder:
        path, clip, spec = prepared(Path(folder))
        work = contenders(path, clip, spec, checks)
        for number in range(rounds + 1):
            for name, one in work.items():
                began = time.process_time()
                one()
                if number:
                    times[name].append(time.process_time() - began)
        return times, path.stat().st_size


def show(times: dict[str, list[float]], size: int) -> None:
    """Print medians, and their ratio to a plain decode."""
    from rich.console import Console
    from rich.table import Table

    yardstick = statistics.median(times[YARDSTICK])
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    table = Table(
        title=f"{FRAMES} frames {WIDTH}x{HEIGHT}, {size / 1e6:.1f} MB, median of {len(times[YARDSTICK])}, "
        f"PyAV {av.__version__}, Python {sys.version.split()[0]}{load}"
    )
    for heading in ("", "CPU seconds", "of a plain decode"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, took in times.items():
        median = statistics.median(took)
        table.add_row(name, f"{median:.4f}", f"{median / yardstick:.3f}")
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    show(*measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
