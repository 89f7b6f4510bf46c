"""Static int8 by ONNX Runtime's own quantizer, whose graphs it computes in int8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision, Value
from glassworks.errors import Unsupported
from glassworks.optimization.passes._graphs import (
    attends,
    leave_floating,
    name_nodes,
    quietly,
    require_not_recurrent,
    with_int8_tables,
    written,
)

if TYPE_CHECKING:
    import onnx

    from glassworks.contracts import Tensors

_METHODS = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
_HISTOGRAM_ROWS = 48
"""Histograms keep every value of every layer in memory until they are computed."""


class OnnxRuntimeInt8(Pass):
    """Quantizes weights (a scale a channel) and activations where ONNX Runtime has integer operators; tables get a
    scale a row.

    `bits` are those of weights: products of 8 are exact with VNNI alone. `ranges` says how those of activations are
    found on the calibration rows, `exclude` how many of the most sensitive layers stay in fp32.
    """

    name: ClassVar[str] = "int8_onnxruntime"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "int8"
    exactness: ClassVar[int] = 7
    space: ClassVar[Mapping[str, tuple[Value, ...]]] = MappingProxyType(
        {"bits": (7, 8), "ranges": ("minmax", "percentile", "entropy"), "exclude": (0, 1, 2, 4, 8)}
    )
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def apply(
        self,
        opened: Opened,
        calibration: Sequence[Tensors],
        *,
        bits: int = 7,
        ranges: str = "minmax",
        exclude: int = 0,
    ) -> Artifact:
        import onnx

        from glassworks.onnx_graphs.rewriting import beside_the_first_output
        from glassworks.optimization.sensitivity import most_sensitive

        model = onnx.load(opened.path)
        require_not_recurrent(model)
        name_nodes(model)
        model = with_int8_tables(model)
        # What is put out beside the answer, such as a distance, is above all asked for pictures unlike those that the
        # ranges come from.
        floating = [*beside_the_first_output(model), *most_sensitive(opened, calibration, exclude)]
        found = _quantized(model, calibration, floating, bits, ranges)
        if not any(node.op_type == "QuantizeLinear" for node in found.graph.node):
            raise Unsupported("ONNX Runtime found nothing to quantize in this graph", "keep the fp32 artifact")
        chosen: dict[str, Value] = {"bits": bits, "ranges": ranges, "exclude": exclude}
        settings = {**opened.artifact.settings, "weight_bits": str(bits)}
        return written(self, found, opened, chosen, runtime="onnxruntime", settings=settings)


def _quantized(
    model: onnx.ModelProto, calibration: Sequence[Tensors], floating: Sequence[str], bits: int, ranges: str
) -> onnx.ModelProto:
    import tempfile
    from pathlib import Path

    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static

    rows = calibration if ranges == "minmax" else calibration[:_HISTOGRAM_ROWS]
    with tempfile.TemporaryDirectory() as folder, quietly():
        quantize_static(
            model,
            Path(folder, "made.onnx"),
            _reader(rows),
            per_channel=True,
            reduce_range=bits == 7,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=list(floating),
            # Rounding sums, normalizations and softmaxes of attention costs more than it saves.
            op_types_to_quantize=["MatMul", "Gemm"] if attends(model) else None,
            calibrate_method=CalibrationMethod[_METHODS[ranges]],
            # An activation must not be left to a rounding that a node in fp32 goes without.
            extra_options={"QDQKeepRemovableActivations": bool(floating)},
        )
        made = onnx.load(Path(folder, "made.onnx"))
    leave_floating(made, floating)
    return made


def _reader(rows: Sequence[Tensors]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc, unused-ignore]
        """Gives one row after the other."""

        def __init__(self) -> None:
            self._rows: Iterator[Tensors] = iter(rows)

        def get_next(self) -> dict[str, Any] | None:
            row = next(self._rows, None)
            return None if row is None else dict(row)

    return Reader()
