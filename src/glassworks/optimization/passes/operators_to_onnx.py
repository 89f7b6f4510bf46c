"""Writes a pipeline of classical operators as an ONNX graph, where each of them can be written exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

_FILE = "predict.onnx"


class OperatorsToOnnx(Pass):
    """The same numbers from the engines that run ONNX; the search measures whether they are quicker than OpenCV."""

    name: ClassVar[str] = "operators_to_onnx"
    accepts: ClassVar[frozenset[str]] = frozenset({"operators"})
    precision: ClassVar[Precision] = "fp32"
    exactness: ClassVar[int] = 24
    needs: ClassVar[tuple[str, ...]] = ("cv2", "onnx")

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        """Raises Unsupported for an operator that ONNX cannot express."""
        from glassworks.imaging.pipeline import from_json
        from glassworks.imaging.stencils import ONNX_TYPES
        from glassworks.onnx_graphs.builder import Builder

        pipeline = from_json(opened.path.read_bytes(), opened.artifact.file)
        graph = Builder("operators")
        kinds = pipeline.picture, pipeline.kind
        shapes = [("rows", "height", "width", kind.channels) for kind in kinds]
        image = graph.input("image", ONNX_TYPES[kinds[0].depth], shapes[0])
        values = [(graph.op("Transpose", image, perm=[0, 3, 1, 2]), kinds[0])]
        for step in pipeline.steps:
            lowered = step.operator.lower(graph, [values[number] for number in step.takes])
            values.append((lowered, step.kind))
        picture = graph.op("Transpose", values[-1][0], perm=[0, 2, 3, 1])
        shape = ("rows", "new_height", "new_width", kinds[1].channels)
        graph.output(picture, "picture", ONNX_TYPES[kinds[1].depth], shape)
        graph.save(opened.folder / _FILE)
        return Artifact(role="predict", format="onnx", file=_FILE, made_by=self.name)
