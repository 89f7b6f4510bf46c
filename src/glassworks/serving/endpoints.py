"""The table of endpoints: each protocol declares its own beside its methods; routes and OpenAPI come from it.

A module under `protocols/`, or one that another distribution names in the entry-point group `glassworks.endpoints`,
holds a subclass of `Protocol`; its methods with an `@endpoint` answer requests. Nothing else is to be edited.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from glassworks.config import ServingConfig
from glassworks.errors import Unsupported
from glassworks.serving.codec.tensors import TensorLimits
from glassworks.serving.observability.failures import Failures

if TYPE_CHECKING:
    import asyncio
    from types import ModuleType

    from glassworks.registry import Registry
    from glassworks.serving.access.keys import Role
    from glassworks.serving.access.sessions import Sessions
    from glassworks.serving.batches.batches import Batches
    from glassworks.serving.core.dispatcher import Dispatcher
    from glassworks.serving.core.repository import Repository
    from glassworks.serving.observability.metrics import Metrics
    from glassworks.serving.transports.http.exchange import Exchange
    from glassworks.serving.transports.http.server import Companion
    from glassworks.serving.transports.http.service import Service

    Upgrade = Callable[[Any, Exchange, Service], asyncio.Protocol]

_F = TypeVar("_F", bound=Callable[..., Any])
_GROUP = "glassworks.endpoints"
_MODEL, _VERSION = "/v2/models/{model}", "/versions/{version}"


@dataclass(frozen=True, slots=True)
class Schema:
    """A type of JSON in the OpenAPI document, and those that it refers to."""

    name: str
    content: Mapping[str, Any]
    uses: tuple[Schema, ...] = ()
    optional: bool = False
    """Whether nothing may be sent instead."""


ANY = Schema("Any", {"type": "object"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method at a path, in which `{name}` is a parameter without `/` and `:`, and `{name:path}` all that follows."""

    method: str
    path: str
    name: str
    summary: str
    takes: Schema | str = ""
    """A type of JSON, or a media type; empty for nothing."""
    gives: Schema | str = ANY
    binary: bool = False
    """Whether both may be tensors in bytes, too."""
    role: Role = "infer"
    """What the key of whoever asks must be for, where keys are needed."""
    is_open: bool = False
    """Whether no key is needed anyway."""
    dispatched: bool = False
    """Whether the dispatcher asks for the key itself, as it does before each inference."""
    documented: bool = True
    upgrade: Upgrade | None = None
    """What goes on with the connection where the request asks for a WebSocket. Raises what forbids it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What protocols work with."""

    dispatcher: Dispatcher
    limits: TensorLimits = field(default_factory=TensorLimits)
    repository: Repository | None = None
    metrics: Metrics | None = None
    batches: Batches | None = None
    registry: Registry | None = None
    sessions: Sessions | None = None
    """Where callers need keys."""
    failures: Failures = field(default_factory=Failures)
    """The last requests that failed."""
    config: ServingConfig = field(default_factory=ServingConfig)
    heads: list[Callable[[Exchange], object]] = field(default_factory=list)
    """Protocols add what looks at a request whose large body has not come yet, and raises for one that is refused."""
    companions: list[Companion] = field(default_factory=list)
    """What begins and ends with the service; protocols add what is theirs."""
    further: Sequence[type[Protocol]] = ()
    """Protocols beside those of models."""


class Protocol:
    """A protocol over HTTP."""

    def __init__(self, context: Context) -> None:
        """One is made for each service."""


def endpoint(method: str, path: str, name: str, summary: str, **more: Any) -> Callable[[_F], _F]:
    """Let a method of a protocol answer at a path; `more` are fields of `Endpoint`."""
    return _declare(Endpoint(method, path, name, summary, **more))


def of_model(method: str, suffix: str, name: str, summary: str, **more: Any) -> Callable[[_F], _F]:
    """The same behind the path of a model, `/v2/models/{model}[/versions/{version}]`, for the dispatcher."""
    more = {"dispatched": True, **more}
    versioned = Endpoint(method, f"{_MODEL}{_VERSION}{suffix}", f"{name}Version", summary, **more)
    return _declare(replace(versioned, path=f"{_MODEL}{suffix}", name=name), versioned)


def _declare(*endpoints: Endpoint) -> Callable[[_F], _F]:
    def declared(method: _F) -> _F:
        method.endpoints = (*endpoints, *getattr(method, "endpoints", ()))  # type: ignore[attr-defined]
        return method

    return declared


def declared(protocol: type[Protocol]) -> Iterator[tuple[Endpoint, str]]:
    """The endpoints of a protocol, and the names of their methods."""
    for name, method in vars(protocol).items():
        for each in getattr(method, "endpoints", ()):
            yield each, name


@functools.cache
def protocols() -> Sequence[type[Protocol]]:
    """All protocols of models that are there. Raises Unsupported for a module without one."""
    points = (importlib.import_module(point.module) for point in entry_points(group=_GROUP))
    return protocols_of((*modules_of("glassworks.serving.protocols"), *points))


def protocols_of(modules: Iterable[ModuleType]) -> Sequence[type[Protocol]]:
    """The protocols in modules, each of which holds one. Raises Unsupported."""
    found: list[type[Protocol]] = []
    for module in modules:
        here = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Protocol) and value.__module__ == module.__name__
        ]
        if not here:
            raise Unsupported(f"{module.__name__} holds no Protocol", "define a subclass of endpoints.Protocol in it")
        found += here
    return tuple(found)


def modules_of(package: str) -> Iterator[ModuleType]:
    """The modules of a package, but for those whose names begin with `_`."""
    home = importlib.import_module(package)
    for info in pkgutil.iter_modules(home.__path__):
        if not info.name.startswith("_"):
            yield importlib.import_module(f"{home.__name__}.{info.name}")
