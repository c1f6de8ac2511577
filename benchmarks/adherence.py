"""Where right and wrong videos lie for each control check: ``python benchmarks/adherence.py [--write]``.

Cities are generated, and the preview backend changes their weather and light: those are the right videos. The wrong ones
are made of the same files: a third of a second too early or too late, reversed, standing still, and held against another
city or another seed's. The thresholds of ``cosmos-core-adherence`` stand between them; ``--write`` puts the table into
the docs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cosmos_core_adherence.checks import BLUR, EDGES, MOVES, SIZE
from cosmos_core_adherence.measures import blur_likeness, edge_f1, motion

from cosmos_core import Cosmos, media

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.clip import Clip

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "check-control-adherence.md"
BEGIN, END = "<!-- table: benchmarks/adherence.py -->", "<!-- end of table -->"

CITIES = {
    "drive": {"camera": "dashcam", "seed": 1},
    "drive, another seed": {"camera": "dashcam", "seed": 2},
    "collapse": {"camera": "drone", "damage": 0.6, "seed": 3},
    "collapse, another seed": {"camera": "drone", "damage": 0.6, "seed": 4},
}
PROMPTS = (
    "a clear bright afternoon",
    "golden hour, low sun",
    "overcast sky, light fog",
    "heavy snow fall in winter",
    "heavy rain at dusk",
    "a clear night with street lamps",
    "night in heavy rain, neon reflections on wet asphalt",
    "thick fog in the morning",
)
SHIFT = 8

MEASURES = ("edge F1", "structure", "SSIM", "motion", "beyond chance")


def cities(folder: Path, frames: int) -> dict[str, Clip]:
    """The clips; those that lie there already are not made again."""
    with Cosmos.create(folder) as cosmos:
        made = {}
        for name, options in CITIES.items():
            started = time.perf_counter()
            plain = name.replace(",", "").replace(" ", "-")
            made[name] = cosmos.generate("city", {**options, "frames": frames}, name=plain)
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
        return made


WEIGHTS = {"": {"edge": 0.5, "vis": 0.5}, "equal": dict.fromkeys(("depth", "edge", "seg", "vis"), 0.3)}
"""All weight on edges and light; and the least with which either is asked about, beside all others."""


def preview(clip: Clip, prompt: str, folder: Path, weights: str) -> Path:
    """What the preview makes of a clip."""
    name = f"{clip.name}-{prompt.replace(',', '').replace(' ', '-')}{weights and '-'}{weights}"
    video = folder / f"{name}.mp4"
    if video.is_file():
        return video
    request = {
        "name": name,
        "prompt": prompt,
        "negative": "",
        "seed": 1,
        "weights": WEIGHTS[weights],
        "frames": clip.frames,
        "fps": str(clip.fps),
        "width": clip.width,
        "height": clip.height,
        "spec_digest": "",
        "inputs": {
            modality: str(clip.path(modality)) for modality in ("color", "edge", "depth", "seg", "vis")
        },
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.request.json").write_text(json.dumps(request))
    program = [sys.executable, "-m", "cosmos_core.builtin.preview.run", str(folder / f"{name}.request.json")]
    subprocess.run([*program, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return video


def pictures(path: Path) -> np.ndarray:
    """Grey pictures as the checks see them."""
    return media.survey(path, [SIZE]).pictures[SIZE]


def cases(clips: dict[str, Clip], folder: Path) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Kind, video, what was made and what it is held against."""
    inputs = {name: pictures(clip.path("color")) for name, clip in clips.items()}
    for name in ("drive", "collapse"):
        mine = inputs[name]
        for prompt, weights in product(PROMPTS, WEIGHTS):
            made = pictures(preview(clips[name], prompt, folder, weights))
            what = f"{name}, {prompt}{weights and ', '}{weights}"
            yield "right", what, made, mine
            yield f"{SHIFT} frames too early", what, made[SHIFT:], mine
            yield f"{SHIFT} frames too late", what, made[:-SHIFT], mine[SHIFT:]
            yield "reversed", what, made[::-1], mine
            yield "standing still", what, np.repeat(made[:1], len(made), axis=0), mine
            yield "another seed's", what, made, inputs[f"{name}, another seed"]
            other = "collapse" if name == "drive" else "drive"
            yield "another clip's", what, made, inputs[other]


def measure(made: np.ndarray, source: np.ndarray) -> tuple[float, ...]:
    """One number for each of :data:`MEASURES`; nothing for motion that the guard refuses to judge."""
    likeness, moves = blur_likeness(made, source), motion(made, source)
    nothing = float("nan")
    judged = (nothing, nothing) if moves.held > MOVES.held else (moves.score, moves.beyond_chance)
    return (edge_f1(made, source), likeness.structure, likeness.ssim, *judged)


def table(found: dict[str, list[tuple[float, ...]]]) -> list[str]:
    """Lowest and highest of each measure, by kind, in Markdown."""
    rows = [f"| video | {' | '.join(MEASURES)} |", f"|---|{'---|' * len(MEASURES)}"]
    for kind, numbers in found.items():
        cells = []
        for column in np.array(numbers).T:
            known = column[~np.isnan(column)]
            cells.append(f"{known.min():.2f}–{known.max():.2f}" if len(known) else "not judged")
        rows.append(f"| {kind} | {' | '.join(cells)} |")
    bounds = (EDGES.good, BLUR.good, None, MOVES.score, MOVES.beyond_chance)
    rows.append(
        f"| **close from** | {' | '.join('' if bound is None else f'**{bound:g}**' for bound in bounds)} |"
    )
    poor = (EDGES.poor, BLUR.poor, None, None, None)
    rows.append(
        f"| **refused below** | {' | '.join('' if bound is None else f'**{bound:g}**' for bound in poor)} |"
    )
    return rows


def write(rows: list[str]) -> None:
    """Put the table where the page has its marks."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text("\n".join([before + BEGIN, "", *rows, "", END + after]), "utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--folder", type=Path, help="keeps the clips and videos; a temporary one by default")
    parser.add_argument("--each", action="store_true", help="also a line for every video")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    chosen = parser.parse_args()
    found: defaultdict[str, list[tuple[float, ...]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        for kind, what, made, source in cases(cities(folder, chosen.frames), folder / "previews"):
            found[kind].append(measure(made, source))
            if chosen.each:
                print(f"{kind:24} {what:40}", *(f"{number:6.3f}" for number in found[kind][-1]), flush=True)
    rows = table(found)
    print("\n".join(rows))
    if chosen.write:
        write(rows)


if __name__ == "__main__":
    main()
