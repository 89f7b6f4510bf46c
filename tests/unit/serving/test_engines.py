"""Engines in this process and in their own: the same answers, streams, and what happens when a process dies."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests import toy
from tests.patience import PATIENCE_S, until

from glassworks.contracts import Chunk
from glassworks.errors import BundleError, InputError, NotFound, Overloaded
from glassworks.packaging.bundle import Bundle, read_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.serving.core.engines import process
from glassworks.serving.core.engines.client import EngineClient
from glassworks.serving.core.engines.opening import Engines, Placement, Where, open_engines
from glassworks.serving.core.engines.process import Backoff, ProcessEngine
from glassworks.serving.core.explanations import ExplainOptions
from glassworks.serving.core.models import Models
from glassworks.serving.core.streaming import Stream, Streaming
from glassworks.serving.supervision import Supervisor

KINDS: tuple[Where, ...] = ("thread", "process")


@pytest.fixture(scope="module", autouse=True)
def toy_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("toy")
    with toy.installed(folder):
        yield folder


@pytest.fixture(scope="module")
def toy_bundle(toy_home: Path) -> Bundle:
    return toy.bundle(toy_home / "bundle")


@pytest.fixture(scope="module", params=KINDS)
def either(request: pytest.FixtureRequest, toy_bundle: Bundle) -> Iterator[EngineClient]:
    """An engine of each kind."""
    engines = opened(toy_bundle, request.param)
    yield engines.computing
    engines.close()


@pytest.fixture
def remote(toy_bundle: Bundle) -> Iterator[ProcessEngine]:
    """An engine process of the test's own."""
    engine = opened(toy_bundle, "process").computing
    assert isinstance(engine, ProcessEngine)
    yield engine
    engine.close()


def opened(bundle: Bundle, kind: Where, supervisor: Supervisor | None = None) -> Engines:
    return open_engines(OpenedBundle(bundle), "toy@1", Placement(engine=kind), None, supervisor or Supervisor())


def texts(*values: str) -> dict[str, NDArray[Any]]:
    return {"text": np.array([value.encode() for value in values], object)}


def words(chunks: list[Chunk]) -> list[bytes]:
    return [chunk.outputs["text"].item() for chunk in chunks]


def pid(engine: EngineClient) -> int:
    found = engine.stats().process_id
    assert found is not None
    return found


def test_both_kinds_give_the_same(either: EngineClient) -> None:
    assert either.infer(texts("one", "two"))["text"].tolist() == [b"ONE", b"TWO"]
    chunks = list(either.stream(1, texts("a b c"), {}))
    assert words(chunks) == [b"a", b"b", b"c"]
    assert [(each.prompt_tokens, each.completion_tokens, each.finish_reason) for each in chunks] == [
        (3, 1, ""),
        (3, 2, ""),
        (3, 3, "stop"),
    ]
    assert either.streams
    assert either.stats().streams == 0


@pytest.mark.parametrize("rows", [1, 7, 4096])
def test_arrays_of_any_size_come_as_they_were_computed(rows: int, tiny_bundle: Bundle) -> None:
    there, here = opened(tiny_bundle, "process"), opened(tiny_bundle, "thread")
    for _ in range(2):
        example = {"image": np.random.default_rng(rows).random((rows, 1, 16, 16), np.float32)}
        found, wanted = there.computing.infer(example), here.computing.infer(example)
        assert {name: values.tobytes() for name, values in found.items()} == {
            name: values.tobytes() for name, values in wanted.items()
        }
    there.close()
    here.close()


def test_answers_do_not_change_with_the_next_request(tiny_bundle: Bundle) -> None:
    engines = opened(tiny_bundle, "process")
    first = engines.computing.infer({"image": np.zeros((4096, 1, 16, 16), np.float32)})
    before = {name: values.copy() for name, values in first.items()}
    engines.computing.infer({"image": np.ones((4096, 1, 16, 16), np.float32)})
    assert all((values == before[name]).all() for name, values in first.items())
    engines.close()


def test_requests_at_once_get_their_own_answers(either: EngineClient) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: either.infer(texts(f"n{number}"))["text"].item(), range(50)))
    assert found == [f"N{number}".encode() for number in range(50)]


def test_an_error_ends_its_stream_alone(either: EngineClient) -> None:
    good, bad = either.stream(1, texts("a b c"), {}), either.stream(2, texts("x fail"), {})
    assert words([next(good), next(bad)]) == [b"a", b"x"]
    with pytest.raises(InputError, match="the text fails"):
        next(bad)
    assert words(list(good)) == [b"b", b"c"]


