"""Compiles forward and input gradient of a trained network into ONNX graphs, so that servers explain without PyTorch.

`make_fx` traces `torch.autograd.grad` into plain ATen operators, which the ONNX exporter then writes
like any forward graph. Two backward rules are ours: convolution and max-pooling have none that ONNX can express.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Artifact, Differentiable
from glassworks.onnx_graphs.export import write_onnx

if TYPE_CHECKING:
    import torch

Traced = Callable[["torch.Tensor", "torch.Tensor"], tuple["torch.Tensor", "torch.Tensor"]]


def compile_explanations(differentiable: Differentiable, folder: Path) -> tuple[Artifact, ...]:
    """Write `gradient.onnx` and, for networks with a spatial layer, `cam.onnx` into `folder`.

    gradient: image (N ...) or vectors (N T D), target (N) -> scores (N K), gradient (the input's shape).
    cam:      image, target -> scores, map (N h w): ReLU of the activations weighted with the mean
              gradient of each channel (Selvaraju et al. 2017, equations 1 and 2).
    """
    artifacts = [_write(_gradient(differentiable.network), differentiable, folder, "gradient", "gradient")]
    if differentiable.features is not None:
        cam = _cam(differentiable.features, differentiable.head)
        artifacts.append(_write(cam, differentiable, folder, "cam", "map"))
    return tuple(artifacts)


def _gradient(network: torch.nn.Module) -> Traced:
    import torch

    def joint(image: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        image = image.detach().requires_grad_(True)
        scores = network(image)
        (gradient,) = torch.autograd.grad(scores.gather(1, target[:, None]).sum(), image)
        return scores.detach(), gradient

    return joint


def _cam(features: torch.nn.Module, head: torch.nn.Module) -> Traced:
    import torch

    def joint(image: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        activation = features(image).detach().requires_grad_(True)
        scores = head(activation)
        (gradient,) = torch.autograd.grad(scores.gather(1, target[:, None]).sum(), activation)
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        return scores.detach(), torch.relu((weights * activation.detach()).sum(1))

    return joint


def _write(joint: Traced, differentiable: Differentiable, folder: Path, role: str, output: str) -> Artifact:
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    example = differentiable.example
    target = torch.zeros(len(example), dtype=torch.long)
    trace = make_fx(joint, decomposition_table=_decompositions(), tracing_mode="symbolic", _allow_non_fake_inputs=True)
    file = f"{role}.onnx"
    write_onnx(
        trace(example, target),
        (example, target),
        folder / file,
        inputs=("image" if differentiable.free == 1 else "vectors", "target"),
        outputs=("scores", output),
        free=differentiable.free,
    )
    return Artifact(role=role, format="onnx", file=file, runtime="onnxruntime", made_by="compile")


def _decompositions() -> dict[Any, Callable[..., Any]]:
    import torch
    from torch._decomp import core_aten_decompositions

    aten = torch.ops.aten
    return {
        **core_aten_decompositions(),
        aten.convolution_backward.default: _convolution_backward,
        aten.max_pool2d_with_indices_backward.default: _max_pool_backward,
    }


def _convolution_backward(
    grad: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias_sizes: Any,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    mask: list[bool],
) -> tuple[torch.Tensor, None, None]:
    """Only the input's gradient (weights are constants here).

    With stride 1 it is an ordinary convolution with the kernel rotated, which engines run much
    faster than a transposed one; else a transposed convolution whose output padding restores the input's size.
    """
    import torch

    convolution = torch.ops.aten.convolution
    axes = range(weight.ndim - 2)
    reach = [dilation[i] * (weight.shape[2 + i] - 1) for i in axes]
    if all(step == 1 for step in stride) and groups == 1 and all(padding[i] <= reach[i] for i in axes):
        turned = weight.flip(*(2 + i for i in axes)).transpose(0, 1)
        around = [reach[i] - padding[i] for i in axes]
        return convolution(grad, turned, None, stride, around, dilation, False, [0 for _ in axes], 1), None, None
    missing = [x.shape[2 + i] - ((grad.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + reach[i] + 1) for i in axes]
    return convolution(grad, weight, None, stride, padding, dilation, True, missing, groups), None, None


def _max_pool_backward(
    grad: torch.Tensor,
    x: torch.Tensor,
    kernel: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    ceil_mode: bool,
    indices: torch.Tensor,
) -> torch.Tensor:
    """Each gradient goes to the value that was the maximum: the first one in its window, as in PyTorch.

    Where windows do not overlap, their values are compared with the maximum one after the other: plain
    elementwise operators. A scatter, or a pooling that also returns its indices, is many times slower in an engine.
    """
    import torch

    n, c, h, w = x.shape
    disjoint = list(stride or kernel) == list(kernel) and not any(padding) and all(step == 1 for step in dilation)
    if not disjoint or ceil_mode:
        flat = torch.zeros(n, c, h * w, dtype=grad.dtype)
        return flat.scatter_add(2, indices.reshape(n, c, -1), grad.reshape(n, c, -1)).reshape(n, c, h, w)
    rows, columns = grad.shape[2:]
    windows = x[:, :, : rows * kernel[0], : columns * kernel[1]].reshape(n, c, rows, kernel[0], columns, kernel[1])
    values = [windows[:, :, :, i, :, j] for i in range(kernel[0]) for j in range(kernel[1])]
    largest = functools.reduce(torch.maximum, values)
    left, shares = grad, []
    for value in values:
        share = torch.where(value == largest, left, 0.0)
        left = left - share
        shares.append(share)
    spread = torch.stack(shares, dim=-1).reshape(n, c, rows, columns, kernel[0], kernel[1])
    spread = spread.permute(0, 1, 2, 4, 3, 5).reshape(n, c, rows * kernel[0], columns * kernel[1])
    return torch.nn.functional.pad(spread, (0, w - columns * kernel[1], 0, h - rows * kernel[0]))
