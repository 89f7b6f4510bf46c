"""What operators ask for, over whatever protocol: the repository, statistics and configuration, and who may have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.errors import InputError, NotFound, Unsupported

if TYPE_CHECKING:
    from glassworks.serving.core.dispatcher import Dispatcher
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.repository import Repository, State


class Operations:
    """Over a dispatcher, and the repository behind it if there is one. `token` is the access key that was sent.

    Everything raises Unauthenticated and Forbidden; models that a key is not for stay unseen.
    """

    def __init__(self, dispatcher: Dispatcher, repository: Repository | None) -> None:
        self._dispatcher, self._models, self._repository = dispatcher, dispatcher.models, repository

    def model(self, token: bytes | None, name: str, version: str | None) -> LoadedModel:
        """One model, of the default version for None. Raises NotFound."""
        self._dispatcher.admission.permit(token, model=name)
        return self._models.model(name, version)

    def models(self, token: bytes | None, name: str | None = None, version: str | None = None) -> list[LoadedModel]:
        """The loaded versions of a model, or one of them; all that the caller may see without a name."""
        if name is not None:
            model = self.model(token, name, version)
            versions = [model.version] if version is not None else self._models.versions(name)
            return [self._models.model(name, each) for each in versions]
        self._dispatcher.admission.permit(token)
        seen = set(self._dispatcher.admission.visible(token, self._models.names()))
        return [model for model in self._models.loaded() if model.name in seen]

    async def index(self, token: bytes | None, ready: object = False) -> Sequence[State]:
        """The versions that are there, or only those that are ready. Raises InputError, NotFound."""
        self._dispatcher.admission.permit(token)
        if not isinstance(ready, bool):
            raise InputError(f"ready is {ready!r}", "give true or false")
        states = await self._needed().index()
        seen = set(self._dispatcher.admission.visible(token, {state.name for state in states}))
        return [state for state in states if state.name in seen and (state.state == "READY" or not ready)]

    async def load(self, token: bytes | None, name: str, parameters: Mapping[str, Any]) -> None:
        """Serve a model, of the parameter `version` where that is given. Raises Unsupported, InputError, NotFound,
        BundleError."""
        self._dispatcher.admission.permit(token, "admin", name.partition("@")[0])
        for parameter in parameters:
            if parameter != "version":
                raise Unsupported(
                    f"the parameter '{parameter[:100]}' of a load is not supported: a bundle is loaded as it is",
                    "send no parameters, or 'version': a version or an alias",
                )
        version = parameters.get("version", "")
        if isinstance(version, bool) or not isinstance(version, str | int):
            raise InputError(f"version is {version!r:.100}", "give a version or an alias as text")
        await self._needed().load(f"{name}@{version}" if version != "" else name)

    async def unload(self, token: bytes | None, name: str, parameters: Mapping[str, Any]) -> None:
        """Serve a model no more. Raises InputError, NotFound."""
        self._dispatcher.admission.permit(token, "admin", name)
        dependents = parameters.get("unload_dependents", False)
        if not isinstance(dependents, bool):
            raise InputError(f"unload_dependents is {dependents!r:.100}", "give true or false")
        await self._needed().unload(name)

    def _needed(self) -> Repository:
        if self._repository is None:
            raise NotFound("this service has no repository", "start it with 'glassworks serve'")
        return self._repository
