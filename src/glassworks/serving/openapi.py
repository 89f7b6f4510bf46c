"""The OpenAPI document of the service, from its table of endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

from glassworks.serving.endpoints import ANY, Endpoint, Protocol, Schema, declared, protocols
from glassworks.serving.failures import enveloped

_JSON, _BINARY = "application/json", "application/octet-stream"
_DESCRIPTION = (
    "Open Inference Protocol v2 with explanations, OpenAI's API, KServe's first protocol, and what operators need."
)
_ERROR = Schema("Error", {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}})
_ENVELOPE = Schema(
    "ErrorObject",
    {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
            }
        },
    },
)


def openapi_document(further: Sequence[type[Protocol]] = ()) -> dict[str, Any]:
    """OpenAPI 3.1 of all endpoints that it can describe, those of `further` protocols too."""
    listed = [each for protocol in (*protocols(), *further) for each, _ in declared(protocol) if each.documented]
    listed.sort(key=lambda endpoint: (endpoint.path, endpoint.method))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in listed:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _described(endpoint)
    schemas = {schema.name: schema.content for schema in _schemas(listed)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Glassworks", "version": version("glassworks"), "description": _DESCRIPTION},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"key": []}],
    }


def _schemas(endpoints: Iterable[Endpoint]) -> Iterator[Schema]:
    yield from (ANY, _ERROR, _ENVELOPE)
    for endpoint in endpoints:
        for schema in (endpoint.takes, endpoint.gives):
            if isinstance(schema, Schema):
                yield from (schema, *schema.uses)


def _described(endpoint: Endpoint) -> dict[str, Any]:
    error = _ENVELOPE if enveloped(endpoint.path.encode()) else _ERROR
    described: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"\{(\w+)\}", endpoint.path)
        ],
        "responses": {
            "200": {"description": "Done.", "content": _content(endpoint, endpoint.gives)},
            "default": {"description": "What is wrong, and its mend.", "content": _content(endpoint, error)},
        },
    }
    if endpoint.takes:
        optional = isinstance(endpoint.takes, Schema) and endpoint.takes.optional
        described["requestBody"] = {"required": not optional, "content": _content(endpoint, endpoint.takes)}
    return described


def _content(endpoint: Endpoint, what: Schema | str) -> dict[str, Any]:
    if isinstance(what, str):
        return {what: {}}
    content: dict[str, Any] = {_JSON: {"schema": {"$ref": f"#/components/schemas/{what.name}"}}}
    if endpoint.binary and what not in (_ERROR, _ENVELOPE):
        # JSON and the tensors behind it; Inference-Header-Content-Length is the length of the JSON.
        content[_BINARY] = {}
    return content
