"""A `.glass` file holds the bundle it was made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from glassworks import catalog
from glassworks.contracts import Exporter
from glassworks.errors import InputError, UnsafePath
from glassworks.packaging.archive import unpack_bundle
from glassworks.packaging.bundle import Bundle, write_bundle

MakeBundle = Callable[..., Bundle]


def test_the_file_unpacks_to_the_same_bundle(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle, target = make_bundle(), tmp_path / "moved"
    exporter = catalog.get(Exporter, "glass")
    assert exporter.export(bundle.folder, target) == (target / "digits.glass",)
    assert exporter.export(bundle.folder, target) == (target / "digits.glass",)
    assert unpack_bundle(target / "digits.glass", tmp_path / "there").sha256 == bundle.sha256
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"is not empty: it holds thesis.txt, which no export wrote"):
        exporter.export(bundle.folder, target)


def test_a_name_does_not_lead_out_of_the_folder(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle()
    write_bundle(bundle.folder, bundle.manifest.model_copy(update={"name": "../escaped"}))
    with pytest.raises(UnsafePath, match="names the file"):
        catalog.get(Exporter, "glass").export(bundle.folder, tmp_path / "moved")
    assert not (tmp_path / "escaped.glass").exists()
