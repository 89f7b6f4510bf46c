"""The control API in this process, with a registry of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from glassworks.control.app import application
from glassworks.control.state import Control
from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry
from glassworks.serving.access.gate import Caller
from glassworks.serving.access.keys import INCLUDED, Role
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.core.repository import Repository
from glassworks.serving.endpoints import Context

EVERYTHING = frozenset(INCLUDED)


class Inline:
    """In place of the event loop that answers requests of models: what is asked runs here."""

    def ask(self, work: Any) -> Any:
        import asyncio

        found = work()
        return asyncio.run(found) if asyncio.iscoroutine(found) else found


@dataclasses.dataclass
class Api:
    """A client with the roles of `caller`, and what it works with."""

    client: TestClient
    control: Control
    caller: Caller = dataclasses.field(default_factory=lambda: Caller("anonymous", "", EVERYTHING))

    def as_role(self, role: Role) -> Api:
        """The same, asked with a key of that role."""
        self.caller = Caller("0a1b2c3d", role, INCLUDED[role])
        return self

    def get(self, path: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
        return self._asked("GET", path, status, None, headers)

    def post(self, path: str, body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
        return self._asked("POST", path, status, body, headers)

    def put(self, path: str, body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
        return self._asked("PUT", path, status, body, headers)

    def delete(self, path: str, *, status: int = 204, headers: Mapping[str, str] | None = None) -> Any:
        return self._asked("DELETE", path, status, None, headers)

    def etag(self, path: str) -> dict[str, str]:
        """The header for a change of what is at a path."""
        return {"If-Match": self.client.get(f"/api/v1{path}").headers["etag"]}

    def _asked(self, verb: str, path: str, status: int, body: Any, headers: Mapping[str, str] | None) -> Any:
        response = self.client.request(verb, f"/api/v1{path}", json=body, headers=headers)
        assert response.status_code == status, response.text
        if status >= 400:
            assert response.headers["content-type"] == "application/problem+json"
        return response.json() if response.content else None


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    models = Models()
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path)})
    context = Context(Dispatcher(models), repository=Repository(models, registry), registry=registry)
    control = Control(registry, context, Inline())  # type: ignore[arg-type]
    app = application(control)

    async def called(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["caller"] = found.caller
        await app(scope, receive, send)

    found = Api(TestClient(called, raise_server_exceptions=False), control)
    yield found
    models.close()


@pytest.fixture
def published(api: Api, tiny_bundle: Bundle) -> str:
    """The name of a model with two versions in the registry; nothing of it is in service."""
    for _ in range(2):
        api.control.registry.publish(tiny_bundle)
    return tiny_bundle.manifest.name


@pytest.fixture
def deployed(api: Api, published: str) -> str:
    """The same, with its first version as the champion in service."""
    api.control.registry.set_alias(published, 1, "champion")
    api.post("/deployments", {"reference": published}, status=201)
    return published
