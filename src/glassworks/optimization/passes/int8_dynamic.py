"""int8 products whose ranges are found at each call: the quickest form of a transformer in ONNX Runtime.

The library's own quantizer takes one range for a whole call, so that an answer depends on what else is in the batch, by
up to a fifth of a logit in a small BERT; with a range a row (as in Dettmers et al. 2022, section 3) it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision, Value
from glassworks.errors import Unsupported
from glassworks.optimization.passes._graphs import (
    kinds,
    name_nodes,
    require_not_recurrent,
    written,
)

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


class DynamicInt8(Pass):
    """Weights of matrix products in int8, a scale a channel, and tables with a scale a row; each row of activations
    gets its own range at each call.
    """

    name: ClassVar[str] = "int8_dynamic"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "int8"
    exactness: ClassVar[int] = 7
    space: ClassVar[Mapping[str, tuple[Value, ...]]] = MappingProxyType({"bits": (7, 8), "exclude": (0, 1, 2, 4, 8)})
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def apply(self, opened: Opened, calibration: Sequence[Tensors], *, bits: int = 7, exclude: int = 0) -> Artifact:
        import onnx

        from glassworks.onnx_graphs.rewriting import Rewriter, beside_the_first_output
        from glassworks.optimization.integer_layers import gather, product
        from glassworks.optimization.sensitivity import most_sensitive

        model = onnx.load(opened.path)
        require_not_recurrent(model)
        if kinds(model) & {"Conv", "ConvTranspose"}:
            mend = "use the pass 'int8_onnxruntime' or 'int8'"
            raise Unsupported("convolutions with ranges found at each call are several times slower than fp32", mend)
        name_nodes(model)
        floating = [*beside_the_first_output(model), *most_sensitive(opened, calibration, exclude)]
        rule = partial(product, bits=bits, floating=floating, least=1)
        found, changed = Rewriter(model).rewrite({"Gather": gather, "MatMul": rule})
        if "MatMul" not in changed:
            raise Unsupported("this graph has no product with constant weights", "keep the fp32 artifact")
        chosen: dict[str, Value] = {"bits": bits, "exclude": exclude}
        settings = {**opened.artifact.settings, "weight_bits": str(bits)}
        return written(self, found, opened, chosen, runtime="onnxruntime", settings=settings)
