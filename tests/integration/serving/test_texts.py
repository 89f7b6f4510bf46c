"""A model of texts over the wire: strings in every protocol, labels and label sets out, words with their characters."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from tests.integration.serving.running import WAIT_S, Server, serving

from glassworks.packaging.bundle import Bundle
from glassworks.packaging.opened import OpenedBundle

TEXTS = ["the wonderful book arrived", "这本书很糟糕", "", "👍🏽 e\u0301 ＡＢＣ 繁體", "word " * 300]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    from glassworks.families.recurrent_text import RecurrentText
    from glassworks.flow import train
    from glassworks.progress import Silent
    from glassworks.registry import Registry

    folder = tmp_path_factory.mktemp("texts")
    job = RecurrentText().tiny(folder)
    return train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), Silent()).bundle


@pytest.fixture(scope="module")
def server(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home"), str(bundle.folder)) as running:
        yield running


@pytest.fixture(scope="module")
def opened(bundle: Bundle) -> Iterator[OpenedBundle]:
    opened = OpenedBundle(bundle)
    yield opened
    opened.close()


def given(texts: Sequence[str | bytes]) -> np.ndarray[Any, Any]:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


def body(texts: list[Any], shape: list[int] | None = None, **more: Any) -> bytes:
    tensor = {"name": "text", "shape": shape or [len(texts)], "datatype": "BYTES", "data": texts}
    return json.dumps({"inputs": [tensor], **more}).encode()


def outputs(answer: Any) -> dict[str, np.ndarray[Any, Any]]:
    return {each["name"]: np.asarray(each["data"]).reshape(each["shape"]) for each in answer["outputs"]}


def test_a_batch_of_strings_is_answered(server: Server, opened: OpenedBundle) -> None:
    status, answer = server.post("infer", body(TEXTS))
    assert status == 200, answer
    wanted, found = opened.predict(given(TEXTS)), outputs(answer)
    assert {each["name"]: each["datatype"] for each in answer["outputs"]} == {
        "probabilities": "FP32",
        "label_set": "BOOL",
    }
    assert np.allclose(found["probabilities"], wanted["probabilities"], atol=1e-6)
    assert np.array_equal(found["label_set"], wanted["label_set"])
    for row, text in enumerate(TEXTS):
        alone = outputs(server.post("infer", body([text]))[1])
        assert np.allclose(alone["probabilities"][0], found["probabilities"][row], atol=1e-5)


def test_labels_are_named_where_they_are_asked_for(server: Server) -> None:
    wanted = [{"name": "probabilities", "parameters": {"classification": 1}}]
    status, answer = server.post("infer", body(TEXTS[:2], outputs=wanted))
    assert status == 200
    assert [each.split(":")[2] for each in answer["outputs"][0]["data"]] == ["positive", "negative"]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_tritonclient_sends_binary_texts(protocol: str, server: Server, opened: OpenedBundle) -> None:
    client = pytest.importorskip(f"tritonclient.{protocol}")
    asked = client.InferenceServerClient(server.address if protocol == "http" else server.grpc)
    tensor = client.InferInput("text", [len(TEXTS)], "BYTES")
    tensor.set_data_from_numpy(given([text.encode() for text in TEXTS]))
    names = [client.InferRequestedOutput(name) for name in ("probabilities", "label_set")]
    answer = asked.infer(server.model, [tensor], outputs=names)
    wanted = opened.predict(given(TEXTS))
    assert np.allclose(answer.as_numpy("probabilities"), wanted["probabilities"], atol=1e-6)
    assert np.array_equal(answer.as_numpy("label_set"), wanted["label_set"])
    bad = client.InferInput("text", [1], "BYTES")
    bad.set_data_from_numpy(given([b"ab\xff"]))
    with pytest.raises(Exception, match="a text is not valid UTF-8: byte 2"):
        asked.infer(server.model, [bad])
    asked.close()


def test_an_explanation_has_a_value_a_span_of_characters(server: Server, opened: OpenedBundle) -> None:
    for method in opened.manifest.explainers:
        status, answer = server.post("explain", body(TEXTS[:4], parameters={"method": method, "grade": False}))
        assert status == 200, answer
        found = outputs(answer)
        values, spans = found["attributions:text"], found["spans:text"]
        assert spans.shape == (*values.shape, 2)
        assert len(json.loads(answer["parameters"]["rows"])) == 4
        for row, text in enumerate(TEXTS[:4]):
            wanted = opened.explain(given([text]), method=method, grade=False)
            count = len(wanted.spans)
            assert "".join(text[begin:end] for begin, end in spans[row].tolist()) == text
            assert spans[row, :count].tolist() == [list(span) for span in wanted.spans]
            exact = wanted.attribution.values.ravel()
            assert np.allclose(values[row, :count], exact, atol=1e-6 + 1e-4 * np.abs(exact).max())
            assert not values[row, count:].any()
    _, answer = server.post("explain", body(TEXTS[:1]))
    assert answer["parameters"]["label"] == "positive"
    assert {"completeness_gap", "faithfulness_z", "artifact_sha256"} <= answer["parameters"].keys()


def test_the_oldest_protocol_takes_plain_strings(server: Server, opened: OpenedBundle) -> None:
    wanted = opened.predict(given(TEXTS[:2]))
    for instances in (TEXTS[:2], [{"text": text} for text in TEXTS[:2]]):
        status, answer = server.send(
            "POST", f"/v1/models/{server.model}:predict", json.dumps({"instances": instances}).encode()
        )
        assert status == 200, answer
        rows = answer["predictions"]
        assert np.allclose([row["probabilities"] for row in rows], wanted["probabilities"], atol=1e-6)
        assert [row["label_set"] for row in rows] == wanted["label_set"].tolist()
    status, answer = server.send(
        "POST", f"/v1/models/{server.model}:explain", json.dumps({"instances": TEXTS[:2]}).encode()
    )
    assert status == 200, answer
    for text, each in zip(TEXTS, answer["explanations"], strict=False):
        spans, values = each["spans"]["text"], each["attributions"]["text"]
        assert "".join(text[begin:end] for begin, end in spans) == text
        assert len(values) == len(spans)
        assert all(isinstance(value, float) for value in values)


BAD = [
    (b'{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["\xff"]}]}', {}, "not valid"),
    (b'{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["\\ud800"]}]}', {}, "not valid"),
    (
        b'{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}]}',
        b"\x03\x00\x00\x00ab\xff",
        "a text is not valid UTF-8: byte 2",
    ),
    (body(["a", "b"], [2, 1]), {}, "send one text a row"),
    (body([], [0]), {}, "has no rows"),
    (body([1]), {}, "which is not BYTES"),
    (b'{"inputs":[{"name":"text","shape":[1],"datatype":"FP32","data":[1]}]}', {}, "the model takes BYTES"),
    (body(["word " * 200_000]), {}, "at most"),
]


@pytest.mark.parametrize(("head", "tail", "problem"), BAD)
@pytest.mark.parametrize("verb", ["infer", "explain"])
def test_bad_texts_are_refused(verb: str, head: bytes, tail: Any, problem: str, server: Server) -> None:
    headers = {"inference-header-content-length": str(len(head))} if tail else {}
    status, answer = server.send("POST", f"{server.path}/{verb}", head + (tail or b""), headers)
    assert status == 400
    assert list(answer) == ["error"]
    assert problem in answer["error"]


def test_bad_texts_are_refused_in_the_oldest_protocol_too(server: Server) -> None:
    for verb in ("predict", "explain"):
        for content in (b'{"instances":["\xff"]}', b'{"instances":[{"b64":"/w=="}]}', b'{"instances":["\\ud800"]}'):
            status, answer = server.send("POST", f"/v1/models/{server.model}:{verb}", content)
            assert (status, list(answer)) == (400, ["error"])


def test_a_bad_text_spoils_nobody_elses_answer(server: Server) -> None:
    async def one(text: str, bad: bool) -> int:
        content = body([text])
        if bad:
            content = content.replace(b"spoiled", b"\\ud800")
        return (await asyncio.to_thread(server.post, "infer", content))[0]

    async def main() -> list[int]:
        return await asyncio.gather(
            *(one("spoiled" if row % 4 == 0 else f"book {row}", row % 4 == 0) for row in range(24))
        )

    statuses = asyncio.run(main())
    assert statuses == [400 if row % 4 == 0 else 200 for row in range(24)]


KSERVE = """
import asyncio, json, sys
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

