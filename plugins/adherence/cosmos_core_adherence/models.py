"""Models that see depth or regions in a picture: a function of yours, or an ONNX file.

A function takes one frame, (H, W, 3) uint8 RGB, and gives an array (h, w) of any size: for depth numbers that are the
larger the nearer (inverse depth, as Depth Anything gives it), for regions whole numbers, or scores (classes, h, w).

An ONNX file has one input (1, 3, h, w) of floats, red first, normalized with ImageNet's mean and spread, as exports of
Depth Anything and of most segmentation models have; its first output is taken without its axes of length 1.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosmos_core.media import Pixels

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, https://pytorch.org/vision/stable/models.html."""

USUAL = 518
"""Height and width where the file leaves them open: 37 patches of 14, what Depth Anything was trained at."""


@lru_cache(maxsize=2)
def load(name: str) -> Callable[[Pixels], Any]:
    """The model of that name: ``package.module:function``, or a path that ends in ``.onnx``.

    Raises:
        InputError: there is no such file or function, or its runtime is not installed.
    """
    if name.endswith(".onnx"):
        return _onnx(Path(name))
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"there is no model {name!r}: {error}", hint="an .onnx file, or package.module:function"
        ) from error
    if not callable(found):
        raise InputError(f"{name} is no function", hint="an .onnx file, or package.module:function")
    made: Callable[[Pixels], Any] = found
    return made


def _onnx(path: Path) -> Callable[[Pixels], Any]:
    if not path.is_file():
        raise InputError(f"there is no model at {path}", hint="give the whole path")
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            f"{path.name} needs onnxruntime, which is not installed",
            hint="pip install 'cosmos-core-adherence[onnx]'",
        ) from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    height, width = (side if isinstance(side, int) else USUAL for side in entry.shape[2:4])

    def see(frame: Pixels) -> Any:
        import numpy as np

        (first, *_) = session.run(None, {entry.name: _prepared(frame, width, height)})
        return np.squeeze(first)

    return see


def _prepared(frame: Pixels, width: int, height: int) -> Any:
    import cv2
    import numpy as np

    sized = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mean, spread = (np.array(each, np.float32) for each in (MEAN, SPREAD))
    return ((sized - mean) / spread).transpose(2, 0, 1)[None]


def labels_of(found: Any) -> Any:
    """Labels (h, w) of what a model for regions gave: scores (classes, h, w) are decided for the highest."""
    import numpy as np

    array = np.asarray(found)
    return array.argmax(axis=0) if array.ndim == 3 else array
