"""Run NVIDIA's Transfer 2.5 program in its checkout, and keep its model for what comes into the job's spool.

    python {job}/stay.py SECONDS SCRIPT [ARGUMENT …]

It travels with the job and is run by the Python that has NVIDIA's packages. The program runs as it is; only
``cosmos_transfer2.inference.Control2WorldInference.generate`` goes on after the samples it was given, with those of the
files of the spool, until none came for SECONDS. Each sample that is over leaves ``finished/<name>`` in the output folder:
of a refused one the program itself leaves no mark. A sample that it dies of ends it, as without this script.

Source: nvidia-cosmos/cosmos-transfer2.5 at 2ff49d0: examples/inference.py, cosmos_transfer2/{inference,config}.py:
``generate(samples, output_dir)`` loads nothing, ``InferenceArguments.from_files`` gives samples and their controls,
reads a file in its own folder and exits when one is wrong.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType

MODULE = "cosmos_transfer2.inference"


class AfterImport(importlib.abc.MetaPathFinder):
    """Calls *then* with the module of that name, once it was imported."""

    def __init__(self, name: str, then: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._then = then

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        """Find it as everybody else would, and be there when it runs."""
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                self._then(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def stay(module: ModuleType, folder: Path, seconds: float) -> None:
    """Let ``generate`` go on with what comes into *folder*'s spool, until nothing came for *seconds*."""
    generate = module.Control2WorldInference.generate

    def generate_more(self: Any, samples: Any, output_dir: Path) -> list[str]:
        made: list[str] = []
        for sample in samples:
            made += generate(self, [sample], output_dir) or []
            finish(sample.name, Path(output_dir))
        for path in _launcher(folder).spooled(folder, seconds):
            for sample in read(module, path):
                # A file that is sent again after a crash asks for what was begun.
                if not Path(output_dir, f"{sample.name}.json").exists():
                    made += generate(self, [sample], output_dir) or []
                finish(sample.name, Path(output_dir))
        return made

    module.Control2WorldInference.generate = generate_more


def read(module: ModuleType, path: Path) -> list[Any]:
    """The samples of a file; none when the program would not have them, which it says itself."""
    here = Path.cwd()
    try:
        found, _ = module.InferenceArguments.from_files([path])
    except SystemExit:
        return []
    finally:
        os.chdir(here)
    return list(found)


def finish(name: str, output_dir: Path) -> None:
    """Say that nothing more is done for a sample, whatever came of it."""
    folder = output_dir / "finished"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


def _launcher(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("job_launcher", folder / "launcher.py")
    if spec is None or spec.loader is None:
        sys.exit(f"Error: there is no launcher.py in {folder}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(seconds: str, script: str, arguments: list[str]) -> None:
    """Run the program as if by its own Python."""
    folder = Path(__file__).absolute().parent
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).absolute().parent)
    sys.meta_path.insert(0, AfterImport(MODULE, lambda module: stay(module, folder, float(seconds))))
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
