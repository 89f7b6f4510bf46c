"""A job is made: its files, its base model and its name become the request of a run."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from glassworks.control.fine_tuning.asked import Asked
from glassworks.control.state import Control
from glassworks.errors import GlassworksError, InputError, NotFound
from glassworks.registry import Version
from glassworks.registry.records import split_reference
from glassworks.runs import Run
from glassworks.runs.records import OPEN
from glassworks.runs.works.fine_tuning import TASK, FineTuning, FineTuningRequest, content
from glassworks.serving.access.gate import Caller
from glassworks.serving.batches.files import FileStore
from glassworks.serving.batches.records import StoredFile
from glassworks.serving.failures import WrongParameter

MOST_OPEN = 20
"""Jobs of one owner that have not ended."""
_PURPOSE = "fine-tune"
_LONGEST = 63


def make(control: Control, files: FileStore, caller: Caller, asked: Asked) -> Run:
    """Queue it. Raises WrongParameter and InputError; one at a time, so that no two jobs have one name."""
    _require_room(control, caller.key_id)
    training = _file(files, caller.key_id, asked.training_file, "training_file")
    validation = (
        _file(files, caller.key_id, asked.validation_file, "validation_file") if asked.validation_file else None
    )
    if validation is not None and validation.sha256 == training.sha256:
        problem = "validation_file holds the same as training_file: nothing would be held out"
        raise WrongParameter(problem, "give another file, or leave it out: some is held out then", "validation_file")
    base = _base(control, asked.model)
    kept = [each for each in (training, validation) if each is not None]
    for file in kept:
        files.link(file, content(control.home, file.sha256))
    request = FineTuningRequest(
        model=base.reference,
        name=_free(control, base.name, asked.suffix),
        method=asked.method,
        training=training.sha256,
        validation=validation.sha256 if validation else "",
        hyperparameters=asked.hyperparameters,
        seed=asked.seed,
        serve=True,
        owner=caller.key_id,
        training_file=training.id,
        validation_file=validation.id if validation else "",
        metadata=asked.metadata,
    )
    return control.runs.submit(FineTuning.name, request.model_dump(mode="json"), who=caller.name)


def _require_room(control: Control, owner: str) -> None:
    under_way = control.runs.list(OPEN, FineTuning.name, limit=MOST_OPEN, asked={"owner": owner})
    if len(under_way) >= MOST_OPEN:
        raise InputError(f"{MOST_OPEN} of your jobs have not ended", "wait for one, or cancel one")


def _file(files: FileStore, owner: str, identity: str, param: str) -> StoredFile:
    try:
        file = files.get(owner, identity)
    except NotFound as error:
        raise WrongParameter(error.problem, error.mend, param, "file_not_found") from None
    if file.purpose != _PURPOSE:
        mend = f"send it again with the purpose '{_PURPOSE}'"
        raise WrongParameter(f"the file '{file.id}' has the purpose '{file.purpose}'", mend, param, "invalid_file")
    if not file.size_bytes:
        raise WrongParameter(f"the file '{file.id}' is empty", "send one JSON object a line", param, "empty_file")
    return file


def _base(control: Control, named: str) -> Version:
    """The registered language model of a name, or the one that was brought from this source."""
    try:
        split_reference(named)
        version = control.registry.find(named)
    except (InputError, NotFound) as error:
        found = [each for each in _brought(control) if control.registry.manifest(each).preprocessing["source"] == named]
        if len(found) == 1:
            return found[0]
        problem = f"several models were brought from '{named[:100]}'" if found else error.problem
        raise WrongParameter(problem, "name a language model: GET /v1/models", "model", "model_not_found") from None
    if (task := control.registry.manifest(version).task) != TASK:
        problem = f"the model '{named[:100]}' is for {task}, and writes no text"
        raise WrongParameter(problem, "name a language model: GET /v1/models", "model", "model_not_supported")
    return version


def _brought(control: Control) -> Iterator[Version]:
    """Language models that are as their publishers made them."""
    for name in control.registry.models():
        version = control.registry.find(name)
        try:
            manifest = control.registry.manifest(version)
        except GlassworksError:
            continue
        if manifest.task == TASK and "source" in manifest.preprocessing and "columns" not in manifest.preprocessing:
            yield version


def _free(control: Control, base: str, suffix: str) -> str:
    """A name that no model and no job has: that of the base with the suffix, or with one more behind it."""
    some = secrets.token_hex(3)
    wanted = [suffix, f"{suffix}-{some}"] if suffix else [f"tuned-{some}"]
    names = [f"{base[: _LONGEST - 1 - len(each)]}-{each}" for each in wanted]
    taken = set(control.registry.models())
    return next(
        (
            name
            for name in names
            if name not in taken and not control.runs.list(kind=FineTuning.name, limit=1, about=name)
        ),
        names[-1],
    )
