"""Graders alone, as OpenAI's clients try them out: `/v1/fine_tuning/alpha/graders`."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from glassworks.errors import NotFound, ServingError
from glassworks.evals.asking import answered
from glassworks.evals.criteria import alone
from glassworks.evals.grading import Criterion, Grade, Surroundings, Ungraded
from glassworks.evals.making import version_of
from glassworks.evals.templates import Missing
from glassworks.serving.core.worker import Worker, step_back
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.protocols._openai.answering import object_of
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

_WAITING = 64
_GRADER = Schema("GraderRequest", {"type": "object", "required": ["grader"]})
_SAMPLE = Schema("GraderRunRequest", {"type": "object", "required": ["grader", "model_sample"]})
_ERRORS = (
    *("formula_parse_error", "invalid_variable_error", "model_grader_parse_error", "model_grader_refusal_error"),
    *("model_grader_server_error", "other_error", "python_grader_runtime_error", "python_grader_server_error"),
    *("sample_parse_error", "truncated_observation_error", "unresponsive_reward_error"),
)


class OpenAIGraders(Protocol):
    """Over the models of a server."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._thread = Worker("trying graders", _WAITING, step_back)

    @endpoint("POST", "/v1/graders/validate", "validateGrader", "Whether a grader can be used.", takes=_GRADER)
    @endpoint(
        "POST", "/v1/fine_tuning/alpha/graders/validate", "validateGraderToo", "Whether a grader can be used.",
        takes=_GRADER,
    )  # fmt: skip
    async def validate(self, exchange: Exchange) -> Answer:
        """POST /v1/fine_tuning/alpha/graders/validate"""
        fields = Fields(await object_of(self._context.dispatcher, exchange))
        grader = fields.needed("grader", "give a grader")
        fields.end()
        for model in alone(grader).models:
            version_of(self._context, exchange, model)
        return json_answer({"grader": grader})

    @endpoint("POST", "/v1/graders/run", "runGrader", "The score of one sample.", takes=_SAMPLE)
    @endpoint("POST", "/v1/fine_tuning/alpha/graders/run", "runGraderToo", "The score of one sample.", takes=_SAMPLE)
    async def run(self, exchange: Exchange) -> Answer:
        """POST /v1/fine_tuning/alpha/graders/run"""
        fields = Fields(await object_of(self._context.dispatcher, exchange))
        criterion = alone(fields.needed("grader", "give a grader"))
        sample, item = fields.needed("model_sample", "give a text"), fields.take("item", {})
        fields.end()
        if not isinstance(sample, str):
            raise fields.wrong("model_sample", sample, "give a text")
        for model in criterion.models:
            version_of(self._context, exchange, model)
        owner = self._context.dispatcher.admission.owner(token(exchange))
        usage: dict[str, int] = {}
        around = Surroundings(partial(self._ask, owner, usage), partial(self._on, owner))
        begun = time.perf_counter()
        grade, errors = await _graded(criterion, {"item": item, "sample": {"output_text": sample}}, around)
        scores = grade.sample.get("scores", {}) if grade.sample else {}
        metadata = {
            "name": criterion.name, "type": criterion.kind, "errors": errors, "scores": scores,
            "execution_time": time.perf_counter() - begun, "token_usage": sum(usage.values()) or None,
            "sampled_model_name": next(iter(usage), None),
        }  # fmt: skip
        found = {"reward": grade.score, "sub_rewards": scores, "metadata": metadata}
        return json_answer({**found, "model_grader_token_usage_per_model": usage})

    async def _ask(self, owner: str, usage: dict[str, int], body: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._context.batches is None:
            raise NotFound("this service asks no models by itself", "start it with 'glassworks serve'")
        answer = await answered(self._context.batches.background, owner, body, f"grader-{uuid.uuid4().hex}")
        usage[body["model"]] = usage.get(body["model"], 0) + answer["usage"]["total_tokens"]
        return answer

    async def _on(self, owner: str, call: Callable[[], Any]) -> Any:
        return await self._thread.run(call, owner)


async def _graded(
    criterion: Criterion, values: Mapping[str, Any], around: Surroundings
) -> tuple[Grade, Mapping[str, Any]]:
    """The grade, 0 where there is none, and which kinds of errors there were."""
    errors: dict[str, Any] = dict.fromkeys(_ERRORS, False)
    try:
        return await criterion.grade(values, around), errors
    except Missing as error:
        errors |= {"invalid_variable_error": True, "details": str(error)}
    except Ungraded as error:
        errors |= {"model_grader_parse_error" if criterion.models else "other_error": True, "details": str(error)}
    except ServingError as error:
        errors |= {"model_grader_server_error": True, "model_grader_server_error_details": str(error)}
    return Grade(0.0, passed=False), errors
