"""The application as clients meet it: every route, every way to be wrong, and what comes back."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import logging
import re
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.unit.serving.wire import LIMIT, Reply, ask, service

from glassworks.errors import Overloaded
from glassworks.packaging.bundle import Bundle
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.endpoints import Context
from glassworks.serving.failures import enveloped
from glassworks.serving.openapi import openapi_document
from glassworks.serving.routes import routes
from glassworks.serving.transports.http.exchange import failure
from glassworks.serving.transports.http.service import Service

INFER, EXPLAIN = "/v2/models/bars/infer", "/v2/models/bars/explain"


@pytest.fixture(scope="module")
def models(tiny_bundle: Bundle) -> Iterator[Models]:
    models = Models()
    models.load(tiny_bundle, "bars", "1")
    models.load(tiny_bundle, "bars", "2")
    yield models
    models.close()


@pytest.fixture(scope="module")
def app(models: Models) -> Service:
    return service(models)


def send(app: Service, verb: str, path: str, body: bytes = b"", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = asyncio.run(ask(app, verb, path, body, named))
    assert reply is not None
    return reply


def post(app: Service, path: str, value: object, tail: bytes = b"", **headers: str) -> Reply:
    head = json.dumps(value).encode()
    if tail:
        headers["inference_header_content_length"] = str(len(head))
    return send(app, "POST", path, head + tail, **headers)


def picture(shade: int = 200) -> bytes:
    pixels = np.zeros((16, 16), np.uint8)
    pixels[4:6] = shade
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def body(rows: int = 1, **more: Any) -> dict[str, Any]:
    """A request of random rows."""
    data = np.random.default_rng(rows).random((rows, 1, 16, 16), np.float32).ravel().tolist()
    return {"inputs": [{"name": "image", "shape": [rows, 1, 16, 16], "datatype": "FP32", "data": data}], **more}


def files(*contents: bytes) -> dict[str, Any]:
    data = [base64.b64encode(content).decode() for content in contents]
    return {"inputs": [{"name": "image", "shape": [len(data)], "datatype": "BYTES", "data": data}]}


def sample(template: str) -> str:
    return template.replace("{model}", "bars").replace("{version}", "2")


VERBS = {path: {verb.upper() for verb in verbs} for path, verbs in openapi_document()["paths"].items()}
DOCUMENTED = [(path, verb) for path, verbs in openapi_document()["paths"].items() for verb in verbs]


@pytest.mark.parametrize(("path", "verb"), DOCUMENTED)
def test_every_documented_path_takes_its_verb_and_no_other(path: str, verb: str, app: Service) -> None:
    reply = send(app, verb.upper(), sample(path))
    kept = verb == "get" and path != "/v2/usage" and not enveloped(path.encode())
    assert reply.status in ((200,) if kept else (200, 400, 404))
    if verb == "get":
        assert send(app, "HEAD", sample(path)).headers["content-length"]
    for other in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - VERBS[path]:
        reply = send(app, other, sample(path))
        assert reply.status == 405
        assert set(reply.headers["allow"].split(", ")) == VERBS[path]
        assert f"{other} is not allowed here" in reply.error


def test_the_document_is_valid_and_lists_every_route(models: Models, app: Service) -> None:
    document = send(app, "GET", "/openapi.json").json
    names = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]
    assert len(names) == len(set(names))
    table = [(route.path, verb.lower()) for route in routes(Context(Dispatcher(models))) for verb in route.handlers]
    for pattern, verb in table:
        if pattern in ("/", "/v2/") or pattern.endswith("/stream"):  # second names, and WebSocket
            continue
        assert any(v == verb and re.fullmatch(pattern, sample(path)) for path, v in DOCUMENTED), pattern
    for path, verb in DOCUMENTED:
        assert any(v == verb and re.fullmatch(pattern, sample(path)) for pattern, v in table), path


def test_the_document_follows_the_openapi_specification() -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    assert list(validator.OpenAPIV31SpecValidator(openapi_document()).iter_errors()) == []


@pytest.mark.parametrize("path", ["/v3", "/v2/models/bars/versions/2/inferx", "/v2/models//infer", "/../etc"])
def test_an_unknown_route_is_not_found(path: str, app: Service) -> None:
    reply = send(app, "GET", path)
    assert reply.status == 404
    assert "the routes are listed at /docs" in reply.error


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/v2/models/none", "there is no model 'none' here; served: bars"),
        ("/v2/models/bars/versions/9", "versions: 1, 2"),
    ],
)
def test_an_unknown_model_is_not_found(path: str, problem: str, app: Service) -> None:
    reply = send(app, "GET", path)
    assert reply.status == 404
    assert problem in reply.error


def test_metadata_tells_what_goes_in_and_comes_out(app: Service) -> None:
    value = send(app, "GET", "/v2/models/bars").json
    assert value["versions"] == ["1", "2"]
    assert value["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 16, 16]}]
    assert "integrated_gradients" in value["properties"]["explainers"]
    assert "glassworks_explain" in send(app, "GET", "/v2").json["extensions"]
    assert send(app, "GET", "/v2/health/ready").json == {"live": True, "ready": True, "troubles": []}
    assert send(app, "GET", "/v2/models/bars/ready").json == {"name": "bars", "ready": True}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"inputs": []}', b"\x00\xff"])
def test_a_bad_body_is_refused(content: bytes, app: Service) -> None:
    for path in (INFER, EXPLAIN):
        reply = send(app, "POST", path, content)
        assert reply.status == 400
        assert reply.error


def test_a_body_over_the_limit_is_refused(app: Service) -> None:
    reply = send(app, "POST", INFER, b" " * (LIMIT + 1))
    assert reply.status == 413
    assert f"larger than {LIMIT} bytes" in reply.error


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_rows_are_answered_in_json_and_in_binary_alike(rows: int, version: str, app: Service) -> None:
    path, request = f"/v2/models/bars{version}/infer", body(rows, id="a7")
    plain = post(app, path, request)
    assert plain.status == 200
    assert plain.json["id"] == "a7"
    assert plain.json["model_version"] == (version[-1:] or "2")
    assert plain.tensor("probabilities").shape == (rows, 3)
    assert plain.tensor("probabilities").sum(axis=1) == pytest.approx(1, abs=1e-5)
    values = np.array(request["inputs"][0]["data"], "<f4").tobytes()
    tensor = {"name": "image", "shape": [rows, 1, 16, 16], "datatype": "FP32"}
    binary = {"inputs": [{**tensor, "parameters": {"binary_data_size": len(values)}}]}
    reply = post(app, path, {**binary, "parameters": {"binary_data_output": True}}, values)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.tensor("probabilities").tobytes() == plain.tensor("probabilities").tobytes()
    assert "id" not in reply.json


def test_an_output_may_be_binary_against_the_default(app: Service) -> None:
    asked = [{"name": "probabilities", "parameters": {"binary_data": False}}]
    reply = post(app, INFER, body(outputs=asked, parameters={"binary_data_output": True}))
    assert "inference-header-content-length" not in reply.headers
    assert len(reply.json["outputs"][0]["data"]) == 3


@pytest.mark.parametrize("path", [INFER, EXPLAIN])
def test_outputs_must_be_the_models_and_asked_for_once(path: str, app: Service) -> None:
    unknown = post(app, path, body(outputs=[{"name": "logits"}]))
    assert unknown.status == 400
    assert "the model has no output 'logits'; its outputs: probabilities" in unknown.error
    twice = post(app, path, body(outputs=[{"name": "probabilities"}] * 2))
    assert twice.status == 400
    assert "asked for twice" in twice.error


def test_only_the_outputs_asked_for_come(app: Service) -> None:
    asked = [{"name": "attributions:image", "parameters": {"binary_data": True}}]
    reply = post(app, EXPLAIN, body(outputs=asked))
    assert [output["name"] for output in reply.json["outputs"]] == ["attributions:image"]
    assert reply.tensor("attributions:image").shape == (1, 1, 16, 16)


def test_classification_names_the_largest(app: Service) -> None:
    scores = post(app, INFER, body(2)).tensor("probabilities")
    reply = post(app, INFER, body(2, outputs=[{"name": "probabilities", "parameters": {"classification": 1}}]))
    (output,) = reply.json["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [2, 1])
    for text, row in zip(output["data"], scores, strict=True):
        value, index, label = text.split(":")
        assert int(index) == row.argmax()
        assert float(value) == pytest.approx(float(row.max()), abs=1e-6)
        assert label
    for wrong in (0, True, "2"):
        asked = [{"name": "probabilities", "parameters": {"classification": wrong}}]
        assert "classification is" in post(app, INFER, body(outputs=asked)).error


def gzipped(content: bytes) -> bytes:
    """Always the same bytes: they name tests, and otherwise hold the time."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "deflate", "identity"])
