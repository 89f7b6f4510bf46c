"""Pages of other sites: what CORS lets them do, and what not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.serving.wire import Reply, ask

from glassworks.config import ServingConfig, validate
from glassworks.errors import ConfigError
from glassworks.job_files import load_job
from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.core.models import Models
from glassworks.serving.core.repository import Repository
from glassworks.serving.launch import _context, _service
from glassworks.serving.transports.http.service import Service

APP, OTHER, INFER = "https://app.example.com", "https://evil.example", "/v2/models/bars/infer"
SHARED = "access-control-allow-origin"


def built(models: Models, home: Path, **config: object) -> Service:
    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    settings = validate(ServingConfig, config, where="test")
    context = _context(settings, models, Repository(models, registry), registry)
    return _service(context, None)


@pytest.fixture
def models(tiny_bundle: Bundle) -> Iterator[Models]:
    models = Models()
    models.load(tiny_bundle, "bars", "1")
    yield models
    models.close()


def asked(app: Service, method: str, path: str, origin: str = "", body: bytes = b"", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = asyncio.run(ask(app, method, path, body, {**named, **({"origin": origin} if origin else {})}))
    assert reply is not None
    assert "access-control-allow-credentials" not in reply.headers
    return reply


def preflight(app: Service, origin: str, method: str = "POST", wants: str = "content-type") -> Reply:
    return asked(
        app, "OPTIONS", INFER, origin,
        access_control_request_method=method, access_control_request_headers=wants,
    )  # fmt: skip


def test_a_page_that_is_named_asks_and_reads(models: Models, tmp_path: Path) -> None:
    app = built(models, tmp_path, allow_origin=["https://APP.example.com:443/", "http://localhost:3000"])
    before = preflight(app, APP, wants="authorization, content-type, inference-header-content-length")
    assert before.status == 200
    assert before.headers[SHARED] == APP
    assert before.headers["vary"] == "origin"
    assert "POST" in before.headers["access-control-allow-methods"]
    assert "inference-header-content-length" in before.headers["access-control-allow-headers"]
    sent = asked(app, "POST", INFER, APP, b"{}", sec_fetch_site="cross-site")
    assert (sent.status, sent.headers[SHARED]) == (400, APP)
    assert "x-request-id" in sent.headers["access-control-expose-headers"]
    assert asked(app, "GET", "/v2/nothing", "http://localhost:3000").headers[SHARED] == "http://localhost:3000"


@pytest.mark.parametrize("origin", [OTHER, "null", "http://app.example.com", f"{APP}.evil.example", f"{APP}:8443"])
def test_no_other_page_does(origin: str, models: Models, tmp_path: Path) -> None:
    app = built(models, tmp_path, allow_origin=[APP])
    for reply in (
        preflight(app, origin),
        asked(app, "POST", INFER, origin, b"{}", sec_fetch_site="cross-site"),
        asked(app, "GET", "/v2", origin),
    ):
        assert SHARED not in reply.headers
    assert asked(app, "POST", INFER, origin, b"{}").status == 403
    assert preflight(app, origin).status == 405


def test_a_service_that_names_no_page_shares_nothing(models: Models, tmp_path: Path) -> None:
    app = built(models, tmp_path)
    assert SHARED not in asked(app, "GET", "/v2", APP).headers
    assert preflight(app, APP).status == 405


def test_all_pages_may_ask_without_credentials(models: Models, tmp_path: Path) -> None:
    app = built(models, tmp_path, allow_origin=["*"])
    for origin in (APP, OTHER, "null"):
        assert preflight(app, origin).headers[SHARED] == "*"
        reply = asked(app, "POST", INFER, origin, b"{}", cookie="a=b")
        assert (reply.status, reply.headers[SHARED]) == (400, "*")


def test_keys_are_needed_all_the_same(models: Models, tmp_path: Path) -> None:
    _, key = KeyStore(tmp_path, Clock()).create("page")
    app = built(models, tmp_path, allow_origin=[APP], keys="on")
    assert preflight(app, APP, wants="authorization").status == 200
    assert asked(app, "POST", INFER, APP, b"{}").status == 401
    assert asked(app, "POST", INFER, APP, b"{}").headers[SHARED] == APP
    assert asked(app, "POST", INFER, APP, b"{}", authorization=f"Bearer {key}").status == 400
    large = asked(app, "POST", INFER, APP, b" " * 70_000)
    assert (large.status, large.headers[SHARED]) == (401, APP)


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/path", "ftp://a.b", "null", ""])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ConfigError, match="allow_origin"):
        validate(ServingConfig, {"allow_origin": [origin]}, where="test")


def test_one_may_be_set_without_a_list(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text('name = "a"\nfamily = "convnet"\n[data]\nsource = "sample:digits"\n')
    assert load_job(job, [f"serving.allow_origin={APP}"]).serving.allow_origin == (APP,)
