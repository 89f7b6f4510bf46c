"""Statistics: what the models in service answer, now and once a second."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from glassworks.control.access import Controlled, Viewer, lasting
from glassworks.control.events import STREAM, Sent, streamed
from glassworks.control.sampling import Snapshot
from glassworks.control.state import Control

router = APIRouter(prefix="/statistics", tags=["statistics"])


@router.get("")
def get_statistics(control: Controlled, caller: Viewer) -> Snapshot:
    """What all models in service have answered, and at what rate; rates are known from a second look on."""
    return control.sampler.look()


@router.get("/stream", responses=STREAM, response_class=StreamingResponse)
async def stream_statistics(control: Controlled, caller: Viewer) -> StreamingResponse:
    """The same once a second; each event is a whole snapshot."""
    return streamed(_followed(control), lasting(control, caller))


async def _followed(control: Control) -> AsyncIterator[Sent | None]:
    async for found in control.sampler.watched.follow():
        yield None if found is None else Sent(int(found.at * 1000), "statistics", found.model_dump(mode="json"))
