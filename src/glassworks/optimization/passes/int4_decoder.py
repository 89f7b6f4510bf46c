"""Weights of a language model in int4, corrected by what texts make of them; a third of the size, and other answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


class Int4Decoder(Pass):
    """Asymmetric, a scale and zero point a group of weights, scales estimated on the calibration texts; the table of
    tokens and the last product in int8. A model that was 4 bits before loses a good part of what it knows.
    """

    name: ClassVar[str] = "int4_decoder"
    accepts: ClassVar[frozenset[str]] = frozenset({"decoder"})
    precision: ClassVar[Precision] = "int4"
    exactness: ClassVar[int] = 3
    needs: ClassVar[tuple[str, ...]] = ("nncf", "openvino")

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        from glassworks.optimization.decoder_weights import compressed, group_size, require_whole, rows

        require_whole(opened)
        options = {"dataset": rows(calibration), "group_size": group_size(opened), "scale_estimation": True}
        return compressed(opened, self.name, self.precision, "INT4_ASYM", **options)
