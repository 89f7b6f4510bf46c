"""Whatever is wrong with a request, every protocol refuses it alike: class, code by the table, words and counts."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.unit.serving.access.hands import Hands
from tests.unit.serving.speaking import EXPLAIN, FILES, INFER, OPENING, Ask, Said, Send, Speaker

from glassworks.errors import (
    DeadlineExceeded,
    Forbidden,
    GlassworksError,
    InputError,
    LimitExceeded,
    NotFound,
    Overloaded,
    Unauthenticated,
    Unsupported,
)
from glassworks.packaging.bundle import Bundle
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore, id_of
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.core.batching import Batcher
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.model import LoadedModel
from glassworks.serving.core.models import Models
from glassworks.serving.core.work import Work
from glassworks.serving.failures import STATUSES, status

ROWS = {"image": np.zeros((2, 1, 16, 16), np.float32)}
NAN = {"image": np.full((1, 1, 16, 16), np.nan, np.float32)}


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def models(tiny_bundle: Bundle) -> Iterator[Models]:
    models = Models()
    for name in ("bars", "other"):
        models.load(tiny_bundle, name, "1")
    yield models
    models.close()


@pytest.fixture
def model(models: Models) -> LoadedModel:
    return models.model("bars")


class Guarded:
    """The service with keys, and its ledger."""

    def __init__(self, models: Models, home: Path) -> None:
        clock = Hands().clock
        self.store, self.ledger = KeyStore(home, clock), Ledger(home, clock)
        self._engine, self._clock = models, clock

    def key(self, **limits: Any) -> str:
        return self.store.create("any", **limits)[1]

    def speaker(self) -> Speaker:
        gate = Gate(self.store, self.ledger, self._clock, required=True)
        return Speaker(Dispatcher(self._engine, gate, self.ledger))


@pytest.fixture
def guarded(models: Models, tmp_path: Path) -> Iterator[Guarded]:
    guarded = Guarded(models, tmp_path)
    yield guarded
    guarded.ledger.close()


def said(send: Send, speaker: Speaker, asked: Ask) -> Said:
    return asyncio.run(send(speaker, asked))  # type: ignore[arg-type]


def is_of(answer: Said, kind: type[Exception], problem: str) -> None:
    """The codes of a class by the table, as far as the transport has one, and the problem."""
    codes = STATUSES.get(kind) or status(kind("", ""))
    assert answer.http in (None, codes.http)
    assert answer.grpc in (None, codes.grpc)
    assert problem in answer.text


def counted(model: LoadedModel, before: Mapping[str, int]) -> dict[str, int]:
    """The failures of a model since then, by class."""
    now = model.statistics.errors
    return {kind: count - before.get(kind, 0) for kind, count in now.items() if count != before.get(kind, 0)}


EVERY = {**INFER, **EXPLAIN, **FILES}
BY_RIGHT = {**EVERY, **OPENING}


def over(protocols: Mapping[str, Send]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("send", protocols.values(), ids=protocols.keys())


@over(BY_RIGHT)
@pytest.mark.parametrize(
    ("asked", "kind", "problem"),
    [
        (Ask(model="none"), NotFound, "there is no model 'none' here"),
        (Ask(key=""), Unauthenticated, "no access key was sent"),
        (Ask(model="other"), Forbidden, "does not allow the model 'other'"),
    ],
    ids=["unknown model", "no key", "forbidden model"],
)
def test_who_may_not_ask(
    send: Send, asked: Ask, kind: type[Exception], problem: str, guarded: Guarded, model: LoadedModel
) -> None:
    allowed = () if kind is NotFound else ("bars",)
    key, before = guarded.key(models=allowed), dict(model.statistics.errors)
    asked = replace(asked, file=picture(), key="" if kind is Unauthenticated else key)
    is_of(said(send, guarded.speaker(), asked), kind, problem)
    assert counted(model, before) == {}
    assert guarded.ledger.totals() == ()


@over(EVERY)
def test_a_quota_that_is_used_up(send: Send, guarded: Guarded, model: LoadedModel) -> None:
    key = guarded.key(requests_per_day=1)
    speaker, asked, before = guarded.speaker(), Ask(key=key, file=picture()), dict(model.statistics.errors)
    assert said(send, speaker, asked).text == ""
    totals = guarded.ledger.totals()
    assert [(total.requests, total.rows) for total in totals] == [(1, 1)]
    is_of(said(send, speaker, asked), LimitExceeded, "may send 1 requests a day")
    assert counted(model, before) == {"QuotaSpent": 1}
    assert guarded.ledger.totals() == totals


MANY_ROWS = {name: send for name, send in {**INFER, **EXPLAIN}.items() if not name.startswith("generate")}


@over(MANY_ROWS)
def test_more_rows_than_a_day_has(send: Send, guarded: Guarded, model: LoadedModel) -> None:
    key, before = guarded.key(rows_per_day=1), dict(model.statistics.errors)
    is_of(said(send, guarded.speaker(), Ask(key=key, tensors=ROWS)), LimitExceeded, "1 rows a day")
    assert counted(model, before) == {"QuotaSpent": 1}
    assert guarded.ledger.totals() == ()


TENSORS = {name: send for name, send in {**INFER, **EXPLAIN}.items() if name.startswith(("infer", "explain", "Model"))}
"""Those that send datatypes and names of outputs."""
WRONG: list[tuple[Ask, Mapping[str, Send], type[GlassworksError], str]] = [
    (Ask(tensors={"image": np.zeros((1, 1, 2, 2), np.float32)}), {**INFER, **EXPLAIN}, InputError, "has the shape ["),
    (
        Ask(tensors={"image": np.zeros((1, 1, 16, 16), np.float64)}),
        TENSORS,
        InputError,
        "the input 'image' was sent as FP64, the model takes FP32",
    ),
    (
        Ask(tensors={"image": np.zeros((1, 1, 16, 16), np.float32), "more": np.zeros((1, 2), np.float32)}),
        TENSORS,
        InputError,
        "the model has no input 'more'",
    ),
    (Ask(tensors={"more": np.zeros((1, 2), np.float32)}), {**INFER, **EXPLAIN}, InputError, "in"),
    (
        Ask(outputs=("logits",)),
        TENSORS,
        InputError,
        "the model has no output 'logits'",
    ),
    (Ask(parameters={"method": "magic"}), EXPLAIN, Unsupported, "no explanation method 'magic'"),
    (Ask(parameters={"target": 99}), EXPLAIN, InputError, "target is 99"),
    (Ask(parameters={"seed": -1}), EXPLAIN, InputError, "seed is -1"),
    (
        Ask(tensors=NAN),
        {name: send for name, send in EXPLAIN.items() if "bytes" in name or "Model" in name},
        InputError,
        "the input 'image' holds values that are not finite",
    ),
    (
        Ask(parameters={"priority": 99}),
        {name: send for name, send in INFER.items() if name != "predict"},
        InputError,
        "priority is 99",
    ),
    (Ask(file=b"no picture"), FILES, InputError, "picture"),
]


@pytest.mark.parametrize(
    ("send", "asked", "kind", "problem"),
    [
        pytest.param(send, asked, kind, problem, id=f"{name}: {problem}")
        for asked, protocols, kind, problem in WRONG
        for name, send in protocols.items()
    ],
)
def test_what_is_wrong_with_what_was_sent(
    send: Send, asked: Ask, kind: type[Exception], problem: str, guarded: Guarded, model: LoadedModel
) -> None:
    key, before = guarded.key(), dict(model.statistics.errors)
    is_of(said(send, guarded.speaker(), replace(asked, key=key)), kind, problem)
    assert counted(model, before) == {kind.__name__: 1}


@pytest.fixture
def batcher(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the model compute in another way."""

    def put(run: Any = None, max_queue: int = 100) -> None:
        run = run or model.opened.session("predict").run
        monkeypatch.setattr(model, "_batcher", Batcher(run, 32, max_queue, None, model.statistics))
        monkeypatch.setattr(LoadedModel, "alone", False)  # pictures go the way of all requests

    return put


