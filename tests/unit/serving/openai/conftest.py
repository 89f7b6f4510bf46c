"""Real servers for OpenAI's own client: of a tiny language model, and of one that waits and dies as it is told."""

from __future__ import annotations

import contextlib
import json
import shutil
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
from glassworks.language.confidence import KEY, Confidence
from glassworks.language.nearest import FILES, keep
from glassworks.language.session import LanguageSession
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry


@pytest.fixture(scope="session")
def language_home(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Path:
    """A registry with a tiny language model, whose version is the champion, and a classifier of pictures."""
    folder = tmp_path_factory.mktemp("language")
    registry = Registry.open({"GLASSWORKS_HOME": str(folder / "home")})
    job = get(Family, "language_model").tiny(folder)
    plain = job.model_copy(update={"optimization": OptimizationConfig(enabled=False)})
    made = release(plain, Registry.open({"GLASSWORKS_HOME": str(folder / "made")}), Silent())
    registry.publish(remembering(made.bundle, folder / "remembering"))
    registry.set_alias("tiny-language-model", 1, "champion")
    registry.publish(tiny_bundle)
    return folder / "home"


def remembering(bundle: Bundle, folder: Path) -> Bundle:
    """The same model with what a tuned one has: how often it is right, and conversations that it learned from."""
    shutil.copytree(bundle.folder, folder)
    opened = OpenedBundle(bundle)
    said = [{"role": role, "content": text} for role, text in (("user", "Hello"), ("assistant", "Good day"))]
    others = [[{**said[0], "content": text}, said[1]] for text in ("the red cat", "今天天气好")]
    items = [json.dumps({"messages": each, "tools": []}) for each in (*others, said)]
    session = opened.session("predict")
    assert isinstance(session, LanguageSession)
    keep(folder, items, session.embed)
    opened.close()
    known = Confidence(slope=1.0, offset=0.0, examples=200, right=100).model_dump()
    (served,) = bundle.manifest.artifacts
    about = {
        "preprocessing": {**bundle.manifest.preprocessing, KEY: known, "keep_examples": True},
        "artifacts": (served.model_copy(update={"beside": (*served.beside, *FILES)}),),
    }
    return write_bundle(folder, bundle.manifest.model_copy(update=about))


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
