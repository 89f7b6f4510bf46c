"""Engines take subnormals as 0; the threads that ask them do not, before, while and after they open and ask."""

from __future__ import annotations

import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Runtime, Session
from glassworks.onnx_graphs.builder import FLOAT, Builder
from glassworks.runtimes._flushing import Flushing

TINY = np.float32(1e-39)
HERE = (platform.system(), platform.machine()) == ("Linux", "x86_64")


def subnormals() -> bool:
    """Whether this thread computes with them, and gives them."""
    return bool((np.full(9, TINY) * np.float32(2) > 0).all() and (np.full(9, 1e-38, np.float32) / 9 > 0).all())


def opened(folder: Path, threads: int = 1) -> Session:
    """x (n 64) -> x @ diagonal 2."""
    g = Builder("twice")
    x = g.input("x", FLOAT, ["n", 64])
    g.output(g.op("MatMul", x, g.constant(2 * np.eye(64, dtype=np.float32))), "y", FLOAT, ["n", 64])
    g.save(folder / "twice.onnx")
    artifact = Artifact(role="predict", format="onnx", file="twice.onnx", runtime="openvino", threads=threads)
    return get(Runtime, "openvino").open(Opened(artifact=artifact, folder=folder))


def answer(session: Session, value: np.float32 = TINY) -> NDArray[np.float32]:
    (found,) = session.run({"x": np.full((300, 64), value)}).values()
    return np.asarray(found)


@pytest.mark.skipif(not HERE, reason="the mode is set on Linux on x86-64")
def test_within_it_they_are_0_and_after_it_they_are_not() -> None:
    assert subnormals()
    with Flushing():
        assert not subnormals()
        with ThreadPoolExecutor(1) as started:
            assert not started.submit(subnormals).result()
    assert subnormals()
    with pytest.raises(ValueError, match="planted"), Flushing():
        raise ValueError("planted")
    assert subnormals()


def test_the_mode_that_a_thread_had_is_put_back() -> None:
    if not torch.set_flush_denormal(True):
        pytest.skip("it cannot be set here")
    try:
        with Flushing():
            pass
        assert not subnormals()
    finally:
        torch.set_flush_denormal(False)
    assert subnormals()


@pytest.mark.skipif(not HERE, reason="the mode is set on Linux on x86-64")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_model_takes_them_as_0_whoever_asks_it_and_the_asking_thread_does_not(tmp_path: Path, threads: int) -> None:
    """Whichever model was opened before, and in whichever thread."""
    session = opened(tmp_path, threads)
    assert subnormals()
    with ThreadPoolExecutor(1) as other:
        elsewhere = other.submit(opened, tmp_path, threads).result()
        for each in (session, elsewhere, opened(tmp_path, threads)):
            assert not answer(each).any()
            assert subnormals()
            assert not other.submit(answer, each).result().any()
            assert other.submit(subnormals).result()
            assert (answer(each, np.float32(1.5)) == 3).all()


def test_where_it_cannot_be_set_nothing_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with Flushing():
        assert subnormals()
    assert (answer(opened(tmp_path), np.float32(1.5)) == 3).all()
