"""What follows from a job that has succeeded: its model is loaded, its metrics are a file, its tokens are counted."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, ClassVar

from glassworks.control.fine_tuning.shown import steps_of, table_of
from glassworks.control.released import Released
from glassworks.control.state import Control
from glassworks.errors import GlassworksError
from glassworks.registry import Registry
from glassworks.runs import Run
from glassworks.runs.works.fine_tuning import FineTuning
from glassworks.serving.access.ledger import Usage
from glassworks.serving.batches.batches import Batches
from glassworks.serving.batches.records import StoredFile
from glassworks.serving.endpoints import Context
from glassworks.storage import write_atomically

_RESULTS = "result_files"


class Tuned(Released):
    """Loads what jobs have published. A job that ended while no service ran is seen to when one starts."""

    kind: ClassVar[str] = FineTuning.name

    def __init__(self, context: Context, registry: Registry) -> None:
        super().__init__(context, registry)
        self._taken: set[str] = set()

    def is_wanted(self, run: Run) -> bool:
        return super().is_wanted(run) or (bool(run.request.get("serve")) and _RESULTS not in run.result)

    def is_served(self, run: Run) -> bool:
        """Whether this service has loaded the model of a run that has succeeded, or tried to."""
        return run.id in self._taken or not self.is_wanted(run)

    async def take(self, control: Control, run: Run) -> None:
        await super().take(control, run)
        batches = self.context.batches
        if batches is not None and _RESULTS not in run.result:
            try:
                result = await asyncio.to_thread(_results, control, batches, run)
                concluded = await asyncio.to_thread(control.runs.conclude, run.id, result)
            except GlassworksError as error:  # a full disk, a busy database: tried again at the next look
                self.later(run, error)
                return
            if concluded:
                self.context.dispatcher.admission.charge(run.request["owner"], _usage(run, result))
        self._taken.add(run.id)


def _results(control: Control, batches: Batches, run: Run) -> dict[str, Any]:
    """Keep the metrics as a file of the job's owner; done again, it is the same file."""
    path = control.home / "tuning" / f"{run.id}.csv"
    write_atomically(path, table_of(steps_of(control.runs.values(run.id))))
    draft = StoredFile(
        id=f"file-{hashlib.sha256(f'{run.id} results'.encode()).hexdigest()[:24]}",
        owner=run.request["owner"],
        filename="step_metrics.csv",
        purpose="fine-tune-results",
        size_bytes=0,
        sha256="",
        created_at=int(run.ended_at or 0),
    )
    file = batches.files.adopt(draft, path)
    path.unlink(missing_ok=True)
    return {_RESULTS: [file.id], "trained_tokens": _tokens(control, run)}


def _tokens(control: Control, run: Run) -> int | None:
    """Those that the training has read, over all its epochs."""
    found = [data["tokens"] for _, _, data in control.runs.values(run.id) if "tokens" in data]
    return int(found[-1]) if found else None


def _usage(run: Run, result: dict[str, Any]) -> Usage:
    name, _, version = str(run.result.get("model", run.about)).partition("@")
    spent_s = (run.ended_at or 0.0) - (run.started_at or run.ended_at or 0.0)
    tokens = result["trained_tokens"] or 0
    return Usage(
        run.request["owner"], name, version, tokens=tokens, compute_us=int(spent_s * 1e6), verb=FineTuning.name,
        prompt_tokens=tokens,
    )  # fmt: skip
