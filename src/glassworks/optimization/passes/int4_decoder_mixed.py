"""Weights of a language model in int4 where that matters least, else in int8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

_RATIO = 0.5
"""Of the weights between the table of tokens and the last product, this share is in int4."""


class Int4DecoderMixed(Pass):
    """As `int4_decoder`, for the products whose inputs vary least on the calibration texts."""

    name: ClassVar[str] = "int4_decoder_mixed"
    accepts: ClassVar[frozenset[str]] = frozenset({"decoder"})
    precision: ClassVar[Precision] = "int4"
    exactness: ClassVar[int] = 3
    needs: ClassVar[tuple[str, ...]] = ("nncf", "openvino")

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        from glassworks.optimization.decoder_weights import compressed, group_size, require_whole, rows

        require_whole(opened)
        return compressed(
            opened,
            self.name,
            self.precision,
            "INT4_ASYM",
            dataset=rows(calibration),
            group_size=group_size(opened),
            scale_estimation=True,
            ratio=_RATIO,
            sensitivity_metric="MAX_ACTIVATION_VARIANCE",
        )
