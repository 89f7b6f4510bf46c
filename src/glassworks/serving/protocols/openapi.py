"""The OpenAPI document of the service: one line a route."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

_JSON = "application/json"
_EVENTS = "text/event-stream"
_DESCRIPTION = "Open Inference Protocol v2 with explanations, KServe's first protocol, and what operators need."


@dataclass(frozen=True, slots=True)
class _Operation:
    """A route: what it is for, what it takes and gives (names of schemas, or a media type), and whether in binary."""

    path: str
    verb: str
    name: str
    summary: str
    takes: str = ""
    gives: str = "Any"
    binary: bool = False


_OF_A_MODEL = (
    _Operation("", "get", "metadata", "Inputs, outputs and properties of a model."),
    _Operation("/ready", "get", "modelReady", "Whether a model can answer."),
    _Operation("/stats", "get", "statistics", "What a model has answered, and how long it took."),
    _Operation("/config", "get", "configuration", "How a model is batched and scheduled."),
    _Operation("/infer", "post", "infer", "Answers for the rows sent.", "InferenceRequest", binary=True),
    _Operation("/explain", "post", "explain", "Answers with graded attributions.", "InferenceRequest", binary=True),
    _Operation(
        "/picture",
        "post",
        "picture",
        "A picture file in, a picture to look at out.",
        "application/octet-stream",
        "image/png",
    ),
    _Operation(
        "/feedback", "post", "feedback", "What users did, each event once; the next answers heed it.", "Feedback"
    ),
    _Operation("/generate", "post", "generate", "Inputs and outputs as plain fields.", "Fields"),
    _Operation("/generate_stream", "post", "generateStream", "The same as events.", "Fields", _EVENTS),
)
_OPERATIONS = (
    _Operation("/v2", "get", "server", "Name, version and extensions of the server."),
    _Operation("/v2/health/live", "get", "live", "Whether the process lives."),
    _Operation("/v2/health/ready", "get", "ready", "Whether all models can answer."),
    _Operation("/v2/models/stats", "get", "allStatistics", "What all models have answered."),
    *(replace(each, path=f"/v2/models/{{model}}{each.path}") for each in _OF_A_MODEL),
    *(
        replace(each, path=f"/v2/models/{{model}}/versions/{{version}}{each.path}", name=f"{each.name}Version")
        for each in _OF_A_MODEL
    ),
    _Operation("/v2/repository/index", "post", "index", "The repository's models and their states.", "Index", "Many"),
    _Operation("/v2/repository/models/{model}/load", "post", "load", "Serve a model, or its newest version.", "Load"),
    _Operation("/v2/repository/models/{model}/unload", "post", "unload", "Stop serving a model.", "Unload"),
    _Operation("/v1/models", "get", "modelsV1", "The names of the models."),
    _Operation("/v1/models/{model}", "get", "readyV1", "Whether a model can answer."),
    _Operation("/v1/models/{model}:predict", "post", "predictV1", "Predictions for instances.", "Instances"),
    _Operation("/v1/models/{model}:explain", "post", "explainV1", "Explanations of instances.", "Instances"),
    _Operation("/api/models/{model}/traffic", "get", "traffic", "How requests are split between versions."),
    _Operation("/api/models/{model}/traffic", "put", "setTraffic", "Split requests between versions.", "Split"),
    _Operation("/metrics", "get", "metrics", "Prometheus metrics.", gives="text/plain"),
    _Operation("/docs", "get", "docs", "A page for people: the API, and a form to try it.", gives="text/html"),
    _Operation("/openapi.json", "get", "openapi", "This document."),
)  # fmt: skip


def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1 of all routes."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.verb] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Glassworks", "version": version("glassworks"), "description": _DESCRIPTION},
        "paths": paths,
        "components": {"schemas": _SCHEMAS, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"key": []}],
    }


def _described(operation: _Operation) -> dict[str, Any]:
    media = {operation.gives: {}} if "/" in operation.gives else _content(operation.gives)
    done: dict[str, Any] = {"description": "Done.", "content": media}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in ("model", "version")
            if f"{{{name}}}" in operation.path
        ],
        "responses": {
            "200": done,
            "default": {"description": "What is wrong, and its mend.", "content": _content("Error")},
        },
    }
    if operation.takes:
        required = operation.takes not in ("Index", "Load", "Unload")
        taken = {operation.takes: {}} if "/" in operation.takes else _content(operation.takes)
        described["requestBody"] = {"required": required, "content": taken}
    if operation.binary:
        # JSON and the tensors behind it; Inference-Header-Content-Length is the length of the JSON.
        for content in (done["content"], described["requestBody"]["content"]):
            content["application/octet-stream"] = {}
    return described


def _content(schema: str) -> dict[str, Any]:
    return {_JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


_VALUES: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_SCHEMAS: dict[str, Any] = {
    "Any": {"type": "object"},
    "Many": {"type": "array", "items": {"type": "object"}},
    "Fields": {"type": "object"},
    "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    "Index": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    "Load": {"type": "object", "properties": {"parameters": {"type": "object"}}},
    "Unload": {"type": "object", "properties": {"parameters": {"type": "object"}}},
    "Feedback": {
        "type": "object",
        "required": ["events"],
        "properties": {"events": {"type": "array", "minItems": 1, "items": {"type": "object"}}},
    },
    "Instances": {
        "type": "object",
        "required": ["instances"],
        "properties": {"instances": {"type": "array", "minItems": 1}},
    },
    "Split": {"type": "object", "properties": {"split": {"type": ["string", "null"]}}},
    "InferenceRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": _VALUES,
            "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}},
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "parameters": _VALUES},
                },
            },
        },
    },
    "Tensor": {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"type": "string"},
            "parameters": _VALUES,
            "data": {"type": "array"},
        },
    },
}
