"""Deployments of a running service: nobody's request fails while they change, and they outlast a restart."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.serving.running import WAIT_S, Server, request, serving
from tests.integration.serving.test_control import event, stream
from tests.patience import until

from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry

REQUESTS = 200
JSON = {"content-type": "application/json"}


@pytest.fixture
def home(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    """A registry with two versions of a model, of which the first is the champion."""
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path)})
    for _ in range(2):
        registry.publish(tiny_bundle)
    registry.set_alias(tiny_bundle.manifest.name, 1, "champion")
    return tmp_path


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    with serving(home, "--no-grpc") as server:
        yield server


def change(server: Server, verb: str, body: Any, path: str = "") -> tuple[int, Any]:
    """Change the deployment as it is now."""
    where = f"/api/v1/deployments/{server.model}"
    connection = server.connect()
    with contextlib.closing(connection):
        connection.request("GET", where)
        response = connection.getresponse()
        response.read()
        headers = {**JSON, "if-match": response.headers["etag"]}
    return server.send(verb, where + path, json.dumps(body).encode(), headers)


def test_nobodys_request_fails_while_the_split_changes(server: Server) -> None:
    statuses: list[int] = []
    versions: set[str] = set()
    body = request()

    def ask() -> None:
        for _ in range(REQUESTS // 4):
            status, answer = server.post("infer", body)
            statuses.append(status)
            versions.add(answer.get("model_version", ""))

    def asking() -> bool:
        return any(thread.is_alive() for thread in threads)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    changes = 0
    while asking() or changes < 4:
        wanted: Any = ({"shares": {"1": 50, "2": 50}, "shadow": 2}, {"champion": 2}, {"champion": 1})[changes % 3]
        status, found = change(server, "PUT", wanted)
        assert status == 200, found
        changes += 1
    for thread in threads:
        thread.join()
    assert statuses == [200] * REQUESTS
    assert versions <= {"1", "2"}
    assert change(server, "POST", {}, "/rollback")[0] == 200


def test_a_split_outlasts_a_restart_unless_the_command_line_says_otherwise(home: Path) -> None:
    def shares(server: Server) -> Any:
        return server.get(f"/api/v1/deployments/{server.model}")["shares"]

    with serving(home, "--no-grpc") as server:
        assert change(server, "PUT", {"shares": {"1": 25, "2": 75}})[0] == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(WAIT_S) == 0
    with serving(home, "--no-grpc") as server:
        assert shares(server) == {"1": 25.0, "2": 75.0}
        assert {server.post("infer", request())[1]["model_version"] for _ in range(40)} == {"1", "2"}
    with serving(home, "--no-grpc", "--traffic", "champion=100") as server:
        assert shares(server) == {"1": 100.0}
    with serving(home, "--no-grpc") as server:
        assert change(server, "DELETE", None)[0] == 200
        assert server.post("infer", request())[0] == 404
    with serving(home, "--no-grpc") as server:
        assert server.model == ""


def test_statistics_come_once_a_second_and_failures_as_they_happen(server: Server) -> None:
    with stream(server, "/api/v1/statistics/stream") as response, stream(server, "/api/v1/logs/stream") as tail:
        tail.readline()
        first = json.loads(event(response)["data"])
        for _ in range(20):
            assert server.post("infer", request())[0] == 200
        assert server.post("infer", b"{")[0] == 400
        found = json.loads(event(response)["data"])
        while found["models"][0]["requests"] < 20:
            found = json.loads(event(response)["data"])
        assert found["at"] > first["at"]
        assert found["models"][0]["requests_per_s"] > 0
        assert found["models"][0]["p99_ms"] > 0
        failed = event(tail)
        line = json.loads(failed["data"])
        assert (line["status"], line["method"], line["model"]) == (400, "POST", server.model)
        assert line["path"].endswith("/infer")
        assert line["request_id"]
    server.send("GET", "/nothing/here")
    with stream(server, "/api/v1/logs/stream", **{"Last-Event-ID": failed["id"]}) as tail:
        assert json.loads(event(tail)["data"])["path"] == "/nothing/here"


def test_a_failed_change_of_the_control_api_is_in_the_log_too(server: Server) -> None:
    assert server.send("PUT", f"/api/v1/deployments/{server.model}", b"{}", JSON)[0] == 428
    until(lambda: bool(server.get("/api/v1/logs")["items"]), "the line of the failure")
    (line,) = server.get("/api/v1/logs")["items"]
    assert line["status"] == 428
    assert line["mend"].startswith("read it first")
