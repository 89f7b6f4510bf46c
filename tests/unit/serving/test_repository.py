"""The watcher of the registry: whatever a version is, what is served stays served, and later changes are followed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PATIENCE_S

from glassworks.errors import BundleError, GlassworksError, StorageError
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.registry import Registry
from glassworks.serving.core.models import Models
from glassworks.serving.core.repository import Repository

PART = "registry watcher"


class Served:
    """A registry with three versions, of which the champion is served and followed. The second one is a lie."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        self.registry, self.name = Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), bundle.manifest.name
        self.registry.publish(bundle)
        self.registry.publish(_with_a_lie(bundle, folder / "lie"))
        self.registry.publish(bundle)
        self.engine = Models()
        self.repository = Repository(self.engine, self.registry, watch=True)
        self.champion(1)
        self.repository.open([f"{self.name}@champion"])

    def champion(self, version: int) -> None:
        self.registry.set_alias(self.name, version, "champion")

    def look(self) -> None:
        asyncio.run(self.repository.follow_once())

    def load(self, reference: str) -> None:
        asyncio.run(self.repository.load(reference))

    @property
    def answering(self) -> str:
        return self.engine.model(self.name).version

    @property
    def versions(self) -> list[str]:
        return sorted(self.engine.versions(self.name))

    def state(self, version: str) -> tuple[str, str]:
        states = asyncio.run(self.repository.index())
        (found,) = [(each.state, each.reason) for each in states if each.version == version]
        return found

    @property
    def suffering(self) -> str:
        trouble = self.engine.supervisor.troubles.get(PART)
        return trouble.lasting if trouble is not None else ""


def _with_a_lie(bundle: Bundle, folder: Path) -> Bundle:
    """Its graph can be opened, and its answers cannot be put into words."""
    shutil.copytree(bundle.folder, folder)
    (folder / "manifest.json").unlink()
    return write_bundle(folder, bundle.manifest.model_copy(update={"labels": bundle.manifest.labels[:1]}))


@pytest.fixture
def served(tiny_bundle: Bundle, tmp_path: Path) -> Iterator[Served]:
    served = Served(tiny_bundle, tmp_path)
    yield served
    served.engine.close()


def test_a_version_that_fails_when_it_warms_up_changes_nothing(served: Served) -> None:
    served.champion(2)
    for _ in range(3):  # what was given up is not served at any later look either
        served.look()
        assert (served.answering, served.versions) == ("1", ["1"])
        state, reason = served.state("2")
        assert state == "UNAVAILABLE"
        assert "is not what its manifest says" in reason
        assert reason in served.suffering
    served.champion(3)
    served.look()
    assert (served.answering, served.versions) == ("3", ["3"])
    assert served.suffering == ""


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (RuntimeError("raw"), False),
        (BundleError("it lies", "mend it"), False),
        (StorageError("full", "free some"), True),
    ],
)
def test_whatever_opening_raises_the_watcher_goes_on(
    error: Exception, again: bool, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fails(*arguments: object) -> None:
        calls.append(arguments)
        raise error

    monkeypatch.setattr(served.engine, "open", fails)
    served.champion(3)
    for _ in range(3):
        served.look()
        assert served.state("3")[0] == "UNAVAILABLE"
        assert served.answering == "1"
    # A bundle's bytes never change; a disk may have room again.
    assert len(calls) == (3 if again else 1)
    monkeypatch.undo()
    if not again:
        served.load(f"{served.name}@champion")  # whoever asks for it has it tried again
    served.look()
    assert served.answering == "3"
    assert served.suffering == ""


def test_an_alias_beside_one_that_fails_is_followed(served: Served) -> None:
    served.load(f"{served.name}@3")
    assert served.versions == ["1", "3"]
    served.registry.set_alias(served.name, 3, "candidate")
    served.champion(2)
    served.look()
    assert served.versions == ["1", "3"]
    assert served.answering == "1"  # the champion as it was, not the one loaded last
    assert served.engine.model(served.name, "candidate").version == "3"


def test_loading_by_request_reports_its_own_failure_alone(served: Served) -> None:
    with pytest.raises(BundleError, match="is not what its manifest says"):
        served.load(f"{served.name}@2")
    served.look()
    assert served.suffering == ""  # nobody follows it
    served.champion(2)
    served.look()
    served.load(f"{served.name}@3")  # the champion's failure is not its own
    assert served.versions == ["1", "3"]
    with pytest.raises(BundleError):
        served.load(f"{served.name}@champion")  # given up; who asks for it hears why
    assert served.versions == ["1", "3"]


def test_one_model_that_is_gone_does_not_keep_others_from_being_followed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    adjust, calls = served.repository._adjust, []

    def fails_first(name: str, asked: str = "") -> Coroutine[Any, Any, dict[str, GlassworksError]]:
        calls.append(name)
        if len(calls) == 1:
            raise RuntimeError("raw")
        return adjust(name, asked)

    monkeypatch.setattr(served.repository, "_adjust", fails_first)
    served.repository._standing = {"another": {"another": "1"}, **served.repository._standing}
    served.champion(3)
    served.look()
    assert served.answering == "3"
    assert served.engine.supervisor.troubles[PART].last == "RuntimeError: raw"


async def _followed(served: Served, condition: Callable[[], bool]) -> None:
    await served.repository.start()
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)
    await served.repository.stop(1)


def test_the_watcher_itself_outlives_what_it_meets(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassworks.serving.core.repository._LOOK_S", 0.01)
    follow, calls = served.repository.follow_once, []

    async def fails_first() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("raw")
        await follow()

    monkeypatch.setattr(served.repository, "follow_once", fails_first)
    served.champion(3)
    asyncio.run(_followed(served, lambda: served.answering == "3"))
    assert served.engine.supervisor.troubles[PART].failures == 1
