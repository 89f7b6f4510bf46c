"""Who may ask, and how much of it, is known before anything large is read, decoded or explained."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.serving.access.hands import Hands
from tests.unit.serving.test_app import EXPLAIN, INFER, body, files, picture
from tests.unit.serving.wire import Reply, ask

from glassworks.contracts import Task
from glassworks.packaging.bundle import Bundle
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.app import Application
from glassworks.serving.codec.responses import render_response
from glassworks.serving.core.decoding import Decoding
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.endpoints import Context
from glassworks.serving.routes import routes
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

GENERATE, PREDICT, PICTURE = "/v2/models/bars/generate", "/v1/models/bars:predict", "/v2/models/bars/picture"
FEEDBACK = "/v2/models/bars/feedback"
LARGE = picture() + bytes(10_000)
"""A picture that is decoded on a thread; what follows it is nobody's business."""


class Shop:
    """A service with keys, and what it decoded and on which threads it read."""

    def __init__(self, models: Models, home: Path, hands: Hands) -> None:
        self.store, self.ledger = KeyStore(home, hands.clock), Ledger(home, hands.clock)
        self.keys: dict[str, str] = {}
        self.models, self.hands = models, hands

    def key(self, name: str, **limits: Any) -> str:
        _, self.keys[name] = self.store.create(name, **limits)
        return name

    def served(self) -> Service:
        gate = Gate(self.store, self.ledger, self.hands.clock, required=True)
        return Service(
            Application(routes(Context(Dispatcher(self.models, gate, self.ledger)))), Limits(max_body_bytes=2**26)
        )

    def send(self, served: Service, path: str, key: str, content: object, **headers: str) -> Reply:
        sent = content if isinstance(content, bytes) else json.dumps(content).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = asyncio.run(ask(served, "POST", path, sent, {"x-api-key": self.keys[key], **named}))
        assert reply is not None
        return reply


@pytest.fixture(scope="module")
def models(tiny_bundle: Bundle) -> Iterator[Models]:
    models = Models()
    models.load(tiny_bundle, "bars", "1")
    yield models
    models.close()


