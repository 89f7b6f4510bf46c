"""Texts whose tokens are charged to a key although nothing is written: set aside before, counted after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from glassworks.errors import GlassworksError

if TYPE_CHECKING:
    from glassworks.contracts import Tensors
    from glassworks.serving.core.admission import Admission
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.work import Work
    from glassworks.serving.requests import Call


def charged(
    counts: Sequence[int],
    admission: Admission,
    call: Call,
    model: LoadedModel,
    tensors: Tensors,
    done: Callable[[Work], None],
    timeout_ns: int,
    level: int,
    caller: str | None,
) -> Work:
    """`LoadedModel.submit` for an admitted request of texts with so many tokens each. Raises InputError and
    LimitExceeded where the key may not use them: then the request uses up nothing of its day."""
    held = [admission.tokens(call) for _ in counts]

    def finished(work: Work) -> None:
        for each, count in zip(held, counts, strict=True):
            if work.error is None:
                each.use(count)
            each.close()
        done(work)

    try:
        for each, count in zip(held, counts, strict=True):
            each.reserve(count, 0)
        work = model.submit(tensors, finished, timeout_ns, level, caller)
    except GlassworksError:
        for each in held:
            each.close()
        admission.give_back(call)
        raise
    work.tokens = sum(counts)
    return work
