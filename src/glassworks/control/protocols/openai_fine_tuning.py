"""Fine-tuning as OpenAI's clients ask for it: `/v1/fine_tuning/jobs`."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from glassworks.control.fine_tuning import shown
from glassworks.control.fine_tuning.asked import asked
from glassworks.control.fine_tuning.following import Tuned
from glassworks.control.fine_tuning.making import make
from glassworks.control.state import Control
from glassworks.errors import InputError, NotFound
from glassworks.runs import Event, Run
from glassworks.runs.works.fine_tuning import FineTuning
from glassworks.serving.access.gate import Caller
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.answering import object_of
from glassworks.serving.protocols._paging import kept, limit_of, page, query
from glassworks.serving.transports.http.asgi import Serving
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

_ALL, _ONE = "/v1/fine_tuning/jobs", "/v1/fine_tuning/jobs/{job}"
_LOOKED = 100
_RUN = re.compile(r"[0-9a-f]{12}", re.ASCII)
_EVENT = re.compile(r"ftevent-(\d{1,18})", re.ASCII)
_JOB = Schema("FineTuningJob", {"type": "object", "required": ["id", "object", "status", "model", "training_file"]})
_LIST = Schema("FineTuningList", {"type": "object", "required": ["object", "data", "has_more"]})
_REQUEST = Schema(
    "FineTuningRequest",
    {
        "type": "object",
        "required": ["model", "training_file"],
        "additionalProperties": False,
        "properties": {
            "model": {"type": "string"},
            "training_file": {"type": "string"},
            "validation_file": {"type": ["string", "null"]},
            "suffix": {"type": ["string", "null"], "maxLength": 40},
            "seed": {"type": ["integer", "null"], "minimum": 0},
            "method": {"type": ["object", "null"]},
            "hyperparameters": {"type": ["object", "null"]},
            "metadata": {"type": ["object", "null"]},
            "integrations": {"type": ["array", "null"], "maxItems": 0},
        },
    },
)


class OpenAIFineTuning(Protocol):
    """Over runs; each job is seen by the key that made it alone."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._control: Control | None = None
        self._tuned: Tuned
        if context.registry is not None:
            self._tuned = Tuned(context, context.registry)
            context.companions.append(self._tuned)

    @endpoint("POST", _ALL, "createFineTuningJob", "Tune a model.", takes=_REQUEST, gives=_JOB, role="operator")
    async def create(self, exchange: Exchange) -> Answer:
        """POST /v1/fine_tuning/jobs"""
        wanted = asked(await object_of(self._context.dispatcher, exchange))
        files = kept(self._context).files
        return await self._asked(
            exchange, lambda control, caller: self._answer(control, make(control, files, caller, wanted))
        )

    @endpoint("GET", _ALL, "fineTuningJobs", "The jobs of the key.", gives=_LIST, role="viewer")
    async def list(self, exchange: Exchange) -> Answer:
        """GET /v1/fine_tuning/jobs?limit=&after=&metadata[KEY]="""
        found = query(exchange, "limit", "after", "metadata", mapping="metadata")
        limit = limit_of(found, 20, 100)
        pairs = {name[9:-1]: value for name, value in found.items() if name.startswith("metadata[")}
        if found.get("metadata", "null") != "null" or ("metadata" in found and pairs):
            raise WrongParameter("metadata is given in another form", "give metadata[KEY]=VALUE, or null", "metadata")

        def is_wanted(run: Run) -> bool:
            notes = run.request.get("metadata")
            return notes is None if "metadata" in found else pairs.items() <= (notes or {}).items()

        def listed(control: Control, caller: Caller) -> Answer:
            after = self._run(control, caller, found["after"]).id if found.get("after") else ""
            runs = _newest(control, caller.key_id, after, limit + 1, is_wanted)
            return page([self._job(control, run) for run in runs[:limit]], len(runs) > limit)

        return await self._asked(exchange, listed)

    @endpoint("GET", _ONE, "fineTuningJob", "How far a job is.", gives=_JOB, role="viewer")
    async def retrieve(self, exchange: Exchange) -> Answer:
        """GET /v1/fine_tuning/jobs/{job}"""
        return await self._asked(
            exchange,
            lambda control, caller: self._answer(control, self._run(control, caller, exchange.parameters["job"])),
        )

    @endpoint("GET", _ONE + "/events", "fineTuningEvents", "What happened in a job.", gives=_LIST, role="viewer")
    async def events(self, exchange: Exchange) -> Answer:
        """GET /v1/fine_tuning/jobs/{job}/events?limit=&after=, the last first"""
        found = query(exchange, "limit", "after")
        limit, after = limit_of(found, 20, 100), found.get("after")
        known = _EVENT.fullmatch(after) if after else None
        if after and known is None:
            raise NotFound(f"there is no event '{after[:100]}' to go on after", "leave 'after' out")

        def listed(control: Control, caller: Caller) -> Answer:
            run = self._run(control, caller, exchange.parameters["job"])
            events, more = _shown_events(control, run, int(known[1]) if known else None, limit)
            return page([shown.event_of(each, run, control.home) for each in events], more)

        return await self._asked(exchange, listed)

    @endpoint("GET", _ONE + "/checkpoints", "fineTuningCheckpoints", "The kept epoch.", gives=_LIST, role="viewer")
    async def checkpoints(self, exchange: Exchange) -> Answer:
        """GET /v1/fine_tuning/jobs/{job}/checkpoints?limit=&after="""
        found = query(exchange, "limit", "after")
        limit_of(found, 10, 100)

        def listed(control: Control, caller: Caller) -> Answer:
            run = self._run(control, caller, exchange.parameters["job"])
            ended = run.state == "succeeded" and self._tuned.is_served(run) and not found.get("after")
            one = shown.checkpoint_of(run, shown.steps_of(control.runs.values(run.id))) if ended else None
            return page([one] if one is not None else [], False)

        return await self._asked(exchange, listed)

    @endpoint("POST", _ONE + "/cancel", "cancelFineTuningJob", "End a job.", gives=_JOB, role="operator")
    async def cancel(self, exchange: Exchange) -> Answer:
        """POST /v1/fine_tuning/jobs/{job}/cancel"""
        return await self._changed(exchange, ("validating_files", "queued", "running", "paused"), "cancel")

    @endpoint("POST", _ONE + "/pause", "pauseFineTuningJob", "Let a job wait.", gives=_JOB, role="operator")
    async def pause(self, exchange: Exchange) -> Answer:
        """POST /v1/fine_tuning/jobs/{job}/pause: what it has learned is kept."""
        return await self._changed(exchange, ("validating_files", "queued", "running"), "pause")

    @endpoint("POST", _ONE + "/resume", "resumeFineTuningJob", "Go on with a job.", gives=_JOB, role="operator")
    async def resume(self, exchange: Exchange) -> Answer:
        """POST /v1/fine_tuning/jobs/{job}/resume: one that was paused, cancelled, or has failed."""
        return await self._changed(exchange, ("paused", "cancelled", "failed"), "resume")

    async def _changed(self, exchange: Exchange, states: tuple[str, ...], how: str) -> Answer:
        def changed(control: Control, caller: Caller) -> Answer:
            run = self._run(control, caller, exchange.parameters["job"])
            status = shown.status_of(run, self._tuned.is_served(run))
            if status not in states:
                mend = f"one can be asked to {how} that is {', '.join(states)}"
                raise InputError(f"the job '{exchange.parameters['job']}' is {status}", mend)
            if how == "resume":
                return self._answer(control, control.runs.resume(run.id))
            return self._answer(control, control.runs.cancel(run.id, paused=how == "pause"))

        return await self._asked(exchange, changed)

    async def _asked(self, exchange: Exchange, answer: Callable[[Control, Caller], Answer]) -> Answer:
        """What is answered on the thread that reads the database, in the caller's turn."""
        caller = self._context.dispatcher.admission.caller(token(exchange))
        registry = self._context.registry
        if registry is None:
            raise NotFound("this service keeps no jobs", "start it with 'glassworks serve'")
        if self._control is None:
            self._control = Control(registry, self._context, Serving(asyncio.get_running_loop()))
        control = self._control
        return await kept(self._context).thread.run(lambda: answer(control, caller), caller.key_id)

    def _run(self, control: Control, caller: Caller, job: str) -> Run:
        """A job of the caller. Raises NotFound, also for what is somebody else's."""
        identity = job.removeprefix(shown.PREFIX)
        if identity != job and _RUN.fullmatch(identity):
            with contextlib.suppress(NotFound):
                run = control.runs.get(identity)
                if run.kind == FineTuning.name and run.request["owner"] == caller.key_id:
                    return run
        raise NotFound(f"there is no job '{job[:100]}'", f"list yours: GET {_ALL}")

    def _answer(self, control: Control, run: Run) -> Answer:
        return json_answer(self._job(control, run))

    def _job(self, control: Control, run: Run) -> Mapping[str, Any]:
        return shown.job_of(run, self._tuned.is_served(run), control.home, control.runs.clock())


def _newest(control: Control, owner: str, after: str, limit: int, is_wanted: Callable[[Run], bool]) -> list[Run]:
    """At most so many of an owner's jobs, the newest first."""
    found: list[Run] = []
    while len(found) < limit:
        some = control.runs.list(kind=FineTuning.name, before=after, limit=_LOOKED, asked={"owner": owner})
        found += [run for run in some if is_wanted(run)]
        if len(some) < _LOOKED:
            break
        after = some[-1].id
    return found[:limit]


def _shown_events(control: Control, run: Run, before: int | None, limit: int) -> tuple[list[Event], bool]:
    """Events that are shown, the last first, and whether there are more."""
    found: list[Event] = []
    while len(found) <= limit:
        some = control.runs.latest(run.id, before, _LOOKED)
        found += [event for event in some if shown.is_shown(event)]
        if len(some) < _LOOKED:
            break
        before = some[-1].number
    return found[:limit], len(found) > limit