url, grpc, name = sys.argv[1:4]
texts = ["the wonderful book arrived", "这本书很糟糕"]

def request(binary):
    given = InferInput("text", [2], "BYTES")
    given.set_data_from_numpy(np.array([text.encode() for text in texts], object), binary_data=binary)
    return InferRequest(name, [given])

async def main():
    rest = InferenceRESTClient(RESTConfig(protocol="v2"))
    rpc = InferenceGRPCClient(grpc)
    answers = [await rest.infer(url, request(True), name), await rpc.infer(request(True))]
    await rpc.close()
    old = await InferenceRESTClient(RESTConfig(protocol="v1")).infer(url, {"instances": texts}, name)
    found = [next(o for o in each.outputs if o.name == "probabilities").as_numpy() for each in answers]
    rows = [each.reshape(2, 2).tolist() for each in found]
    print(json.dumps([*rows, [each["probabilities"] for each in old["predictions"]]]))

asyncio.run(main())
"""


def test_kserve_client_sends_texts(server: Server, opened: OpenedBundle) -> None:
    if importlib.util.find_spec("kserve") is None:
        pytest.skip("the client of KServe is not installed")
    command = [sys.executable, "-c", KSERVE, f"http://{server.address}", server.grpc, server.model]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stderr
    wanted = opened.predict(given(TEXTS[:2]))["probabilities"]
    for found in json.loads(done.stdout.splitlines()[-1]):
        assert np.allclose(found, wanted, atol=1e-6)
