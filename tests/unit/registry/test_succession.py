"""A version that takes or answers otherwise than the one that is served is told, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassworks.contracts import TensorSpec
from glassworks.packaging.manifest import Manifest
from glassworks.registry import Registry
from glassworks.registry.records import Version
from glassworks.registry.succession import inputs_differ, labels_differ, unlike


def manifest(*shape: int, labels: tuple[str, ...] = ("a", "b")) -> Manifest:
    spec = {"name": "image", "datatype": "FP32", "shape": list(shape)}
    given = {"name": "m", "task": "image-classification", "family": "convnet", "labels": labels}
    return Manifest.model_validate({**given, "signature": {"inputs": [spec], "outputs": ()}})


class Kept(Registry):
    """A registry of manifests alone."""

    def __init__(self, *manifests: Manifest, champion: int = 0) -> None:
        self._kept, self._champion = manifests, champion

    def versions(self, name: str) -> tuple[Version, ...]:
        return tuple(
            Version(
                name=name,
                version=number,
                bundle_sha256="",
                created_at="",
                aliases=("champion",) if number == self._champion else (),
            )
            for number, _ in enumerate(self._kept, 1)
        )

    def manifest(self, version: Version) -> Manifest:
        return self._kept[version.version - 1]


SMALL, LARGE, OTHER = manifest(-1, 8, 8, 1), manifest(-1, 28, 28, 1), manifest(-1, 8, 8, 1, labels=("a", "c"))


@pytest.mark.parametrize(
    ("registry", "version", "said"),
    [
        (Kept(SMALL), 1, ""),
        (Kept(SMALL, SMALL), 2, ""),
        (Kept(SMALL, LARGE), 2, "unlike m@1, they take other inputs, 'image' FP32 -1x28x28x1 against"),
        (Kept(SMALL, OTHER), 2, "unlike m@1, they answer with other labels, 'a', 'c' against 'a', 'b'"),
        (Kept(SMALL, LARGE, LARGE), 3, ""),
        (Kept(SMALL, LARGE, LARGE, champion=1), 3, "unlike m@1, they take other inputs"),
        (Kept(SMALL, LARGE, champion=2), 2, "unlike m@1"),
    ],
)
def test_what_is_unlike_the_one_before_or_the_champion(registry: Kept, version: int, said: str) -> None:
    found = list(unlike(registry, registry.versions("m")[version - 1]))
    assert len(found) == bool(said)
    assert "".join(found).startswith(said)


def test_what_varies_fits_any_and_catalogs_grow(tmp_path: Path) -> None:
    one, other = (TensorSpec(name="x", datatype="FP32", shape=shape) for shape in ((-1, -1), (-1, 9)))
    assert inputs_differ([one], [other]) == ""
    assert inputs_differ([one], [one, other]) != ""
    assert labels_differ(("a",), ("a", "b"), "recommendation") == ""
