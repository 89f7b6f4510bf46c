"""What is told to whom where callers need keys: nobody, a key for one model, a key for all, an admin."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from tests.unit.serving.access.hands import Hands
from tests.unit.serving.wire import Reply, ask

from glassworks.errors import Forbidden, GlassworksError, InputError, NotFound, Unauthenticated, Unsupported
from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.app import Application
from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.core.repository import Repository
from glassworks.serving.endpoints import Context
from glassworks.serving.failures import status
from glassworks.serving.observability.metrics import Metrics
from glassworks.serving.routes import doorkeeper, routes
from glassworks.serving.transports.grpc.messages import message
from glassworks.serving.transports.grpc.service import InferenceService
from glassworks.serving.transports.http.exchange import Exchange
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

NOBODY, WRONG, ONE, ALL, ADMIN = "nobody", "wrong", "one", "all", "admin"


@dataclass
class Shop:
    """Two models, bars and other, behind a gate."""

    engine: Models
    dispatcher: Dispatcher
    service: Service
    application: Application
    rpc: InferenceService
    keys: Mapping[str, str]
    model: str

    def headers(self, who: str) -> dict[str, str]:
        return {"x-api-key": self.keys[who]} if who in self.keys else {}

    def ask(self, who: str, verb: str, path: str, body: bytes = b"") -> Reply:
        reply = asyncio.run(ask(self.service, verb, path, body, self.headers(who)))
        assert reply is not None
        return reply

    def call(self, who: str, method: str, **fields: Any) -> Any:
        """The answer of gRPC, or its error."""
        request = message(f"{method}Request")()
        for field, value in fields.items():
            if field == "parameters":
                for parameter, text in value.items():
                    request.parameters[parameter].string_param = text
            else:
                setattr(request, field, value)
        sent = {key.encode(): value.encode() for key, value in self.headers(who).items()}
        try:
            return asyncio.run(getattr(self.rpc, method)(request, sent))
        except GlassworksError as error:
            return error


@pytest.fixture(scope="module")
def shop(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    home = tmp_path_factory.mktemp("shop")
    clock = Hands().clock
    store = KeyStore(home, clock)
    keys = {
        ONE: store.create("one", models=["bars"])[1],
        ALL: store.create("all")[1],
        ADMIN: store.create("admin", models=["bars"], roles=["admin", "infer"])[1],
        WRONG: "gw_00000000_" + "x" * 43,
    }
    engine = Models()
    engine.load(tiny_bundle, "bars", "1")
    engine.load(tiny_bundle, "other", "1")
    ledger = Ledger(home, clock)
    dispatcher = Dispatcher(engine, Gate(store, ledger, clock, required=True), ledger)
    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    registry.publish(tiny_bundle)
    repository = Repository(engine, registry)
    application = Application(routes(Context(dispatcher, repository=repository, metrics=Metrics(engine, lambda: None))))
    rpc = InferenceService(dispatcher, repository, TensorLimits())
    name = tiny_bundle.manifest.name
    yield Shop(engine, dispatcher, Service(application, Limits()), application, rpc, keys, name)
    ledger.close()
    engine.close()


ABOUT_ONE = [
    ("GET", "/v2/models/{m}"),
    ("GET", "/v2/models/{m}/versions/1"),
    ("GET", "/v2/models/{m}/ready"),
    ("GET", "/v2/models/{m}/config"),
    ("GET", "/v2/models/{m}/stats"),
    ("GET", "/v1/models/{m}"),
    ("GET", "/api/models/{m}/traffic"),
    ("POST", "/v2/models/{m}/infer"),
    ("POST", "/v2/models/{m}/explain"),
    ("POST", "/v2/models/{m}/generate"),
    ("POST", "/v2/models/{m}/picture"),
    ("POST", "/v2/models/{m}/feedback"),
    ("GET", "/v2/models/{m}/stream"),
    ("POST", "/v1/models/{m}:predict"),
]


@pytest.mark.parametrize(("verb", "path"), ABOUT_ONE)
def test_of_a_model_is_told_whom_it_is_for(verb: str, path: str, shop: Shop) -> None:
    bars, other, none = (path.format(m=name) for name in ("bars", "other", "none"))
    for who in (NOBODY, WRONG):
        assert shop.ask(who, verb, bars).status == 401
    assert shop.ask(ONE, verb, bars).status in (200, 400)  # what is empty cannot be inferred
    for path in (other, none):  # whether there is such a model is not told either
        assert shop.ask(ONE, verb, path).status == 403
    assert shop.ask(ALL, verb, other).status in (200, 400)
    assert shop.ask(ALL, verb, none).status == 404


def names(reply: Reply) -> set[str]:
    assert reply.status == 200
    found = reply.json
    if isinstance(found, list):
        return {row["name"] for row in found}
    return set(found["models"]) if "models" in found else {row["name"] for row in found["model_stats"]}


@pytest.mark.parametrize(
    ("verb", "path"), [("GET", "/v1/models"), ("GET", "/v2/models/stats"), ("POST", "/v2/repository/index")]
)
def test_lists_hold_what_a_key_is_for(verb: str, path: str, shop: Shop) -> None:
    assert shop.ask(NOBODY, verb, path).status == 401
    assert names(shop.ask(ONE, verb, path)) == {"bars"}
    assert {"bars", "other"} <= names(shop.ask(ALL, verb, path))


def test_metrics_are_for_keys_without_a_list_and_for_admins(shop: Shop) -> None:
    assert [shop.ask(who, "GET", "/metrics").status for who in (NOBODY, WRONG, ONE)] == [401, 401, 403]
    assert [shop.ask(who, "GET", "/metrics").status for who in (ALL, ADMIN)] == [200, 200]


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_page_without_a_key_tells_of_no_model(path: str, shop: Shop) -> None:
    data = [
        json.loads(re.findall(r'id="data">(.*?)</script>', shop.ask(who, "GET", path).body.decode(), re.DOTALL)[0])
        for who in (NOBODY, ONE, ALL)
    ]
    assert [[model["name"] for model in page["models"]] for page in data] == [[], ["bars"], ["bars", "other"]]
    assert all(page["keys"] for page in data)
    page = shop.ask(NOBODY, "GET", path)
    assert page.headers["cache-control"] == "no-store"
    assert shop.ask(WRONG, "GET", path).status == 401
    assert shop.ask(NOBODY, "GET", "/openapi.json").status == 200


def test_health_tells_names_and_counts_to_everybody_and_words_to_whoever_may_ask(shop: Shop) -> None:
    supervisor = shop.engine.supervisor
    supervisor.suffers("tests", "the words, with gw_0123abcd_secretsecret in them")
    supervisor.lost("tests", 3)
    for path in ("/v2/health/live", "/v2/health/ready"):
        (trouble,) = shop.ask(NOBODY, "GET", path).json["troubles"]
        assert trouble == {"part": "tests", "failures": 1, "lost": 3, "suffers": True}
        (known,) = shop.ask(ONE, "GET", path).json["troubles"]
        assert known["lasting"] == known["last"] == "the words, with gw_0123abcd_... in them"
    text = shop.ask(ALL, "GET", "/metrics").body.decode()
    assert 'glassworks_failures_total{part="tests"} 1.0' in text
    assert 'glassworks_lost_total{part="tests"} 3.0' in text
    assert 'glassworks_suffering{part="tests"} 1.0' in text


def test_an_admin_of_one_model_changes_no_other(shop: Shop) -> None:
    for verb, path in (
        ("POST", "/v2/repository/models/{m}/load"),
        ("POST", "/v2/repository/models/{m}/unload"),
        ("PUT", "/api/models/{m}/traffic"),
    ):
        assert shop.ask(NOBODY, verb, path.format(m="bars")).status == 401
        assert shop.ask(ONE, verb, path.format(m="bars")).status == 403
        assert shop.ask(ADMIN, verb, path.format(m="other")).status == 403
    assert shop.ask(ADMIN, "POST", "/v2/repository/models/other@1/load").status == 403
    assert shop.ask(ADMIN, "PUT", "/api/models/bars/traffic", b'{"split": null}').status == 200
    assert set(shop.engine.names()) == {"bars", "other"}


OPERATIONS: list[tuple[str, str, dict[str, Any], type[GlassworksError]]] = [
    (NOBODY, "RepositoryModelLoad", {"model_name": "bars"}, Unauthenticated),
    (ADMIN, "RepositoryModelLoad", {"model_name": "other"}, Forbidden),
    (ADMIN, "RepositoryModelLoad", {"model_name": "bars", "parameters": {"config": "{}"}}, Unsupported),
    (ADMIN, "RepositoryModelLoad", {"model_name": "bars", "parameters": {"version": "9"}}, NotFound),
    (ADMIN, "RepositoryModelLoad", {"model_name": "bars@1", "parameters": {"version": "1"}}, InputError),
    (ADMIN, "RepositoryModelUnload", {"model_name": "bars", "parameters": {"unload_dependents": "x"}}, InputError),
    (ADMIN, "RepositoryModelUnload", {"model_name": "other"}, Forbidden),
    (ONE, "RepositoryModelUnload", {"model_name": "bars"}, Forbidden),
]


@pytest.mark.parametrize(("who", "method", "fields", "kind"), OPERATIONS)
def test_both_protocols_refuse_the_same_in_the_same_words(
    who: str, method: str, fields: dict[str, Any], kind: type[GlassworksError], shop: Shop
) -> None:
    error = shop.call(who, method, **fields)
    assert type(error) is kind
    verb = "load" if method.endswith("Load") else "unload"
    body = json.dumps({"parameters": fields.get("parameters", {})}).encode()
    reply = shop.ask(who, "POST", f"/v2/repository/models/{fields['model_name']}/{verb}", body)
    assert (reply.status, reply.error) == (status(error).http, f"{error.problem}; {error.mend}")


def test_grpc_tells_whom_the_model_is_for(shop: Shop) -> None:
    for method in ("ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics"):
        assert isinstance(shop.call(NOBODY, method, name="bars"), Unauthenticated)
        assert isinstance(shop.call(ONE, method, name="other"), Forbidden)
        assert not isinstance(shop.call(ONE, method, name="bars"), GlassworksError)
    assert {row.name for row in shop.call(ONE, "ModelStatistics").model_stats} == {"bars"}
    assert {row.name for row in shop.call(ONE, "RepositoryIndex").models} == {"bars"}


def test_without_a_repository_both_say_so(shop: Shop) -> None:
    rpc = InferenceService(Dispatcher(shop.engine), None, TensorLimits())
    served = Service(Application(routes(Context(Dispatcher(shop.engine)))), Limits())
    with pytest.raises(NotFound, match="no repository"):
        asyncio.run(rpc.RepositoryIndex(message("RepositoryIndexRequest")(), {}))
    reply = asyncio.run(ask(served, "POST", "/v2/repository/index"))
    assert reply is not None
    assert reply.status == 404
    assert "no repository" in reply.error


def test_the_head_of_a_large_request_is_enough_to_refuse_it(shop: Shop) -> None:
    refused = doorkeeper(shop.dispatcher.admission, shop.application)

    def answered(who: str, path: str) -> int | None:
        sent = {key.encode(): value.encode() for key, value in shop.headers(who).items()}
        answer = refused(Exchange("POST", path.encode(), sent, b""))
        return answer.status if answer is not None else None

    infer = "/v2/models/{m}/infer"
    assert [answered(who, infer.format(m="bars")) for who in (NOBODY, WRONG, ONE, ADMIN)] == [401, 401, None, None]
    assert [answered(who, infer.format(m="other")) for who in (ONE, ALL)] == [403, None]
    assert answered(ADMIN, "/v2/repository/models/bars@1/load") is None
    assert answered(NOBODY, "/nowhere") == 401
    assert shop.dispatcher.admission.guarded


def test_a_key_in_the_wrong_place_is_not_told_back(shop: Shop) -> None:
    key = shop.keys[ONE]
    for path in (f"/v2/{key}", f"/v2/models/{key}", f"/v2/models/{key.replace('_', '%5F')}/infer", f"/{key}/%67"):
        reply = asyncio.run(ask(shop.service, "GET", path, b"", {"x-request-id": key, **shop.headers(ALL)}))
        assert reply is not None
        assert reply.status >= 400
        assert key[12:] not in reply.body.decode() + json.dumps(dict(reply.headers))
    encoded = {"x-request-id": f"a-{key.replace('_', '%5f')}"}
    other = asyncio.run(ask(shop.service, "GET", "/v2", b"", encoded))
    plain = asyncio.run(ask(shop.service, "GET", "/v2", b"", {"x-request-id": "mine-1"}))
    assert other is not None
    assert plain is not None
    assert key[12:] not in other.headers["x-request-id"]
    assert plain.headers["x-request-id"] == "mine-1"
