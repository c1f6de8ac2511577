"""Sizes, tiers and frame counts of Cosmos 3. Pure arithmetic and tables.

Source: NVIDIA/cosmos-framework: cosmos_framework/data/generator/utils.py (VIDEO_RES_SIZE_INFO), inference/args.py
(MAX_NUM_FRAMES, the tiers of the published checkpoints), inference/vision.py (nearest aspect ratio), inference/transfer.py (chunks).
"""

from __future__ import annotations

SIZES: dict[str, dict[str, tuple[int, int]]] = {
    "256": {"1,1": (256, 256), "4,3": (320, 256), "3,4": (256, 320), "16,9": (320, 192), "9,16": (192, 320)},
    "480": {"1,1": (640, 640), "4,3": (736, 544), "3,4": (544, 736), "16,9": (832, 480), "9,16": (480, 832)},
    "720": {"1,1": (960, 960), "4,3": (1104, 832), "3,4": (832, 1104), "16,9": (1280, 720), "9,16": (720, 1280)},
    "768": {
        "1,1": (1024, 1024),
        "4,3": (1184, 880),
        "3,4": (880, 1184),
        "16,9": (1360, 768),
        "9,16": (768, 1360),
    },
}  # fmt: skip
"""Width and height in pixels, by tier and aspect ratio."""
RATIOS = {"16,9": 16 / 9, "4,3": 4 / 3, "1,1": 1.0, "3,4": 3 / 4, "9,16": 9 / 16}

TRAINED: dict[str, tuple[str, ...]] = {
    "Cosmos3-Nano": ("256", "480", "720"),
    "Cosmos3-Super": ("256", "480", "720"),
    "Cosmos3-Edge": ("256", "480"),
}
"""Tiers of videos that a checkpoint was trained for. Others run, and give what the model never learnt."""

LEAST_FRAMES = 24
MOST_FRAMES = {"256": 400, "480": 300, "720": 200, "768": 200}
"""Of a chunk; outside of these the framework warns of poorer quality."""
LEAST_FPS, MOST_FPS = 10, 30


def nearest_ratio(width: int, height: int) -> str:
    """The aspect ratio that the framework takes for a picture of that size."""
    return min(RATIOS, key=lambda ratio: (RATIOS[ratio] - width / height) ** 2)


def rounded(frames: int) -> int:
    """*frames* rounded up to 4k + 1, as the model does in silence: its tokenizer joins four frames."""
    return 4 * -(-(frames - 1) // 4) + 1


def chunks(frames: int, *, chunk: int, conditional: int) -> int:
    """How often the model runs for *frames* in chunks that go on from *conditional* frames."""
    if frames <= chunk:
        return 1
    return 1 + -(-(frames - chunk) // (chunk - conditional))


def cropped(width: int, height: int, size: tuple[int, int]) -> float:
    """Share of a picture that is lost when it is scaled to cover *size* and cropped."""
    scale = max(size[0] / width, size[1] / height)
    return 1 - size[0] * size[1] / (scale * width * scale * height)
