"""An engine is tried in a process that may die: by runtimes of another distribution that do so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from glassworks.contracts import Artifact, Opened
from glassworks.onnx_graphs.builder import FLOAT, Builder
from glassworks.optimization.proving import proven

BROKEN = '''
import os, signal, time
from glassworks.contracts import Runtime, Session, Signature

class Answering(Session):
    signature = Signature(inputs=(), outputs=())
    def run(self, tensors, outputs=None):
        {body}

class Broken(Runtime):
    """Broken."""
    name = "broken"
    accepts = frozenset({{"onnx"}})
    precisions = {{"fp32": ""}}
    def open(self, opened, device="cpu"):
        return Answering()
'''
Prove = Callable[..., str]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    g = Builder("rows")
    x = g.input("x", FLOAT, ["n", 2])
    g.output(g.op("Log", x), "y", FLOAT, ["n", 2])
    g.save(tmp_path / "predict.onnx")
    return Opened(artifact=Artifact(role="predict", format="onnx", file="predict.onnx"), folder=tmp_path)


def of(opened: Opened, runtime: str, **record: object) -> Opened:
    return Opened(artifact=opened.artifact.model_copy(update={"runtime": runtime, **record}), folder=opened.folder)


ROWS = {"x": np.ones((1, 2), np.float32)}


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_what_runs_is_proven_and_what_answers_no_numbers_is_not(opened: Opened, engine: str) -> None:
    assert proven(of(opened, engine), ROWS) == ""
    assert proven(of(opened, engine), {"x": -ROWS["x"]}) == "its answers are not finite numbers"


def test_a_file_that_does_not_open_has_the_engines_reason(opened: Opened) -> None:
    (opened.folder / "predict.onnx").write_bytes(b"nothing")
    assert "ONNX Runtime cannot open predict.onnx" in proven(of(opened, "onnxruntime"), ROWS)


@pytest.mark.parametrize(
    ("body", "limits", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", {}, "the engine died while it ran the model (SIGSEGV)"),
        ("time.sleep(60)", {"seconds": 4.0}, "the engine had not answered after 4 s"),
        ("os._exit(9)", {}, "the engine ended with status 9"),
        ("bytearray(2**32)", {"memory_bytes": 2**31}, "MemoryError"),
    ],
)
def test_an_engine_that_dies_says_why_and_harms_nobody(
    opened: Opened,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    limits: dict[str, float],
    reason: str,
) -> None:
    packages = tmp_path / "packages"
    (packages / "broken-1.dist-info").mkdir(parents=True)
    (packages / "broken_engine.py").write_text(BROKEN.format(body=body), encoding="utf-8")
    (packages / "broken-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (packages / "broken-1.dist-info" / "entry_points.txt").write_text("[glassworks.runtime]\nbroken = broken_engine\n")
    monkeypatch.setattr(sys, "path", [sys.path[0], str(packages), *sys.path[1:]])
    assert proven(of(opened, "broken"), ROWS, **limits) == reason  # type: ignore[arg-type]