@pytest.fixture
def shop(models: Models, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(models, tmp_path, Hands())
    yield shop
    shop.ledger.close()


@pytest.fixture
def decoded(models: Models, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the files that were decoded."""
    sizes, task = list[int](), type(models.model("bars").opened.task)
    decode = task.decode

    def noting(self: Task, value: bytes, preprocessing: Mapping[str, Any]) -> Any:
        sizes.append(len(value))
        return decode(self, value, preprocessing)

    monkeypatch.setattr(task, "decode", noting)
    return sizes


def large_json() -> bytes:
    """A request of more than is read on the event loop."""
    return json.dumps(body(200)).encode()


@pytest.mark.parametrize(
    ("path", "content"),
    [(INFER, files(LARGE)), (EXPLAIN, files(LARGE)), (PICTURE, LARGE), (GENERATE, None), (PREDICT, None)],
)
def test_a_key_without_the_right_decodes_nothing(
    path: str, content: object, shop: Shop, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is None:
        encoded = files(LARGE)["inputs"][0]["data"][0]
        content = {"image": {"b64": encoded}} if path == GENERATE else {"instances": [{"b64": encoded}]}
    other, spent = shop.key("other", models=["elsewhere"]), shop.key("spent", requests_per_day=1)
    served = shop.served()
    assert shop.send(served, INFER, spent, body()).status == 200
    assert shop.send(served, path, other, content).status == 403
    assert shop.send(served, path, spent, content).status == 429
    assert decoded == []


def test_rows_are_the_number_of_files_and_are_counted_before_they_are_decoded(shop: Shop, decoded: list[int]) -> None:
    key = shop.key("few", rows_per_day=3)
    served = shop.served()
    assert shop.send(served, INFER, key, files(*[LARGE] * 4)).status == 429
    assert decoded == []
    assert shop.send(served, INFER, key, files(LARGE, LARGE)).status == 200
    assert shop.send(served, INFER, key, files(LARGE, LARGE)).status == 429
    assert shop.send(served, EXPLAIN, key, files(LARGE)).status == 200
    assert decoded == [len(LARGE)] * 3
    totals = {each.verb: (each.requests, each.rows) for each in shop.ledger.totals()}
    assert totals == {"infer": (1, 2), "explain": (1, 1)}


@pytest.mark.parametrize("path", [INFER, EXPLAIN, PICTURE])
def test_what_is_refused_for_what_it_holds_uses_up_nothing_of_the_day(path: str, shop: Shop) -> None:
    key = shop.key("twice", requests_per_day=1)
    served, broken = shop.served(), b"no picture" * 1000
    for _ in range(3):
        assert shop.send(served, path, key, broken if path == PICTURE else files(broken)).status == 400
    assert shop.ledger.totals() == ()
    assert shop.send(served, INFER, key, body()).status == 200
    assert shop.send(served, INFER, key, body()).status == 429


def test_feedback_that_is_refused_uses_up_nothing_either(shop: Shop) -> None:
    key = shop.key("one", requests_per_day=1)
    served = shop.served()
    assert "takes no feedback" in shop.send(served, FEEDBACK, key, {"events": []}).error
    assert shop.send(served, INFER, key, body()).status == 200
    assert "may send 1 requests a day" in shop.send(served, FEEDBACK, key, {"events": []}).error


def test_a_large_request_is_read_on_a_thread_and_only_for_who_may_ask_now(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[str]()
    for name in ("codec.bodies.parse_request", "protocols.kserve_v1.json_object"):
        whole = f"glassworks.serving.{name}"
        module, _, function = whole.rpartition(".")
        original = getattr(__import__(module, fromlist=[function]), function)

        def noting(*given: Any, original: Any = original) -> Any:
            read.append(threading.current_thread().name)
            return original(*given)

        monkeypatch.setattr(whole, noting)
    monkeypatch.setattr("glassworks.serving.codec.bodies._QUICK_BYTES", 0)
    spent, rich = shop.key("spent", requests_per_day=1), shop.key("rich")
    served = shop.served()
    assert shop.send(served, INFER, spent, body()).status == 200
    assert len(read) == 1
    plain = {"instances": np.zeros((200, 1, 16, 16)).tolist()}
    for path, content in ((INFER, large_json()), (EXPLAIN, large_json()), (PREDICT, json.dumps(plain).encode())):
        content += b" " * 2**18
        assert shop.send(served, path, spent, content).status == 429
        assert len(read) == 1
    assert shop.send(served, INFER, rich, large_json() + b" " * 2**18).status == 200
    assert shop.send(served, PREDICT, rich, json.dumps(plain).encode() + b" " * 2**18).status == 200
    assert [name.partition("_")[0] for name in read] == [threading.main_thread().name, "decode", "decode"]


def test_numbers_in_bytes_are_read_at_once_however_many(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoding, "read", lambda *_: pytest.fail("it went to a thread"))
    values = np.zeros((400, 1, 16, 16), np.float32)
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "image",
                    "shape": list(values.shape),
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": values.nbytes},
                }
            ]
        }
    ).encode()
    key = shop.key("bytes")
    reply = shop.send(
        shop.served(), INFER, key, head + values.tobytes(), inference_header_content_length=str(len(head))
    )
    assert reply.status == 200
    assert reply.tensor("probabilities").shape == (400, 3)


def test_a_long_answer_is_written_on_a_thread(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    written, key, served = list[str](), shop.key("long"), shop.served()
    original = render_response

    def noting(*given: Any) -> Any:
        written.append(threading.current_thread().name)
        return original(*given)

    monkeypatch.setattr("glassworks.serving.protocols.open_inference.render_response", noting)
    short = shop.send(served, INFER, key, body(3))
    monkeypatch.setattr("glassworks.serving.protocols.open_inference.LARGE_SIZE", 8)
    long = shop.send(served, INFER, key, body(3))
    assert short.body == long.body
    assert written[0] == threading.main_thread().name != written[1]


@pytest.mark.parametrize("what", ["ledger", "tracing", "shadow"])
def test_whatever_raises_beside_an_answer_the_answer_comes(
    what: str, shop: Shop, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Any:
        raise RuntimeError(what)

    key = shop.key("any")
    dispatcher = Dispatcher(models, Gate(shop.store, shop.ledger, shop.hands.clock, required=True), shop.ledger)
    served = Service(Application(routes(Context(dispatcher))), Limits(max_body_bytes=2**26))
    if what == "ledger":
        monkeypatch.setattr(shop.ledger, "record", fails)
    elif what == "tracing":
        dispatcher.spans = models.supervisor.guard("tracing", fails)
    else:
        monkeypatch.setattr(models, "shadow", lambda name: object())
    before = dict(models.supervisor.troubles)
    for content in (body(), body(70)):
        assert shop.send(served, INFER, key, content).status == 200
    assert models.supervisor.troubles != before
