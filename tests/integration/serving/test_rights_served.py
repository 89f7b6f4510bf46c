"""A real service without keys: what the disk, the collector and foreign pages do to it, which is nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.serving.running import WAIT_S, Server, request, serving

from glassworks.packaging.bundle import Bundle

BODY = request()
ENOUGH = 600
"""Lines that are more than any buffer of the log's file."""


@pytest.fixture(scope="module")
def server(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ["--allowed-host", "models.example.com"]
    with serving(tmp_path_factory.mktemp("home"), str(tiny_bundle.folder), *options) as server:
        yield server


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "models.example.com", "Origin": "https://models.example.com"}, 404),
        ({}, 404),
    ],
)
def test_foreign_pages_change_nothing(headers: dict[str, str], status: int, server: Server) -> None:
    assert server.send("POST", "/v2/repository/models/nobody/unload", b"{}", headers)[0] == status


def test_a_foreign_name_reads_nothing(server: Server) -> None:
    for path in ("/v2/health/live", "/docs", server.path):
        status, answer = server.send("GET", path, headers={"Host": "evil.example"})
        assert status == 403
        assert "--allowed-host" in answer["error"]


def test_a_full_disk_and_no_collector_are_shown_by_health_and_stop_nothing(tiny_bundle: Bundle, tmp_path: Path) -> None:
    options = ["--access-log", "/dev/full", "--traces", "http://127.0.0.1:1/v1/traces"]
    with serving(tmp_path, str(tiny_bundle.folder), *options) as server:
        connection = server.connect()
        for _ in range(ENOUGH):
            connection.request("POST", f"{server.path}/infer", BODY)
            response = connection.getresponse()
            assert response.status == 200
            response.read()
        end, troubles = time.monotonic() + WAIT_S, dict[str, Any]()
        while time.monotonic() < end and not troubles.get("access log", {}).get("suffers"):
            connection.request("GET", "/v2/health/ready")
            troubles = {each["part"]: each for each in json.loads(connection.getresponse().read())["troubles"]}
        connection.close()
        assert troubles["access log"]["lasting"] == "it cannot be written: No space left on device"
        server.process.terminate()
        assert server.process.wait(WAIT_S) == 0
