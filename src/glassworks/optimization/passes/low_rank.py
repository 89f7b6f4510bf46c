"""Large matrices as the product of two narrow ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision, Value
from glassworks.errors import Unsupported
from glassworks.optimization.passes._graphs import written

if TYPE_CHECKING:
    import onnx

    from glassworks.contracts import Tensors
    from glassworks.onnx_graphs.rewriting import Floats, Rewriter

_LEAST_SIDE = 64


class LowRank(Pass):
    """The best approximation of that rank of each large matrix of a product (Eckart and Young 1936), where its two
    factors have fewer weights. `energy` is the share of the squared weights that is kept.
    """

    name: ClassVar[str] = "low_rank"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "fp32"
    exactness: ClassVar[int] = 24
    stage: ClassVar[str] = "structure"
    space: ClassVar[Mapping[str, tuple[Value, ...]]] = MappingProxyType({"energy": (0.99, 0.97, 0.95, 0.9)})
    by_itself: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def apply(self, opened: Opened, calibration: Sequence[Tensors], *, energy: float = 0.99) -> Artifact:
        import onnx

        from glassworks.onnx_graphs.rewriting import Rewriter

        def product(g: Rewriter, node: onnx.NodeProto) -> str | None:
            factors = _factors(g.weights(node.input[1]), energy)
            return factors and g.op(
                "MatMul", g.op("MatMul", node.input[0], g.constant(factors[0])), g.constant(factors[1])
            )

        def linear(g: Rewriter, node: onnx.NodeProto) -> str | None:
            """Gemm y = x B' + c, as linear layers are written."""
            given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            matrix = g.weights(node.input[1])
            if matrix is None or {**_LINEAR, **given}.items() - {"transB": 1, **_LINEAR}.items():
                return None
            factors = _factors(matrix.T if given.get("transB") else matrix, energy)
            if factors is None:
                return None
            narrow = g.op("MatMul", node.input[0], g.constant(factors[0]))
            return g.op("Gemm", narrow, g.constant(factors[1]), *node.input[2:])

        found, changed = Rewriter(onnx.load(opened.path)).rewrite({"MatMul": product, "Gemm": linear})
        if not changed:
            raise Unsupported(
                f"no matrix of this graph keeps {energy:.0%} of its squared weights in fewer of them", "lower 'energy'"
            )
        return written(self, found, opened, {"energy": energy}, precision=opened.artifact.precision)


_LINEAR: Mapping[str, Value] = MappingProxyType({"alpha": 1.0, "beta": 1.0, "transA": 0})


def _factors(matrix: Floats | None, energy: float) -> tuple[Floats, Floats] | None:
    """The two factors (m r, r n) of a matrix (m n); None where they would be no smaller."""
    import numpy as np

    if matrix is None or matrix.ndim != 2 or min(matrix.shape) < _LEAST_SIDE:
        return None
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    kept = np.cumsum(np.square(values, dtype=np.float64))
    rank = int(np.searchsorted(kept, energy * kept[-1])) + 1
    if rank * sum(matrix.shape) >= matrix.size:
        return None
    root = np.sqrt(values[:rank])
    return np.ascontiguousarray(left[:, :rank] * root), np.ascontiguousarray(root[:, None] * right[:rank])
