"""Whatever exporter the catalog finds writes what it says, twice, and leaves alone what others wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassworks.catalog import found, get
from glassworks.contracts import Exporter
from glassworks.errors import InputError, MissingLibrary
from glassworks.packaging.bundle import Bundle


@pytest.mark.parametrize("name", sorted(found(Exporter)))
def test_it_writes_what_it_says_and_nothing_over_others(name: str, tiny_bundle: Bundle, tmp_path: Path) -> None:
    exporter, target, others = get(Exporter, name), tmp_path / "exported", tmp_path / "others"
    try:
        written = exporter.export(tiny_bundle.folder, target)
    except MissingLibrary as error:  # of which a part is fetched on export, where there is no network
        pytest.skip(str(error))
    assert written
    assert sorted(written) == sorted(path for path in target.rglob("*") if path.is_file())
    assert all(path.stat().st_size for path in written)
    first = {path: path.read_bytes() for path in written}
    assert exporter.export(tiny_bundle.folder, target) == written
    assert {path: path.read_bytes() for path in written} == first
    others.mkdir()
    (others / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match=r"holds thesis.txt, which no export wrote"):
        exporter.export(tiny_bundle.folder, others)
    assert [path.name for path in others.iterdir()] == ["thesis.txt"]
