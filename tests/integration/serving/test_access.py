"""Access keys, limits and the ledger over the wire, up to a killed server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.integration.serving.running import WAIT_S, Server, request, serving
from tests.patience import until

from glassworks.packaging.bundle import Bundle
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.launch import is_loopback

BODY = request()


def create(home: Path, name: str, **limits: object) -> dict[str, str]:
    """The header that a new key is sent in."""
    _, secret = KeyStore(home, Clock()).create(name, **limits)  # type: ignore[arg-type]
    return {"Authorization": f"Bearer {secret}"}


def infer(server: Server, headers: dict[str, str] | None = None) -> tuple[int, str]:
    status, answer = server.send("POST", f"{server.path}/infer", BODY, headers)
    return status, answer.get("error", "")


def test_a_guarded_server_answers_its_callers_only(tiny_bundle: Bundle, tmp_path: Path) -> None:
    good = create(tmp_path, "good")
    other = create(tmp_path, "other", models=["elsewhere"])
    slow = create(tmp_path, "slow", requests_per_s=0.001)
    few = create(tmp_path, "few", requests_per_day=2)
    admin = create(tmp_path, "admin", roles=("infer", "admin"))
    with serving(tmp_path, str(tiny_bundle.folder), "--keys", "on") as server:
        assert infer(server)[0] == 401
        assert infer(server, {"Authorization": "Bearer gw_nonsense"})[0] == 401
        assert infer(server, good) == (200, "")
        assert infer(server, {"X-API-Key": good["Authorization"][7:]}) == (200, "")
        assert infer(server, other)[0] == 403
        assert [infer(server, slow)[0] for _ in range(3)].count(429) >= 1
        # Two a day, and at most one midnight passes meanwhile.
        assert [infer(server, few)[0] for _ in range(5)][-1] == 429
        assert server.send("GET", "/v2/health/ready")[0] == 200
        for path in (server.path, "/metrics", "/v2/models/stats", "/v1/models"):
            assert server.send("GET", path)[0] == 401
        unload = f"/v2/repository/models/{server.model}/unload"
        assert server.send("POST", unload, headers=good)[0] == 403
        KeyStore(tmp_path, Clock()).revoke("good")
        until(lambda: infer(server, good)[0] == 401, "the end of a revoked key")
        assert server.send("POST", unload, headers=admin)[0] == 200


def test_keys_are_needed_where_others_can_reach_the_address(tiny_bundle: Bundle, tmp_path: Path) -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    with serving(tmp_path, str(tiny_bundle.folder)) as server:
        assert infer(server) == (200, "")


@pytest.mark.parametrize("attempt", range(3))
def test_the_ledger_is_exact_after_a_kill(attempt: int, tiny_bundle: Bundle, tmp_path: Path) -> None:
    headers = create(tmp_path, "caller")
    answered = 0
    with serving(tmp_path, str(tiny_bundle.folder), "--keys", "on", "--no-grpc") as server:
        connection = server.connect()
        enough = threading.Event()

        def kill() -> None:
            enough.wait()
            server.process.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            while True:
                connection.request("POST", f"{server.path}/infer", BODY, headers)
                response = connection.getresponse()
                response.read()
                answered += response.status == 200
                if answered > 10 + 97 * attempt:
                    enough.set()
        except (ConnectionError, OSError, ValueError):
            pass
        except Exception as error:  # noqa: BLE001 - the killed server may cut an answer anywhere
            assert "http.client" in type(error).__module__
        killer.join()
    totals = Ledger(tmp_path, Clock()).totals()
    # The last request may have been computed and not delivered.
    assert answered <= sum(total.requests for total in totals) <= answered + 1
    assert answered > 10


def test_what_is_used_is_told_by_key_and_model(tiny_bundle: Bundle, tmp_path: Path) -> None:
    headers = create(tmp_path, "shop")
    with serving(tmp_path, str(tiny_bundle.folder), "--keys", "on") as server:
        for count in (1, 3):
            assert server.send("POST", f"{server.path}/infer", request(count), headers)[0] == 200
        assert server.send("POST", f"{server.path}/explain", BODY, headers)[0] == 200
        command = [sys.executable, "-m", "glassworks", "keys", "usage", "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=WAIT_S, check=True, env=_environ(tmp_path)
        )
        rows = {row["verb"]: row for row in json.loads(done.stdout)["usage"]}
        assert (rows["infer"]["requests"], rows["infer"]["rows"], rows["infer"]["key"]) == (2, 4, "shop")
        assert (rows["explain"]["requests"], rows["explain"]["rows"]) == (1, 1)
        assert rows["explain"]["compute_us"] > 0


def test_no_secret_reaches_a_log(tiny_bundle: Bundle, tmp_path: Path) -> None:
    headers = create(tmp_path, "quiet")
    secret = headers["Authorization"][7:]
    log = tmp_path / "access.log"
    with serving(tmp_path, str(tiny_bundle.folder), "--keys", "on", "--access-log", str(log)) as server:
        assert infer(server, headers)[0] == 200
        assert server.send("GET", f"/v2/{secret}?key={secret}")[0] == 404
        server.process.terminate()
        assert server.process.wait(WAIT_S) == 0
        assert server.process.stderr is not None
        assert secret not in server.process.stderr.read()
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["status"] for line in lines] == [200, 404]
    assert lines[0]["request_id"]
    assert secret not in log.read_text(encoding="utf-8")


def _environ(home: Path) -> dict[str, str]:
    import os

    return {**os.environ, "GLASSWORKS_HOME": str(home)}
