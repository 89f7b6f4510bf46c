"""Networks with random weights and their exported graphs, for tests of the gradients written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from glassworks.contracts import Artifact, Opened, Session
from glassworks.families.recurrent_text.directions import Weights
from glassworks.families.recurrent_text.graphs import write_embed, write_gradient, write_predict
from glassworks.families.recurrent_text.network import Cell, RecurrentText
from glassworks.runtimes.onnx_runtime import OnnxRuntime

TOKENS, WIDTH, HIDDEN, LABELS, NGRAMS = 40, 6, 5, 3, 20


@dataclass(frozen=True)
class Exported:
    """A network, and its graphs by role."""

    network: RecurrentText
    sessions: dict[str, Session]

    def scores(self, vectors: torch.Tensor) -> torch.Tensor:
        """What `gradient` computes, by PyTorch: vectors (N T D + K) of texts that fill their rows."""
        deep = self.network.classify(vectors[:, :, :WIDTH], torch.full((len(vectors),), vectors.shape[1]))
        said: torch.Tensor = vectors[:, :, WIDTH:].sum(1)
        return self.network.share * deep + said + (1 - self.network.share) * self.network.bias


def exported(cell: Cell, folder: Path, seed: int = 0) -> Exported:
    """Weights large enough that gates are neither open nor shut."""
    torch.manual_seed(seed)
    network = RecurrentText(TOKENS, WIDTH, HIDDEN, LABELS, cell, dropout=0.3, ngrams=NGRAMS).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.6)
        network.embedding.weight[0] = 0
        network.says.normal_()
        network.says[:, -1].square_()
        network.says[0] = 0
        network.bias.normal_()
        network.share.fill_(0.7)
    weights = Weights(network)
    for role, write in (("predict", write_predict), ("embed", write_embed), ("gradient", write_gradient)):
        write(weights, folder / f"{role}.onnx")
    sessions = {
        role: OnnxRuntime().open(
            Opened(artifact=Artifact(role=role, format="onnx", file=f"{role}.onnx"), folder=folder)
        )
        for role in ("predict", "embed", "gradient")
    }
    return Exported(network, sessions)
