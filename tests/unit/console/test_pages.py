"""The console's files as the service sends them."""

from __future__ import annotations

import gzip
import re

import pytest

from glassworks.console.pages import POLICY, ConsolePages, console
from glassworks.errors import NotFound
from glassworks.serving.endpoints import declared
from glassworks.serving.transports.http.exchange import Answer, Exchange, compress

FIRST_VISIT_BYTES = 120_000


@pytest.fixture
def pages() -> ConsolePages:
    return ConsolePages.__new__(ConsolePages)


def asked(path: str = "", version: str = "", **headers: str) -> Exchange:
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    exchange = Exchange("GET", b"/", given, b"")
    exchange.parameters = {"path": path, "version": version}
    return exchange


def headers_of(answer: Answer) -> dict[bytes, bytes]:
    return dict(answer.headers)


def test_the_page_runs_only_its_own_files_under_a_strict_policy(pages: ConsolePages) -> None:
    answer = pages.index(asked())
    text = answer.body.decode()
    assert headers_of(answer)[b"content-security-policy"] == POLICY.encode()
    assert "$" not in text
    assert re.findall(r"<(?:script|style)[^>]*>[^<]", text) == []
    names = re.findall(rf'"/console/{console().version}/([^"]+)"', text)
    assert {"main.js", "app.css", "early.js", "vendor/preact.js"} <= set(names) <= set(console().assets)


def test_files_of_this_version_are_kept_for_good_and_those_of_another_are_asked_for_again(pages: ConsolePages) -> None:
    now = pages.file(asked("main.js", console().version))
    before = pages.file(asked("main.js", "0123456789abcdef"))
    assert b"immutable" in headers_of(now)[b"cache-control"]
    assert headers_of(before)[b"cache-control"] == b"no-cache"
    assert now.body == before.body == console().assets["main.js"].content
    assert now.content_type == b"text/javascript; charset=utf-8"


def test_what_a_browser_has_is_not_sent_again(pages: ConsolePages) -> None:
    etag = headers_of(pages.index(asked()))[b"etag"].decode()
    answer = pages.index(asked(if_none_match=etag))
    assert (answer.status, answer.body) == (304, b"")


def test_compressed_once_and_not_again(pages: ConsolePages) -> None:
    answer = pages.file(asked("app.css", console().version, accept_encoding="gzip, br"))
    compress(answer, b"gzip, br")
    assert headers_of(answer)[b"content-encoding"] == b"gzip"
    assert gzip.decompress(answer.body) == console().assets["app.css"].content
    assert [name for name, _ in answer.headers].count(b"content-encoding") == 1


@pytest.mark.parametrize("path", ["", "nothing.js", "../pages.py", "types.d.ts", "index.html", "vendor/versions.json"])
def test_no_other_file(pages: ConsolePages, path: str) -> None:
    with pytest.raises(NotFound) as caught:
        pages.file(asked(path, console().version))
    assert "load the page again" in str(caught.value)


def test_everybody_may_have_the_pages_which_say_nothing() -> None:
    assert all(endpoint.is_open for endpoint, _ in declared(ConsolePages))


def test_a_first_visit_is_light() -> None:
    """Home, in one language, and every component, more than it needs."""
    sent = [console().index, *(console().assets[name] for name in ("app.css", "narrow.css", "early.js", "icon.svg"))]
    modules = [name for name in console().assets if name.endswith(".js") and not name.startswith("pages/")]
    modules += [name for name in console().assets if name.startswith("pages/home/") and name.endswith(".js")]
    catalogs = ["i18n/zh-CN.json", "pages/home/zh-CN.json", "pages/index.js"]
    sent += [console().assets[name] for name in (*modules, *catalogs)]
    assert sum(len(asset.compressed) for asset in sent) <= FIRST_VISIT_BYTES
