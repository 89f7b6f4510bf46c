"""Models that change while they are asked: new versions, aliases, splits and shadows, and what cannot be loaded."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.serving.running import Server, request, serving
from tests.patience import until

from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry

BODY = request()
SWAPS = 200


@pytest.fixture
def registry(tiny_bundle: Bundle, tmp_path: Path) -> Registry:
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path)})
    for _ in range(3):
        registry.publish(tiny_bundle)
    return registry


@pytest.fixture
def name(tiny_bundle: Bundle) -> str:
    return tiny_bundle.manifest.name


class Caller:
    """Asks about fifty times a second on one connection, and notes who answered, or what went wrong."""

    def __init__(self, server: Server) -> None:
        self.versions: Counter[str] = Counter()
        self.failures: list[str] = []
        self._server, self._end = server, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Caller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def hear(self) -> None:
        """Wait for one more answer."""
        heard = self.versions.total()
        until(lambda: self.versions.total() > heard or self.failures != [])

    def _run(self) -> None:
        connection = self._server.connect()
        while not self._end.wait(0.02):
            connection.request("POST", f"{self._server.path}/infer", BODY)
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status == 200:
                self.versions[answer["model_version"]] += 1
            else:
                self.failures.append(str(answer))
        connection.close()


def until_answers(server: Server, version: str) -> None:
    """Wait until a version answers."""
    until(lambda: server.post("infer", BODY)[1]["model_version"] == version, f"version {version}")


def states(server: Server) -> dict[str, str]:
    found = server.send("POST", "/v2/repository/index")[1]
    return {row["version"]: row["state"] for row in found}


def test_versions_are_swapped_under_load_and_nobody_notices(registry: Registry, name: str, tmp_path: Path) -> None:
    with serving(tmp_path, name) as server:
        until_answers(server, "3")
        with Caller(server) as caller:
            for swap in range(SWAPS):
                version = 1 + swap % 3
                registry.set_alias(name, version, "champion")
                assert server.send("POST", f"/v2/repository/models/{name}/load") == (200, {})
                assert server.post("infer", BODY)[1]["model_version"] == str(version)
                caller.hear()
        assert caller.failures == []
        assert len(caller.versions) == 3


def test_a_moved_alias_is_followed(registry: Registry, name: str, tmp_path: Path) -> None:
    registry.set_alias(name, 1, "champion")
    with serving(tmp_path, f"{name}@champion", "--watch") as server, Caller(server) as caller:
        until_answers(server, "1")
        registry.set_alias(name, 2, "champion")
        until_answers(server, "2")
        assert states(server) == {"1": "UNAVAILABLE", "2": "READY", "3": "UNAVAILABLE"}
        assert caller.failures == []


def test_a_version_that_cannot_be_opened_leaves_the_old_one_serving(
    registry: Registry, name: str, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    with serving(tmp_path, name, "--watch") as server:
        until_answers(server, "3")
        _spoil(registry, tiny_bundle, tmp_path)
        status, answer = server.send("POST", f"/v2/repository/models/{name}/load")
        assert status >= 400
        assert "predict.onnx" in answer["error"]
        assert server.post("infer", BODY)[1]["model_version"] == "3"
        (broken,) = [row for row in server.send("POST", "/v2/repository/index")[1] if row["version"] == "4"]
        assert broken["state"] == "UNAVAILABLE"
        assert "predict.onnx" in broken["reason"]


def _spoil(registry: Registry, tiny_bundle: Bundle, tmp_path: Path) -> None:
    """Publish a bundle whose graph no engine can open."""
    import shutil

    from glassworks.packaging.bundle import write_bundle

    folder = tmp_path / "spoiled"
    shutil.copytree(tiny_bundle.folder, folder)
    (folder / "manifest.json").unlink()
    (folder / "predict.onnx").write_bytes(b"no graph")
    registry.publish(write_bundle(folder, tiny_bundle.manifest))


def test_a_model_is_unloaded_and_loaded_again(registry: Registry, name: str, tmp_path: Path) -> None:
    with serving(tmp_path, name) as server:
        assert server.send("POST", f"/v2/repository/models/{name}/unload") == (200, {})
        status, answer = server.post("infer", BODY)
        assert status == 404
        assert "there is no model" in answer["error"]
        assert states(server)["3"] == "UNAVAILABLE"
        assert server.send("POST", f"/v2/repository/models/{name}/unload")[0] == 404
        for _ in range(2):
            assert server.send("POST", f"/v2/repository/models/{name}/load") == (200, {})
        assert server.post("infer", BODY)[0] == 200
        assert server.send("POST", "/v2/repository/models/none/load")[0] == 404
        config = json.dumps({"parameters": {"config": "{}"}}).encode()
        status, answer = server.send("POST", f"/v2/repository/models/{name}/load", config)
        assert status == 400
        assert "'config' of a load is not supported" in answer["error"]


@pytest.fixture
def split(registry: Registry, name: str, tmp_path: Path) -> Iterator[Server]:
    registry.set_alias(name, 1, "champion")
    registry.set_alias(name, 2, "candidate")
    references = [f"{name}@champion", f"{name}@candidate"]
    with serving(tmp_path, *references, "--traffic", "champion=70,candidate=30,shadow=candidate") as server:
        yield server


def test_traffic_is_split_sticky_and_counted_by_version(split: Server) -> None:
    answered: Counter[str] = Counter()
    by_key: dict[str, set[str]] = {}
    connection = split.connect()
    for number in range(400):
        key = f"user-{number % 100}"
        connection.request("POST", f"{split.path}/infer", BODY, {"X-Routing-Key": key})
        version = json.loads(connection.getresponse().read())["model_version"]
        answered[version] += 1
        by_key.setdefault(key, set()).add(version)
    connection.close()
    assert all(len(versions) == 1 for versions in by_key.values())
    # 99.9 % of binomial draws of 100 keys at 0.3 lie between 15 and 46.
    assert 15 <= sum(versions == {"2"} for versions in by_key.values()) <= 46
    stats = {row["version"]: row for row in split.get(f"{split.path}/stats")["model_stats"]}
    assert stats["1"]["inference_stats"]["success"]["count"] == answered["1"]
    # The shadow computed what the champion answered, beside its own share.
    assert stats["2"]["inference_stats"]["success"]["count"] == 400
    connection = split.connect()
    connection.request("GET", "/metrics")
    metrics = connection.getresponse().read().decode()
    connection.close()
    assert f'glassworks_requests_total{{model="{split.model}",version="1"}} {answered["1"]}.0' in metrics
    assert f'glassworks_shadow_compared_rows_total{{model="{split.model}",version="2"}} {answered["1"]}.0' in metrics
    assert f'glassworks_shadow_differed_rows_total{{model="{split.model}",version="2"}} 0.0' in metrics


def test_a_split_is_changed_while_serving(split: Server) -> None:
    path = f"/api/models/{split.model}/traffic"
    assert split.get(path) == {"shares": {"champion": 70.0, "candidate": 30.0}, "shadow": "candidate"}
    assert split.send("PUT", path, b'{"split": "candidate=100"}')[0] == 200
    assert {split.post("infer", BODY)[1]["model_version"] for _ in range(20)} == {"2"}
    assert split.send("PUT", path, b'{"split": null}')[0] == 200
    assert {split.post("infer", BODY)[1]["model_version"] for _ in range(20)} == {"1"}
    for wrong in ("champion=70", "nobody=100", "champion=70,champion=30", "x", "champion=-1,candidate=101"):
        status, answer = split.send("PUT", path, json.dumps({"split": wrong}).encode())
        assert status in (400, 404)
        assert answer["error"]


def test_memory_comes_back_after_many_reloads(registry: Registry, name: str, tmp_path: Path) -> None:
    with serving(tmp_path, name, "--no-grpc") as server:

        def reload(times: int) -> int:
            for _ in range(times):
                server.send("POST", f"/v2/repository/models/{name}/unload")
                server.send("POST", f"/v2/repository/models/{name}/load")
                assert server.post("infer", BODY)[0] == 200
            return server.memory_kb()

        settled = reload(10)
        assert reload(200) <= 1.05 * settled
