"""Whoever reads a source says the same of one that is not SCHEME:WHAT, or that holds something else."""

from __future__ import annotations

import pytest

from glassworks.data.interactions.reader import scan
from glassworks.data.kinds import kind_of
from glassworks.data.reader import read_pictures
from glassworks.data.text.reader import Columns, read_lines, read_texts
from glassworks.errors import DataError


@pytest.mark.parametrize("source", ["events", "csv:", ":path"])
def test_what_is_no_source_is_refused_alike(source: str) -> None:
    for read in (scan, kind_of, read_texts, read_pictures, lambda each: read_lines(each, Columns())):
        with pytest.raises(DataError) as caught:
            read(source)
        if source == ":path":
            assert "''" in str(caught.value)
        else:
            assert caught.value.problem == f"the source '{source}' is not SCHEME:WHAT"
            assert caught.value.mend.startswith("write for example ")


def test_a_source_of_something_else_is_refused_alike() -> None:
    for read in (scan, lambda each: kind_of(each, "interactions")):
        with pytest.raises(DataError) as caught:
            read("folder:photos")
        assert caught.value.problem == "'folder' is no source of interactions"
        assert caught.value.mend == "sources of interactions: csv, parquet, sample, uploaded"
