"""What is asked of a model: the same records for every protocol, which only turns bytes into them.

They are structs of msgspec, of which several are made for each request: a dataclass takes four times as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from glassworks.errors import InputError
from glassworks.serving.access.gate import token_of
from glassworks.serving.access.keys import id_of
from glassworks.serving.core.explanations import ExplainOptions

if TYPE_CHECKING:
    from glassworks.contracts import Tensors
    from glassworks.serving.core.model import LoadedModel

    _Request = TypeVar("_Request")
    Read = Callable[[LoadedModel], _Request]
    """Makes a request of what was sent, once it is known which model answers. Raises InputError."""

_HOW = frozenset({"method", "target", "seed", "baseline", "budget_ms", "budget_rows", "grade", "timeout", "priority"})
"""Parameters of every explanation; others say of a prompt what is explained."""
_LARGEST = float(np.finfo(np.float32).max)
_clock = time.perf_counter_ns


class Call(msgspec.Struct):
    """Who asks for which model, and since when (`time.perf_counter_ns`)."""

    name: str
    version: str | None = None
    token: bytes | None = None
    routing_key: str = ""
    trace: Mapping[str, str] = {}
    arrived_ns: int = msgspec.field(default_factory=_clock)
    key_id: str = ""
    """Who was admitted, for so many `rows`; empty before."""
    rows: int = 0
    refused: bool = False
    streaming: bool = False
    """Whether a stream was asked for."""
    begun: bool = False
    """Whether an engine works for it: then it is counted as a request, however many streams answer it."""
    failed: bool = False
    """Whether one of them has failed."""
    level: int = 0
    """Its priority where the request itself has no parameters for it: 1 (first) to 9; 0 for what they say."""
    verb: str = "infer"
    """What is asked for, as traces name it: infer, explain, generate or picture."""


class InferRequest(msgspec.Struct, frozen=True):
    """Rows to compute."""

    tensors: Tensors
    """As they were sent: files and texts are not decoded yet."""
    parameters: Mapping[str, Any] = {}
    outputs: Sequence[str] = ()
    """Those that are asked for; empty for all."""
    classes: Sequence[tuple[str, Any]] = ()
    """Outputs of which only so many of the largest values are sent, with their labels."""
    tokens: Sequence[int] = ()
    """Of each row, where its key is charged by them."""


class ExplainRequest(msgspec.Struct, frozen=True):
    """Rows to explain, one by one; see `InferRequest`."""

    tensors: Tensors
    options: ExplainOptions
    outputs: Sequence[str] = ()
    classes: Sequence[tuple[str, Any]] = ()

    @classmethod
    def of(cls, request: InferRequest) -> ExplainRequest:
        """How to explain is in the parameters. Raises InputError."""
        return cls(request.tensors, explain_options(request.parameters), request.outputs, request.classes)


def call_of(
    headers: Mapping[bytes, bytes], name: str, version: str | None = None, arrived_ns: int | None = None
) -> Call:
    """Who asks, from the headers of HTTP or the metadata of gRPC. Requests of one key are routed alike."""
    key = token_of(headers)
    call = Call(name, version, key, "", {}, _clock() if arrived_ns is None else arrived_ns)
    if (traced := headers.get(b"traceparent")) is not None:
        call.trace = {"traceparent": traced.decode("latin-1")}
    if (routing := headers.get(b"x-routing-key")) is not None:
        call.routing_key = routing.decode("latin-1")
    elif key is not None:
        call.routing_key = id_of(key).decode("latin-1")
    if (priority := headers.get(b"x-priority")) is not None:
        call.level = _level(priority)
    return call


def _level(priority: bytes) -> int:
    """What the header `x-priority` says. Raises InputError."""
    if len(priority) == 1 and b"1" <= priority <= b"9":
        return int(priority)
    raise InputError(
        f"x-priority is {priority[:40].decode('latin-1')!r}", "give 1 (first) to 9 (last), or leave it out"
    )


def check_outputs(request: InferRequest | ExplainRequest, available: Sequence[str]) -> None:
    """Raise InputError unless the outputs are there, each is asked for once, and classes are counted from 1."""
    if len(set(request.outputs)) < len(request.outputs):
        twice = next(name for name in request.outputs if list(request.outputs).count(name) > 1)
        raise InputError(f"the output '{twice[:200]}' is asked for twice", "ask for each output once")
    for name in request.outputs:
        if name not in available:
            raise InputError(f"the model has no output '{name[:200]}'", f"its outputs: {', '.join(available)}")
    for _, count in request.classes:
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"classification is {count!r:.200}", "give the number of classes, 1 or more")


def explain_options(parameters: Mapping[str, Any]) -> ExplainOptions:
    """How to explain, from the parameters of a request. Raises InputError."""
    method, target = parameters.get("method"), parameters.get("target")
    if method is not None and not isinstance(method, str):
        raise InputError(f"method is {method!r}, not a text", "name one of the model's explainers")
    if target is not None and (isinstance(target, bool) or not isinstance(target, int | str)):
        raise InputError(f"target is {target!r}", "give a class number or a label")
    seed = parameters.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError(f"seed is {seed!r}", "give a whole number from 0 to 4294967295")
    asked = {name: value for name, value in parameters.items() if name not in _HOW}
    return ExplainOptions(
        asked=asked,
        method=method,
        target=target,
        seed=seed,
        baseline=_number(parameters, "baseline"),
        budget_ms=_number(parameters, "budget_ms", least=0.0),
        budget_rows=_rows(parameters.get("budget_rows")),
        grade=flag(parameters, "grade", True),
    )


def _rows(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise InputError(f"budget_rows is {value!r:.100}", "give a number of variants, 1 or more")
    return value


def flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    """A parameter that is true or false. Raises InputError."""
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}", "give true or false")
    return value


def _number(parameters: Mapping[str, Any], name: str, least: float = -_LARGEST) -> float | None:
    value = parameters.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= _LARGEST:
        raise InputError(f"{name} is {value!r}", f"give a number from {least:g} to {_LARGEST:g}")
    return float(value)
