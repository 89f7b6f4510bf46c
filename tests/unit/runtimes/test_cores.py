"""A bundle of a larger machine takes no more threads than there are cores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from glassworks import runtimes
from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Runtime, Task


@pytest.mark.parametrize(("asked", "cores", "given"), [(1, 4, 1), (64, 4, 4), (0, 4, 0), (64, None, 1)])
def test_threads_are_at_most_the_cores(
    asked: int, cores: int | None, given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []

    class Counting:
        def open(self, opened: Opened, device: str) -> None:
            found.append(opened.artifact.threads)

    def runtime(contract: type, name: str) -> Any:
        return Counting() if contract is Runtime else get(contract, name)

    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(runtimes, "get", runtime)
    artifact = Artifact(role="gradient", format="onnx", file="x.onnx", runtime="any", threads=asked)
    runtimes.open_session(get(Task, "image-classification"), Opened(artifact=artifact, folder=Path()), {})
    assert found == [given]
