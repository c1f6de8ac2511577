"""What verifying costs, against decoding: ``python benchmarks/verify.py [--rounds 5]``.

A clip of 93 frames at 1280x704 is decoded by PyAV and examined by every built-in check, in turns, in one process; once
encoded small, and so quick to decode, and once rich in bits. Videos of models lie in between. The yardstick is a
decode as PyAV does it by default. Frame threads are quicker and shown too, but miss damage now and then, so that the
survey does without.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from cosmos_core import clip as clips
from cosmos_core import controls, media
from cosmos_core.checks import cosmos_checks
from cosmos_core.examine import examine
from cosmos_core.record import Ruling
from cosmos_core.testing.checks import make_output, make_spec
from cosmos_core.testing.media import scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAMES, WIDTH, HEIGHT = 93, 1280, 704
YARDSTICK = "plain decode"


def street(seed: int) -> Iterator[np.ndarray]:
    """A moving street with fine grain, so that it is as hard to decode as a real one."""
    rng = np.random.default_rng(seed)
    grain = [rng.integers(-6, 7, (HEIGHT, WIDTH, 1), dtype=np.int16) for _ in range(4)]
    for index, moment in enumerate(scene(frames=FRAMES, width=WIDTH, height=HEIGHT, seed=seed)):
        noisy = moment.rgb.astype(np.int16) + np.roll(grain[index % 4], index * 37, 1)
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def decode(path: Path, threads: str) -> None:
    """Decode every frame and look at none."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = threads
        assert sum(1 for _ in container.decode(stream)) == FRAMES


def contenders(path: Path, clip: clips.Clip) -> dict[str, Callable[[], object]]:
    """What is compared, by name; the first is the yardstick."""
    spec = make_spec(frames=FRAMES, width=WIDTH, height=HEIGHT, fps=Fraction(24), clip=clip.digest)
    checks = tuple(cosmos_checks())

    def verify(**facts: object) -> None:
        verdict = examine(make_output(path, spec, **facts), spec, checks)
        assert verdict.ruling is Ruling.VERIFIED, verdict.reason

    def verify_first_of_a_clip() -> None:
        media.survey_kept.cache_clear()
        verify(clip=clip)

    return {
        YARDSTICK: lambda: decode(path, "SLICE"),
        "plain decode, frame threads": lambda: decode(path, "FRAME"),
        "sha256": lambda: media.file_digest(path),
        "survey": lambda: media.survey(path),
        "examine, every check": verify,
        "examine, input known from another run": lambda: verify(clip=clip),
        "examine, input decoded as well": verify_first_of_a_clip,
    }


def measure(rounds: int, style: str) -> tuple[dict[str, list[float]], int]:
    """Seconds by contender, in turns, and the video's size; a first round that only warms caches is not counted."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        path = controls.write_video(Path(folder) / "street.mp4", street(0), 24, style)
        (Path(folder) / "clip").mkdir()
        controls.write_video(Path(folder) / "clip" / "color.mp4", street(5), 24, style)
        clip = clips.seal(Path(folder) / "clip", derive=())
        for number in range(rounds + 1):
            for name, work in contenders(path, clip).items():
                began = time.perf_counter()
                work()
                if number:
                    times[name].append(time.perf_counter() - began)
        return times, path.stat().st_size


def show(times: dict[str, list[float]], size: int) -> None:
    """Print medians, and how often the yardstick fits in."""
    from rich.console import Console
    from rich.table import Table

    yardstick = statistics.median(times[YARDSTICK])
    table = Table(
        title=f"{FRAMES} frames {WIDTH}x{HEIGHT}, {size / 1e6:.1f} MB, median of {len(times[YARDSTICK])}, "
        f"PyAV {av.__version__}, Python {sys.version.split()[0]}"
    )
    for heading in ("", "seconds", "of a plain decode"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, took in times.items():
        median = statistics.median(took)
        table.add_row(name, f"{median:.3f}", f"{median / yardstick:.2f}")
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for style in ("proxy", "colour"):
        show(*measure(rounds, style))


if __name__ == "__main__":
    main()
