"""A served recommender over real sockets: rules, reasons, and feedback that outlives a kill."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.integration.serving.running import Server, serving
from tests.unit.recommendation.shops import bundle


def recommended(server: Server, **request: Any) -> dict[str, Any]:
    """The answer for one request over REST."""
    status, answer = server.post("infer", asked(request))
    assert status == 200, answer
    found: dict[str, Any] = json.loads(answer["outputs"][0]["data"][0])
    return found


def asked(request: dict[str, Any], **parameters: Any) -> bytes:
    tensor = {"name": "request", "shape": [1], "datatype": "BYTES", "data": [json.dumps(request)]}
    return json.dumps({"inputs": [tensor], "parameters": parameters}).encode()


def told(server: Server, *events: dict[str, Any]) -> tuple[int, Any]:
    return server.post("feedback", json.dumps({"events": list(events)}).encode())


def test_feedback_changes_the_next_answer_and_survives_a_kill(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "shop")
    with serving(tmp_path / "home", str(folder), "--no-grpc") as server:
        before = recommended(server, user=104, k=5)
        first = before["items"][0]["item"]
        event = {"id": "e1", "user": 104, "item": first}
        assert told(server, event) == (200, {"accepted": 1, "repeated": 0})
        assert told(server, event) == (200, {"accepted": 0, "repeated": 1})
        after = recommended(server, user=104, k=5)
        assert first not in [each["item"] for each in after["items"]]
        status, refused = told(server, {"id": "e2", "user": 104})
        assert status == 400
        assert "item" in refused["error"]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    with serving(tmp_path / "home", str(folder), "--no-grpc") as server:
        assert recommended(server, user=104, k=5) == after
        assert told(server, event) == (200, {"accepted": 0, "repeated": 1})


def test_rest_and_grpc_explain_by_the_names_of_items(tmp_path: Path) -> None:
    client = pytest.importorskip("tritonclient.grpc")
    with serving(tmp_path / "home", str(bundle(tmp_path / "shop"))) as server:
        answer = recommended(server, user=104, k=5, reasons=100)
        wanted = {each["item"]: each["contribution"] for each in answer["items"][1]["because"]}
        body = asked({"user": 104, "k": 5}, method="history_contributions", target=str(answer["items"][1]["item"]))
        status, found = server.post("explain", body)
        assert status == 200, found
        outputs = {each["name"]: each["data"] for each in found["outputs"]}
        named = [json.loads(name)["item"] for name in outputs["names:request"]]
        assert dict(zip(named, outputs["attributions:request"], strict=True)) == pytest.approx(wanted, abs=1e-5)
        assert found["parameters"]["label"].startswith("Title ")
        # Tensors hold JSON text, since they cannot hold objects; the first protocol's JSON holds the objects.
        first = {"instances": ['{"user": 104, "k": 5}'], "method": "counterfactual"}
        status, found = server.send("POST", "/v1/models/shop:explain", json.dumps(first).encode())
        assert status == 200, found
        assert [name["item"] for name in found["explanations"][0]["names"]["request"]] == named
        rpc = client.InferenceServerClient(server.grpc)
        given = client.InferInput("request", [1], "BYTES")
        given.set_data_from_numpy(np.array([b'{"user": 104, "k": 5}'], object))
        parameters = {"glassworks_verb": "explain", "method": "counterfactual"}
        says = rpc.infer("shop", [given], parameters=parameters)
        assert [json.loads(name)["item"] for name in says.as_numpy("names:request").ravel()] == named
        assert set(says.as_numpy("attributions:request").ravel().tolist()) == {0.0, 1.0}
        rpc.close()


def test_what_is_wrong_is_refused_and_others_in_its_batch_are_answered(tmp_path: Path) -> None:
    with serving(tmp_path / "home", str(bundle(tmp_path / "shop")), "--no-grpc") as server:
        for request, problem in (({}, "neither a user"), ({"user": 1, "k": 0}, "'k' is 0"), ({"where": {}}, "neither")):
            status, answer = server.post("infer", asked(request))
            assert status == 400
            assert problem in answer["error"]
        status, answer = server.post("feedback", b"{}")
        assert (status, "events" in answer["error"]) == (400, True)
        everything = recommended(server, user=104, k=5, where={"price": {"min": 1000}})
        assert everything["items"] == []
        assert "where price" in everything["shortage"]["reason"]
