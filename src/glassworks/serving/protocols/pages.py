"""The API page, which loads with no network, and the OpenAPI document."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import msgspec

from glassworks.serving.endpoints import Context, Protocol, endpoint
from glassworks.serving.openapi import openapi_document
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data: blob:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_DATA = "$DATA"


class Pages(Protocol):
    """Endpoints for people and tools that look at the service."""

    def __init__(self, context: Context) -> None:
        self._further = context.further
        self._admission, self._models = context.dispatcher.admission, context.dispatcher.models

    @endpoint(
        "GET", "/docs", "docs", "A page for people: the API, and a form to try it.", gives="text/html", is_open=True
    )
    @endpoint("GET", "/", "page", "The same.", gives="text/html", is_open=True, documented=False)
    def page(self, exchange: Exchange) -> Answer:
        """GET / and /docs: without a key, where one is needed, it tells of no model, and asks for the key."""
        key = token(exchange)
        asks = key is None and not self._admission.known(None)
        paths: dict[str, dict[str, Any]] = openapi_document(self._further)["paths"]
        data = {
            "version": version("glassworks"),
            "keys": self._admission.guarded,
            "models": []
            if asks
            else [self._described(each) for each in self._admission.visible(key, self._models.names())],
            "routes": [[verb.upper(), path] for path, verbs in paths.items() for verb in verbs],
        }
        # A label may hold anything; "</script>" must not end the element.
        text = msgspec.json.encode(data).decode().replace("<", "\\u003c")
        template, policy = _template()
        headers = [(b"content-security-policy", policy), (b"cache-control", b"no-store")]
        return Answer(template.replace(_DATA, text).encode(), content_type=b"text/html; charset=utf-8", headers=headers)

    @endpoint("GET", "/openapi.json", "openapi", "This document.", is_open=True)
    def openapi(self, exchange: Exchange) -> Answer:
        """GET /openapi.json"""
        return json_answer(openapi_document(self._further))

    def _described(self, name: str) -> dict[str, Any]:
        model = self._models.model(name)
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
            "warnings": list(manifest.warnings),
        }


@functools.cache
def _template() -> tuple[str, bytes]:
    """The page, and the policy under which its own script and style run and nothing else does."""
    text = files("glassworks.serving.protocols").joinpath("page.html").read_text(encoding="utf-8")
    hashes = {name: _sha256(re.findall(f"<{name}>(.*?)</{name}>", text, re.DOTALL)[0]) for name in ("script", "style")}
    return text, _POLICY.format(**hashes).encode()


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
