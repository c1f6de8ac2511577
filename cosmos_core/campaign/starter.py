"""The files of a first campaign, to be changed."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from cosmos_core import canonical
from cosmos_core.campaign.schema import schema
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = "campaign.schema.json"

_FILE = """\
# yaml-language-server: $schema=campaign.schema.json
campaign: {name}  # its runs are found again by this name

defaults:                         # what every entry has unless it says otherwise
{source}
  template: prompt.jinja2         # makes each prompt, from the parts that an entry names
  negative: "blurry, distorted, low quality"

entries:                          # one definition each ...
  - id: A01
    scene: porch                  # scenes/porch.yaml
    subject: courier
    environment: clear_night
    action: delivers

  - id: A02                       # ... with a part's value replaced for this one,
    scene: porch
    subject: courier
    environment: heavy_rain
    action: delivers
    set:
      subject.description: A courier in a yellow raincoat

  - id: "B-{{{{ scene.short }}}}-{{{{ environment.short }}}}"   # ... or one for each combination
    subject: family
    action: walks_by
    matrix:
      scene: [porch, driveway]
      environment: [clear_night, heavy_rain]

totals:                           # what must come out; a slip is seen before it costs a GPU
  definitions: 6
  runs: {runs}
"""

_OF_TEXT = """\
  backend: predict2.5             # needs: pip install cosmos-core-predict
  durations: [5, 10]              # seconds; a video for each
  options:
    enable_autoregressive: true   # go on after the model's first 5.8 s"""

_OF_CLIP = """\
  clip: {clip}"""

_TEMPLATE = """\
{# Jinja2, over the parts that an entry names. What is not there is an error, never an empty word. #}
{{ subject.description }} {{ action.sequence }} at {{ scene.place }}. {{ environment.light }}.
Photorealistic, seen by a fixed camera.
"""

_PARTS = {
    "scenes/porch.yaml": "short: porch\nplace: the front porch of a small house with a wooden door\n",
    "scenes/driveway.yaml": "short: drive\nplace: a paved driveway between two hedges\n",
    "subjects/courier.yaml": "description: A courier with a parcel\n",
    "subjects/family.yaml": "description: A family of four\n",
    "environments/clear_night.yaml": "short: night\nlight: A clear night, lit by one lamp over the door\n",
    "environments/heavy_rain.yaml": "short: rain\nlight: Heavy rain at dusk, with puddles that reflect the sky\n",
    "actions/delivers.yaml": "sequence: walks up, rings, waits and leaves the parcel\n",
    "actions/walks_by.yaml": "sequence: walks by slowly, from left to right\n",
}


def write(folder: Path, *, clip: str = "") -> Path:
    """Write the files of a campaign into *folder*, which must not exist, and give the path of the campaign's own.

    Args:
        folder: its last part is the campaign's name.
        clip: of each video, in the words of the file; without one every video is made of text.

    Raises:
        InputError: *folder* exists.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).strip("-._") or "campaign"
    if folder.exists():
        raise InputError(f"{folder} is there already", hint="choose a new folder; nothing is overwritten")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for path, text in files(name, clip=clip).items():
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        (part / path).write_text(text, "utf-8")
    part.rename(folder)
    return folder / f"{name}.yaml"


def files(name: str, *, clip: str = "") -> Mapping[str, str]:
    """The text of each file, by path."""
    source = _OF_CLIP.format(clip=canonical.dumps(clip)) if clip else _OF_TEXT
    campaign = _FILE.format(name=name, source=source, runs=6 if clip else 12)
    return {
        f"{name}.yaml": campaign,
        "prompt.jinja2": _TEMPLATE,
        **_PARTS,
        SCHEMA: canonical.pretty(schema()),
    }
