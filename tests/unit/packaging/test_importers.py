"""Files of models that others made: what is read of them, and what is refused, with the mend."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from glassworks.catalog import importer_of
from glassworks.contracts import Imported
from glassworks.errors import GlassworksError
from glassworks.packaging.importers._metadata import labels_in

Nodes = list[onnx.NodeProto]
FLOAT = TensorProto.FLOAT


def model(
    nodes: Nodes | None = None,
    *,
    inputs: tuple[tuple[str, int, list[str | int | None]], ...] = (("x", FLOAT, ["n", 1, 4, 4]),),
    outputs: tuple[tuple[str, int, list[str | int | None]], ...] = (("y", FLOAT, ["n", 3]),),
    said: dict[str, str] | None = None,
    opset: tuple[tuple[str, int], ...] = (("", 17),),
) -> ModelProto:
    """Flatten and a matrix (16 3) unless other nodes are given."""
    nodes = nodes or [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    weights = np.arange(48, dtype=np.float32).reshape(16, 3) / 48
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(weights, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid(*each) for each in opset], ir_version=9)
    helper.set_model_props(made, said or {})
    return made


def saved(folder: Path, made: ModelProto, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def read(path: Path) -> Imported:
    importer = importer_of(path)
    assert importer is not None
    return importer.read(path)


def external(folder: Path, **where: str) -> Path:
    """The weight lies in another file."""
    made = model()
    (tensor,) = made.graph.initializer
    (folder / "weights.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in where.items():
        tensor.external_data.add(key=key, value=value)
    return saved(folder, made)


def test_what_the_file_says_is_read(tmp_path: Path) -> None:
    said = {"names": "{0: 'a', 1: 'b', 2: 'c'}", "mean": "[0.5]", "std": "[0.25]", "task": "classify"}
    found = read(saved(tmp_path, model(said=said)))
    assert (found.form, found.labels, found.task, found.scores) == ("onnx", tuple("abc"), "image-classification", True)
    assert found.preprocessing == {"mean": [0.5], "std": [0.25]}


def test_what_the_file_does_not_say_is_empty(tmp_path: Path) -> None:
    found = read(saved(tmp_path, model()))
    assert (found.labels, found.task, dict(found.preprocessing)) == ((), "", {})


def test_data_beside_the_file_are_taken_in(tmp_path: Path) -> None:
    found = read(external(tmp_path, location="weights.bin"))
    assert numpy_helper.to_array(found.graph.graph.initializer[0])[15, 2] == np.float32(47 / 48)


def test_a_fixed_batch_is_freed_where_rows_do_not_depend_on_each_other(tmp_path: Path) -> None:
    found = read(saved(tmp_path, model(inputs=(("x", FLOAT, [1, 1, 4, 4]),), outputs=(("y", FLOAT, [1, 3]),))))
    assert "batches of 1" in found.notes[0]
    assert found.graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_of_several_outputs_the_matrix_of_numbers_is_taken(tmp_path: Path) -> None:
    nodes = [*model().graph.node, helper.make_node("ArgMax", ["y"], ["label"], axis=1, keepdims=0)]
    found = read(saved(tmp_path, model(nodes, outputs=(("label", TensorProto.INT64, ["n"]), ("y", FLOAT, ["n", 3])))))
    assert [value.name for value in found.graph.graph.output] == ["y"]
    assert found.notes == ("of the outputs 'y' is taken, not label",)


@pytest.mark.parametrize(
    ("text", "names"),
    [('["a", "b"]', ("a", "b")), ('{"1": "b", "0": "a"}', ("a", "b")), ("a, b", ("a", "b")), ("{0: 'a'}", ("a",))],
)
def test_labels_are_read_in_the_forms_that_frameworks_write(text: str, names: tuple[str, ...]) -> None:
    assert labels_in(text) == names


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('["a", "a"]', "alike"),
        ('{"0": "a", "2": "b"}', "leave numbers out"),
        ('{"x": "a"}', "not numbered"),
        ("3", "no list"),
    ],
)
def test_labels_that_are_none_are_refused(text: str, problem: str) -> None:
    with pytest.raises(GlassworksError, match=problem):
        labels_in(text)


def _link(folder: Path) -> Path:
    saved(folder, model(), "real.bin")
    (folder / "model.onnx").symlink_to(folder / "real.bin")
    return folder / "model.onnx"


def _linked_data(folder: Path) -> Path:
    path = external(folder, location="other.bin")
    (folder / "other.bin").symlink_to("/etc/passwd")
    return path


def _nested(folder: Path) -> Path:
    """Data outside of the folder named by a constant inside of a branch."""
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "c")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["b"], value=tensor)],
        "b",
        [],
        [helper.make_tensor_value_info("b", FLOAT, [3])],
    )
    nodes = [*model().graph.node[:1], helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)]
    return saved(folder, model(nodes))


def raw(content: bytes, name: str = "model.onnx") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _folder(folder: Path) -> Path:
    (folder / "model.onnx").mkdir()
    return folder / "model.onnx"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "model.onnx")
    return folder / "model.onnx"


def _of(made: Callable[[], ModelProto]) -> Callable[[Path], Path]:
    return lambda folder: saved(folder, made())


def _custom() -> ModelProto:
    return model([helper.make_node("Evil", ["x"], ["y"], domain="com.evil")], opset=(("", 17), ("com.evil", 1)))


def _whole(name: str) -> ModelProto:
    return model([helper.make_node(name, ["x"], ["y"])])


def _truncated(folder: Path) -> Path:
    path = saved(folder, model())
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _wrong_size() -> ModelProto:
    made = model()
    made.graph.initializer[0].dims[0] = 17
    return made


def _future() -> ModelProto:
    return model(opset=(("", 999),))


def _cycle() -> ModelProto:
    return model([helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Add", ["a", "a"], ["b"])])


def _reading_rows_together() -> ModelProto:
    nodes = [*model().graph.node[:1], helper.make_node("MatMul", ["f", "w"], ["m"])]
    nodes += [helper.make_node("Softmax", ["m"], ["y"], axis=0)]
    return model(nodes, inputs=(("x", FLOAT, [4, 1, 4, 4]),), outputs=(("y", FLOAT, [4, 3]),))


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty": (raw(b""), "is empty"),
    "text": (raw(b"not a model at all"), "no ONNX"),
    "pickle under another name": (raw(pickle.dumps({"a": 1})), "no ONNX|pickle"),
    "zip under another name": (raw(b"PK\x03\x04" + b"\0" * 60), "no ONNX"),
    "truncated": (_truncated, "no ONNX|no valid"),
    "a folder": (_folder, "no plain file"),
    "nothing there": (lambda folder: folder / "model.onnx", "there is no file"),
    "a symbolic link": (_link, "symbolic link"),
    "a pipe": (_pipe, "no plain file"),
    "data above the folder": (lambda folder: external(folder, location="../weights.bin"), "outside of its folder"),
    "data at an absolute path": (lambda folder: external(folder, location="/etc/passwd"), "outside of its folder"),
    "data behind a link": (_linked_data, "behind a link|link"),
    "data without a place": (external, "outside of its folder"),
    "data that are missing": (lambda folder: external(folder, location="gone.bin"), "there is no file"),
    "data that are too short": (
        lambda folder: external(folder, location="weights.bin", offset="100", length="192"),
        "too short",
    ),
    "data at a negative place": (
        lambda folder: external(folder, location="weights.bin", offset="-8", length="8"),
        "too short",
    ),
    "data of an endless length": (
        lambda folder: external(folder, location="weights.bin", length="9" * 20),
        "too short",
    ),
    "data at no number": (lambda folder: external(folder, location="weights.bin", offset="x"), "no readable place"),
    "data above the folder in a branch": (_nested, "outside of its folder"),
    "operators of others": (_of(_custom), "no engine here knows: com.evil::Evil"),
    "an operator that is none": (_of(lambda: _whole("Frobnicate")), "no valid ONNX graph"),
    "an opset of the future": (_of(_future), "no valid|cannot open"),
    "a weight of another size": (_of(_wrong_size), "no valid|cannot open"),
    "a cycle": (_of(_cycle), "no valid"),
    "two inputs": (
        _of(lambda: model(inputs=(("x", FLOAT, ["n", 1, 4, 4]), ("z", FLOAT, ["n", 2])))),
        "takes 2 inputs",
    ),
    "an output that is no matrix": (
        _of(lambda: model([helper.make_node("Relu", ["x"], ["y"])], outputs=(("y", FLOAT, ["n", 1, 4, 4]),))),
        "0 outputs of one number a class",
    ),
    "rows that depend on each other": (_of(_reading_rows_together), "batches of 4 alone"),
    "labels that are alike": (_of(lambda: model(said={"labels": json.dumps(["a", "a", "b"])})), "alike"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_the_reason_and_the_mend(name: str, tmp_path: Path) -> None:
    write, problem = HOSTILE[name]
    path = write(tmp_path)
    with pytest.raises(GlassworksError, match=problem) as caught:
        read(path)
    assert len(str(caught.value).splitlines()) == 2
    assert caught.value.mend
