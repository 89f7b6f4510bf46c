"""What a picture model tells beside its labels, over the wire: novelty and embeddings, in JSON, binary and gRPC."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.integration.serving.running import Server, serving

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Family
from glassworks.flow import Release, train
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

Arrays = Mapping[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("told")
    job: Job = get(Family, "convnet").tiny(folder)
    job = job.model_copy(update={"model": {"novelty": 0.9, "embed": True}})
    return train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), Silent())


@pytest.fixture(scope="module")
def server(made: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home"), str(made.bundle.folder)) as running:
        yield running


@pytest.fixture(scope="module")
def rows(made: Release) -> tuple[NDArray[np.float32], Arrays]:
    """Three familiar pictures and a strange one as the model takes them, and what it says in this process."""
    x = made.dataset.splits["test"].x
    pictures = np.concatenate([x[:3], 255 - x[:1]])
    opened = OpenedBundle(made.bundle)
    (tensor,) = opened.task.encode(pictures, opened.manifest.preprocessing).values()
    found = {name: np.asarray(values, np.float32) for name, values in opened.predict(pictures).items()}
    return np.asarray(tensor, np.float32), found


def test_json(server: Server, rows: tuple[NDArray[np.float32], Arrays]) -> None:
    tensor, wanted = rows
    given = {"name": "image", "shape": list(tensor.shape), "datatype": "FP32", "data": tensor.ravel().tolist()}
    status, answer = server.post("infer", json.dumps({"inputs": [given]}).encode())
    assert status == 200, answer
    assert [each["name"] for each in answer["outputs"]] == ["probabilities", "novelty", "embedding"]
    for each in answer["outputs"]:
        np.testing.assert_allclose(np.reshape(each["data"], each["shape"]), wanted[each["name"]], atol=1e-4, rtol=1e-4)
    assert (wanted["novelty"][3] > 0).any()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_tritonclient_asks_for_some_of_it(
    protocol: str, server: Server, rows: tuple[NDArray[np.float32], Arrays]
) -> None:
    client = pytest.importorskip(f"tritonclient.{protocol}")
    tensor, wanted = rows
    asked = client.InferenceServerClient(server.address if protocol == "http" else server.grpc)
    given = client.InferInput("image", tensor.shape, "FP32")
    given.set_data_from_numpy(tensor)
    outputs = [client.InferRequestedOutput(name) for name in ("novelty", "embedding")]
    found = asked.infer(server.model, [given], outputs=outputs)
    for name in ("novelty", "embedding"):
        np.testing.assert_allclose(found.as_numpy(name), wanted[name], atol=1e-4, rtol=1e-4)
    assert found.as_numpy("probabilities") is None
    asked.close()


def test_the_answer_in_words_says_it(server: Server, made: Release) -> None:
    from glassworks.imaging.files import write_png

    x = made.dataset.splits["test"].x
    novelty = np.asarray(OpenedBundle(made.bundle).predict(x)["novelty"]).max(axis=1)
    for picture, familiar in ((x[novelty.argmin()], True), (255 - x[0], False)):
        status, answer = server.send(
            "POST", f"{server.path}/picture", write_png(picture), {"accept": "application/json"}
        )
        assert status == 200
        assert answer["familiar"] is familiar
        assert set(answer["novelty"]) == {"energy", "distance"}
