"""The mean of the weights over the last part of a run (Izmailov et al. 2018, stochastic weight averaging)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class TailAverage:
    """Keeps the running mean of a network's floating state, normalization statistics included.

    It begins once a run's progress reaches 1 - `tail`; before that `tensors` is empty.
    """

    def __init__(self, network: torch.nn.Module, tail: float) -> None:
        self._begin = 1 - tail
        self._live = {name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()}
        self.tensors: dict[str, torch.Tensor] = {}
        self.count = 0

    def update(self, along: float) -> None:
        """Take the present state into the mean when the run is far enough (`along` in 0..1)."""
        import torch

        if along < self._begin:
            return
        self.count += 1
        if self.count == 1:
            self.tensors = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        else:
            torch._foreach_lerp_(list(self.tensors.values()), list(self._live.values()), 1 / self.count)

    def load(self, tensors: Mapping[str, torch.Tensor], count: int) -> None:
        """Take over a saved mean."""
        self.count = count
        # In the network's order and place: a file keeps neither.
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
