"""What was used, for whoever used it: `/v2/usage`."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import parse_qs

from glassworks.errors import InputError
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_USAGE = Schema("Usage", {"type": "object", "properties": {"usage": {"type": "array", "items": {"type": "object"}}}})


class Usage(Protocol):
    """Over the ledger, by day, key, model, version and verb."""

    def __init__(self, context: Context) -> None:
        self._admission = context.dispatcher.admission

    @endpoint("GET", "/v2/usage", "usage", "Requests, rows, tokens and compute time of your key.", gives=_USAGE)
    async def usage(self, exchange: Exchange) -> Answer:
        """GET /v2/usage?day=YYYY-MM-DD: of the key that asks; of all keys for one with the role `admin`."""
        query = parse_qs(exchange.target.partition(b"?")[2].decode("latin-1"))
        day = query.get("day", [None])[-1]
        if day is not None and not _DAY.fullmatch(day):
            raise InputError("day is no day", "give one as YYYY-MM-DD, such as 2026-01-31")
        found = await asyncio.to_thread(self._admission.usage, token(exchange), day)
        return json_answer({"usage": [total.model_dump(mode="json") for total in found]})
