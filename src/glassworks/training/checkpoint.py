"""Atomic, complete checkpoints: weights, their average, optimizers, sampler, random state and counters in one file.

The file is safetensors (no pickle): tensors under dotted names, everything else as JSON in its header.
It is written beside its path, synced and renamed, so that a kill at any moment leaves the old or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.errors import TrainingError
from glassworks.storage import write_atomically

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class Counters:
    """How far a run is, and what it has measured."""

    step: int = 0
    epoch: int = 0
    spent_s: float = 0.0
    best: float = -math.inf
    best_epoch: int = -1
    stopped: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


class RunState:
    """Everything that decides how a run of `total` steps goes on, beside PyTorch's own random state.

    `order` holds the examples of the present epoch, `best` the weights that validation liked best.
    """

    def __init__(
        self, network: torch.nn.Module, optimizers: Sequence[torch.optim.Optimizer], tail: float, total: int
    ) -> None:
        import torch

        self.network, self.optimizers, self.total = network, optimizers, total
        self.average = TailAverage(network, tail)
        self.counters = Counters()
        self.order = torch.empty(0, dtype=torch.int64)
        self.best: dict[str, torch.Tensor] = {}

    def remember_best(self) -> None:
        """Keep the present weights, averaged ones where there are any."""
        source = {**self.network.state_dict(), **self.average.tensors}
        self.best = {name: tensor.detach().clone() for name, tensor in source.items()}

    def finish(self) -> None:
        """Leave the final weights in the network: the best, the averaged, or the last."""
        if self.best:
            self.network.load_state_dict(self.best)
        else:
            self.average.copy_into_network()
        self.network.eval()

    def save(self, path: Path, spent_s: float) -> None:
        """Write everything, all or nothing. Raises StorageError."""
        import torch

        tensors, numbers = pack_optimizers(self.optimizers)
        parts: dict[str, Mapping[str, torch.Tensor]] = {
            "network": self.network.state_dict(),
            "optimizer": tensors,
            "average": self.average.tensors,
            "best": self.best,
            "sampler": {"order": self.order, "random": torch.get_rng_state()},
        }
        flat = {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        best = None if math.isinf(self.counters.best) else self.counters.best
        values = {**vars(self.counters), "spent_s": spent_s, "best": best}
        save_checkpoint(path, flat, {**values, "numbers": numbers, "total": self.total, "averaged": self.average.count})

    def load(self, path: Path) -> None:
        """Take up what `save` wrote, the random state too. Raises TrainingError."""
        flat, values = load_checkpoint(path)
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in flat.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = tensor
        with _of_this_version(path):
            self._take_up(parts, values, path)

    def _take_up(self, parts: Mapping[str, dict[str, torch.Tensor]], values: dict[str, Any], path: Path) -> None:
        import torch

        numbers, averaged = values.pop("numbers"), values.pop("averaged")
        if values.pop("total") != self.total:
            raise TrainingError(f"{path} belongs to another plan", "give the same command, or --fresh to start again")
        values["best"] = -math.inf if values["best"] is None else values["best"]
        self.counters = Counters(**values)
        self.network.load_state_dict(parts["network"])
        unpack_optimizers(self.optimizers, parts.get("optimizer", {}), numbers)
        self.average.load(parts.get("average", {}), averaged)
        self.best = parts.get("best", {})
        self.order = parts["sampler"]["order"]
        torch.set_rng_state(parts["sampler"]["random"])


class TailAverage:
    """The mean of a network's floating state over the last part of a run, normalization statistics included.

    Stochastic weight averaging (Izmailov et al. 2018). It begins once the run has come to 1 - `tail`; before that
    `tensors` is empty.
    """

    def __init__(self, network: torch.nn.Module, tail: float) -> None:
        self._begin = 1 - tail
        self._live = {name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()}
        self.tensors: dict[str, torch.Tensor] = {}
        self.count = 0

    def update(self, fraction: float) -> None:
        """Take the present state into the mean when the run is far enough (`fraction` done, in 0..1)."""
        import torch

        if fraction < self._begin:
            return
        self.count += 1
        if self.count == 1:
            self.tensors = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        else:
            torch._foreach_lerp_(list(self.tensors.values()), list(self._live.values()), 1 / self.count)

    def load(self, tensors: Mapping[str, torch.Tensor], count: int) -> None:
        """Take over a saved mean."""
        self.count = count
        # In the network's order and on its device: a file keeps neither.
        self.tensors = {name: tensors[name].to(live.device) for name, live in self._live.items() if name in tensors}

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """The network computes with the mean within this block; unchanged while there is none."""
        kept = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        self.copy_into_network()
        try:
            yield
        finally:
            self._copy(kept)

    def copy_into_network(self) -> None:
        """Make the mean the network's state, if there is one."""
        self._copy(self.tensors)

    def _copy(self, tensors: Mapping[str, torch.Tensor]) -> None:
        import torch

        with torch.no_grad():
            for name, tensor in tensors.items():
                self._live[name].copy_(tensor)


_LAYOUT = 1
"""Of what is in a checkpoint: another number where another version would misread it."""
_FRESH = "begin again with --fresh, or go on with the version that wrote it"


@contextlib.contextmanager
def _of_this_version(path: Path) -> Iterator[None]:
    """Raises TrainingError where a checkpoint lacks what this version looks for, or has it in another form."""
    try:
        yield
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise TrainingError(f"{path} was written by another version of Glassworks ({what})", _FRESH) from None


def load_network(path: Path, network: torch.nn.Module, *wanted: str) -> dict[str, Any]:
    """Give a network the weights that `save_checkpoint` wrote; the values that are wanted. Raises TrainingError."""
    tensors, values = load_checkpoint(path)
    with _of_this_version(path):
        network.load_state_dict(tensors)
        return {name: values[name] for name in wanted}


def save_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], values: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able values to `path`, all or nothing. Raises StorageError."""
    from safetensors.torch import save

    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(flat, metadata={"values": json.dumps(values), "layout": str(_LAYOUT)}))


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What `save_checkpoint` wrote. Raises TrainingError for a file that is not a checkpoint."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            described = file.metadata() or {}
            values: dict[str, Any] = json.loads(described["values"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise TrainingError(
            f"the checkpoint {path} cannot be read: {error}", "train again with --fresh to start from the beginning"
        ) from None
    if described.get("layout", "1") != str(_LAYOUT):
        raise TrainingError(f"{path} was written by another version of Glassworks", _FRESH)
    return tensors, values


def pack_optimizers(
    optimizers: Sequence[torch.optim.Optimizer],
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Their states as flat tensors and numbers, named `OPTIMIZER.PARAMETER.NAME`."""
    import torch

    tensors, numbers = {}, {}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"{number}.{index}.{name}"] = value
                elif value is not None:
                    numbers[f"{number}.{index}.{name}"] = value
    return tensors, numbers


def unpack_optimizers(
    optimizers: Sequence[torch.optim.Optimizer], tensors: Mapping[str, torch.Tensor], numbers: Mapping[str, float]
) -> None:
    """Put back what `pack_optimizers` took."""
    states: list[dict[int, dict[str, Any]]] = [{} for _ in optimizers]
    for key, value in {**tensors, **numbers}.items():
        number, index, name = key.split(".", 2)
        states[int(number)].setdefault(int(index), {})[name] = value
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def weights_sha256(network: torch.nn.Module) -> str:
    """SHA-256 over every tensor of the network, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
