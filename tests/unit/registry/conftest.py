"""An empty registry and small real bundles to publish."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from glassworks.contracts import Artifact, Signature
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.packaging.manifest import Manifest
from glassworks.registry import Registry

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry.open({"GLASSWORKS_HOME": str(home)}, clock=lambda: NOON)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Bundle]:
    def make(name: str = "digits", content: bytes = b"graph") -> Bundle:
        folder = tmp_path / f"bundle-{name}-{len(list(tmp_path.iterdir()))}"
        (folder / "parts").mkdir(parents=True)
        (folder / "model.onnx").write_bytes(content)
        (folder / "parts/words.json").write_bytes(b"[]")
        manifest = Manifest(
            name=name,
            task="t",
            family="f",
            signature=Signature(inputs=(), outputs=()),
            artifacts=(Artifact(role="predict", format="onnx", file="model.onnx"),),
        )
        return write_bundle(folder, manifest)

    return make
