"""The API page, which loads with no network, and the OpenAPI document of the routes."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from glassworks.serving.exchange import Answer, Exchange, json_answer

if TYPE_CHECKING:
    from glassworks.serving.engine import Engine

_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data: blob:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_DATA = "$DATA"


class Pages:
    """Endpoints for people and tools that look at the service."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def page(self, exchange: Exchange) -> Answer:
        """GET / and /docs"""
        paths: dict[str, dict[str, Any]] = openapi_document()["paths"]
        data = {
            "version": version("glassworks"),
            "models": [self._described(name) for name in self._engine.names()],
            "routes": [[verb.upper(), path] for path, verbs in paths.items() for verb in verbs],
        }
        # A label may hold anything; "</script>" must not end the element.
        text = msgspec.json.encode(data).decode().replace("<", "\\u003c")
        template, policy = _template()
        headers = [(b"content-security-policy", policy), (b"x-content-type-options", b"nosniff")]
        return Answer(template.replace(_DATA, text).encode(), content_type=b"text/html; charset=utf-8", headers=headers)

    async def openapi(self, exchange: Exchange) -> Answer:
        """GET /openapi.json"""
        return json_answer(openapi_document())

    def _described(self, name: str) -> dict[str, Any]:
        model = self._engine.model(name)
        manifest = model.manifest
        return {
            "name": name,
            "version": model.version,
            "task": manifest.task,
            "inputs": [spec.model_dump(mode="json") for spec in manifest.signature.inputs],
            "outputs": [spec.model_dump(mode="json") for spec in manifest.signature.outputs],
            "labels": list(manifest.labels[:1000]),
            "explainers": list(manifest.explainers),
            "metrics": {key: value.model_dump(mode="json") for key, value in manifest.metrics.items()},
        }


@functools.cache
def _template() -> tuple[str, bytes]:
    """The page, and the policy under which its own script and style run and nothing else does."""
    text = files("glassworks.serving").joinpath("page.html").read_text(encoding="utf-8")
    hashes = {name: _sha256(re.findall(f"<{name}>(.*?)</{name}>", text, re.DOTALL)[0]) for name in ("script", "style")}
    return text, _POLICY.format(**hashes).encode()


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1 of the Open Inference Protocol as this server speaks it."""
    paths: dict[str, Any] = {
        "/v2": {"get": _operation("server", "Name, version and extensions of the server.")},
        "/v2/health/live": {"get": _operation("live", "Whether the process lives.")},
        "/v2/health/ready": {"get": _operation("ready", "Whether all models can answer.")},
        "/docs": {"get": _operation("docs", "A page for people: the API, and a form to try it.", media="text/html")},
        "/openapi.json": {"get": _operation("openapi", "This document.")},
    }
    for suffix, kind in (("", ""), ("/versions/{version}", "Version")):
        base, parameters = f"/v2/models/{{model}}{suffix}", _parameters(bool(kind))
        paths[base] = {"get": _operation(f"metadata{kind}", "Inputs, outputs and properties of a model.", parameters)}
        paths[f"{base}/ready"] = {"get": _operation(f"modelReady{kind}", "Whether a model can answer.", parameters)}
        for verb, text in _VERBS.items():
            operation = _operation(f"{verb}{kind}", text, parameters)
            operation["requestBody"] = {"required": True, "content": {**_content("InferenceRequest"), **_BINARY}}
            operation["responses"]["200"]["content"].update(_BINARY)
            paths[f"{base}/{verb}"] = {"post": operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Glassworks", "version": version("glassworks"), "description": _DESCRIPTION},
        "paths": paths,
        "components": {"schemas": _SCHEMAS},
    }


def _operation(
    name: str, summary: str, parameters: list[dict[str, Any]] | None = None, media: str = "application/json"
) -> dict[str, Any]:
    done = {"description": "Done.", "content": _content("Any") if media == "application/json" else {media: {}}}
    failed = {"description": "What is wrong, and how to mend it.", "content": _content("Error")}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters or [],
        "responses": {"200": done, "default": failed},
    }


def _parameters(versioned: bool) -> list[dict[str, Any]]:
    names = ["model", "version"] if versioned else ["model"]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


# JSON and the tensors behind it; Inference-Header-Content-Length is the length of the JSON.
_BINARY: Mapping[str, Any] = MappingProxyType({"application/octet-stream": {}})
_DESCRIPTION = "Open Inference Protocol v2, with explanations."
_VERBS = {"infer": "Answers for the rows sent.", "explain": "Answers with attributions and their grade."}
_VALUES: dict[str, Any] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_SCHEMAS: dict[str, Any] = {
    "Any": {"type": "object"},
    "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
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
