"""Runs of evals are made: everything that a client sent is looked at before anything is queued."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.errors import DataError
from glassworks.evals.definitions import criteria_of, name_of
from glassworks.evals.item_schema import checker
from glassworks.evals.records import Evaluation, EvaluationRun
from glassworks.evals.rows import look_through, written
from glassworks.evals.sources import Source, require_values, source
from glassworks.evals.templates import paths_in
from glassworks.runs.works.evaluation import Evaluation as Kind
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.answering import Asking
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.transports.http.exchange import token

if TYPE_CHECKING:
    from glassworks.evals.service import Evaluations
    from glassworks.serving.endpoints import Context
    from glassworks.serving.transports.http.exchange import Exchange

_PURPOSE, _FILE, _CONTENT = "evals", "data_source.source.id", "data_source.source.content"


class Making:
    """For one request of a client."""

    def __init__(self, context: Context, evaluations: Evaluations, exchange: Exchange) -> None:
        self._context, self._evaluations, self._exchange = context, evaluations, exchange
        self._who = context.dispatcher.admission.name(token(exchange))

    def require_judges(self, evaluation: Evaluation) -> None:
        """Raise NoModel, Forbidden or WrongParameter for a grader's model that cannot be asked."""
        for _, criterion in criteria_of(evaluation):
            for model in criterion.models:
                self._version(model)

    async def run(self, evaluation: Evaluation, content: Mapping[str, Any], now: int) -> EvaluationRun:
        """Of a body for /v1/evals/{eval}/runs. Raises WrongParameter and NotFound."""
        fields = Fields(content)
        asked = source(fields.needed("data_source", "give an object with type and source"))
        name, metadata = fields.text("name"), fields.metadata()
        name_of(Fields({"name": name}), "")
        fields.end()
        self.require_judges(evaluation)
        identity = f"evalrun_{secrets.token_hex(16)}"
        draft = EvaluationRun(
            id=identity,
            eval_id=evaluation.id,
            owner=evaluation.owner,
            name=name or identity,
            created_at=now,
            model="" if asked.asking is None else asked.asking.model,
            asked="" if asked.asking is None else self._version(asked.asking.model),
            data_source=content["data_source"],
            items=0,
            metadata=metadata,
        )
        return await self._kept(evaluation, asked, draft)

    def forget(self, runs: Iterable[str]) -> None:
        """Delete the items of runs that are gone."""
        for run in runs:
            self._path(run).unlink(missing_ok=True)

    async def _kept(self, evaluation: Evaluation, asked: Source, draft: EvaluationRun) -> EvaluationRun:
        """With its items in a file of its own, queued."""
        path = self._path(draft.id)
        batches, thread = self._context.batches, self._evaluations.thread
        if asked.file_id and batches is not None:
            await batches.thread.run(partial(self._linked, draft.owner, asked.file_id, path), draft.owner)
        try:
            items = await self._evaluations.grading.run(partial(self._counted, evaluation, asked, path), draft.owner)
            return await thread.run(partial(self._queued, draft.model_copy(update={"items": items})), draft.owner)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _linked(self, owner: str, file_id: str, path: Path) -> None:
        """The items of a file, also when it is deleted later."""
        if self._context.batches is None:
            return
        files = self._context.batches.files
        file = files.get(owner, file_id)
        if file.purpose != _PURPOSE:
            mend = f"send it again with the purpose '{_PURPOSE}'"
            raise WrongParameter(f"the file '{file.id}' has the purpose '{file.purpose}'", mend, _FILE)
        files.link(file, path)

    def _counted(self, evaluation: Evaluation, asked: Source, path: Path) -> int:
        """How many items there are; all are as the eval says."""
        if not asked.file_id:
            written(path, asked.content)
        paths = [each for _, criterion in criteria_of(evaluation) for each in criterion.paths]
        needs_sample = asked.asking is None and any(each[0] == "sample" for each in paths)
        if asked.asking is not None:
            template = asked.asking.reader
            named = [template] if isinstance(template, tuple) else list(paths_in([text for _, text in template.rows]))
            require_values(named, evaluation.item_schema, "input_messages")
        try:
            return look_through(path, checker(evaluation.item_schema, "item_schema"), needs_sample)
        except DataError as error:
            raise WrongParameter(error.problem, error.mend, _FILE if asked.file_id else _CONTENT) from None

    def _queued(self, draft: EvaluationRun) -> EvaluationRun:
        store = self._evaluations.store
        store.add_run(draft)
        about = draft.asked or store.get(draft.owner, draft.eval_id).name
        request = {"evaluation": draft.id, "about": about}
        store.runs.submit(Kind.name, request, who=self._who, idempotency=draft.id)
        return store.get_run(draft.owner, draft.eval_id, draft.id)

    def _path(self, run: str) -> Path:
        return self._evaluations.folder / f"{run}.jsonl"

    def _version(self, model: str) -> str:
        """The version that answers for a model's name now."""
        return version_of(self._context, self._exchange, model)


def version_of(context: Context, exchange: Exchange, model: str) -> str:
    """The version that answers for a model's name now. Raises NoModel, Forbidden and WrongParameter."""
    found = Asking(context.dispatcher, exchange, model, {}).model
    return f"{found.name}@{found.version}"
