"""An imported model of pictures: its labels, its pixels, its gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Dataset, Family, Model
from glassworks.errors import ConfigError, DataError, GlassworksError, Unsupported
from glassworks.families.imported.graph import are_scores, scores_value, taken_by, wrapped
from glassworks.families.imported.pixels import WAYS, Pixels
from glassworks.families.imported.synthetic import write_lines
from glassworks.onnx_graphs.differentiable import OnnxModule
from glassworks.onnx_graphs.export import write_onnx
from glassworks.progress import Silent

FAMILY = get(Family, "imported")


def trained(folder: Path, **model: Any) -> tuple[Dataset, Model]:
    """The tiny job with other keys of its model."""
    job: Job = FAMILY.tiny(folder)
    job = job.model_copy(update={"model": {**job.model, **model}})
    dataset = FAMILY.prepare(job)
    return dataset, FAMILY.train(dataset, job, folder, Silent())


def test_answers_are_those_of_the_file(tmp_path: Path) -> None:
    dataset, model = trained(tmp_path, preprocessing="unit")
    x = dataset.splits["test"].x
    pixels = np.moveaxis(x, 3, 1).astype(np.float32) / 255
    (scores,) = onnxruntime.InferenceSession(tmp_path / "lines.onnx").run(None, {"pixels": pixels})
    expected = torch.from_numpy(scores).softmax(dim=1).numpy()
    (found,) = onnxruntime.InferenceSession(model.network.SerializeToString()).run(None, {"image": pixels})
    assert np.abs(found - expected).max() < 1e-6
    assert (found.argmax(1) == dataset.splits["test"].y).mean() > 0.95


def test_targets_count_in_the_order_of_the_models_labels(tmp_path: Path) -> None:
    dataset, _ = trained(tmp_path)
    assert dataset.classes == ("across", "down", "diagonal")  # sorted they are across, diagonal, down
    other, model = trained(tmp_path, labels=("down", "across", "diagonal"))
    assert other.classes == ("down", "across", "diagonal")
    assert model.metrics["accuracy"].value < 0.6  # two of its labels are exchanged


@pytest.mark.parametrize("way", WAYS[1:4], ids=lambda way: way.name)
def test_preprocessing_is_found_on_labeled_examples_and_told(way: Pixels, tmp_path: Path) -> None:
    plain = FAMILY.tiny(tmp_path)
    graph = onnx.load(tmp_path / "lines.onnx")
    if not way.suits(1):
        way = replace(way, mean=way.mean[:1], std=way.std[:1])
    # The graph undoes the way before it looks: other ways are far from what it takes.
    graph.graph.initializer.extend(
        (
            numpy_helper.from_array(np.array(way.std[0], np.float32), "undo.std"),
            numpy_helper.from_array(np.array(way.mean[0], np.float32), "undo.mean"),
            numpy_helper.from_array(np.array(0.0, np.float32), "undo.low"),
            numpy_helper.from_array(np.array(1.0, np.float32), "undo.high"),
        )
    )
    graph.graph.node[0].input[0] = "undone"
    graph.graph.node.insert(0, helper.make_node("Clip", ["undo.b", "undo.low", "undo.high"], ["undone"]))
    graph.graph.node.insert(0, helper.make_node("Add", ["undo.a", "undo.mean"], ["undo.b"]))
    graph.graph.node.insert(0, helper.make_node("Mul", ["pixels", "undo.std"], ["undo.a"]))
    onnx.save(graph, tmp_path / "lines.onnx")
    if way.name == "imagenet":  # of three channels, and the pictures are gray: it has to be stated
        stated = {"preprocessing": "stated", "mean": way.mean, "std": way.std}
        job = plain.model_copy(update={"model": {**plain.model, **stated}})
        model = FAMILY.train(FAMILY.prepare(job), job, tmp_path, Silent())
    else:
        model = FAMILY.train(FAMILY.prepare(plain), plain, tmp_path, Silent())
        assert model.preprocessing["imported"]["pixels"] == way.name
        assert f"{way.name} " in model.preprocessing["imported"]["found"]
    assert model.metrics["accuracy"].value > 0.95


def test_what_is_scored_already_gets_no_second_softmax(tmp_path: Path) -> None:
    job = FAMILY.tiny(tmp_path)
    write_lines(tmp_path / "lines.onnx", scores=False)
    model = FAMILY.train(FAMILY.prepare(job), job, tmp_path, Silent())
    assert model.preprocessing["imported"]["outputs"] == "probabilities"
    assert [node.op_type for node in model.network.graph.node].count("Softmax") == 1


def test_numbers_that_are_neither_scores_nor_probabilities_are_refused() -> None:
    assert are_scores(np.array([[2.0, -1.0]]))
    assert not are_scores(np.array([[0.25, 0.75]]))
    with pytest.raises(Unsupported, match="sum is not 1"):
        are_scores(np.array([[0.9, 0.8]]))


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("labels", ("across", "down"), "2 labels .* 3 outputs"),
        ("labels", ("a", "b", "c"), "classes that the model does not know"),
        ("shape", (8, 8, 1), "not pictures of 8x8x1"),
        ("preprocessing", "imagenet", "for 3 channels"),
        ("source", "file:/nowhere/model.onnx", "there is no"),
        ("source", "folder:/", "of no form that is read"),
        ("preprocessing", "stated", "go with preprocessing"),
        ("shape", (8, 8), "height, width and channels"),
    ],
)
def test_what_does_not_fit_is_refused(key: str, value: object, problem: str, tmp_path: Path) -> None:
    with pytest.raises(GlassworksError, match=problem):
        trained(tmp_path, **{key: value})


def test_labels_that_nobody_gave_are_not_guessed(tmp_path: Path) -> None:
    job = FAMILY.tiny(tmp_path)
    graph = onnx.load(tmp_path / "lines.onnx")
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / "lines.onnx")
    with pytest.raises(ConfigError, match="does not name its classes"):
        FAMILY.prepare(job)


def test_other_tasks_are_refused(tmp_path: Path) -> None:
    job = FAMILY.tiny(tmp_path)
    graph = onnx.load(tmp_path / "lines.onnx")
    helper.set_model_props(graph, {"task": "object-detection"})
    onnx.save(graph, tmp_path / "lines.onnx")
    with pytest.raises(Unsupported, match="object-detection"):
        FAMILY.prepare(job)


def test_pictures_of_one_class_find_no_preprocessing(tmp_path: Path) -> None:
    job = FAMILY.tiny(tmp_path)
    dataset = FAMILY.prepare(job)
    split = dataset.splits["validation"]
    alone = replace(split, x=split.x[split.y == 0], y=split.y[split.y == 0])
    with pytest.raises(DataError, match="of one class"):
        FAMILY.train(replace(dataset, splits={**dataset.splits, "validation": alone}), job, tmp_path, Silent())


def _graph(nodes: list[Any], kind: int, shape: list[Any], opset: int = 17) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 12])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


@pytest.mark.parametrize("kind", ["FLOAT", "UINT8", "DOUBLE", "FLOAT16"])
@pytest.mark.parametrize("shape", [[1, 3, 2, 2], ["n", 2, 2, 3], ["n", 12]], ids=["NCHW", "NHWC", "row"])
def test_pixels_reach_inputs_of_every_layout_and_type(kind: str, shape: list[Any]) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), helper.make_node("Flatten", ["f"], ["y"])]
    model = _graph(nodes, getattr(TensorProto, kind), ["n", *shape[1:]])
    taken = taken_by(model, (2, 2, 3) if len(shape) == 2 else ())
    way = next(each for each in WAYS if each.name == "bytes")
    pixels = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)  # N H W C
    session = onnxruntime.InferenceSession(wrapped(model, taken, way, scores=False).SerializeToString())
    (found,) = session.run(None, {"image": np.moveaxis(pixels, 3, 1) / np.float32(255)})
    order = np.moveaxis(pixels, 3, 1) if taken.layout == "NCHW" else pixels
    assert np.abs(found - order.reshape(2, 12)).max() < (0.02 if kind == "FLOAT16" else 1e-4)


def _torch_models() -> dict[str, torch.nn.Module]:
    nn = torch.nn
    return {
        "pooled": nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(96, 4),
        ),
        "mobile": nn.Sequential(
            nn.Conv2d(3, 6, 1), nn.Hardswish(), nn.Conv2d(6, 6, 3, groups=6, padding=1), nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.SiLU(), nn.Linear(5, 4),
        ),
        "normed": nn.Sequential(
            nn.Conv2d(3, 8, 4, stride=4), nn.Flatten(2), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 4), nn.Tanh(),
            nn.Flatten(), nn.Linear(32, 4), nn.Softmax(dim=1),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(_torch_models()))
def test_gradients_are_those_of_the_framework(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = _torch_models()[name].eval()
    x = torch.rand(3, 3, 16, 16)
    write_onnx(network, (x,), tmp_path / "m.onnx", inputs=("x",), outputs=("y",))
    exported = onnx.load(tmp_path / "m.onnx")
    module = OnnxModule(exported, exported.graph.output[0].name)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    found, expected = module(ours), network(theirs)
    assert (found - expected).abs().max() < 1e-5
    found[:, 1].sum().backward()
    expected[:, 1].sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert (ours.grad - theirs.grad).abs().max() < 1e-5
    assert theirs.grad.abs().max() > 1e-6


def test_an_operator_without_a_gradient_leaves_methods_that_need_predictions(tmp_path: Path) -> None:
    job = FAMILY.tiny(tmp_path)
    graph = onnx.load(tmp_path / "lines.onnx")
    (last,) = [node for node in graph.graph.node if node.op_type == "Log"]
    last.op_type = "Celu"
    onnx.save(graph, tmp_path / "lines.onnx")
    model = FAMILY.train(FAMILY.prepare(job), job, tmp_path, Silent())
    with pytest.raises(Unsupported, match="no gradient is known of: Celu"):
        FAMILY.differentiable(model)


def test_colors_in_another_order_have_a_gradient(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 5), torch.nn.Flatten(), torch.nn.Linear(432, 3)).eval()
    write_onnx(network, (torch.rand(2, 3, 16, 16),), tmp_path / "m.onnx", inputs=("x",), outputs=("y",))
    exported = onnx.load(tmp_path / "m.onnx")
    way = next(each for each in WAYS if each.reverse)
    whole = wrapped(exported, taken_by(exported, ()), way, scores=True)
    value, logarithms = scores_value(whole)
    x = torch.rand(2, 3, 16, 16, requires_grad=True)
    found = OnnxModule(whole, value)(x)
    mean = torch.tensor(way.mean).reshape(1, 3, 1, 1)
    expected = network((x.flip(1) - mean) * 255)
    assert not logarithms
    assert (found - expected).abs().max() < 1e-2  # scores are some hundreds
    (ours,), (theirs,) = (torch.autograd.grad(scores[:, 0].sum(), x) for scores in (found, expected))
    assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()
