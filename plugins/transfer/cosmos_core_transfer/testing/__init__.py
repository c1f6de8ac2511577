"""Stand-ins for NVIDIA's programs, which misbehave as the originals do, and checkouts that hold them.

The programs are scripts of the standard library; with PyAV they write real videos. Words in a prompt choose what goes
wrong; see :mod:`cosmos_core_transfer.testing.transfer25`, :mod:`cosmos_core_transfer.testing.transfer1` and
:mod:`cosmos_core_transfer.testing.upsampler`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

_HERE = Path(__file__).parent

_PYTHON = """#!/bin/sh
exec "{python}" "$@"
"""

# As torchrun does: so many processes of which the first is rank 0. One is enough for what we look at.
_TORCHRUN = """#!/bin/sh
size=1
while :; do
    case "$1" in
        --nproc_per_node=*) size=${{1#*=}}; shift ;;
        --*) shift ;;
        *) break ;;
    esac
done
WORLD_SIZE=$size RANK=0 LOCAL_RANK=0 exec "{python}" "$@"
"""


_UPSAMPLER = "nvidia/Cosmos-UpsamplePrompt1-12B-Transfer"


def install(folder: Path) -> Path:
    """Make *folder* look like a checkout of both repositories, with ``bin/python`` and ``bin/torchrun``."""
    places = {
        "transfer25.py": "examples/inference.py",
        "transfer1.py": "cosmos_transfer1/diffusion/inference/transfer.py",
        "upsampler.py": "cosmos_transfer1/auxiliary/upsampler/model/upsampler.py",
        "frames.py": "cosmos_transfer1/utils/misc.py",
    }
    for source, place in places.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_HERE / source, target)
        shutil.copyfile(_HERE / "pictures.py", target.parent / "pictures.py")
    package = folder / "cosmos_transfer1"
    (package / "checkpoints.py").write_text(f"COSMOS_UPSAMPLER_CHECKPOINT = {_UPSAMPLER!r}\n", "utf-8")
    (package / "utils/fix_vllm_registration.py").write_text("PATCHED = True\n", "utf-8")
    (folder / "cosmos_transfer2").mkdir(exist_ok=True)
    (folder / "cosmos_transfer2/inference.py").write_text(
        "from __main__ import Control2WorldInference, InferenceArguments\n", "utf-8"
    )
    (folder / "checkpoints" / _UPSAMPLER).mkdir(parents=True, exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    for name, text in (("python", _PYTHON), ("torchrun", _TORCHRUN)):
        script = folder / "bin" / name
        script.write_text(text.format(python=sys.executable), "utf-8")
        script.chmod(0o755)
    return folder
