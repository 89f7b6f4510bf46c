"""Texts whose tokens are charged to a key although nothing is written: set aside before, counted after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from glassworks.errors import GlassworksError

if TYPE_CHECKING:
    from glassworks.contracts import Tensors
    from glassworks.serving.core.admission import Admission
    from glassworks.serving.core.work import Work
    from glassworks.serving.requests import Call

    Done = Callable[[Work], None]
    Submit = Callable[[Tensors, Done, int, int, str | None], Work]


def charged(counts: Sequence[int], admission: Admission, call: Call, submit: Submit) -> Submit:
    """`submit` for an admitted request of texts with so many tokens each.

    It raises InputError and LimitExceeded where the key may not use them: then nothing of its day is used up.
    """

    def charging(tensors: Tensors, done: Done, timeout_ns: int, level: int, caller: str | None) -> Work:
        reserved = [admission.tokens(call) for _ in counts]

        def finished(work: Work) -> None:
            for each, count in zip(reserved, counts, strict=True):
                if work.error is None:
                    each.use(count)
                each.close()
            done(work)

        try:
            for each, count in zip(reserved, counts, strict=True):
                each.reserve(count, 0)
            work = submit(tensors, finished, timeout_ns, level, caller)
            work.tokens = sum(counts)
        except GlassworksError:
            for each in reserved:
                each.close()
            admission.give_back(call)
            raise
        return work

    return charging
