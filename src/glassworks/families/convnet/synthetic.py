"""Pictures with a known cause, for tests: a bright bar whose direction is the class; colored shapes, each a label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIRECTIONS = ("across", "down", "diagonal")
SHAPES = {"cross": (40, 90, 255), "disk": (30, 200, 60), "ring": (240, 210, 40), "square": (230, 40, 40)}
"""Name -> color."""
Box = tuple[int, int, int, int]
_PRESENT = 0.45


def write_bars(path: Path, *, examples: int, side: int, seed: int) -> None:
    """Write `x` (uint8 N H W) and `y` (N) as an npz file; each class has the same share."""
    import numpy as np

    generator = np.random.default_rng(seed)
    x = generator.integers(0, 60, (examples, side, side), dtype=np.uint8)
    y = np.arange(examples) % len(DIRECTIONS)
    length = side // 2
    steps = np.arange(length)
    for picture, label in zip(x, y, strict=True):
        row, column = generator.integers(0, side - length, 2)
        rows = row + (0 if DIRECTIONS[label] == "across" else steps)
        columns = column + (0 if DIRECTIONS[label] == "down" else steps)
        picture[rows, columns] = generator.integers(180, 256)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x=x, y=np.asarray(DIRECTIONS)[y])


def write_shapes(
    folder: Path, *, examples: int, side: int, seed: int
) -> dict[str, dict[str, tuple[int, int, int, int]]]:
    """Write pictures (PNG, `side` x `side`) that hold any of `SHAPES`, or none, and `labels.csv`.

    Each shape lies in a quarter of its own. Returns file -> label -> where it lies: top, left, bottom, right.
    """
    import csv

    import numpy as np
    from PIL import Image

    generator, found = np.random.default_rng(seed), {}
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(examples):
        pixels = generator.integers(60, 120, (side, side, 3), dtype=np.uint8)
        boxes, half = {}, side // 2
        for quarter, (label, color) in zip(generator.permutation(len(SHAPES)), SHAPES.items(), strict=True):
            if generator.random() < _PRESENT:
                size = int(generator.integers(half // 2, half - 1))
                top, left = (int(generator.integers(0, half - size)) for _ in range(2))
                top, left = top + half * (int(quarter) // 2), left + half * (int(quarter) % 2)
                pixels[top : top + size, left : left + size][_mask(label, size)] = color
                boxes[label] = (top, left, top + size, left + size)
        found[f"{number:04}.png"] = boxes
        Image.fromarray(pixels).save(folder / f"{number:04}.png")
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("file", "labels"), *((name, ";".join(boxes)) for name, boxes in found.items())])
    return found


def _mask(label: str, size: int) -> NDArray[np.bool_]:
    """Which pixels of a square of that side belong to the shape."""
    import numpy as np

    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    radius, arm = np.hypot(rows, columns) / (size / 2), size / 6
    masks: dict[str, NDArray[np.bool_]] = {
        "cross": (np.abs(rows) < arm) | (np.abs(columns) < arm),
        "disk": radius <= 1,
        "ring": (radius <= 1) & (radius >= 0.5),
        "square": np.ones((size, size), np.bool_),
    }
    return masks[label]
