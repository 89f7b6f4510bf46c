"""The engine of a model that writes: nothing is computed before its first chunk was taken, and it can be cancelled."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests import toy
from tests.patience import until

from glassworks.packaging.opened import OpenedBundle
from glassworks.serving.core.engines.client import EngineClient
from glassworks.serving.core.engines.opening import Placement, open_engines
from glassworks.serving.core.engines.process import ProcessEngine
from glassworks.serving.supervision import Supervisor


@pytest.fixture(scope="module")
def scribe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    """Its engine, where the server wants threads, and explanations in a process beside it."""
    folder, placement = tmp_path_factory.mktemp("scribe"), Placement(engine="thread", explain_in="process")
    with toy.installed(folder):
        bundle = OpenedBundle(toy.writer(folder / "bundle"))
        engines = open_engines(bundle, "scribe@1", placement, None, Supervisor())
        assert engines.explaining is engines.computing
        yield engines.computing
        engines.close()


def texts(*values: str) -> dict[str, NDArray[Any]]:
    return {"text": np.array([value.encode() for value in values], object)}


def test_a_model_that_needs_a_process_of_its_own_has_one(scribe: EngineClient) -> None:
    assert isinstance(scribe, ProcessEngine)
    assert (scribe.streams, scribe.inline) == (True, False)


def test_nothing_is_computed_before_the_first_chunk_was_taken(scribe: EngineClient, tmp_path: Path) -> None:
    chunks = scribe.stream(1, texts(f"wait {tmp_path}"), {"max_tokens": 20})
    first = next(chunks)
    assert (first.prompt_tokens, first.max_tokens, first.completion_tokens, dict(first.outputs)) == (2, 20, 0, {})
    time.sleep(0.2)
    assert not (tmp_path / "began").exists()
    (tmp_path / "go").touch()
    rest = list(chunks)
    assert (tmp_path / "began").exists()
    assert [each.completion_tokens for each in rest] == list(range(1, 21))
    assert (rest[-1].cached_tokens, rest[-1].finish_reason) == (1, "length")


def test_streams_that_were_not_gone_on_with_hold_no_thread(scribe: EngineClient) -> None:
    waiting = [scribe.stream(number, texts(f"a {number}"), {"max_tokens": 2}) for number in range(200)]
    assert all(next(each).prompt_tokens == 2 for each in waiting)
    assert [len(list(each)) for each in waiting] == [2] * 200


def test_a_stream_is_cancelled_while_its_prompt_is_read(scribe: EngineClient, tmp_path: Path) -> None:
    chunks = scribe.stream(1, texts(f"wait {tmp_path}"), {})
    next(chunks)
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(next, chunks, None)
        until((tmp_path / "began").exists)
        scribe.cancel(1)
        assert reading.result() is None
    assert (tmp_path / "closed").exists()
    assert not (tmp_path / "go").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no policy for it")
def test_its_process_leaves_the_cores_to_others_first(scribe: EngineClient) -> None:
    process = scribe.stats().process_id
    assert process is not None
    assert os.sched_getscheduler(process) == os.SCHED_BATCH
    assert os.getpriority(os.PRIO_PROCESS, process) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
