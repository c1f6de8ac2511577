"""Which camera paths pass their gates, and what damage does: ``python benchmarks/city_gates.py [--seeds 1..20]``.

Chooses the path of every family through every street, and films nothing: how many draws each took, and what refused
most. With several ``--damage``, also how many pieces have moved by the last frame, and how much of it is rubble as one
camera sees it that stays the same for all of them.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import TYPE_CHECKING

import attrs
from cosmos_core_city import aim, camera, gates
from cosmos_core_city.generate import choose, output
from cosmos_core_city.kept import kept
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer
from cosmos_core_city.spec import CAMERAS, CitySpec, resolve
from rich.console import Console
from rich.table import Table

from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from cosmos_core_city.camera import Path
    from cosmos_core_city.wreck import Wreck


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="1..20", help="one number, or the first and the last: 1..20")
    parser.add_argument("--damage", default="0.8", help="one, or several with commas between")
    parser.add_argument("--families", default=",".join(CAMERAS), help="with commas between")
    return parser.parse_args()


def standing(spec: CitySpec, made: Wreck) -> Path:
    """A tripod before the blast of *spec*, the same for every damage."""
    whole = attrs.evolve(spec, damage=1.0, camera="tripod")
    city = resolve(whole)
    for attempt in range(100):
        path = camera.path(whole, city, 2, 24.0, attempt)
        if not [*gates.refuse_path(made.scene, path), *aim.refuse_aim(city, path)]:
            return path
    raise AssertionError("a hundred tripods, and none stands free")


def rubble(spec: CitySpec, made: Wreck, renderer: Renderer) -> float:
    """The share of rubble in the last frame, as the camera sees it that stands for every damage."""
    if made.motion is None:
        return 0.0
    last = made.motion.frames - 1
    seen = renderer.look(standing(spec, made).view(0, 640, 352), last)
    return aim.rubble(made, seen, last)


def main() -> None:
    """Choose and print."""
    told = arguments()
    first, _, last = told.seeds.partition("..")
    families = told.families.split(",")
    console = Console()
    table = Table(title="draws until a path passed")
    for name in ("seed", "damage", "moved", "rubble", *families):
        table.add_column(name, justify="right")
    draws: list[int] = []
    reasons: Counter[str] = Counter()
    began = time.process_time()
    for seed in range(int(first), int(last or first) + 1):
        for damage in map(float, told.damage.split(",")):
            row = [str(seed), f"{damage:g}"]
            spec = CitySpec(seed=seed, damage=damage)
            out = output(spec)
            made = kept(resolve(spec), out.frames, float(out.fps))
            with Renderer(
                made.scene, daylight(spec, resolve(spec)), EXPOSURE, motion=made.motion
            ) as renderer:
                row += [str(made.facts.get("moved", 0)), f"{rubble(spec, made, renderer):.1%}"]
                for family in families:
                    own = attrs.evolve(spec, camera=family)
                    try:
                        shot = choose(own, resolve(own), made, renderer, out)
                    except InputError as error:
                        row.append("none")
                        reasons[str(error)] += 1
                        continue
                    draws.append(shot.path.attempt + 1)
                    reasons.update(_kind(each[0]) for each in shot.refused)
                    row.append(str(draws[-1]))
            table.add_row(*row)
            console.print(*row, style="dim")
    console.print(table)
    for reason, count in reasons.most_common():
        console.print(f"{count:5d}  {reason}")
    cpu = time.process_time() - began
    console.print(
        f"{len(draws)} paths, {sum(draws) - len(draws)} redraws, at most {max(draws, default=0)} draws; {cpu:.0f} s CPU"
    )


def _kind(reason: str) -> str:
    """A refusal without its numbers."""
    return "".join("#" if letter.isdigit() else letter for letter in reason).replace("##", "#")


if __name__ == "__main__":
    main()
