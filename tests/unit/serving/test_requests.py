"""Requests at the edges of the protocol: raw bodies, clients that leave, numbers that are none."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.patience import PATIENCE_S
from tests.unit.serving.test_app import EXPLAIN, INFER, body, post, send
from tests.unit.serving.wire import ask, service

from glassworks.contracts import TensorSpec
from glassworks.packaging.bundle import Bundle
from glassworks.serving.core.batching import Batcher
from glassworks.serving.core.models import Models
from glassworks.serving.transports.http.service import Service


@pytest.fixture(scope="module")
def models(tiny_bundle: Bundle) -> Iterator[Models]:
    models = Models()
    models.load(tiny_bundle, "bars", "1")
    yield models
    models.close()


@pytest.fixture(scope="module")
def app(models: Models) -> Service:
    return service(models)


def pixels(count: int) -> NDArray[np.float32]:
    """What `body(count)` sends."""
    return np.array(body(count)["inputs"][0]["data"], "<f4")


@pytest.mark.parametrize("path", [INFER, EXPLAIN])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_raw_body_is_the_only_input(path: str, rows: int, app: Service) -> None:
    raw = send(app, "POST", path, pixels(rows).tobytes(), inference_header_content_length="0")
    assert raw.headers["content-type"] == "application/octet-stream"
    plain = post(app, path, body(rows))
    for output in plain.json["outputs"]:
        assert raw.tensor(output["name"]).tobytes() == plain.tensor(output["name"]).tobytes()


@pytest.mark.parametrize(("size", "problem"), [(0, "has no rows"), (7, "has 7 bytes"), (1030, "has 1030 bytes")])
def test_a_raw_body_of_another_size_is_refused(size: int, problem: str, app: Service) -> None:
    reply = send(app, "POST", INFER, b"\0" * size, inference_header_content_length="0")
    assert reply.status == 400
    assert problem in reply.error


@pytest.mark.parametrize(
    "inputs",
    [
        (TensorSpec(name="a", datatype="FP32", shape=(-1, 2)), TensorSpec(name="b", datatype="FP32", shape=(-1, 2))),
        (TensorSpec(name="a", datatype="FP32", shape=(-1, -1)),),
    ],
)
def test_a_raw_body_needs_a_model_of_one_plain_input(inputs: tuple[TensorSpec, ...], tiny_bundle: Bundle) -> None:
    models = Models()
    model = models.load(tiny_bundle, "bars", "1")
    model.inputs = {spec.name: spec for spec in inputs}
    reply = send(service(models), "POST", INFER, b"\0" * 8, inference_header_content_length="0")
    models.close()
    assert reply.status == 400
    assert "a raw request needs a model of one input" in reply.error


def test_numbers_that_are_none_are_null_and_not_explained(app: Service) -> None:
    values = np.full((1, 1, 16, 16), np.nan, "<f4").tobytes()
    size = {"binary_data_size": len(values)}
    request = {"inputs": [{"name": "image", "shape": [1, 1, 16, 16], "datatype": "FP32", "parameters": size}]}
    assert post(app, INFER, request, values).json["outputs"][0]["data"] == [None] * 3
    reply = post(app, EXPLAIN, request, values)
    assert reply.status == 400
    assert "the input 'image' holds values that are not finite; send finite numbers to explain" in reply.error


def test_the_tolerance_of_the_job_holds_for_the_service(tiny_bundle: Bundle) -> None:
    gaps = []
    for tolerance in (0.5, 1e-6):
        job = {**tiny_bundle.manifest.job, "explanation": {"tolerance": tolerance}}
        manifest = tiny_bundle.manifest.model_copy(update={"job": job})
        models = Models()
        models.load(Bundle(folder=tiny_bundle.folder, manifest=manifest, sha256=tiny_bundle.sha256), "bars", "1")
        reply = post(service(models), EXPLAIN, body(parameters={"method": "integrated_gradients"}))
        models.close()
        gaps.append(reply.json["parameters"]["forward"])
    assert gaps[0] < gaps[1]


def test_who_leaves_while_waiting_is_not_computed(tiny_bundle: Bundle) -> None:
    models = Models()
    model = models.load(tiny_bundle, "bars", "1")
    calls, began, go = [], threading.Event(), threading.Event()
    run = model.opened.session("predict").run

    def slow(tensors: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        calls.append(len(tensors["image"]))
        began.set()
        if not go.wait(PATIENCE_S):
            raise TimeoutError
        return run(tensors)

    model._batcher = Batcher(slow, 1, 100, model._threads.computing)
    app, content = service(models), json.dumps(body()).encode()

    async def main() -> None:
        first = asyncio.ensure_future(ask(app, "POST", INFER, content))
        await asyncio.to_thread(began.wait, PATIENCE_S)
        assert await asyncio.wait_for(ask(app, "POST", INFER, content, leave=True), PATIENCE_S) is None
        last = asyncio.ensure_future(ask(app, "POST", INFER, json.dumps(body(2)).encode()))
        await asyncio.sleep(0)
        go.set()
        for reply in await asyncio.gather(first, last):
            assert reply is not None
            assert reply.status == 200

    asyncio.run(main())
    models.close()
    assert calls == [1, 1, 1]


@pytest.mark.parametrize(("side", "at_once"), [(16, True), (3000, False)])
def test_files_of_many_pixels_are_decoded_beside_the_loop(side: int, at_once: bool, models: Models) -> None:
    """However few bytes they take."""
    stream = io.BytesIO()
    Image.new("RGB", (side, side)).save(stream, "PNG" if at_once else "WEBP", lossless=True, quality=0, method=0)
    assert len(stream.getvalue()) < 200
    model, files = models.model("bars"), np.empty(1, object)
    files[0] = stream.getvalue()
    assert (model.checked({next(iter(model.inputs)): files}) is not None) == at_once
