"""Which camera paths pass their gates, and what damage does: ``python benchmarks/city_gates.py [--seeds 1..20]``.

Chooses the path of every family through every street, and films nothing: how many draws each took, and what refused
most. Beside it, how many pieces have moved by the last frame, and how much of the last third is rubble as three cameras
see it that stay where they are whatever the damage.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import TYPE_CHECKING

import attrs
import numpy as np
from cosmos_core_city import aim, camera
from cosmos_core_city.generate import choose, output
from cosmos_core_city.kept import kept
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer, View
from cosmos_core_city.spec import CAMERAS, CitySpec, resolve
from rich.console import Console
from rich.table import Table

from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core_city.spec import City
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


def views(city: City) -> Iterator[View]:
    """Three places over the other sidewalk that look at the house of the blast, the same for every damage."""
    if city.blast is None:
        return
    x, y, _ = city.blast.center
    side = np.sign(y)
    for away in (-14.0, 0.0, 14.0):
        eye, target = (x + away, -side * 7.0, 16.0), (x, side * city.facade, 5.0)
        yield View(camera.look(np.array(eye), np.array(target)), (480.0, 480.0, 320.0, 176.0), (640, 352))


def rubble(city: City, made: Wreck, renderer: Renderer) -> float:
    """The share of rubble in the last third, as cameras see it that no damage moves."""
    if made.motion is None:
        return 0.0
    frames = made.motion.frames
    moments = [frames * 2 // 3, frames * 5 // 6, frames - 1]
    return float(
        np.mean([aim.rubble(made, renderer.look(view, at), at) for view in views(city) for at in moments])
    )


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
            city = resolve(spec)
            made = kept(city, out.frames, float(out.fps))
            with Renderer(made.scene, daylight(spec, city), EXPOSURE, motion=made.motion) as renderer:
                row += [str(made.facts.get("moved", 0)), f"{rubble(city, made, renderer):.1%}"]
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
