"""Batches of requests as OpenAI's clients make them: `/v1/batches`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassworks.durations import parse_duration
from glassworks.errors import InputError
from glassworks.serving.batches.records import ENDPOINTS, Batch
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.answering import object_of
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.protocols._paging import kept, limit_of, page, query
from glassworks.serving.protocols.openai_files import lasts
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

_ONE = "/v1/batches/{batch}"
_LONGEST_S = 7 * 86_400
_BATCH = Schema("Batch", {"type": "object", "required": ["id", "object", "endpoint", "status", "request_counts"]})
_BATCHES = Schema("Batches", {"type": "object", "required": ["object", "data", "has_more"]})
_REQUEST = Schema(
    "BatchRequest",
    {
        "type": "object",
        "required": ["input_file_id", "endpoint", "completion_window"],
        "additionalProperties": False,
        "properties": {
            "input_file_id": {"type": "string"},
            "endpoint": {"enum": list(ENDPOINTS)},
            "completion_window": {"type": "string"},
            "metadata": {"type": ["object", "null"]},
            "output_expires_after": {"type": ["object", "null"]},
        },
    },
)


class OpenAIBatches(Protocol):
    """Over the batches of a server; each is seen by the key that made it alone."""

    def __init__(self, context: Context) -> None:
        self._context, self._admission = context, context.dispatcher.admission

    @endpoint("POST", "/v1/batches", "createBatch", "Answer the requests of a file.", takes=_REQUEST, gives=_BATCH)
    async def create(self, exchange: Exchange) -> Answer:
        """POST /v1/batches"""
        batches, owner = kept(self._context), self._admission.owner(token(exchange))
        draft = _draft(await object_of(self._context.dispatcher, exchange), batches.new_id(), owner, batches.now())

        def create() -> Batch:
            try:
                return batches.create(owner, draft)
            except InputError as error:
                raise WrongParameter(error.problem, error.mend, "input_file_id") from None

        batch = await batches.thread.run(create, owner)
        batches.look()
        return json_answer(batch.public())

    @endpoint("GET", "/v1/batches", "batches", "The batches of the key.", gives=_BATCHES)
    async def list(self, exchange: Exchange) -> Answer:
        """GET /v1/batches?limit=&after="""
        batches, owner = kept(self._context), self._admission.owner(token(exchange))
        asked = query(exchange, "limit", "after")
        limit = limit_of(asked, 20, 100)
        found, more = await batches.thread.run(lambda: batches.store.page(owner, limit, asked.get("after")), owner)
        return page([batches.seen(each).public() for each in found], more)

    @endpoint("GET", _ONE, "batch", "How far a batch is.", gives=_BATCH)
    async def retrieve(self, exchange: Exchange) -> Answer:
        """GET /v1/batches/{batch}"""
        batches, owner = kept(self._context), self._admission.owner(token(exchange))
        identity = exchange.parameters["batch"]
        batch = await batches.thread.run(lambda: batches.store.get(owner, identity), owner)
        return json_answer(batches.seen(batch).public())

    @endpoint("POST", _ONE + "/cancel", "cancelBatch", "End a batch; what was answered is kept.", gives=_BATCH)
    async def cancel(self, exchange: Exchange) -> Answer:
        """POST /v1/batches/{batch}/cancel"""
        batches, owner = kept(self._context), self._admission.owner(token(exchange))
        identity = exchange.parameters["batch"]
        batch = await batches.thread.run(lambda: batches.cancel(owner, identity), owner)
        batches.look()
        return json_answer(batches.seen(batch).public())


def _draft(content: Mapping[str, Any], identity: str, owner: str, now: int) -> Batch:
    """What is asked for. Raises WrongParameter."""
    fields = Fields(content)
    path = _text(fields, "endpoint", f"give one of: {', '.join(ENDPOINTS)}")
    if path not in ENDPOINTS:
        raise fields.wrong("endpoint", path, f"give one of: {', '.join(ENDPOINTS)}")
    window = _text(fields, "completion_window", "give 24h")
    batch = Batch(
        id=identity,
        owner=owner,
        endpoint=path,
        input_file_id=_text(fields, "input_file_id", "give the id of a file with the purpose 'batch'"),
        completion_window=window,
        status="validating",
        created_at=now,
        expires_at=now + _seconds(window),
        metadata=fields.metadata(),
        output_expires_s=_lasts(fields.take("output_expires_after")),
    )
    fields.end()
    return batch


def _text(fields: Fields, name: str, mend: str) -> str:
    value = fields.needed(name, mend)
    if not isinstance(value, str) or not value:
        raise fields.wrong(name, value, mend)
    return value


def _seconds(window: str) -> int:
    try:
        seconds = parse_duration(window)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= _LONGEST_S:
        mend = "give 24h, or another time from 1s to 168h"
        raise WrongParameter(f"completion_window is {window[:40]!r}", mend, "completion_window")
    return int(seconds)


def _lasts(value: Any) -> int | None:
    if value is not None and not isinstance(value, dict):
        mend = 'give {"anchor": "created_at", "seconds": N}'
        raise WrongParameter(f"output_expires_after is {value!r:.100}", mend, "output_expires_after")
    return lasts(value or {}, "output_expires_after")
