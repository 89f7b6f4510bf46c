"""Reads networks of one product from a list of classes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Imported, Importer


class ToyImporter(Importer):
    """The sums of a picture's pixels, each with a weight of its own for each class."""

    name: ClassVar[str] = "toy_importer"
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def reads(self, path: Path) -> bool:
        return path.suffix == ".toy"

    def read(self, path: Path) -> Imported:
        import numpy as np
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        labels = tuple(path.read_text(encoding="utf-8").split())
        weights = np.arange(4 * len(labels), dtype=np.float32).reshape(4, -1)
        graph = helper.make_graph(
            [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])],
            "toy",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 2, 2])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(labels)])],
            [numpy_helper.from_array(weights, "w")],
        )
        onnx.checker.check_model(model := helper.make_model(graph))
        return Imported(form=self.name, graph=model, labels=labels, scores=True)
