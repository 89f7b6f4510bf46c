"""What a streamed answer used is written to the ledger, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests import toy
from tests.patience import PATIENCE_S

from glassworks.errors import InputError
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.model import LoadedModel
from glassworks.serving.core.models import Models
from glassworks.serving.requests import Call, InferRequest


@pytest.fixture
def models(tmp_path: Path) -> Iterator[Models]:
    with toy.installed(tmp_path / "toy"):
        models = Models()
        models.load(toy.bundle(tmp_path / "bundle"), "toy", "1")
        yield models
        models.close()


def request(text: str) -> InferRequest:
    return InferRequest({"text": np.array([text.encode()], object)})


@pytest.mark.parametrize(
    ("text", "read", "ok", "tokens"),
    [("a b c", 9, True, 6), ("a b c", 2, False, 5), ("a b fail", 9, False, 5), ("fail", 9, False, 0)],
    ids=["whole", "left", "failed", "failed at once"],
)
def test_tokens_until_then_are_used(
    text: str, read: int, ok: bool, tokens: int, models: Models, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "home", Clock())
    dispatcher = Dispatcher(models, ledger=ledger)

    async def main() -> None:
        def asked(model: LoadedModel) -> InferRequest:
            return request(text)

        with contextlib.suppress(InputError):
            async with contextlib.aclosing(await dispatcher.stream(Call("toy"), asked)) as parts:
                async for part in parts:
                    assert part.chunk is not None
                    if part.chunk.completion_tokens == read:
                        break

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))
    ledger.close()
    ledger.fold()
    (total,) = ledger.totals()
    assert (total.tokens, total.requests, total.rows, total.errors) == (tokens, 1, 1, not ok)
    counted = models.model("toy").statistics
    assert (counted.tokens, counted.success.count) == (tokens, ok)
    assert (counted.fail.count, counted.dropped) == (text.endswith("fail"), read == 2)