def test_streams_take_turns_while_others_wait(either: EngineClient, tmp_path: Path) -> None:
    slow = either.stream(1, texts("s t"), {"folder": str(tmp_path)})
    next(slow)
    assert words(list(either.stream(2, texts("a b"), {}))) == [b"a", b"b"]
    assert either.infer(texts("c"))["text"].item() == b"C"
    (tmp_path / "go").touch()
    assert words(list(slow)) == [b"t"]


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_a_cancelled_stream_ends_within_a_chunk(how: str, either: EngineClient, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    chunks = either.stream(7, texts("count"), {"folder": str(tmp_path)})
    next(chunks)
    if how == "close":
        chunks.close()
    else:
        either.cancel(7)
        assert len(list(chunks)) <= process._AHEAD + 1
    either.cancel(7)
    until((tmp_path / "closed").exists)
    assert either.stats().streams == 0
    produced = (tmp_path / "words").read_text()
    assert words(list(either.stream(8, texts("a"), {}))) == [b"a"]
    assert (tmp_path / "words").read_text() == produced


def test_the_engine_waits_for_who_reads_a_stream(either: EngineClient, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    chunks = either.stream(1, texts("count"), {"folder": str(tmp_path)})
    for expected in range(30):
        assert next(chunks).outputs["text"].item() == str(expected).encode()
        assert either.infer(texts("x"))["text"].item() == b"X"
        made = len((tmp_path / "words").read_text().split())
        assert made <= expected + 1 + process._AHEAD
    chunks.close()


def test_a_killed_process_costs_what_it_was_at(remote: ProcessEngine, tmp_path: Path) -> None:
    before = pid(remote)
    chunks = remote.stream(1, texts("count"), {})
    next(chunks)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(remote.infer, texts(f"wait {tmp_path}"))
        until((tmp_path / "began").exists)
        os.kill(before, signal.SIGKILL)
        with pytest.raises(Overloaded, match=r"the engine process of toy@1 was ended by SIGKILL") as raised:
            asked.result()
    assert (raised.value.mend, raised.value.retry_after_s) == ("send the request again", 1)
    with pytest.raises(Overloaded, match="SIGKILL"):
        list(chunks)
    # Who asks now waits for the next process.
    assert remote.infer(texts("again"))["text"].item() == b"AGAIN"
    assert pid(remote) != before
    assert remote.stats().restarts == 1


def test_who_leaves_at_the_moment_of_its_death_does_not_keep_it_down(remote: ProcessEngine) -> None:
    """As streams do, whose readers wake up while the others are still to be woken."""
    child = remote._child
    assert child is not None
    waiting = child.waiting

    class Leaving(process.Answers):
        def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
            waiting.pop(2**40 + 1, None)

    for number in range(2):
        waiting[2**40 + number] = Leaving()
    os.kill(pid(remote), signal.SIGKILL)
    until(lambda: remote._child is not None and remote._child is not child, "another process")
    assert remote.infer(texts("a b"))


def test_health_knows_of_it_while_it_is_away(
    toy_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor()
    monkeypatch.setattr(Backoff, "pause_s", lambda self, up_s: PATIENCE_S)
    engine = opened(toy_bundle, "process", supervisor).computing
    with pytest.raises(Overloaded, match="SIGKILL"):
        engine.infer(texts("die"))
    trouble = supervisor.troubles["engine process of toy@1"]
    assert trouble.lasting == "the engine process of toy@1 was ended by SIGKILL; it is started again"
    assert trouble.failures == 1
    # A long pause is not waited for.
    with pytest.raises(Overloaded, match="SIGKILL") as raised:
        engine.infer(texts("x"))
    assert raised.value.retry_after_s == PATIENCE_S
    assert engine.stats().process_id is None
    engine.close()
    assert supervisor.troubles == {}


def test_it_recovers(toy_bundle: Bundle) -> None:
    supervisor = Supervisor()
    engine = opened(toy_bundle, "process", supervisor).computing
    for count in (1, 2):
        with pytest.raises(Overloaded):
            engine.infer(texts("die"))
        assert engine.infer(texts("x"))["text"].item() == b"X"
        trouble = supervisor.troubles["engine process of toy@1"]
        assert (trouble.failures, trouble.lasting) == (count, "")
    engine.close()


def test_pauses_grow_and_are_short_again_after_a_long_life() -> None:
    backoff = Backoff()
    assert [backoff.pause_s(1) for _ in range(10)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30]
    assert [backoff.pause_s(31), backoff.pause_s(1)] == [0.1, 0.2]


def test_a_closed_one_fails_what_it_was_at(remote: ProcessEngine, tmp_path: Path) -> None:
    running = pid(remote)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(remote.infer, texts(f"wait {tmp_path}"))
        until((tmp_path / "began").exists)
        remote.close()
        with pytest.raises(Overloaded, match="has ended with the service"):
            asked.result()
    with pytest.raises(ProcessLookupError):
        os.kill(running, 0)
    with pytest.raises(Overloaded, match="has ended with the service"):
        remote.infer(texts("x"))


def test_it_ignores_the_signals_of_a_terminal(remote: ProcessEngine) -> None:
    before = pid(remote)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(before, number)
    assert remote.infer(texts("x"))["text"].item() == b"X"
    assert pid(remote) == before


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("glassworks.serving.core.explanations", "ended with the code 0"),
        ("no_such_module", "ended with the code 1"),
        ("this", "ended with the code"),
    ],
)
def test_a_process_that_is_no_engine_is_a_problem(
    module: str, text: str, toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_CHILD", module)
    with pytest.raises(Overloaded, match=f"the engine process of toy@1 {text}"):
        opened(toy_bundle, "process")


def test_a_process_that_cannot_be_started_is_a_problem(toy_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Overloaded, match=r"the engine process of toy@1 cannot be started: .*No such file"):
        opened(toy_bundle, "process")


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_that_cannot_be_opened_is_known_before_it_is_served(
    kind: Where, toy_bundle: Bundle, tmp_path: Path
) -> None:
    engine = Models(placement=Placement(engine=kind))
    with pytest.raises(BundleError, match="is not what its manifest says"):
        engine.load(toy.bundle(tmp_path / "odd", "odd", unknown=1), "odd", "1")
    gone = read_bundle(Path(shutil.copytree(toy_bundle.folder, tmp_path / "gone")))
    shutil.rmtree(gone.folder)
    with pytest.raises((BundleError, NotFound)):
        engine.load(gone, "gone", "1")
    engine.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_blocks_keeps_no_other_one_waiting(kind: Where, toy_home: Path, tmp_path: Path) -> None:
    """Neither its predictions nor its streams."""

    async def main() -> None:
        engine = Models(placement=Placement(engine=kind))
        bundle = toy.bundle(toy_home / f"slow-{kind}", "slow", call_s=0.001)
        slow, fast = engine.load(bundle, "slow", "1"), engine.load(bundle, "fast", "1")
        blocked = asyncio.ensure_future(asked(slow, f"wait {tmp_path}"))
        await asyncio.to_thread(until, (tmp_path / "began").exists)
        stream = slow.stream(texts("a b"), {"folder": str(tmp_path)})
        await stream.next()
        reading = asyncio.ensure_future(stream.next())
        assert await asked(fast, "hello") == b"HELLO"
        quick = fast.stream(texts("x"), {})
        assert words([chunk async for chunk in all_of(quick)]) == [b"x"]
        assert not blocked.done()
        assert not reading.done()
        (tmp_path / "go").touch()
        assert await blocked == f"WAIT {tmp_path}".upper().encode()
        assert (chunk := await reading) is not None
        assert words([chunk]) == [b"b"]
        stream.close()
        quick.close()
        await asyncio.to_thread(engine.close)

    async def asked(model: Any, text: str) -> bytes:
        return (await model._batcher.compute(texts(text)))["text"].item()  # type: ignore[no-any-return]

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def test_explanations_and_files_of_a_model_keep_no_other_one_waiting(tiny_bundle: Bundle) -> None:
    async def main() -> None:
        engine, go, example = Models(), threading.Event(), {"image": np.ones((1, 1, 16, 16), np.float32)}
        slow, fast = engine.load(tiny_bundle, "slow", "1"), engine.load(tiny_bundle, "fast", "1")
        workers = slow._threads.explaining, slow._threads.decoding, slow._threads.whole
        blocked = [asyncio.ensure_future(worker.run(lambda: go.wait(PATIENCE_S))) for worker in workers]
        await asyncio.sleep(0)
        assert (await fast.explain(example, ExplainOptions(grade=False)))[0].method
        assert await fast.decoded(example)
        assert not slow.alone
        assert fast.alone
        assert not any(task.done() for task in blocked)
        go.set()
        assert all(await asyncio.gather(*blocked))
        await asyncio.to_thread(engine.close)

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


async def all_of(stream: Stream) -> AsyncIterator[Chunk]:
    while (chunk := await stream.next()) is not None:
        yield chunk


def test_who_leaves_a_stream_cancels_it(either: EngineClient, tmp_path: Path) -> None:
    async def main() -> None:
        streaming, closed = Streaming(either), list[int]()
        first = streaming.open(texts("a b c"), {"folder": str(tmp_path)}, lambda: closed.append(1))
        assert (chunk := await first.next()) is not None
        assert chunk.completion_tokens == 1
        reading = asyncio.ensure_future(first.next())
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        first.close()
        first.close()
        assert closed == [1]
        (tmp_path / "go").touch()
        await asyncio.to_thread(until, (tmp_path / "closed").exists)
        assert [chunk.completion_tokens async for chunk in all_of(streaming.open(texts("x y"), {}))] == [1, 2]
        streaming.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))
