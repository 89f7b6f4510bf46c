"""Explanations of a served language model over the protocol; a client that leaves ends its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np
from tests.integration.serving.running import Server
from tests.patience import PATIENCE_S

TEXT = "the red cat sees a bird"


def explain(server: Server, status: int = 200, **parameters: Any) -> Mapping[str, Any]:
    inputs = [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}]
    answer = httpx.post(
        f"http://{server.address}/v2/models/tiny-language-model/explain",
        json={"inputs": inputs, "parameters": parameters},
        timeout=PATIENCE_S,
    )
    assert answer.status_code == status, answer.text
    found: Mapping[str, Any] = answer.json()
    return found


def test_parts_of_a_prompt_have_values_and_the_answer_its_tokens(language_server: Server) -> None:
    found = explain(language_server, max_tokens=4, grade=False)
    outputs = {each["name"]: each["data"] for each in found["outputs"]}
    parts = [json.loads(each) for each in outputs["names:text"]]
    assert "".join(part["item"] for part in parts) == TEXT
    assert len(outputs["attributions:text"]) == len(parts)
    details = json.loads(found["parameters"]["details"])
    assert len(details["tokens"]) == 4
    assert details["answer"] == outputs["generated"][0]
    assert found["parameters"]["method"] == "leave_one_out"


def test_a_conversation_is_explained_by_each_method_against_another_answer(language_server: Server) -> None:
    messages = [{"role": "user", "content": "Say it."}, {"role": "user", "content": "今天好"}]
    asked: dict[str, Any] = {
        "messages": json.dumps(messages),
        "answer": "ok",
        "against": "no",
        "parts": "turns",
    }
    values = []
    for method in ("partition_shapley", "kernel_shap"):
        found = explain(language_server, method=method, grade=False, **asked)
        outputs = {each["name"]: each["data"] for each in found["outputs"]}
        assert [json.loads(each)["message"] for each in outputs["names:text"]] == [0, 1]
        assert found["parameters"]["label"] == "ok rather than no"
        values.append(outputs["attributions:text"])
    assert np.allclose(values[0], values[1], atol=1e-4)


def test_what_is_wrong_is_said_with_a_mend(language_server: Server) -> None:
    assert "parts is 'letters'" in explain(language_server, 400, parts="letters")["error"]
    assert "'colour' is not known" in explain(language_server, 400, colour="red")["error"]
    assert "budget_rows" in explain(language_server, 400, budget_rows=0)["error"]
