"""Writes a PyTorch module as an ONNX file with a dynamic batch dimension."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

OPSET = 20
"""Has Gelu and layer normalization as single operators; read by every engine we use."""
_LARGEST_BATCH = 65_536


def write_onnx(
    module: torch.nn.Module,
    example: tuple[torch.Tensor, ...],
    path: Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> None:
    """Export `module(*example)` to `path`; the first dimension of every input is free.

    The file is self-contained: weights are inside.
    """
    import torch

    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    free = tuple({0: batch} for _ in example)
    with _quietly():
        program = torch.export.export(module, example, dynamic_shapes=free, strict=False)
        torch.onnx.export(
            program,
            example,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter tells its life on stdout and in warnings; none of it is for users."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
