"""A registered model measured on its test split, or on other data; and two versions on the same examples."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from glassworks.catalog import get
from glassworks.contracts import Evaluation, Generation, Opening, Progress, Questions, Task
from glassworks.errors import Unsupported
from glassworks.job_files import stored_job
from glassworks.packaging.evaluating import differences, evaluate_split, opening
from glassworks.packaging.opened import OpenedBundle, renamed, require_unseen
from glassworks.progress import Silent
from glassworks.references import answered_by_registry, family_of
from glassworks.registry import Registry


def evaluate(
    reference: str,
    registry: Registry | None = None,
    progress: Progress | None = None,
    source: str | None = None,
    columns: Mapping[str, str] | None = None,
    *,
    against: str = "",
    **questions: Any,
) -> Evaluation:
    """Measure a model on its own test split, or on all examples of another source, whose `columns` of `text`, `label`
    and so on may be called otherwise; `against` is another version to compare with, on the same examples.

    What a language model is asked may be said by `questions`: see `contracts.Questions`.
    """
    registry, progress = registry or Registry.open(), progress or Silent()
    task = get(Task, registry.resolve(reference).bundle.manifest.task)
    if isinstance(task, Generation) and source is not None:
        asked = Questions(source=source, columns=columns or {}, **questions)
        return task.evaluate_on(reference, asked, partial(_opened, registry), against, progress)
    if given := [name for name in questions if name != "understood"]:
        raise Unsupported(f"'{given[0]}' is for language models on data of their own", "give --data SOURCE")
    found = _evaluated(reference, registry, progress, source, columns)
    if not against:
        return found
    return found._replace(against=differences(found, _evaluated(against, registry, progress, source, columns)))


def _opened(registry: Registry, reference: str) -> AbstractContextManager[Opening]:
    return opening(registry.resolve(reference).bundle, reference)


def _evaluated(
    reference: str, registry: Registry, progress: Progress, source: str | None, columns: Mapping[str, str] | None
) -> Evaluation:
    opened = OpenedBundle(registry.resolve(reference).bundle, limited=False)
    job, family = family_of(stored_job(opened.manifest.job, where=f"the job of {reference}"), registry)
    require_unseen(opened.manifest, source)
    if source is None:
        progress.start("data")
        split = answered_by_registry(job, family.prepare(job), registry, progress).splits["test"]
    else:
        progress.start("data")
        split = family.read(source, renamed(opened.manifest.preprocessing, columns), opened.manifest.labels)
    progress.start("evaluate", len(split))
    found = evaluate_split(opened, split)
    opened.close()
    progress.finish()
    return found
