"""Pictures of shapes, for tests: some to learn an embedding from, others of which there are few."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

SHAPES = ("across", "down", "falling", "rising", "cross", "saltire", "frame")
_SIZE = 9


def write_shapes(path: Path, shapes: Sequence[str], *, examples: int, side: int, seed: int) -> None:
    """Write `x` (uint8 N H W) and `y` (N names) as an npz file: bright lines at any place, on noise."""
    import numpy as np

    generator = np.random.default_rng(seed)
    x = generator.integers(0, 60, (examples, side, side), dtype=np.uint8)
    y = np.asarray(shapes)[np.arange(examples) % len(shapes)]
    for picture, name in zip(x, y, strict=True):
        row, column = generator.integers(0, side - _SIZE, 2)
        part = picture[row : row + _SIZE, column : column + _SIZE]
        part[_drawn(name)] = generator.integers(180, 256)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x=x, y=y)


def _drawn(name: str) -> NDArray[np.bool_]:
    import numpy as np

    rows, columns = np.indices((_SIZE, _SIZE))
    middle, last = _SIZE // 2, _SIZE - 1
    across, down = rows == middle, columns == middle
    falling, rising = rows == columns, rows + columns == last
    frame = (rows % last == 0) | (columns % last == 0)
    drawn = {"cross": across | down, "saltire": falling | rising, "frame": frame}
    lines = {"across": across, "down": down, "falling": falling, "rising": rising}
    return np.asarray({**lines, **drawn}[name], np.bool_)
