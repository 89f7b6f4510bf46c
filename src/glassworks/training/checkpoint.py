"""Atomic, complete checkpoints: weights, averages, optimizer, sampler, random state and counters in one file.

The file is safetensors (no pickle): tensors under dotted names, everything else as JSON in its header.
It is written beside its place, synced and renamed, so that a kill at any moment leaves the old or the new one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.errors import TrainingError
from glassworks.storage import write_atomically

if TYPE_CHECKING:
    import torch


def save_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], values: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able values to `path`, all or nothing. Raises StorageError."""
    from safetensors.torch import save

    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(flat, metadata={"values": json.dumps(values)}))


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What `save_checkpoint` wrote. Raises TrainingError for a file that is not a checkpoint."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            values: dict[str, Any] = json.loads((file.metadata() or {})["values"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise TrainingError(
            f"the checkpoint {path} cannot be read: {error}", "train again with --fresh to start from the beginning"
        ) from None
    return tensors, values


def pack_optimizers(
    optimizers: Sequence[torch.optim.Optimizer],
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Their states as flat tensors and numbers, named `OPTIMIZER.PARAMETER.NAME`."""
    import torch

    tensors, numbers = {}, {}
    for place, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"{place}.{index}.{name}"] = value
                elif value is not None:
                    numbers[f"{place}.{index}.{name}"] = value
    return tensors, numbers


def unpack_optimizers(
    optimizers: Sequence[torch.optim.Optimizer], tensors: Mapping[str, torch.Tensor], numbers: Mapping[str, float]
) -> None:
    """Put back what `pack_optimizers` took."""
    states: list[dict[int, dict[str, Any]]] = [{} for _ in optimizers]
    for key, value in {**tensors, **numbers}.items():
        place, index, name = key.split(".", 2)
        states[int(place)].setdefault(int(index), {})[name] = value
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def weights_sha256(network: torch.nn.Module) -> str:
    """SHA-256 over every tensor of the network, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
