"""What all families of decoders do alike."""

from __future__ import annotations

import copy
from abc import ABC
from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Artifact, Differentiable, Family, Model, Opened
from glassworks.errors import Unsupported


class DecoderFamily(Family, ABC):
    """A family whose network is a `Brought` decoder."""

    task: ClassVar[str] = "text-generation"

    base: Opened | None = None
    """The registered model to begin with."""

    def continuing(self, exported: Opened) -> Family:
        found = copy.copy(self)
        found.base = exported
        return found

    def export(self, model: Model, folder: Path) -> Artifact:
        from glassworks.families._language.bringing import export

        return export(model, folder)

    def differentiable(self, model: Model) -> Differentiable:
        raise Unsupported("the served graph of a language model has no gradient", "explain it by its predictions")