def test_compressed_bodies_are_read(encoding: str, app: Service) -> None:
    plain = json.dumps(body()).encode()
    packed = {"deflate": zlib.compress(plain), "identity": plain}.get(encoding, gzip.compress(plain))
    assert send(app, "POST", INFER, packed, content_encoding=encoding).status == 200


@pytest.mark.parametrize(
    ("content", "encoding", "status", "problem"),
    [
        (gzipped(b" " * 50 * LIMIT), "gzip", 413, "larger than"),
        (gzipped(b" " * LIMIT), "gzip", 400, "is not valid"),
        (b"no gzip", "gzip", 400, "is not gzip"),
        (gzipped(b"{}")[:-9], "gzip", 400, "cut off"),
        (gzipped(b"{}") + b"more", "gzip", 400, "is not gzip"),
        (zlib.compress(b"{}") + b"more", "deflate", 400, "followed by something else"),
        (b"{}", "br", 400, "encoding 'br' is not known; send gzip, deflate or identity"),
    ],
)
def test_bad_compression_is_refused(content: bytes, encoding: str, status: int, problem: str, app: Service) -> None:
    reply = send(app, "POST", INFER, content, content_encoding=encoding)
    assert reply.status == status
    assert problem in reply.error


@pytest.mark.parametrize("length", ["x", "-1", "1.5", "", "99999999999999999", "1000000"])
def test_a_bad_header_length_is_refused(length: str, app: Service) -> None:
    reply = send(app, "POST", INFER, json.dumps(body()).encode(), inference_header_content_length=length)
    assert reply.status == 400
    assert "Inference-Header-Content-Length" in reply.error


