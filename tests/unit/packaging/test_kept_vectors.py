"""What was embedded is not embedded again; what is damaged, or of another model or other texts, is not taken for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glassworks.packaging.kept_vectors import KeptVectors


class Counting:
    """Computes vectors and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> NDArray[np.float32]:
        self.times += 1
        return np.full((2, 3), self.times, np.float32)


def texts(*given: str) -> NDArray[Any]:
    return np.array(given, object)


def test_the_same_is_computed_once_and_anything_else_anew(tmp_path: Path) -> None:
    kept, compute = KeptVectors(tmp_path / "vectors"), Counting()
    first = kept.get("m", texts("a", "bc"), compute)
    assert np.array_equal(kept.get("m", texts("a", "bc"), compute), first)
    assert np.array_equal(KeptVectors(tmp_path / "vectors").get("m", texts("a", "bc"), compute), first)
    assert compute.times == 1
    pictures = np.zeros((2, 4), np.uint8)
    for model, x in (("n", texts("a", "bc")), ("m", texts("ab", "c")), ("m", texts("bc", "a")), ("m", pictures)):
        before = compute.times
        kept.get(model, x, compute)
        assert compute.times == before + 1
    before = compute.times
    kept.get("m", pictures.reshape(2, 2, 2), compute)
    assert compute.times == before + 1


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_damaged_file_is_computed_again(tmp_path: Path, damage: bytes | None) -> None:
    kept, compute = KeptVectors(tmp_path), Counting()
    kept.get("m", texts("a", "b"), compute)
    (file,) = tmp_path.glob("*.npy")
    if damage is None:
        np.save(file, np.zeros((1, 3), np.float32), allow_pickle=False)
    else:
        file.write_bytes(damage)
    assert kept.get("m", texts("a", "b"), compute)[0, 0] == 2
    assert kept.get("m", texts("a", "b"), compute)[0, 0] == 2


def test_a_folder_that_cannot_be_written_costs_time_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    kept, compute = KeptVectors(tmp_path / "file"), Counting()
    assert [kept.get("m", texts("a", "b"), compute)[0, 0] for _ in range(2)] == [1, 2]


def test_what_was_not_used_for_long_goes_first(tmp_path: Path) -> None:
    kept, compute = KeptVectors(tmp_path), Counting()
    kept.get("m", texts("0", "x"), compute)
    (first,) = tmp_path.glob("*.npy")
    for number in range(1, 8):
        kept.get("m", texts(f"{number}", "x"), compute)
    for index, file in enumerate(sorted(tmp_path.glob("*.npy"))):
        os.utime(file, (index, index))
    kept.get("m", texts("0", "x"), compute)
    kept.get("m", texts("8", "x"), compute)
    assert len(list(tmp_path.glob("*.npy"))) == 8
    assert first.exists()
    assert len(list(tmp_path.iterdir())) == 8
