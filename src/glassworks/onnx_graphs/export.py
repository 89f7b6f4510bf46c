"""Writes a PyTorch module as an ONNX file whose leading dimensions are free."""

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
    free: int = 1,
) -> None:
    """Export `module(*example)` to `path`; the first `free` dimensions of every input that has them may be of any size.

    The file is self-contained: weights are inside.
    """
    import torch

    sizes = [torch.export.Dim("batch", min=1, max=_LARGEST_BATCH), *[torch.export.Dim.AUTO] * (free - 1)]
    shapes = tuple(dict(enumerate(sizes[: tensor.ndim])) for tensor in example)
    with _quietly():
        program = torch.export.export(module, example, dynamic_shapes=shapes, strict=False)
    write_program(program, path, inputs=inputs, outputs=outputs, example=example)


def write_program(
    program: torch.export.ExportedProgram,
    path: Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    example: tuple[torch.Tensor, ...] = (),
) -> None:
    """Write an exported program to `path`; what is free in it stays free. The file is self-contained."""
    import torch

    with _quietly():
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
