"""Vectors of a packaged model that has an output `embedding`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glassworks.contracts import EMBEDDING, Embedder, Opened
from glassworks.errors import ConfigError
from glassworks.optimization.measure import predict_all
from glassworks.packaging.kept_rows import KeptRows
from glassworks.packaging.kept_vectors import KeptVectors
from glassworks.packaging.opened import OpenedBundle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Array


class PackagedEmbedder(Embedder):
    """Computes in fp32, whatever precision the bundle is served in, so that models built upon it see the same vectors.
    With `kept`, none is computed twice, and with `rows` none of a single text.

    Raises ConfigError for a model without vectors.
    """

    def __init__(
        self, opened: OpenedBundle, reference: str, kept: KeptVectors | None = None, rows: KeptRows | None = None
    ) -> None:
        manifest = opened.manifest
        if EMBEDDING not in (spec.name for spec in manifest.signature.outputs):
            raise ConfigError(
                f"model.embedding: the model '{reference}' has no output '{EMBEDDING}'",
                "name one that gives vectors, such as a convnet trained with model.embed = true",
            )
        self.reference, self.task, self.preprocessing = reference, manifest.task, manifest.preprocessing
        roles = {artifact.role for artifact in manifest.artifacts}
        self._role = "reference" if "reference" in roles else "predict"
        self.graph = Opened(
            artifact=next(each for each in manifest.artifacts if each.role == self._role), folder=opened.bundle.folder
        )
        self._opened, self._kept, self._rows = opened, kept, rows

    def embed(self, x: Array) -> NDArray[np.float32]:
        """Vectors (N D) of stored examples (N ...), computed in parts."""
        if self._kept is None:
            return self._computed(x)
        return self._kept.get(f"{self._opened.bundle.sha256} {self._role}", x, lambda: self._computed(x))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._rows is None:
            return self._computed(_objects(texts))
        key = f"{self._opened.bundle.sha256} {self._role}"
        return self._rows.get(key, texts, lambda some: self._computed(_objects(some)))

    def knows(self, texts: Sequence[str]) -> bool:
        from glassworks.text.ngrams import load_tokenizer
        from glassworks.text.signs import knows

        named = self.preprocessing.get("tokenizer")
        return named is not None and knows(load_tokenizer(self.graph.folder / str(named)), texts)

    def _computed(self, x: Array) -> NDArray[np.float32]:
        tensors = self._opened.task.encode(x, self.preprocessing)
        return predict_all(self._opened.session(self._role), tensors, EMBEDDING)


def _objects(texts: Sequence[str]) -> NDArray[np.object_]:
    import numpy as np

    found = np.empty(len(texts), object)
    found[:] = texts
    return found
