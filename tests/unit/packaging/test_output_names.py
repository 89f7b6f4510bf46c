"""Names of results: whatever the inputs are called, each has its own."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from glassworks.packaging.output_names import output_names

PART = st.text("aA.é", min_size=1, max_size=4).filter(lambda name: name.strip(".") != "")
PATHS = st.lists(st.lists(PART, min_size=1, max_size=2).map(lambda parts: Path(*parts)), unique=True, max_size=12)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.jpg", "b.tif"], ["a.png", "b.png"]),
        (["a.jpg", "a.png", "a.tif"], ["a.jpg.png", "a.png.png", "a.tif.png"]),
        (["a.jpg", "a.tif", "a.jpg.png"], ["a.jpg-2.png", "a.tif.png", "a.jpg.png"]),
        (["A.jpg", "a.jpg"], ["A.jpg.png", "a.jpg-2.png"]),
        (["x/a.jpg", "y/a.jpg"], ["x/a.png", "y/a.png"]),
        (["a.v1.jpg", "a.v2.jpg", "a"], ["a.v1.png", "a.v2.png", "a.png"]),
    ],
)  # fmt: skip
def test_short_names_where_they_are_free(files: list[str], names: list[str]) -> None:
    assert output_names([Path(each) for each in files], ".png") == [Path(each) for each in names]


@given(PATHS)
def test_no_two_are_the_same_on_any_file_system(files: list[Path]) -> None:
    found = output_names(files, ".png")
    assert len(found) == len(files)
    assert len({unicodedata.normalize("NFC", str(each)).casefold() for each in found}) == len(files)
    assert all(each.parent == file.parent for each, file in zip(found, files, strict=True))
