"""The task of models that write, as `scribe.Scribe` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from glassworks.contracts import Generation
from tests.toy.task import Tensors, ToyTask as _Toy


class Writing(_Toy, Generation):
    """Texts in, texts out, token by token."""

    name: ClassVar[str] = "writing"
    brief: ClassVar[Mapping[str, Any]] = {"max_tokens": 1}

    def answer(self, outputs: Tensors, labels: Sequence[str]) -> list[dict[str, Any]]:
        return [{"generated": text} for text in outputs["generated"]]

    def about(self, preprocessing: Mapping[str, Any]) -> Mapping[str, str]:
        return {}
