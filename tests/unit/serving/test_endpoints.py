"""The table of endpoints: one more module answers, and is in the documents, without an edit elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from tests.unit.serving.access.hands import Hands
from tests.unit.serving.wire import Reply, ask

from glassworks.errors import Unsupported
from glassworks.serving import endpoints, protocols as home
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.app import Application
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.endpoints import Context, Endpoint, declared, protocols
from glassworks.serving.openapi import openapi_document
from glassworks.serving.routes import pattern, routes
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

TOY = '''
"""A toy."""
from glassworks.serving.endpoints import Protocol, Schema, endpoint
from glassworks.serving.transports.http.exchange import json_answer

class Toy(Protocol):
    @endpoint("POST", "/toys/{toy}:play", "play", "Plays.", takes=Schema("Toy", {"type": "object"}), role="admin")
    def play(self, exchange):
        return json_answer({"plays": exchange.parameters["toy"]})
'''


@pytest.fixture(params=["folder", "entry point"])
def toy(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module beside the protocols, or one that another distribution names."""
    name = "toy_protocol" if request.param == "entry point" else "toy"
    (tmp_path / f"{name}.py").write_text(TOY, encoding="utf-8")
    if request.param == "folder":
        monkeypatch.setattr(home, "__path__", [*home.__path__, str(tmp_path)])
    else:
        monkeypatch.syspath_prepend(str(tmp_path))
        point = EntryPoint("toy", "toy_protocol", "glassworks.endpoints")
        monkeypatch.setattr(
            endpoints, "entry_points", lambda group: EntryPoints([point] if group == point.group else [])
        )
    protocols.cache_clear()
    yield
    protocols.cache_clear()
    for module in ("toy_protocol", f"{home.__name__}.toy"):
        sys.modules.pop(module, None)


@pytest.fixture
def models() -> Iterator[Models]:
    models = Models()
    yield models
    models.close()


def asked(context: Context, method: str, path: str, key: str = "") -> Reply:
    served = Service(Application(routes(context)), Limits())
    reply = asyncio.run(ask(served, method, path, b"{}", {"x-api-key": key} if key else {}))
    assert reply is not None
    return reply


@pytest.mark.usefixtures("toy")
def test_a_toy_answers_and_is_documented(models: Models) -> None:
    assert asked(Context(Dispatcher(models)), "POST", "/toys/top:play").json == {"plays": "top"}
    document = openapi_document()
    described = document["paths"]["/toys/{toy}:play"]["post"]
    assert described["parameters"][0]["name"] == "toy"
    assert document["components"]["schemas"]["Toy"] == {"type": "object"}
    assert b"/toys/{toy}:play" in asked(Context(Dispatcher(models)), "GET", "/docs").body


@pytest.mark.usefixtures("toy")
def test_a_toy_that_asks_for_no_key_is_guarded_all_the_same(models: Models, tmp_path: Path) -> None:
    clock = Hands().clock
    store, ledger = KeyStore(tmp_path / "home", clock), Ledger(tmp_path / "home", clock)
    _, infer = store.create("infer")
    _, admin = store.create("admin", roles=["admin"])
    context = Context(Dispatcher(models, Gate(store, ledger, clock, required=True), ledger))
    replies = [asked(context, "POST", "/toys/top:play", key).status for key in ("", infer, admin)]
    ledger.close()
    assert replies == [401, 403, 200]


TABLE = [each for protocol in protocols() for each, _ in declared(protocol)]


@pytest.mark.parametrize("endpoint", TABLE, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_nobody_without_a_key_comes_in_unless_the_table_says_so(
    endpoint: Endpoint, models: Models, tmp_path: Path
) -> None:
    clock = Hands().clock
    store, ledger = KeyStore(tmp_path, clock), Ledger(tmp_path, clock)
    context = Context(Dispatcher(models, Gate(store, ledger, clock, required=True), ledger))
    path = endpoint.path.replace("{model}", "none").replace("{version}", "1")
    reply = asked(context, endpoint.method, path)
    ledger.close()
    assert reply.status == (200 if endpoint.is_open else 401)


def test_names_and_places_are_used_once() -> None:
    assert len({each.name for each in TABLE}) == len(TABLE) == len({(each.method, each.path) for each in TABLE})


def test_plain_paths_come_before_parameters(models: Models) -> None:
    paths = [route.path for route in routes(Context(Dispatcher(models)))]
    assert paths.index(pattern("/v2/models/stats")) < paths.index(pattern("/v2/models/{model}"))


def test_a_module_without_a_protocol_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half.py").write_text('"""Nothing."""', encoding="utf-8")
    monkeypatch.setattr(home, "__path__", [str(tmp_path)])
    protocols.cache_clear()
    with pytest.raises(Unsupported, match="half holds no Protocol"):
        protocols()
    protocols.cache_clear()
    sys.modules.pop(f"{home.__name__}.half", None)
