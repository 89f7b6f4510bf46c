"""Pictures with a known cause, for tests: a bright bar whose direction is the class, on noise."""

from __future__ import annotations

from pathlib import Path

DIRECTIONS = ("across", "down", "diagonal")


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
