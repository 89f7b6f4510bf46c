"""How tasks wait for what work comes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glassworks.serving.core.work import Work
    from glassworks.serving.results import InferResult


def answer(result: asyncio.Future[InferResult], found: InferResult | None, error: Exception | None) -> None:
    """Let who waits have what a request came to."""
    if result.done():  # its waiter went away
        return
    if found is not None:
        result.set_result(found)
    elif error is not None:
        result.set_exception(error)


async def waited(work: Work, result: asyncio.Future[InferResult]) -> InferResult:
    """The result of work, of which nobody takes any when this is cancelled."""
    try:
        return await result
    finally:
        work.dropped = not result.done() or result.cancelled()


async def only(result: InferResult) -> AsyncGenerator[InferResult, None]:
    """An answer in one part."""
    yield result
