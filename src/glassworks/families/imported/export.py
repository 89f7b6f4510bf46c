"""An imported graph as what the gradient compiler traces, where its operators are known."""

from __future__ import annotations

import torch
from torch import nn

from glassworks.contracts import Differentiable, Model
from glassworks.errors import Unsupported
from glassworks.families.imported.graph import scores_value
from glassworks.onnx_graphs.differentiable import OnnxModule

_SMALLEST = 1e-12
_TOLERANCE = 1e-3


class _Logarithms(nn.Module):
    """Of probabilities: scores up to a constant a row."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.network(x).clamp(min=_SMALLEST).log()
        return found


def differentiable(model: Model) -> Differentiable:
    """The scores of the graph. Raises Unsupported where an operator has no gradient here, or where PyTorch computes
    something else than ONNX Runtime on random pixels.
    """
    from glassworks.families.imported.graph import answers

    value, logarithms = scores_value(model.network)
    network: nn.Module = OnnxModule(model.network, value)
    if logarithms:
        network = _Logarithms(network)
    network.eval()
    _, channels, height, width = model.signature.inputs[0].shape
    pixels = torch.randint(0, 256, (2, height, width, channels), generator=torch.Generator().manual_seed(0))
    example = pixels.permute(0, 3, 1, 2).float() / 255
    try:
        with torch.no_grad():
            own = network(example).softmax(dim=1)
    except Unsupported:
        raise
    except Exception as error:  # noqa: BLE001
        # A graph may use a known operator in a way that is not known here; PyTorch raises what it likes then.
        raise _unknown(" ".join(str(error).split())[:120]) from None
    theirs = torch.from_numpy(answers(model.network, pixels.byte().numpy()))
    if own.shape != theirs.shape or not torch.allclose(own, theirs, atol=_TOLERANCE):
        raise _unknown("PyTorch computes something else than ONNX Runtime")
    return Differentiable(network=network, example=example)


def _unknown(reason: str) -> Unsupported:
    return Unsupported(f"no gradient of the imported graph: {reason}", "methods that need predictions alone explain it")
