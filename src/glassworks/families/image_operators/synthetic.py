"""Pictures with known edges, for tests: a bright square on a dark ground with a little noise."""

from __future__ import annotations

from pathlib import Path


def write_squares(folder: Path, *, pictures: int, seed: int) -> None:
    """Write PNG files of 33 x 46 pixels in color."""
    import cv2
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for number in range(pictures):
        picture = generator.integers(0, 8, (33, 46, 3), dtype=np.uint8)
        row, column = generator.integers(4, 14, 2)
        picture[row : row + 14, column : column + 20] += generator.integers(120, 200, 3).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
