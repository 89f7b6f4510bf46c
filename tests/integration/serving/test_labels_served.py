"""A model of several labels a picture, over every protocol: as tensors, in words, drawn, and explained by label."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.integration.serving.running import Server, serving

from glassworks.config import DataConfig, Job, TrainingConfig
from glassworks.families.convnet.synthetic import Box, write_shapes
from glassworks.flow import train
from glassworks.progress import Silent
from glassworks.registry import Registry


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.fixture(scope="module")
def boxes(shapes: Path) -> dict[str, dict[str, Box]]:
    return write_shapes(shapes / "pictures", examples=240, side=24, seed=0)


@pytest.fixture(scope="module")
def server(shapes: Path, boxes: dict[str, dict[str, Box]]) -> Iterator[Server]:
    job = Job(
        name="labels",
        family="convnet",
        data=DataConfig(source=f"folder:{shapes / 'pictures'}"),
        training=TrainingConfig(epochs=8, batch_size=32, precision="fp32"),
    )
    made = train(job, Registry.open({"GLASSWORKS_HOME": str(shapes / "home")}), Silent())
    with serving(shapes / "served", str(made.bundle.folder)) as running:
        yield running


@pytest.fixture(scope="module")
def picture(shapes: Path, boxes: dict[str, dict[str, Box]]) -> tuple[bytes, set[str]]:
    """One with two labels."""
    name = next(name for name, own in boxes.items() if len(own) == 2)
    return (shapes / "pictures" / name).read_bytes(), set(boxes[name])


def test_tensors_and_words_name_both_labels(server: Server, picture: tuple[bytes, set[str]]) -> None:
    file, wanted = picture
    text = base64.b64encode(file).decode()
    given = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}
    status, answer = server.post("infer", json.dumps({"inputs": [given]}).encode())
    assert status == 200, answer
    outputs = {each["name"]: each for each in answer["outputs"]}
    assert (outputs["label_set"]["datatype"], outputs["label_set"]["shape"]) == ("BOOL", [1, 4])
    names = ("cross", "disk", "ring", "square")
    assert {name for name, told in zip(names, outputs["label_set"]["data"], strict=True) if told} == wanted
    status, words = server.send("POST", f"{server.path}/picture", file, {"accept": "application/json"})
    assert status == 200
    assert {label for label, _ in words["labels"]} == wanted
    body = json.dumps({"instances": [{"b64": text}]}).encode()
    status, first = server.send("POST", f"/v1/models/{server.model}:predict", body)
    assert status == 200, first
    assert first["predictions"][0]["label_set"] == outputs["label_set"]["data"]


def test_the_drawn_picture_has_a_bar_for_each_label(server: Server, picture: tuple[bytes, set[str]]) -> None:
    large = io.BytesIO()
    Image.open(io.BytesIO(picture[0])).resize((96, 96), Image.Resampling.NEAREST).save(large, "PNG")
    connection = server.connect()
    connection.request("POST", f"{server.path}/picture", large.getvalue())
    response = connection.getresponse()
    assert {label for label, _ in json.loads(response.headers["x-answer"])["labels"]} == picture[1]
    shown = np.asarray(Image.open(io.BytesIO(response.read())))
    connection.close()
    changed = (shown != np.asarray(Image.open(large))).any(axis=(1, 2))
    assert changed[:24].all()
    assert not changed[26:].any()


def test_a_label_is_explained_by_its_name(server: Server, picture: tuple[bytes, set[str]]) -> None:
    file, wanted = picture
    given = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(file).decode()]}
    for label in sorted(wanted):
        body = {"inputs": [given], "parameters": {"method": "integrated_gradients", "target": label}}
        status, answer = server.post("explain", json.dumps(body).encode())
        assert status == 200, answer
        assert answer["parameters"]["label"] == label
        assert answer["parameters"]["completeness_gap"] <= 0.01
