"""Real servers for OpenAI's own client: of a tiny language model, and of one that waits and dies as it is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from tests import toy
from tests.integration.serving.running import Server, serving

from glassworks.catalog import get
from glassworks.config import OptimizationConfig
from glassworks.contracts import Family
from glassworks.flow import release
from glassworks.packaging.bundle import Bundle
from glassworks.progress import Silent
from glassworks.registry import Registry


@pytest.fixture(scope="session")
def language_home(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Path:
    """A registry with a tiny language model, whose version is the champion, and a classifier of pictures."""
    folder = tmp_path_factory.mktemp("language")
    registry = Registry.open({"GLASSWORKS_HOME": str(folder / "home")})
    job = get(Family, "language_model").tiny(folder)
    release(job.model_copy(update={"optimization": OptimizationConfig(enabled=False)}), registry, Silent())
    registry.set_alias("tiny-language-model", 1, "champion")
    registry.publish(tiny_bundle)
    return folder / "home"


@pytest.fixture(scope="session")
def language_server(language_home: Path) -> Iterator[Server]:
    with serving(language_home, "--no-grpc") as server:
        yield server


@pytest.fixture(scope="session")
def language_client(language_server: Server) -> Iterator[openai.OpenAI]:
    base = f"http://{language_server.address}/v1"
    with openai.OpenAI(base_url=base, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def scribe_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Of `tests.toy.scribe`, which only the server's process goes on knowing: this one lives on with other tests."""
    folder = tmp_path_factory.mktemp("scribe-served")
    with contextlib.ExitStack() as stack:
        with toy.installed(folder), pytest.MonkeyPatch.context() as patch:
            registry = Registry.open({"GLASSWORKS_HOME": str(folder / "home")})
            registry.publish(toy.writer(folder / "bundle"))
            root = Path(__file__).parents[4]
            patch.setenv("PYTHONPATH", f"{folder}:{root / 'src'}:{root}")
            server = stack.enter_context(serving(folder / "home", "--no-grpc"))
        yield server
