"""Models as OpenAI's clients list them: by name, and by each version and alias behind `@`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Embedding, Generation
from glassworks.errors import NotFound
from glassworks.packaging.manifest import MANIFEST_FILE
from glassworks.serving.failures import NoModel

if TYPE_CHECKING:
    from glassworks.serving.core.dispatcher import Dispatcher
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.requests import Call

_OWNER = "glassworks"


def listed(dispatcher: Dispatcher, token: bytes | None) -> list[dict[str, Any]]:
    """Those of the models that write or embed which the caller may see. Those that write come first, since clients
    that are told no model take the first one. Raises Unauthenticated."""
    models = dispatcher.models
    names = dispatcher.admission.visible(token, models.names())
    found = [name for name in names if _asked(models.model(name))]
    found.sort(key=lambda name: not isinstance(models.model(name).opened.task, Generation))
    return [described(*each) for name in found for each in _ids(dispatcher, name)]


def id_of(model: str) -> tuple[str, str | None]:
    """Name, and version or alias, of an id."""
    name, _, version = model.partition("@")
    return name, version or None


def named(dispatcher: Dispatcher, call: Call) -> LoadedModel:
    """The model of a call. Raises NoModel, Unauthenticated and Forbidden."""
    try:
        return dispatcher.model(call)
    except NotFound as error:
        raise NoModel(error.problem, f"{error.mend}; /v1/models lists what there is") from None


def described(model: LoadedModel, name: str) -> dict[str, Any]:
    """A model under one of its names."""
    return {
        "id": name,
        "object": "model",
        "created": _created_s(model),
        "owned_by": _OWNER,
        "shutdown_date": None,
    }


def _created_s(model: LoadedModel) -> int:
    """When its bundle was written here, in seconds since 1970; 0 where it is gone meanwhile."""
    try:
        return int((model.opened.bundle.folder / MANIFEST_FILE).stat().st_mtime)
    except OSError:
        return 0


def _asked(model: LoadedModel) -> bool:
    return isinstance(model.opened.task, Generation | Embedding)


def _ids(dispatcher: Dispatcher, name: str) -> Iterator[tuple[LoadedModel, str]]:
    models = dispatcher.models
    yield models.model(name), name
    versions = models.versions(name)
    for version in versions:
        yield models.model(name, version), f"{name}@{version}"
    for alias, version in models.aliases(name).items():
        if version in versions:
            yield models.model(name, version), f"{name}@{alias}"