@over({**INFER, **FILES})
def test_a_full_queue(send: Send, guarded: Guarded, model: LoadedModel, batcher: Callable[..., None]) -> None:
    batcher(max_queue=1)
    key, before = guarded.key(), dict(model.statistics.errors)
    caller = id_of(key.encode()).decode()
    model._batcher._queue.put(Work({"image": np.zeros((1, 1, 16, 16), np.float32)}, lambda work: None, caller=caller))
    is_of(said(send, guarded.speaker(), Ask(key=key, file=picture())), Overloaded, "1 rows are waiting, at most 1 may")
    assert counted(model, before) == {"Overloaded": 1}


@over({name: send for name, send in INFER.items() if name != "predict"})  # which has no parameters
def test_a_timeout(send: Send, guarded: Guarded, model: LoadedModel, batcher: Callable[..., None]) -> None:
    batcher()
    key, before = guarded.key(), dict(model.statistics.errors)
    answer = said(send, guarded.speaker(), Ask(key=key, parameters={"timeout": 1}))
    is_of(answer, DeadlineExceeded, "longer than its timeout")
    assert counted(model, before) == {"DeadlineExceeded": 1}


@over(INFER)
def test_poison_costs_nobody_else_an_answer(
    send: Send, guarded: Guarded, model: LoadedModel, batcher: Callable[..., None]
) -> None:
    compute = model.opened.session("predict").run

    def run(tensors: Mapping[str, Any]) -> Any:
        if (tensors["image"] == 7).any():
            raise RuntimeError("secret of the house")
        return compute(tensors)

    batcher(run)
    key, before = guarded.key(), dict(model.statistics.errors)
    speaker = guarded.speaker()
    poison = Ask(key=key, tensors={"image": np.full((1, 1, 16, 16), 7, np.float32)})

    async def both() -> tuple[Said, Said]:
        return await asyncio.gather(send(speaker, poison), INFER["infer in bytes"](speaker, Ask(key=key)))

    bad, good = asyncio.run(both())
    is_of(bad, RuntimeError, "internal error")
    assert "secret" not in bad.text
    assert (good.http, good.text) == (200, "")
    assert counted(model, before) == {"RuntimeError": 1}


@over({**INFER, **EXPLAIN, **FILES, **OPENING})
def test_a_model_that_is_unloaded(send: Send, models: Models, tiny_bundle: Bundle) -> None:
    models.load(tiny_bundle, "gone", "1")

    async def unloaded() -> Said:
        models.remove("gone", "1")
        return await send(Speaker(Dispatcher(models)), Ask(model="gone", file=picture()))

    is_of(asyncio.run(unloaded()), NotFound, "there is no model 'gone' here")
