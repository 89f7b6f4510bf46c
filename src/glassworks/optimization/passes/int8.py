"""Static int8 quantization of weights and activations with NNCF (Jacob et al. 2018, section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision, Value
from glassworks.errors import Unsupported
from glassworks.optimization.passes._graphs import attends, leave_floating, name_nodes, require_not_recurrent, written
from glassworks.optimization.quiet_nncf import quiet_nncf

if TYPE_CHECKING:
    import onnx

    from glassworks.contracts import Tensors


class StaticInt8(Pass):
    """Quantizes an ONNX graph by NNCF, for OpenVINO: ONNX Runtime computes few of its layers in int8.

    `ranges` says how those of activations are found on the calibration rows, `bias` how well the biases of layers make
    up for rounding; `activations` may have ranges that are not symmetric (`mixed`), and `exclude` of the most sensitive
    layers stay in fp32.
    """

    name: ClassVar[str] = "int8"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "int8"
    exactness: ClassVar[int] = 7
    space: ClassVar[Mapping[str, tuple[Value, ...]]] = MappingProxyType(
        {
            "ranges": ("minmax", "percentile"),
            "bias": ("fast", "full"),
            "activations": ("symmetric", "mixed"),
            "exclude": (0, 1, 2, 4, 8),
        }
    )
    needs: ClassVar[tuple[str, ...]] = ("nncf", "onnx")

    def apply(
        self,
        opened: Opened,
        calibration: Sequence[Tensors],
        *,
        ranges: str = "minmax",
        bias: str = "fast",
        activations: str = "symmetric",
        exclude: int = 0,
    ) -> Artifact:
        import onnx

        from glassworks.onnx_graphs.rewriting import beside_the_first_output
        from glassworks.optimization.sensitivity import most_sensitive

        model = onnx.load(opened.path)
        require_not_recurrent(model)
        name_nodes(model)
        # What is put out beside the answer, such as a distance, is above all asked for pictures unlike those that the
        # ranges come from.
        floating = [*beside_the_first_output(model), *most_sensitive(opened, calibration, exclude)]
        graph = _quantized(model, calibration, floating, ranges, bias, activations)
        leave_floating(graph, floating)
        if not any(node.op_type == "QuantizeLinear" for node in graph.graph.node):
            raise Unsupported("int8 found nothing to quantize in this graph", "keep the fp32 artifact")
        chosen: dict[str, Value] = {"ranges": ranges, "bias": bias, "activations": activations, "exclude": exclude}
        settings = {**opened.artifact.settings, "weight_bits": "7"}
        return written(self, graph, opened, chosen, runtime="openvino", settings=settings)


def _quantized(
    model: onnx.ModelProto,
    calibration: Sequence[Tensors],
    floating: Sequence[str],
    ranges: str,
    bias: str,
    activations: str,
) -> onnx.ModelProto:
    """Weights have 7 bits: without VNNI engines add products in 16 bits, which those of 8 overflow, and a model may be
    served by an older processor than the one it was made on. Nodes in `floating` stay as they are.
    """
    with quiet_nncf() as nncf:
        more: dict[str, Any] = {}
        if ranges == "percentile":
            more["activations_range_estimator_params"] = _percentiles()
        presets = nncf.QuantizationPreset
        found: onnx.ModelProto = nncf.quantize(
            model,
            nncf.Dataset(list(calibration)),
            subset_size=len(calibration),
            target_device=nncf.TargetDevice.CPU,
            model_type=nncf.ModelType.TRANSFORMER if attends(model) else None,
            preset=presets.MIXED if activations == "mixed" else None,
            fast_bias_correction=bias == "fast",
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE, **more),
            ignored_scope=nncf.IgnoredScope(names=list(floating), validate=False),
        )
        return found


def _percentiles() -> Any:
    """The mean over rows of the 0.1st and the 99.9th percentile, in place of the smallest and the largest value."""
    from nncf.quantization.range_estimator import (
        AggregatorType,
        RangeEstimatorParameters,
        StatisticsCollectorParameters,
        StatisticsType,
    )

    low, high = (
        StatisticsCollectorParameters(
            statistics_type=StatisticsType.QUANTILE,
            aggregator_type=AggregatorType.MEAN,
            quantile_outlier_prob=0.001,
        )
        for _ in range(2)
    )
    return RangeEstimatorParameters(min=low, max=high)
