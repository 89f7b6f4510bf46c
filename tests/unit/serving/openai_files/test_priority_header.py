"""The header `x-priority`: for requests whose body has no place for a priority."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.serving.test_app import INFER, body
from tests.unit.serving.wire import ask, service

from glassworks.packaging.bundle import Bundle
from glassworks.serving.core.models import Models
from glassworks.serving.core.work import DEFAULT_LEVEL


@pytest.fixture(scope="module")
def models(tiny_bundle: Bundle) -> Iterator[Models]:
    models = Models()
    models.load(tiny_bundle, "bars", "1")
    yield models
    models.close()


@pytest.mark.parametrize(
    ("priority", "parameters", "level"),
    [("9", {}, 9), ("1", {"priority": 7}, 1), (None, {"priority": 7}, 7), (None, {}, DEFAULT_LEVEL)],
)
def test_it_says_how_urgent_a_request_is(
    models: Models, monkeypatch: pytest.MonkeyPatch, priority: str | None, parameters: dict[str, Any], level: int
) -> None:
    model = models.model("bars")
    submit, levels = model.submit, list[int]()

    def submitted(tensors: Any, done: Any, timeout_ns: int, asked: int, caller: Any) -> Any:
        levels.append(asked)
        return submit(tensors, done, timeout_ns, asked, caller)

    monkeypatch.setattr(model, "submit", submitted)
    headers = {} if priority is None else {"x-priority": priority}
    reply = asyncio.run(ask(service(models), "POST", INFER, json.dumps(body(parameters=parameters)).encode(), headers))
    assert reply is not None
    assert reply.status == 200
    assert levels == [level]


@pytest.mark.parametrize("priority", ["0", "10", "", "a", "-1"])
def test_what_is_no_priority_is_refused(models: Models, priority: str) -> None:
    reply = asyncio.run(ask(service(models), "POST", INFER, json.dumps(body()).encode(), {"x-priority": priority}))
    assert reply is not None
    assert reply.status == 400
    assert "give 1 (first) to 9 (last), or leave it out" in reply.error
