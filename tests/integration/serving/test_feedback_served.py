"""Feedback to a real server: counted in its metrics, listed in its document, and none lost when it is killed."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tests.integration.serving.running import WAIT_S, serving
from tests.integration.serving.test_recommending import asked, recommended, told
from tests.unit.recommendation.shops import ITEMS, bundle


def test_feedback_is_counted_in_metrics_and_listed_in_the_document(tmp_path: Path) -> None:
    with serving(tmp_path / "home", str(bundle(tmp_path / "shop")), "--no-grpc") as server:
        event = {"id": "e1", "user": 107, "item": 30}
        for expected in ({"accepted": 1, "repeated": 0}, {"accepted": 0, "repeated": 1}):
            assert told(server, event) == (200, expected)
        with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=WAIT_S) as page:
            metrics = page.read().decode()
        for kind in ("accepted", "repeated"):
            assert f'glassworks_feedback_events_total{{kind="{kind}",model="shop",version="1"}} 1.0' in metrics
        assert any(path.endswith("/feedback") for path in server.get("/openapi.json")["paths"])


def test_a_server_killed_while_it_writes_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    folder, acknowledged, halfway = bundle(tmp_path / "shop"), list[int](), threading.Event()
    with serving(tmp_path / "home", str(folder), "--no-grpc") as server:

        def tell() -> None:
            with contextlib.suppress(OSError, HTTPException):
                for number in range(ITEMS):
                    assert told(server, {"id": f"e{number}", "user": "new", "item": 10 * number})[0] == 200
                    acknowledged.append(number)
                    if number == 20:
                        halfway.set()

        telling = threading.Thread(target=tell)
        telling.start()
        assert halfway.wait(WAIT_S)
        server.process.send_signal(signal.SIGKILL)
        telling.join()
    assert 20 < len(acknowledged) < ITEMS
    with serving(tmp_path / "home", str(folder), "--no-grpc") as server:
        answer = recommended(server, user="new", k=1000, reasons=0)
        # The one that was under way may have been kept or not; the acknowledged ones are seen.
        assert not {10 * number for number in acknowledged} & {each["item"] for each in answer["items"]}
        assert len(answer["items"]) in (ITEMS - len(acknowledged), ITEMS - len(acknowledged) - 1)
        again = [{"id": f"e{number}", "user": "new", "item": 10 * number} for number in acknowledged]
        assert told(server, *again) == (200, {"accepted": 0, "repeated": len(acknowledged)})


def test_a_process_that_explains_hears_it_too(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "shop")
    with serving(tmp_path / "home", str(folder), "--no-grpc", "--explain-in", "process") as server:
        for item in (30, 40):
            assert told(server, {"id": f"e{item}", "user": "new", "item": item})[0] == 200
            status, found = server.post("explain", asked({"user": "new", "k": 5}, method="history_contributions"))
            assert status == 200, found
            names = next(each["data"] for each in found["outputs"] if each["name"] == "names:request")
            assert json.loads(names[-1])["item"] == item
