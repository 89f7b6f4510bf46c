"""Parts of a step on several processors at once: each part on a thread of its own, added up in one order.

Threads within each product of matrices wait for the slowest of them at every product: beside other work on two
processors a step of a decoder took six times as long as on one. Parts wait for each other once a step. How many threads
take turns at them changes no bit of their sum.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from glassworks.machine import free_cpus, usable_cpus
from glassworks.storage import write_atomically

if TYPE_CHECKING:
    import torch

THREADS = "threads.json"
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Processors:
    """So many `parts` are computed at once, with so many `threads` each."""

    parts: int = 1
    threads: int = 1

    @classmethod
    def of_run(cls, folder: Path, threads: int | None, most: int) -> Processors:
        """For at most `most` parts: with the job's threads, else those of the machine when the run began: a resumed one
        computes with as many, as sums in other parts differ in their last bits.
        """
        path = folder / THREADS
        if threads is None and path.exists():
            kept = json.loads(path.read_bytes())
            return cls(threads=kept) if isinstance(kept, int) else cls(**kept)
        usable = threads or usable_cpus()
        parts = min(usable, most)
        # Threads within a part are what other work slows down: as many as are free.
        within = usable if threads or usable == parts else free_cpus()
        found = cls(parts=parts, threads=max(1, within // parts))
        if threads is None:
            write_atomically(path, json.dumps(vars(found)).encode())
        return found

    def map(self, calls: Iterable[Callable[[], _T]]) -> Iterator[_T]:
        """What each call returns, in their order; at most `parts` of them are under way or waited for."""
        import torch

        torch.set_num_threads(self.threads)
        if self.parts == 1:
            for call in calls:
                yield call()
            return
        with ThreadPoolExecutor(self.parts, "part", torch.set_num_threads, (self.threads,)) as pool:
            waiting = iter(calls)
            while some := list(islice(waiting, self.parts)):
                yield from pool.map(lambda call: call(), some)

    def differentiated(self, network: torch.nn.Module, losses: Iterable[Callable[[], torch.Tensor]]) -> torch.Tensor:
        """The sum of the losses; the network's parameters have its gradient then."""
        import torch

        wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]

        def gradients(loss: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
            value = loss()
            return value.detach(), torch.autograd.grad(value, wanted, allow_unused=True)

        total = torch.zeros(())
        for value, found in self.map(partial(gradients, loss) for loss in losses):
            total = total.to(value.device) + value
            for parameter, gradient in zip(wanted, found, strict=True):
                if gradient is not None:
                    # A copy: the gradients of two parameters may be one tensor.
                    parameter.grad = gradient.clone() if parameter.grad is None else parameter.grad.add_(gradient)
        return total
