"""The application: every router under `resources/`, errors as problem details, an OpenAPI document."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI

from glassworks.control import problems, resources
from glassworks.control.state import Control

PREFIX = "/api/v1"
_DESCRIPTION = "Runs, data, models, deployments and keys of a Glassworks service."
_FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def application(control: Control) -> FastAPI:
    """The application over what it works with."""
    found = FastAPI(
        title="Glassworks control API",
        version=version("glassworks"),
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    found.state.control = control
    problems.install(found)
    for router in routers():
        found.include_router(router, prefix=PREFIX)
    _describe(found)
    return found


def routers() -> Iterator[APIRouter]:
    """Those of all resources."""
    for info in pkgutil.iter_modules(resources.__path__):
        if not info.name.startswith("_"):
            yield importlib.import_module(f"{resources.__name__}.{info.name}").router


def _describe(application: FastAPI) -> None:
    """Let the OpenAPI document say how errors are answered, and how to send a key."""
    described = application.openapi

    def openapi() -> dict[str, Any]:
        made = application.openapi_schema is not None
        document = described()
        if not made:
            _complete(document)
        return document

    application.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] = {
        **{name: each for name, each in components.get("schemas", {}).items() if name not in _FASTAPI_ERRORS},
        **schema.pop("$defs", {}),
        "Problem": schema,
    }
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {"description": "What is wrong.", "content": _PROBLEM}
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{}, {"key": []}]
