"""The control API of a running service: sessions, streams, and that it ends with the service."""

from __future__ import annotations

import contextlib
import gzip
import json
import signal
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from tests.integration.serving.running import WAIT_S, Server, serving
from tests.patience import until

from glassworks import Client
from glassworks.console.pages import console
from glassworks.errors import Conflict
from glassworks.registry import Registry
from glassworks.runs import Runs
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore

JOB = {"job": {"name": "digits", "family": "convnet", "data": {"source": "sample:digits"}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("control")) as server:
        yield server


def submit(server: Server, **headers: str) -> tuple[int, Any]:
    body = json.dumps({"kind": "train", "request": JOB}).encode()
    return server.send("POST", "/api/v1/runs", body, {"content-type": "application/json", **headers})


@contextlib.contextmanager
def stream(server: Server, path: str, **headers: str) -> Iterator[HTTPResponse]:
    connection = server.connect()
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        yield connection.getresponse()


def event(response: HTTPResponse) -> dict[str, str]:
    """The next event of a stream; comments are read over."""
    found: dict[str, str] = {}
    while True:
        line = response.readline().decode().rstrip("\n")
        assert line or found or not response.closed
        if not line and "data" in found:
            return found
        name, _, value = line.partition(": ")
        if name:
            found[name] = value


def test_events_go_on_behind_the_last_one_that_was_seen(server: Server) -> None:
    _, run = submit(server)
    path = f"/api/v1/runs/{run['id']}/stream"
    with stream(server, path) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        first = event(response)
        assert (first["event"], json.loads(first["data"])["data"]) == ("state", {"state": "queued"})
        server.send("POST", f"/api/v1/runs/{run['id']}/cancel")
        second = event(response)
        assert json.loads(second["data"])["data"] == {"state": "cancelled"}
    with stream(server, path, **{"Last-Event-ID": first["id"]}) as response:
        assert event(response) == {key: value for key, value in second.items() if key != "retry"} | {"retry": "1000"}
    with stream(server, "/api/v1/runs/stream") as response:
        response.readline()
        _, other = submit(server)
        assert json.loads(event(response)["data"])["run"] == other["id"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"kind": "train", "request": {"a": [' + b"[]," * 1_000_000 + b"1]}}", 413, "bytes"),
        (b'{"kind": "train", "request": {"a": [' + b"[]," * 100_000 + b"1]}}", 400, "values"),
        (b'{"kind": "' + b"x" * 2**21 + b'"}', 413, "bytes"),
    ],
)
def test_a_body_that_takes_long_to_read_is_refused_before(server: Server, body: bytes, status: int, said: str) -> None:
    for content, headers in ((body, {}), (gzip.compress(body), {"content-encoding": "gzip"})):
        headers = {"content-type": "application/json", **headers}
        found, problem = server.send("POST", "/api/v1/runs", content, headers)
        assert (found, said in problem["detail"]) == (status, True)


def test_a_head_has_no_body(server: Server) -> None:
    connection = server.connect()
    with contextlib.closing(connection):
        for path in ("/api/v1/runs", "/api/v1/runs/stream", "/api/v1/session"):
            connection.request("HEAD", path)
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"")


def test_a_browser_signs_in_with_a_key_and_out_again(tmp_path: Path) -> None:
    store = KeyStore(tmp_path, Clock())
    _, viewer = store.create("vera", roles=("viewer",))
    _, operator = store.create("otto", roles=("operator",))
    with serving(tmp_path, "--keys", "on") as server:
        assert server.send("GET", "/api/v1/runs")[0] == 401
        json_ = {"content-type": "application/json"}
        status, problem = server.send("POST", "/api/v1/session", b'{"key": "gw_nothing"}', json_)
        assert (status, problem["title"]) == (401, "Unauthorized")
        cookies = {name: _signed_in(server, key) for name, key in (("vera", viewer), ("otto", operator))}
        assert server.send("GET", "/api/v1/session", headers={"cookie": cookies["vera"]})[1]["roles"] == ["viewer"]
        assert submit(server, cookie=cookies["vera"])[0] == 403
        status, run = submit(server, cookie=cookies["otto"])
        assert (status, run["who"]) == (201, "otto")
        assert submit(server, cookie=cookies["otto"], origin="http://evil.example")[0] == 403
        with stream(server, "/api/v1/statistics/stream", cookie=cookies["otto"]) as response:
            assert event(response)["event"] == "statistics"
            store.revoke("otto")
            while (found := event(response))["event"] == "statistics":
                pass
            assert json.loads(found["data"])["status"] == 401
            assert response.read() == b""
        until(lambda: submit(server, cookie=cookies["otto"])[0] == 401, "the end of a revoked key's session")


def _signed_in(server: Server, key: str) -> str:
    connection = server.connect()
    with contextlib.closing(connection):
        body = json.dumps({"key": key})
        connection.request("POST", "/api/v1/session", body, {"content-type": "application/json"})
        response = connection.getresponse()
        cookie = response.headers["set-cookie"]
        assert response.status == 200
        assert {part.strip().lower() for part in cookie.split(";")[1:]} >= {"httponly", "samesite=strict", "path=/"}
        assert key not in cookie
        return cookie.partition(";")[0]


def test_a_service_that_stops_ends_its_streams_at_once(tmp_path: Path) -> None:
    Runs(Registry.open({"GLASSWORKS_HOME": str(tmp_path)})).submit("train", JOB)
    with serving(tmp_path) as server, stream(server, "/api/v1/runs/stream") as response:
        response.readline()
        server.process.send_signal(signal.SIGTERM)
        response.read()
        assert server.process.wait(WAIT_S) == 0


def test_the_python_client_goes_the_whole_way(server: Server) -> None:
    with Client(f"http://{server.address}") as client:
        run = client.submit_run(kind="train", request=JOB, idempotency_key="mine")
        assert client.submit_run(kind="train", request=JOB, idempotency_key="mine").id == run.id
        assert run.id in {each.id for each in client.every(client.list_runs, state="queued", limit=1)}
        seen: list[str] = []
        client.cancel_run(run.id)
        assert client.wait(run.id, lambda event: seen.append(event.data["data"]["state"])).state == "cancelled"
        assert seen == ["queued", "cancelled"]
        with pytest.raises(Conflict, match="is cancelled"):
            client.cancel_run(run.id)
        assert client.check_job(job=JOB["job"], changes={"training.epochs": 0}).problems[0].key == "training.epochs"


def test_the_console_is_at_the_root_and_speaks_of_this_version(server: Server) -> None:
    status, page = _page(server, "/")
    assert status == 200
    assert f"/console/{console().version}/main.js" in page
    assert _page(server, f"/console/{console().version}/main.js")[0] == 200


def _page(server: Server, path: str) -> tuple[int, str]:
    connection = server.connect()
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
