"""What `up` asks the service over HTTP as any client would: a test example, its answer, and why."""

from __future__ import annotations

import contextlib
import json
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import get
from glassworks.contracts import Generation, Task
from glassworks.errors import ServingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.cli.drawing import Drawn
    from glassworks.contracts import Array
    from glassworks.flow import Release
    from glassworks.serving.process import Service

_ANSWER_S = 300.0
_KEY_S = 600.0
_BAD_REQUEST = 400
_SHORT_ANSWER = 48
"""Tokens."""
_TRIED = 16
"""Examples to ask about until one can be explained: what is too long, or recommends nothing, cannot."""


@dataclass(frozen=True, kw_only=True)
class Why:
    """An explanation that the service gave: what it is of, its parameters, and how it looks."""

    label: str
    parameters: Mapping[str, Any]
    rows: Sequence[Sequence[tuple[str, str]]]
    drawn: Path


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What the service said about one test example, and the files that show it.

    `truth` is empty where nobody knows it; `said` is the answer in words. Without `why` there is no explanation, for
    the reason in `unexplained`.
    """

    truth: str
    said: str
    input: Path
    request: Path
    why: Why | None = None
    unexplained: str = ""


class _Refused(ServingError):
    """The service is well, and does not take that request."""


@contextlib.contextmanager
def passing_key(service: Service, home: Path) -> Iterator[str | None]:
    """A key for a question or two where the service asks for keys; it is revoked afterwards."""
    if not service.guarded:
        yield None
        return
    from glassworks.serving.access.clock import Clock
    from glassworks.serving.access.keys import KeyStore

    store = KeyStore(home, Clock())
    key, secret = store.create(f"up-{uuid.uuid4().hex[:8]}", expires_in_s=_KEY_S)
    try:
        yield secret
    finally:
        store.revoke(key.id)


def ask(service: Service, made: Release, method: str | None, folder: Path, key: str | None = None) -> Answered:
    """Send one example of the test split as a file; predict and explain over the public API.

    By `method`, else by the model's first one. It is the first of some examples that can be explained; where there is
    none, the first that is answered.
    """
    method = method or next(iter(made.bundle.manifest.explainers), None)
    failure: ServingError = ServingError("the model explains nothing", "its family names no explainer")
    for wanted in dict.fromkeys((method, None)):
        for row in range(min(_TRIED, len(made.dataset.splits["test"]))):
            try:
                answered = _asked(service, made, row, wanted, folder, key)
            except _Refused as error:
                failure = error
            else:
                return answered if wanted else replace(answered, unexplained=failure.problem)
    raise failure


def _asked(
    service: Service, made: Release, row: int, method: str | None, folder: Path, key: str | None = None
) -> Answered:
    from glassworks.cli.drawing import as_file

    test, labels = made.dataset.splits["test"], made.dataset.classes
    example, more = _example(made, row)
    file, suffix, value = as_file(example)
    name = made.bundle.manifest.signature.inputs[0].name
    body: dict[str, Any] = {"inputs": [{"name": name, "shape": [1], "datatype": "BYTES", "data": [value]}], **more}
    model = f"{service.url}/v2/models/{made.version.name}"
    answered = _post(f"{model}/infer", body, key)
    files = folder / made.version.reference
    why = None
    if method is not None:
        asked = {**body, "parameters": {**more.get("parameters", {}), "method": method}}
        answer = _post(f"{model}/explain", asked, key)
        drawn = _drawn(example, answer, name)
        parameters = answer["parameters"]
        drawn_to = _write(files.with_name(f"{files.name}-why.{drawn.suffix}"), drawn.file)
        why = Why(label=str(parameters["label"]), parameters=parameters, rows=drawn.rows, drawn=drawn_to)
    return Answered(
        truth=_truth(test.y[row], labels) if labels else "",
        said=_in_words(made, answered),
        input=_write(files.with_name(f"{files.name}-input.{suffix}"), file),
        request=_write(files.with_name(f"{files.name}-request.json"), json.dumps(body).encode()),
        why=why,
    )


def _example(made: Release, row: int) -> tuple[Any, dict[str, Any]]:
    """A test example, and what else is asked: of a text to go on with its beginning, and a short answer."""
    x, task = made.dataset.splits["test"].x[row : row + 1], get(Task, made.bundle.manifest.task)
    if isinstance(task, Generation):
        return task.small(x)[0], {"parameters": {"max_tokens": _SHORT_ANSWER}}
    return x[0], {}


def _drawn(example: Array, answer: Mapping[str, Any], name: str) -> Drawn:
    from glassworks.cli.drawing import draw

    there = {output["name"] for output in answer["outputs"]}
    spans, names = (
        _tensor(answer, part)[0].tolist() if (part := f"{kind}:{name}") in there else () for kind in ("spans", "names")
    )
    values, parameters = _tensor(answer, f"attributions:{name}")[0], answer["parameters"]
    return draw(
        example, values, spans, str(parameters["label"]), parameters["method"], [json.loads(one) for one in names]
    )


def _in_words(made: Release, answer: Mapping[str, Any]) -> str:
    manifest = made.bundle.manifest
    task = get(Task, manifest.task)
    outputs = {output["name"]: _tensor(answer, output["name"]) for output in answer["outputs"]}
    return task.present(task.answer(outputs, manifest.labels)[0]).headline


def _truth(target: Any, labels: Sequence[str]) -> str:
    """A label, or several."""
    if getattr(target, "ndim", 0):
        return ", ".join(label for label, there in zip(labels, target, strict=True) if there) or "none"
    return labels[int(target)]


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _post(url: str, body: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    # The service is our own process on this machine: its certificate is for those who come from elsewhere.
    own = ssl._create_unverified_context()  # noqa: S323
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=own))
    try:
        with opener.open(request, timeout=_ANSWER_S) as response:
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        kind = _Refused if error.code == _BAD_REQUEST else ServingError
        said = error.read(500).decode(errors="replace")
        raise kind(f"{url} answered {error.code}: {said}", "see the service's log above") from None
    except OSError as error:
        raise ServingError(f"{url} does not answer: {error}", "see the service's log above") from None
    return answer


def _tensor(answer: Mapping[str, Any], name: str) -> NDArray[Any]:
    import numpy as np

    found = next(output for output in answer["outputs"] if output["name"] == name)
    kind = object if found["datatype"] == "BYTES" else np.float32
    return np.asarray(found["data"], kind).reshape(found["shape"])