def test_pictures_are_answered_however_they_are_sent(app: Service) -> None:
    png = picture()
    in_json = post(app, INFER, files(png, png))
    tail = 2 * (len(png).to_bytes(4, "little") + png)
    tensor = {"name": "image", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(tail)}}
    in_binary = post(app, INFER, {"inputs": [tensor]}, tail)
    pixels = np.asarray(Image.open(io.BytesIO(png)), np.float32).ravel() / np.float32(255)
    data = [*pixels.tolist(), *pixels.tolist()]
    as_numbers = {"name": "image", "shape": [2, 1, 16, 16], "datatype": "FP32", "data": data}
    for reply in (in_binary, post(app, INFER, {"inputs": [as_numbers]})):
        assert reply.tensor("probabilities").tobytes() == in_json.tensor("probabilities").tobytes()


def test_a_large_picture_is_decoded_too(app: Service) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 120), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    assert len(buffer.getvalue()) > 8192
    assert post(app, INFER, files(buffer.getvalue())).status == 200


@pytest.mark.parametrize(
    "tensor",
    [
        {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(b"no picture").decode()]},
        {"name": "image", "shape": [0], "datatype": "BYTES", "data": []},
        {"name": "image", "shape": [], "datatype": "BYTES", "data": [base64.b64encode(picture()).decode()]},
        {"name": "image", "shape": [1, 2], "datatype": "BYTES", "data": [base64.b64encode(picture()).decode()] * 2},
        {"name": "image", "shape": [0, 1, 16, 16], "datatype": "FP32", "data": []},
        {"name": "image", "shape": [1, 1, 2, 2], "datatype": "FP32", "data": [0] * 4},
        {"name": "image", "shape": [4], "datatype": "FP32", "data": [0] * 4},
        {"name": "image", "shape": [1, 1, 16, 16], "datatype": "FP64", "data": [0] * 256},
        {"name": "picture", "shape": [1], "datatype": "FP32", "data": [0]},
    ],
)
def test_an_input_that_does_not_fit_is_refused(tensor: dict[str, Any], app: Service) -> None:
    for path in (INFER, EXPLAIN):
        reply = post(app, path, {"inputs": [tensor]})
        assert reply.status == 400
        assert "; " in reply.error


