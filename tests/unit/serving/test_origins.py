"""Which pages and which names may ask a service without keys: the table of what browsers send."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.unit.serving.wire import ask

from glassworks.errors import Forbidden
from glassworks.packaging.bundle import Bundle
from glassworks.serving.access.origins import Origins
from glassworks.serving.app import Application
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.endpoints import Context
from glassworks.serving.routes import routes
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service

OWN = "127.0.0.1:8080"


@pytest.fixture
def origins() -> Origins:
    return Origins("127.0.0.1", ["models.example.com", "app.example.com:3000"])


def refused(origins: Origins, method: str, **headers: str) -> bool:
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    answers = set()
    for _ in range(2):  # what was seen once gets the same answer
        try:
            origins.check(method, sent)
            answers.add(False)
        except Forbidden as error:
            assert "--allowed-host" in error.mend
            assert "--keys on" in error.mend
            answers.add(True)
    (answer,) = answers
    return answer


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080", "127.0.0.1", "LOCALHOST:8080", "localhost", "[::1]:8080", "[fe80::1%25eth0]",
        "app.localhost:8080", "models.example.com", "Models.Example.Com:443", "models.example.com.", "glassworks:8080",
        "app.example.com:3000", "192.168.1.7:80",
    ],
)  # fmt: skip
def test_own_names_and_numbers_are_served(host: str, origins: Origins) -> None:
    assert not refused(origins, "GET", host=host)
    assert not refused(origins, "POST", host=host, origin=f"http://{host}", sec_fetch_site="same-origin")
    assert not refused(origins, "POST", host=host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "[evil.example]",
     "models.example.com.evil.example", "1.2.3.4.5", "xn--.example", "app.example.com"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_foreign_names_are_not(method: str, host: str, origins: Origins) -> None:
    assert refused(origins, method, host=host)


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("http://evil.example", None), ("https://evil.example", "cross-site"), ("null", None), ("", None),
        ("http://127.0.0.1:3000", "same-site"), ("http://localhost:8080", None), ("http://127.0.0.1", None),
        (None, "cross-site"), (None, "same-site"), (f"http://{OWN}", "cross-site"), ("file://", None),
        (f"http://{OWN}.evil.example", None),
    ],
)  # fmt: skip
def test_pages_of_other_origins_may_only_look(origin: str | None, site: str | None, origins: Origins) -> None:
    headers = {"origin": origin, "sec_fetch_site": site}
    sent = {name: value for name, value in headers.items() if value is not None}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert refused(origins, method, host=OWN, **sent)
    assert refused(origins, "GET", host=OWN, sec_websocket_key="x", **sent)
    assert not refused(origins, "GET", host=OWN, **sent)  # a link to this page, or what the browser keeps to itself


@pytest.mark.parametrize("origin", ["https://models.example.com", "http://app.example.com:3000"])
def test_pages_of_allowed_hosts_may_ask(origin: str, origins: Origins) -> None:
    assert not refused(origins, "POST", host=OWN, origin=origin, sec_fetch_site="cross-site")


def test_programs_send_none_of_this(origins: Origins) -> None:
    assert not refused(origins, "POST")
    assert not refused(origins, "POST", host=OWN, sec_fetch_site="none")


def test_what_is_remembered_is_bounded(origins: Origins) -> None:
    for number in range(1000):
        assert not refused(origins, "GET", host=f"10.0.{number // 250}.{number % 250}")
    assert len(origins._known) <= 256


@pytest.fixture(scope="module")
def models(tiny_bundle: Bundle) -> Iterator[Models]:
    models = Models()
    models.load(tiny_bundle, "bars", "1")
    yield models
    models.close()


@pytest.mark.parametrize("path", ["/v2/models/bars/infer", "/v2/repository/models/bars/unload", "/v2/models/none"])
def test_the_application_asks_before_anything_else(path: str, models: Models) -> None:
    check = Origins("127.0.0.1").check
    application = Application(
        routes(Context(Dispatcher(models))), admit=lambda asked: check(asked.method, asked.headers)
    )
    served = Service(application, Limits())
    served.taken_over = lambda exchange: application.upgraded(exchange, served)
    foreign = {"origin": "http://evil.example"}
    reply = asyncio.run(ask(served, "POST", path, b"{}", foreign))
    assert reply is not None
    assert reply.status == 403
    assert "another site (http://evil.example)" in reply.error
    opening = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "x", **foreign}
    stream = asyncio.run(ask(served, "GET", "/v2/models/bars/stream", b"", opening))
    assert stream is not None
    assert stream.status == 403
