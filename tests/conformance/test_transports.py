"""Python, REST and gRPC give the same answer and the same explanation, for every family of the catalog."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.conformance.conftest import Made
from tests.conformance.likeness import alike
from tests.integration.serving.running import Server, serving

from glassworks.packaging.opened import OpenedBundle
from glassworks.serving.codec.tensors import datatype

Tensors = Mapping[str, NDArray[np.generic]]
ROWS = 3


def over_rest(server: Server, verb: str, given: Tensors, **parameters: Any) -> dict[str, NDArray[Any]]:
    """Every output of an answer in JSON."""
    inputs = [
        {"name": name, "shape": list(values.shape), "datatype": datatype(values), "data": as_json(values)}
        for name, values in given.items()
    ]
    status, answer = server.post(verb, json.dumps({"inputs": inputs, "parameters": parameters}).encode())
    assert status == 200, answer
    return {each["name"]: np.asarray(each["data"]).reshape(each["shape"]) for each in answer["outputs"]}


def as_json(values: NDArray[Any]) -> list[Any]:
    flat: list[Any] = values.ravel().tolist()
    return [each.decode() if isinstance(each, bytes) else each for each in flat]


def over_grpc(server: Server, names: list[str], given: Tensors, **parameters: Any) -> dict[str, NDArray[Any]]:
    """The named outputs by NVIDIA's client, in binary."""
    client = pytest.importorskip("tritonclient.grpc")
    asked = client.InferenceServerClient(server.grpc)
    inputs = []
    for name, values in given.items():
        tensor = client.InferInput(name, list(values.shape), datatype(values))
        tensor.set_data_from_numpy(values)
        inputs.append(tensor)
    wanted = [client.InferRequestedOutput(name) for name in names]
    answer = asked.infer(server.model, inputs, outputs=wanted, parameters=parameters or None)
    found = {name: answer.as_numpy(name) for name in names}
    asked.close()
    return found


def test_python_rest_and_grpc_give_the_same_answer(made: Made) -> None:
    bundle = made.release.bundle
    opened = OpenedBundle(bundle)
    x = made.release.dataset.splits["test"].x[:ROWS]
    given = opened.task.encode(x, opened.manifest.preprocessing)
    with serving(bundle.folder.parent, str(bundle.folder)) as server:
        wanted = {name: np.asarray(values) for name, values in opened.predict(x).items()}
        rest, rpc = over_rest(server, "infer", given), over_grpc(server, list(wanted), given)
        assert rest.keys() == wanted.keys()
        for name, values in wanted.items():
            assert alike(values, rest[name], 1e-6), name
            assert alike(values, rpc[name], 1e-6), name
        one = {name: values[:1] for name, values in given.items()}
        for method in opened.manifest.explainers:
            explanation = opened.explain(x[:1], method=method, seed=3)
            rest = over_rest(server, "explain", one, method=method, seed=3)
            name = f"attributions:{explanation.input}"
            rpc = over_grpc(server, [name], one, glassworks_verb="explain", method=method, seed=3)
            values = explanation.attribution.values.ravel()
            for found in (rest, rpc):
                assert np.allclose(found[name].ravel(), values, atol=1e-6 + 1e-4 * np.abs(values).max()), method
            if explanation.names:
                told = rest[f"names:{explanation.input}"].ravel().tolist()
                assert [json.loads(name) for name in told] == list(explanation.names)
            if explanation.spans:
                assert rest[f"spans:{explanation.input}"].tolist() == [[list(span) for span in explanation.spans]]
