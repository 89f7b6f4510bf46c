"""The same graph with fewer nodes: constants folded, what does nothing left out, neighbors merged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision
from glassworks.errors import Unsupported
from glassworks.optimization.passes._graphs import written

if TYPE_CHECKING:
    import onnx

    from glassworks.contracts import Tensors


class Simplify(Pass):
    """ONNX Runtime's basic optimizations, written into the file: standard operators alone, so that every engine opens
    it and quantizers see merged layers.
    """

    name: ClassVar[str] = "simplify"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "fp32"
    exactness: ClassVar[int] = 24
    stage: ClassVar[str] = "graph"
    by_itself: ClassVar[bool] = False  # engines do the same when they open a graph; what follows gains by it
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        import tempfile
        from pathlib import Path

        import onnx
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.log_severity_level = 4
        before = onnx.load(opened.path)
        with tempfile.TemporaryDirectory() as folder:
            options.optimized_model_filepath = str(Path(folder, "made.onnx"))
            onnxruntime.InferenceSession(str(opened.path), options, providers=["CPUExecutionProvider"])
            model = onnx.load(Path(folder, "made.onnx"))
        used = {node.domain for node in model.graph.node} | {""}
        if used > {node.domain for node in before.graph.node} | {""}:
            raise Unsupported("ONNX Runtime would write operators of its own into this graph", "leave 'simplify' out")
        if len(model.graph.node) >= len(before.graph.node):
            raise Unsupported("there is nothing to simplify in this graph", "leave 'simplify' out")
        _keep_imports(model, used)
        return written(self, model, opened, {}, precision=opened.artifact.precision)


def _keep_imports(model: onnx.ModelProto, used: set[str]) -> None:
    """ONNX Runtime imports all of its domains, which other engines ask about."""
    kept = [each for each in model.opset_import if (each.domain or "") in used or each.domain == "ai.onnx"]
    del model.opset_import[:]
    model.opset_import.extend(kept)
