"""The sample requests of bundles, and what models answer to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from glassworks.catalog import get
from glassworks.contracts import Task
from glassworks.control.state import Control
from glassworks.errors import GlassworksError, InputError, NotFound
from glassworks.registry import Version

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.models import Models
    from glassworks.serving.core.work import Work

_SHOWN_VALUES = 65_536
_WAIT_S = 30.0


class Tensor(BaseModel):
    """A tensor of the protocol; `data` is left out where it has very many values."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None


class Answer(BaseModel):
    """An answer in words: a headline, and its values. `decision` is what was answered, such as a label, the set of
    labels, the items in their order, or the text; empty where nothing is decided. `probability` is how sure it is."""

    headline: str
    values: dict[str, Any]
    decision: list[str] = []
    probability: float | None = None


class SampleRequest(BaseModel):
    """A request of a bundle, and what the model answered when it was packaged."""

    inputs: list[Tensor]
    answer: Answer | None


def samples_of(control: Control, version: Version) -> list[dict[str, Any]]:
    """As they stand in the bundle; none where it has none. Raises Tampered and StorageError."""
    try:
        found = json.loads(control.registry.file(version, "samples.json"))
    except NotFound:
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def shown(sample: Mapping[str, Any], task: str, labels: Sequence[str]) -> SampleRequest:
    """A sample as people see it."""
    return SampleRequest(inputs=inputs_of(sample), answer=recorded(sample, task, labels))


def inputs_of(sample: Mapping[str, Any]) -> list[Tensor]:
    """What is sent."""
    found = [Tensor.model_validate(each) for each in sample["inputs"]]
    for each in found:
        if each.data is not None and len(each.data) > _SHOWN_VALUES:
            each.data = None
    return found


def recorded(sample: Mapping[str, Any], task: str, labels: Sequence[str]) -> Answer | None:
    """What was answered when the model was packaged; None where that cannot be put into words here."""
    try:
        return worded(task, tensors_of(sample["outputs"]), labels)
    except (GlassworksError, KeyError, ValueError, TypeError, IndexError):
        return None


def worded(task: str, outputs: Tensors, labels: Sequence[str]) -> Answer:
    """The first row in words."""
    return answer_of(task, get(Task, task).answer(outputs, labels)[0])


def answer_of(task: str, values: Mapping[str, Any]) -> Answer:
    """A row of values in words."""
    found = get(Task, task).present(values)
    return Answer(
        headline=found.headline, values=dict(values), decision=list(found.decision), probability=found.probability
    )


async def answered(models: Models, name: str, version: str, tensors: Tensors) -> Tensors | None:
    """What a version in service answers now; None for one that is not, or that writes. Call it on the event loop: it
    costs no key anything, and waits behind requests."""
    try:
        model = models.model(name, version)
    except NotFound:
        return None
    if model.writes or model.streams:
        return None
    return await _computed(model, tensors)


async def _computed(model: LoadedModel, tensors: Tensors) -> Tensors:
    done: asyncio.Future[Tensors] = asyncio.get_running_loop().create_future()

    def finished(work: Work) -> None:
        if done.done():
            return
        if work.error is not None:
            done.set_exception(work.error)
        else:
            done.set_result(work.outputs)

    ready = model.checked(tensors)
    if ready is None:
        ready = await model.decoded(tensors)
    model.submit(ready, finished, level=9)
    async with asyncio.timeout(_WAIT_S):
        return await done


def tensors_of(listed: Sequence[Mapping[str, Any]]) -> Tensors:
    """Tensors from the protocol's JSON. Raises InputError."""
    from glassworks.serving.codec.tensors import DTYPES

    found: dict[str, Array] = {}
    for each in listed:
        dtype = DTYPES.get(each["datatype"])
        if dtype is None:
            values = np.empty(len(each["data"]), object)
            values[:] = [text.encode() if isinstance(text, str) else text for text in each["data"]]
        else:
            values = np.array(each["data"], dtype)
        try:
            found[each["name"]] = values.reshape(each["shape"])
        except ValueError:
            raise InputError("a sample request has another shape than it says", "package the model again") from None
    return found
