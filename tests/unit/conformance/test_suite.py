"""The suite: all is well with our own server, and each planted fault is found by the check that is for it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.patience import PATIENCE_S
from typer.testing import CliRunner

from glassworks.cli.app import build
from glassworks.conformance import suite
from glassworks.conformance.target import HEADER, Target
from glassworks.errors import InputError, ServingError, Unauthenticated
from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry
from glassworks.serving.app import Application
from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.core.repository import Repository
from glassworks.serving.endpoints import Context
from glassworks.serving.observability.metrics import Metrics
from glassworks.serving.routes import routes
from glassworks.serving.transports.grpc.server import RpcServer
from glassworks.serving.transports.grpc.service import InferenceService
from glassworks.serving.transports.http.connection import Connection
from glassworks.serving.transports.http.exchange import Answer, Exchange
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.server import bind
from glassworks.serving.transports.http.service import Service

Fault = Callable[[Exchange, Answer], Answer]


class Running:
    """Our server on a thread; `fault` changes its answers."""

    def __init__(self, bundle: Bundle, home: Path) -> None:
        self.fault: Fault = lambda exchange, answer: answer
        self._http, self._grpc = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
        self._bundle, self._home = bundle, home
        self.url, self.grpc = _address(self._http, "http://"), _address(self._grpc, "")
        self._loop = asyncio.new_event_loop()
        self._up, self._end = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(PATIENCE_S)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        models = Models()
        models.load(self._bundle, "bars", "1")
        dispatcher = Dispatcher(models)
        repository = Repository(models, Registry.open({"GLASSWORKS_HOME": str(self._home)}))
        service = Service(self._answer, Limits())
        self._app = Application(
            routes(Context(dispatcher, repository=repository, metrics=Metrics(models, lambda: service)))
        )
        service.taken_over = lambda exchange: self._app.upgraded(exchange, service)
        rpc = RpcServer(InferenceService(dispatcher, repository, TensorLimits()), self._grpc, service)
        await rpc.start()
        server = await self._loop.create_server(lambda: Connection(service), sock=self._http)
        self._up.set()
        await self._end.wait()
        server.close()
        await rpc.stop(1)
        for connection in list(service.connections):
            connection.close()
        await asyncio.sleep(0.01)
        models.close()

    def _answer(self, exchange: Exchange) -> None:
        reply = exchange.reply
        exchange.reply = lambda answer: reply(self.fault(exchange, answer))
        self._app(exchange)


def _address(listening: socket.socket, scheme: str) -> str:
    return f"{scheme}127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(scope="module")
def server(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tiny_bundle, tmp_path_factory.mktemp("home"))
    running.start()
    yield running
    running.stop()


@contextmanager
def planted(server: Running, fault: Fault) -> Iterator[None]:
    server.fault = fault
    try:
        yield
    finally:
        server.fault = lambda exchange, answer: answer


def changed(answer: Answer, **changes: object) -> Answer:
    """An answer whose JSON is changed; None takes a key away."""
    value = json.loads(answer.body)
    value.update(changes)
    kept = {name: each for name, each in value.items() if each is not None}
    return Answer(json.dumps(kept).encode(), answer.status, answer.content_type, answer.headers)


def everywhere(**changes: object) -> Fault:
    return lambda exchange, answer: changed(answer, **changes)


def on(part: str, fault: Fault) -> Fault:
    """The fault where the path holds a part."""
    return lambda exchange, answer: fault(exchange, answer) if part.encode() in exchange.target else answer


def failing(change: Fault) -> Fault:
    """The fault in errors only."""
    return lambda exchange, answer: change(exchange, answer) if answer.status >= 400 else answer


def detail(exchange: Exchange, answer: Answer) -> Answer:
    return Answer(b'{"detail": "Not Found"}', answer.status)


def crash(exchange: Exchange, answer: Answer) -> Answer:
    return Answer(b'{"error": "internal"}', 500)


def upside_down(exchange: Exchange, answer: Answer) -> Answer:
    if answer.status != 200 or answer.content_type != b"application/json":
        return answer
    outputs = json.loads(answer.body)["outputs"]
    for output in outputs:
        output["data"] = output["data"][::-1]
    return changed(answer, outputs=outputs)


PLANTED: dict[str, tuple[str, Fault]] = {
    "no version of the server": ("C1.says_what_it_is", on("/v2", everywhere(version=None))),
    "health without a body": ("C2.is_ready", on("health/ready", lambda e, a: Answer(b""))),
    "detail instead of error": ("C4.unknown_route", failing(detail)),
    "405 without Allow": (
        "C4.wrong_verb_names_the_right_one",
        failing(lambda e, a: Answer(a.body, a.status, a.content_type, [])),
    ),
    "an id that is lost": ("C5.id_comes_back", on("/infer", everywhere(id=None))),
    "all outputs always": (
        "C5.unknown_output",
        on("/infer", failing(lambda e, a: Answer(b'{"outputs": []}', 200))),
    ),
    "a crash for bad shapes": ("C6.negative_size", on("/infer", failing(crash))),
    "a crash for bad JSON": ("C9.no_json", on("/infer", failing(crash))),
    "another version": ("C3.inference_of_a_version", on("/versions/", everywhere(model_version="9"))),
    "rows in another order": ("C6.rows_are_independent", on("/infer", upside_down)),
    "values that differ from gRPC's": ("C11.raw_contents", on("/infer", upside_down)),
    "a header without bytes": (
        "C8.no_header_without_bytes",
        on("/infer", lambda e, a: Answer(a.body, a.status, a.content_type, [(HEADER.lower().encode(), b"9")])),
    ),
    "an index that is no list": ("C13.index", on("/index", lambda e, a: Answer(b"{}"))),
    "counts that stand still": (
        "C12.counts_rows_and_executions",
        on("/stats", lambda e, a: Answer(_frozen(a), a.status)),
    ),
    "metrics in JSON": ("C18.metrics", on("/metrics", lambda e, a: Answer(b"{}"))),
    "events that are none": (
        "C16.generate_stream",
        on("generate_stream", lambda e, a: Answer(b"{}")),
    ),
}  # fmt: skip


def _frozen(answer: Answer) -> bytes:
    value = json.loads(answer.body)
    for row in value["model_stats"]:
        row["inference_count"] = 7
    return json.dumps(value).encode()


def test_our_own_server_passes_everything(server: Running) -> None:
    outcomes = list(suite.run(Target(url=server.url, grpc=server.grpc, seconds=PATIENCE_S)))
    others = [(each.id, each.seen) for each in outcomes if each.result != "passed"]
    assert others == [("C19.slow_and_silent", "no time was given for clients that are silent: --patience SECONDS")]
    assert len(outcomes) > 100
    assert len({each.id for each in outcomes}) == len(outcomes)
    assert all(each.expects for each in outcomes)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_by_its_check(name: str, server: Running) -> None:
    id_, fault = PLANTED[name]
    (check,) = [each for each in suite.found() if each.id == id_]
    target = Target(url=server.url, grpc=server.grpc, name="bars", seconds=PATIENCE_S)
    check.run(target)
    with planted(server, fault):
        # What was seen before the fault was planted must not be remembered.
        again = Target(url=server.url, grpc=server.grpc, name="bars", seconds=PATIENCE_S)
        (outcome,) = suite.run(again, [check])
    assert outcome.result == "failed"
    assert outcome.seen


def test_without_grpc_its_checks_are_not_offered(server: Running) -> None:
    needing = {"rpc", "grpc_wire", "http2_frames", "http2_requests", "floods"}
    checks = [each for each in suite.found() if each.area in needing]
    outcomes = list(suite.run(Target(url=server.url, seconds=PATIENCE_S), checks))
    assert {each.area for each in outcomes} == needing
    assert {each.result for each in outcomes} == {"not offered"}


def test_the_command_line_writes_reports(server: Running, tmp_path: Path) -> None:
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    arguments = ["conformance", server.url, "--json", "--report", str(report), "--junit", str(junit)]
    arguments += ["--seconds", str(PATIENCE_S)]
    with planted(server, on("/metrics", lambda e, a: Answer(b"{}"))):
        done = CliRunner().invoke(build(), arguments)
    assert done.exit_code == 1
    value = json.loads(done.stdout)
    assert value == json.loads(report.read_text(encoding="utf-8"))
    assert value["totals"]["failed"] == 1
    assert value["model"] == "bars"
    suite_ = ElementTree.fromstring(junit.read_bytes())
    assert (suite_.get("failures"), suite_.get("tests")) == ("1", str(len(value["checks"])))
    (failed,) = suite_.iter("failure")
    assert "Prometheus" in str(failed.text)


def test_people_read_a_line_a_group_and_in_full_what_failed(server: Running) -> None:
    arguments = ["conformance", server.url, "--seconds", str(PATIENCE_S)]
    with planted(server, on("/metrics", lambda e, a: Answer(b"{}"))):
        lines = CliRunner().invoke(build(), arguments).stdout.splitlines()
    assert lines[0] == f"conformance of {server.url}, model bars"
    assert "  C1   3 passed" in lines
    assert "  C18  1 failed" in lines
    failed = lines.index("failed")
    assert lines[failed + 1] == "  C18.metrics"
    assert [each.partition(":")[0] for each in lines[failed + 2 : failed + 4]] == ["    expected", "    seen"]
    missing = lines[lines.index("  no gRPC address was given: --grpc HOST:PORT") + 1].strip().split(", ")
    assert {"C11.raw_contents", "C40.ping_is_answered"} <= set(missing)
    assert len(lines) < 50


def test_what_is_no_server_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ServingError, match="does not answer"):
        suite.reach(Target(url=f"http://127.0.0.1:{port}", seconds=1))
    with pytest.raises(InputError, match="is no address of a server"):
        suite.reach(Target(url="nonsense"))


def test_what_is_no_grpc_is_one_error(server: Running) -> None:
    suite.reach(Target(url=server.url, grpc=server.grpc, seconds=PATIENCE_S))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for address in (f"127.0.0.1:{port}", server.url.removeprefix("http://")):
        with pytest.raises(ServingError, match=f"nothing answers gRPC at {address}"):
            suite.reach(Target(url=server.url, grpc=address, seconds=PATIENCE_S))
    with pytest.raises(InputError, match="is no address of gRPC"):
        suite.reach(Target(url=server.url, grpc="127.0.0.1"))


@pytest.mark.parametrize("name", [None, "bars"])
def test_a_key_that_is_missing_or_wrong_is_one_error(name: str | None, server: Running) -> None:
    asks = on("bars" if name else "/index", lambda e, a: Answer(b'{"error": "no key"}', 401))
    with planted(server, asks):
        with pytest.raises(Unauthenticated, match="the server asks for a key"):
            suite.reach(Target(url=server.url, name=name, seconds=PATIENCE_S))
        with pytest.raises(Unauthenticated, match="does not take the key"):
            suite.reach(Target(url=server.url, name=name, key="wrong", seconds=PATIENCE_S))
