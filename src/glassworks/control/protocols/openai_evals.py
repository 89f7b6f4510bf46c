"""Evals as OpenAI's clients define, run and read them: `/v1/evals`. Runs are those of the registry's queue."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from glassworks.errors import InputError, NotFound
from glassworks.evals.definitions import evaluation, name_of
from glassworks.evals.making import Making
from glassworks.evals.records import STATUSES, EvaluationRun
from glassworks.evals.service import Evaluations
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.protocols._openai.answering import object_of
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.protocols._paging import limit_of, one_of, page, query
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

if TYPE_CHECKING:
    from glassworks.evals.store import EvaluationStore

_T = TypeVar("_T")
_ALL, _ONE = "/v1/evals", "/v1/evals/{eval}"
_RUNS, _RUN = f"{_ONE}/runs", f"{_ONE}/runs/{{run}}"
_ITEMS, _ITEM = f"{_RUN}/output_items", f"{_RUN}/output_items/{{item}}"
_EVAL = Schema("Eval", {"type": "object", "required": ["id", "object", "name", "testing_criteria"]})
_EVAL_RUN = Schema("EvalRun", {"type": "object", "required": ["id", "object", "eval_id", "status", "result_counts"]})
_OUTPUT = Schema("EvalOutputItem", {"type": "object", "required": ["id", "object", "status", "results", "sample"]})
_LIST = Schema("EvalList", {"type": "object", "required": ["object", "data", "has_more"]})
_DRAFT = Schema("EvalRequest", {"type": "object", "required": ["data_source_config", "testing_criteria"]})
_CHANGES = Schema("EvalChanges", {"type": "object"}, optional=True)
_ASKED = Schema("EvalRunRequest", {"type": "object", "required": ["data_source"]})
_FILTERS: Mapping[str, tuple[str, ...]] = {
    "pass": ("pass",), "fail": ("fail",), "failed": ("fail",), "error": ("error",)
}  # fmt: skip


class OpenAIEvals(Protocol):
    """Over the evals of a registry; each is seen by the key that made it alone."""

    def __init__(self, context: Context) -> None:
        self._context, self._admission = context, context.dispatcher.admission
        self._evaluations: Evaluations | None = None
        if context.registry is not None and context.batches is not None:
            background, supervisor = context.batches.background, context.dispatcher.models.supervisor
            self._evaluations = Evaluations(context.registry, background, supervisor)
            context.companions.append(self._evaluations)

    @endpoint("POST", _ALL, "createEval", "Define what is evaluated, and by which graders.", takes=_DRAFT, gives=_EVAL)
    async def create(self, exchange: Exchange) -> Answer:
        """POST /v1/evals"""
        owner, content = self._owner(exchange), await object_of(self._context.dispatcher, exchange)
        draft = evaluation(content, f"eval_{secrets.token_hex(16)}", owner, int(time.time()))
        self._making(exchange).require_judges(draft)
        return json_answer((await self._on(lambda store: store.add(draft), owner)).public())

    @endpoint("GET", _ALL, "evals", "The evals of the key.", gives=_LIST)
    async def list(self, exchange: Exchange) -> Answer:
        """GET /v1/evals?limit=&after=&order=&order_by="""
        owner, asked = self._owner(exchange), query(exchange, "limit", "after", "order", "order_by")
        limit, ascending = limit_of(asked, 20, 100), _ascending(asked)
        by = one_of(asked, "order_by", "created_at", "updated_at") == "updated_at"
        found, more = await self._on(lambda store: store.page(owner, limit, asked.get("after"), ascending, by), owner)
        return page([each.public() for each in found], more)

    @endpoint("GET", _ONE, "eval", "An eval.", gives=_EVAL)
    async def retrieve(self, exchange: Exchange) -> Answer:
        """GET /v1/evals/{eval}"""
        owner, identity = self._owner(exchange), exchange.parameters["eval"]
        return json_answer((await self._on(lambda store: store.get(owner, identity), owner)).public())

    @endpoint("POST", _ONE, "updateEval", "Change name and metadata of an eval.", takes=_CHANGES, gives=_EVAL)
    async def update(self, exchange: Exchange) -> Answer:
        """POST /v1/evals/{eval}"""
        owner, identity = self._owner(exchange), exchange.parameters["eval"]
        fields = Fields(await object_of(self._context.dispatcher, exchange))
        changes: dict[str, Any] = {"updated_at": int(time.time())}
        if name := name_of(fields, ""):
            changes["name"] = name
        if (metadata := fields.metadata()) is not None:
            changes["metadata"] = metadata
        fields.end()
        changed = await self._on(
            lambda store: store.change(owner, identity, lambda each: each.model_copy(update=changes)), owner
        )
        return json_answer(changed.public())

    @endpoint("DELETE", _ONE, "deleteEval", "Forget an eval and its runs, which are cancelled.")
    async def delete(self, exchange: Exchange) -> Answer:
        """DELETE /v1/evals/{eval}"""
        owner, identity = self._owner(exchange), exchange.parameters["eval"]
        making = self._making(exchange)
        await self._on(lambda store: making.forget(store.delete(owner, identity)), owner)
        return json_answer({"object": "eval.deleted", "deleted": True, "eval_id": identity})

    @endpoint("POST", _RUNS, "createEvalRun", "Evaluate: a run is queued.", takes=_ASKED, gives=_EVAL_RUN)
    async def create_run(self, exchange: Exchange) -> Answer:
        """POST /v1/evals/{eval}/runs"""
        owner, identity, making = self._owner(exchange), exchange.parameters["eval"], self._making(exchange)
        content = await object_of(self._context.dispatcher, exchange)
        found = await self._on(lambda store: store.get(owner, identity), owner)
        run = await making.run(found, content, int(time.time()))
        self._needed().look()
        return json_answer(run.public(_console(exchange)))

    @endpoint("GET", _RUNS, "evalRuns", "The runs of an eval.", gives=_LIST)
    async def list_runs(self, exchange: Exchange) -> Answer:
        """GET /v1/evals/{eval}/runs?limit=&after=&order=&status="""
        owner, identity = self._owner(exchange), exchange.parameters["eval"]
        asked = query(exchange, "limit", "after", "order", "status")
        limit, ascending = limit_of(asked, 20, 100), _ascending(asked, "asc")
        status = one_of(asked, "status", "", *STATUSES.values())
        only = next((each for each in STATUSES.values() if each == status), None)
        found, more = await self._on(
            lambda store: store.page_of_runs(owner, identity, limit, asked.get("after"), ascending, only), owner
        )
        return page([each.public(_console(exchange)) for each in found], more)

    @endpoint("GET", _RUN, "evalRun", "How far a run is, and what came out.", gives=_EVAL_RUN)
    async def retrieve_run(self, exchange: Exchange) -> Answer:
        """GET /v1/evals/{eval}/runs/{run}"""
        return json_answer((await self._run(exchange)).public(_console(exchange)))

    @endpoint("POST", _RUN, "cancelEvalRun", "End a run; what came out is kept.", gives=_EVAL_RUN)
    @endpoint("POST", f"{_RUN}/cancel", "cancelEvalRunToo", "End a run; what came out is kept.", gives=_EVAL_RUN)
    async def cancel_run(self, exchange: Exchange) -> Answer:
        """POST /v1/evals/{eval}/runs/{run}/cancel"""
        run, owner = await self._run(exchange), self._owner(exchange)
        if run.run is None or run.status not in ("queued", "in_progress"):
            raise InputError(f"the run is {run.status} already", "only one that goes on can be cancelled")
        queued = run.run
        await self._on(lambda store: store.runs.cancel(queued), owner)
        return json_answer((await self._run(exchange)).public(_console(exchange)))

    @endpoint("DELETE", _RUN, "deleteEvalRun", "Forget a run, which is cancelled.")
    async def delete_run(self, exchange: Exchange) -> Answer:
        """DELETE /v1/evals/{eval}/runs/{run}"""
        run, owner, making = await self._run(exchange), self._owner(exchange), self._making(exchange)
        await self._on(lambda store: making.forget([store.delete_run(run)]), owner)
        return json_answer({"object": "eval.run.deleted", "deleted": True, "run_id": run.id})

    @endpoint("GET", _ITEMS, "evalOutputItems", "What came out for each item.", gives=_LIST)
    async def list_items(self, exchange: Exchange) -> Answer:
        """GET /v1/evals/{eval}/runs/{run}/output_items?limit=&after=&order=&status="""
        run, owner = await self._run(exchange), self._owner(exchange)
        asked = query(exchange, "limit", "after", "order", "status")
        limit, ascending = limit_of(asked, 20, 100), _ascending(asked, "asc")
        only = _FILTERS.get(one_of(asked, "status", "", *_FILTERS), ())
        found, more = await self._on(
            lambda store: store.page_of_items(run, limit, asked.get("after"), ascending, only), owner
        )
        return page([each.public(run) for each in found], more)

    @endpoint("GET", _ITEM, "evalOutputItem", "What came out for one item.", gives=_OUTPUT)
    async def retrieve_item(self, exchange: Exchange) -> Answer:
        """GET /v1/evals/{eval}/runs/{run}/output_items/{item}"""
        run, owner, identity = await self._run(exchange), self._owner(exchange), exchange.parameters["item"]
        return json_answer((await self._on(lambda store: store.item(run, identity), owner)).public(run))

    def _owner(self, exchange: Exchange) -> str:
        return self._admission.owner(token(exchange))

    def _needed(self) -> Evaluations:
        if self._evaluations is None:
            raise NotFound("this service keeps no evals", "start it with 'glassworks serve'")
        return self._evaluations

    def _making(self, exchange: Exchange) -> Making:
        return Making(self._context, self._needed(), exchange)

    async def _run(self, exchange: Exchange) -> EvaluationRun:
        owner, parameters = self._owner(exchange), exchange.parameters
        return await self._on(lambda store: store.get_run(owner, parameters["eval"], parameters["run"]), owner)

    async def _on(self, call: Callable[[EvaluationStore], _T], owner: str) -> _T:
        evaluations = self._needed()
        return await evaluations.thread.run(lambda: call(evaluations.store), owner)


def _ascending(asked: Mapping[str, str], default: str = "desc") -> bool:
    return one_of(asked, "order", default, "asc", "desc") == "asc"


def _console(exchange: Exchange) -> str:
    """The address of the console, as the client reached the service."""
    return f"http://{exchange.headers.get(b'host', b'localhost').decode('latin-1')[:200]}/"