@pytest.mark.parametrize("method", ["integrated_gradients", "grad_cam", "saliency", "input_x_gradient", "occlusion"])
def test_an_explanation_comes_with_the_very_prediction(method: str, app: Service) -> None:
    reply = post(app, EXPLAIN, body(id="e", parameters={"method": method, "seed": 3}))
    assert reply.status == 200
    assert reply.json["id"] == "e"
    assert reply.tensor("attributions:image").shape == (1, 1, 16, 16)
    predicted = post(app, INFER, body()).tensor("probabilities")
    assert reply.tensor("probabilities").tobytes() == predicted.tobytes()
    parameters = reply.json["parameters"]
    assert (parameters["method"], parameters["seed"]) == (method, 3)
    assert parameters["target"] == predicted.argmax()
    assert all(isinstance(value, str | int | float | bool) for value in parameters.values())
    again = post(app, EXPLAIN, body(parameters={"method": method, "seed": 3}))
    assert again.tensor("attributions:image").tobytes() == reply.tensor("attributions:image").tobytes()


def test_several_rows_are_explained_one_by_one(app: Service) -> None:
    reply = post(app, EXPLAIN, body(3, parameters={"grade": False, "target": 1}))
    assert reply.tensor("attributions:image").shape == (3, 1, 16, 16)
    assert reply.tensor("probabilities").shape == (3, 3)
    rows = json.loads(reply.json["parameters"]["rows"])
    assert [row["target"] for row in rows] == [1, 1, 1]


def test_options_change_the_explanation(app: Service, tiny_bundle: Bundle) -> None:
    label = tiny_bundle.manifest.labels[1]
    named = post(app, EXPLAIN, body(parameters={"target": label})).json["parameters"]
    assert (named["target"], named["label"]) == (1, label)
    assert "faithfulness_z" in named
    ungraded = post(app, EXPLAIN, body(parameters={"grade": False})).json["parameters"]
    assert "faithfulness_z" not in ungraded
    black = post(app, EXPLAIN, body(parameters={"baseline": 0})).tensor("attributions:image")
    white = post(app, EXPLAIN, body(parameters={"baseline": 1.0})).tensor("attributions:image")
    assert not np.array_equal(black, white)
    hurried = post(app, EXPLAIN, body(parameters={"budget_ms": 0})).json["parameters"]
    assert "faithfulness_z" not in hurried


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"method": "magic"}, "no explanation method 'magic'; it has: integrated_gradients"),
        ({"method": 1}, "method is 1"),
        ({"target": "no such"}, "no class 'no such'"),
        ({"target": 99}, "target is 99"),
        ({"target": -1}, "target is -1"),
        ({"target": True}, "target is True"),
        ({"target": 1.5}, "target is 1.5"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"seed": "1"}, "seed is '1'"),
        ({"budget_ms": -1}, "budget_ms is -1; give a number from 0 to 3.4"),
        ({"budget_ms": 10**400}, "budget_ms is 1000"),
        ({"budget_ms": "soon"}, "budget_ms is 'soon'"),
        ({"baseline": "black"}, "baseline is 'black'; give a number"),
        ({"baseline": True}, "baseline is True"),
        ({"baseline": 1e39}, "baseline is 1e+39; give a number from -3.40282e+38 to 3.40282e+38"),
        ({"grade": "no"}, "grade is 'no'; give true or false"),
        ({"binary_data_output": 1}, "binary_data_output is 1; give true or false"),
    ],
)
def test_bad_options_are_refused(parameters: dict[str, Any], problem: str, app: Service) -> None:
    reply = post(app, EXPLAIN, body(parameters=parameters))
    assert reply.status == 400
    assert problem in reply.error


def test_an_unexpected_error_tells_a_number_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    answer = failure(RuntimeError("secret of the house"))
    assert answer.status == 500
    assert b"secret" not in answer.body
    number = re.findall(rb"internal error ([0-9a-f]{12});", answer.body)[0].decode()
    assert number in caplog.text
    assert "secret of the house" in caplog.text


def test_a_full_queue_says_when_to_come_again() -> None:
    answer = failure(Overloaded("full", "later"))
    assert answer.status == 503
    assert (b"retry-after", b"1") in answer.headers


def test_an_endless_quote_is_cut() -> None:
    assert len(failure(Overloaded("x" * 10**6, "y")).body) < 3000


def test_nothing_that_is_sent_is_logged(app: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for request in (body(id="private-7"), {"inputs": "private-7"}, files(b"private-7")):
        for path in (INFER, EXPLAIN):
            post(app, path, request)
    assert "private-7" not in caplog.text


def test_nobody_is_answered_who_left(app: Service) -> None:
    content = json.dumps(body()).encode()
    assert asyncio.run(ask(app, "POST", EXPLAIN, content, leave=True)) is None
    assert post(app, EXPLAIN, body()).status == 200
