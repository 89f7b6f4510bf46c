"""A home with a tiny sentence encoder, for servers that are asked by OpenAI's own client."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassworks.catalog import get
from glassworks.config import OptimizationConfig
from glassworks.contracts import Family
from glassworks.flow import release
from glassworks.packaging.bundle import Bundle
from glassworks.progress import Silent
from glassworks.registry import Registry


@pytest.fixture(scope="session")
def encoder_home(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Path:
    """The registry is in `home`, the encoder as it was given in `encoder`; a classifier of pictures is beside it."""
    folder = tmp_path_factory.mktemp("embeddings")
    registry = Registry.open({"GLASSWORKS_HOME": str(folder / "home")})
    job = get(Family, "text_encoder").tiny(folder)
    release(job.model_copy(update={"optimization": OptimizationConfig(enabled=False)}), registry, Silent())
    registry.publish(tiny_bundle)
    return folder
