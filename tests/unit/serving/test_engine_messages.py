"""What a server and an engine process send each other comes as it was sent, through the pipe or shared memory."""

from __future__ import annotations

import io
import os
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glassworks import errors
from glassworks.contracts import Attribution, Chunk, Explanation
from glassworks.serving.codec.tensors import DTYPES
from glassworks.serving.core.engines import messages
from glassworks.serving.core.engines.messages import SHARED_BYTES, Channel
from glassworks.serving.core.engines.shared import SharedMemory
from glassworks.serving.core.explanations import ExplainOptions


class Pair:
    """Two ends of a pipe in one process; the second one reads what the first one has written."""

    def __init__(self) -> None:
        self.pipe, self.memory = io.BytesIO(), SharedMemory()
        other = SharedMemory(os.dup(self.memory.file))
        self.one = Channel(io.BytesIO(), self.pipe, SharedMemory(), self.memory)
        self.two = Channel(self.pipe, io.BytesIO(), other, SharedMemory())

    def carry(self, message: messages.Message, shared: bool = False) -> Any:
        begin = self.pipe.seek(0, io.SEEK_END)
        self.one.send(message, shared)
        self.pipe.seek(begin)
        return self.two.receive()


@pytest.fixture
def pair() -> Pair:
    return Pair()


def same(came: NDArray[Any], sent: NDArray[Any]) -> bool:
    return (came.dtype, came.shape, came.tolist()) == (sent.dtype, sent.shape, sent.tolist())


@pytest.mark.parametrize("shared", [False, True])
def test_arrays_come_as_they_were_sent(shared: bool, pair: Pair) -> None:
    values = [np.arange(6).reshape(2, 3).astype(dtype) for dtype in DTYPES.values()]
    values += [
        np.arange(SHARED_BYTES).reshape(2, -1).astype(dtype) for name, dtype in DTYPES.items() if name != "BYTES"
    ]
    values += [np.zeros((0, 4), np.float32), np.asarray(2.5, np.float64), np.arange(8, dtype=np.int32)[::-2]]
    values += [np.arange(10**6, dtype=np.float32).reshape(1000, 1000).T]
    texts = np.empty((1, 3), object)
    texts[:] = [[b"\xff\x00", "你好", b""]]
    tensors = {str(number): array for number, array in enumerate([*values, texts])}
    came = pair.carry(messages.Infer(5, tensors, shared), shared)
    assert (came.id, came.shared) == (5, shared)
    assert all(same(came.tensors[name], array) for name, array in tensors.items())


def test_large_arrays_do_not_go_through_the_pipe(pair: Pair) -> None:
    large = np.ones(SHARED_BYTES, np.uint8)
    for _ in range(100):
        assert same(pair.carry(messages.Infer(1, {"x": large}, True), True).tensors["x"], large)
    assert len(pair.pipe.getvalue()) < 100 * 100
    assert os.fstat(pair.memory.file).st_size <= 2**21


def test_shared_memory_grows_and_large_messages_give_it_back(pair: Pair) -> None:
    for size in (2**20, 2**27, 2**20):
        values = np.arange(size, dtype=np.uint8)
        assert (pair.carry(messages.Infer(1, {"x": values}, True), True).tensors["x"] == values).all()
    taken_bytes = 512 * os.fstat(pair.memory.file).st_blocks
    assert taken_bytes < 2**22


def test_without_memory_to_share_the_pipe_will_do(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: SharedMemory, values: NDArray[Any]) -> int:
        raise OSError

    monkeypatch.setattr(SharedMemory, "write", full)
    large = np.ones(SHARED_BYTES, np.uint8)
    assert same(pair.carry(messages.Infer(1, {"x": large}, True), True).tensors["x"], large)


def test_requests_come_as_they_were_sent(pair: Pair) -> None:
    for message in (
        messages.Open("folder", "0", "", True, False),
        messages.Stream(1, {}, {"a": 1, "b": [True, "x"]}),
        messages.Explain(2, {}, ExplainOptions(target=2, baseline=0.1)),
        messages.Next(3),
        messages.Next(3, 8),
        messages.Cancel(4),
        messages.End(5),
    ):
        assert pair.carry(message) == message


def test_a_chunk_comes_as_it_was_sent(pair: Pair) -> None:
    sent = Chunk(outputs={"x": np.ones(2)}, prompt_tokens=3, completion_tokens=4, finish_reason="length")
    came = messages.chunk(pair.carry(messages.part(1, sent)))
    assert same(came.outputs["x"], sent.outputs["x"])
    assert (came.prompt_tokens, came.completion_tokens, came.finish_reason) == (3, 4, "length")


def test_an_explanation_comes_as_it_was_sent(pair: Pair) -> None:
    attribution = Attribution(values=np.ones((1, 2), np.float32), score=0.1, gap=np.float64(1e-17), converged=False)
    whole = Explanation(
        method="m", target=1, label="好", input="text", attribution=attribution, outputs={"p": np.ones((1, 2))},
        seed=2**32 - 1, artifact_sha256="0", milliseconds=0.1, quality={"z": np.float64(0.3)}, spans=((0, 1), (1, 5)),
        sections=(("title", 0, 1), ("body", 1, 5)),
    )  # fmt: skip
    came = messages.explanation(pair.carry(messages.explained(1, whole)))
    for of_came, of_whole in ((came, whole), (came.attribution, whole.attribution)):
        for field in fields(of_whole):
            if field.name not in ("attribution", "outputs", "values"):
                assert getattr(of_came, field.name) == getattr(of_whole, field.name)
    assert same(came.attribution.values, attribution.values)
    assert same(came.outputs["p"], whole.outputs["p"])


def test_half_a_message_is_an_end(pair: Pair) -> None:
    pair.one.send(messages.Next(1))
    half = Channel(io.BytesIO(pair.pipe.getvalue()[:-1]), io.BytesIO(), SharedMemory(), SharedMemory())
    with pytest.raises(EOFError):
        half.receive()


def test_what_a_message_cannot_hold_is_an_error(pair: Pair) -> None:
    with pytest.raises(TypeError, match="a message cannot hold object"):
        pair.one.send(messages.Infer(1, {"x": object()}))
    assert pair.pipe.getvalue() == b""


def test_an_error_of_an_extension_comes_as_the_nearest_that_is_known() -> None:
    class Unheard(errors.DataError):
        """An error of somebody else's package."""

    came = messages.error(messages.refused(1, Unheard("odd", "make it even")))
    assert type(came) is errors.DataError
    assert (came.problem, came.mend) == ("odd", "make it even")
