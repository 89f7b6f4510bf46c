"""Models of texts and recommenders are graded by what fits them: texts in and out, attributions of words and items."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from glassworks.conformance.checks.binary import c8_binary_out
from glassworks.conformance.checks.operations import c16_generate, c17_explain, c17_v1_predict
from glassworks.conformance.target import HEADER, Failed, Reply, Target

_TEXTS = {"name": "texts", "datatype": "BYTES", "shape": [-1, 1]}


def tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


class Stub(Target):
    """A server of one model, which takes texts; `explains` are the attributions that it gives."""

    explains: list[dict[str, Any]]

    def send(
        self,
        verb: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        if path.endswith("/infer"):
            assert isinstance(body, bytes)
            return _inferred(json.loads(body))
        values: dict[str, Any] = {
            "/v2": {"extensions": ["binary_tensor_data", "generate", "glassworks_explain"]},
            "/v2/models/m": {"inputs": [_TEXTS], "outputs": [_TEXTS], "properties": {"explainers": "x"}},
            "/v1/models": {},
            "/v2/models/m/generate": {"model_name": "m", "texts": "é"},
            "/v1/models/m:predict": {"predictions": [["é"], ["é"]]},
            "/v2/models/m/explain": {"outputs": getattr(self, "explains", [])},
        }
        return Reply(200, {}, json.dumps(values[path]).encode())


def _inferred(request: dict[str, Any]) -> Reply:
    if "parameters" not in request:
        return Reply(200, {}, json.dumps({"outputs": [tensor("texts", "BYTES", [1], ["é"])]}).encode())
    packed = b"\2\0\0\0" + "é".encode()
    output = {"name": "texts", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(packed)}}
    head = json.dumps({"outputs": [output]}).encode()
    return Reply(200, {HEADER.lower(): str(len(head)), "content-type": "application/octet-stream"}, head + packed)


def test_texts_are_the_same_in_json_and_in_bytes() -> None:
    c8_binary_out(Stub(url="http://127.0.0.1:1", name="m"))


def test_texts_are_sent_as_fields_and_as_instances() -> None:
    c16_generate(Stub(url="http://127.0.0.1:1", name="m"))
    c17_v1_predict(Stub(url="http://127.0.0.1:1", name="m"))


def explained(*outputs: dict[str, Any]) -> None:
    target = Stub(url="http://127.0.0.1:1", name="m")
    object.__setattr__(target, "explains", list(outputs))
    c17_explain(target)


def test_attributions_belong_to_words_or_items() -> None:
    values = tensor("attributions:texts", "FP32", [1, 3], [0.1, 0.2, 0.3])
    explained(values, tensor("spans:texts", "INT64", [1, 3, 2], [0, 1, 2, 7, 8, 12]))
    explained(values, tensor("names:texts", "BYTES", [1, 3], ["{}", "{}", ""]))


@pytest.mark.parametrize(
    "others",
    [
        [],
        [tensor("names:texts", "BYTES", [1, 2], ["{}", "{}"])],
        [tensor("spans:texts", "INT64", [1, 3], [0, 1, 2])],
        [tensor("spans:texts", "INT64", [1, 2, 2], [0, 1, 2, 7])],
    ],
)
def test_attributions_that_belong_to_nothing_are_found(others: list[dict[str, Any]]) -> None:
    with pytest.raises(Failed, match=r"attributions of the shape \(1, 3\)"):
        explained(tensor("attributions:texts", "FP32", [1, 3], [0.1, 0.2, 0.3]), *others)
