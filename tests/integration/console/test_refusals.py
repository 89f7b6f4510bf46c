"""What must be refused, as people see it: in clear words, with what they had still there."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.archives import picture
from tests.integration.console.browsing import browser, visit
from tests.integration.console.person import FILES
from tests.integration.serving.running import Server, serving
from tests.patience import until

from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore

NO_SPACE = "import shutil\n_used = type(shutil.disk_usage('.'))(1, 1, 0)\nshutil.disk_usage = lambda path: _used\n"
"""What Python runs when it starts: all disks are full."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("refusals"), "--no-grpc") as running:
        yield running


def archive(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return written.getvalue()


def refused(page: Any, content: bytes, name: str = "mine.zip") -> str:
    """What is said of an upload."""
    page.set_input_files(FILES, {"name": name, "mimeType": "application/zip", "buffer": content})
    return str(page.inner_text(".sendings .note"))


TWO = {"a/1.png": picture(1), "b/1.png": picture(2)}
REFUSED = {
    "a bomb": (archive({**TWO, "b/2.png": bytes(64 * 2**20)}), "unpacks to more than", "unless you know who made it"),
    "a way out": (archive({**TWO, "../../b/2.png": picture(3)}), "leads out of the archive", "who made it"),
    "no folders": (archive({"1.png": picture(1), "2.png": picture(2)}), "folder", "folder"),
    "no archive": (b"PK\3\4" + bytes(400), "not a whole zip archive", "pack it again"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_archive_is_refused_with_both_lines(chromium: Any, server: Server, what: str) -> None:
    content, problem, mend = REFUSED[what]
    with visit(chromium, server.address, "/#/data") as page:
        said = refused(page, content)
        assert problem in page.inner_text(".sendings .note .problem"), said
        assert mend in page.inner_text(".sendings .note .mend"), said
        assert server.get("/api/v1/data?limit=200")["items"][0]["origin"] == "sample"


def test_a_full_disk_is_said_and_the_upload_can_go_on(
    chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "sitecustomize.py").write_text(NO_SPACE, encoding="utf-8")
    with monkeypatch.context() as full:
        full.syspath_prepend(tmp_path / "full")
        full.setenv("PYTHONPATH", f"{tmp_path / 'full'}:{Path(__file__).parents[3] / 'src'}")
        first = serving(tmp_path / "home", "--no-grpc")
        with first as server, visit(chromium, server.address, "/#/data") as page:
            assert "the disk is nearly full" in refused(page, archive(TWO))
            assert "free some space" in page.inner_text(".sendings .mend")
            server.process.kill()
            full.undo()
            with serving(tmp_path / "home", "--no-grpc", port=server.address.partition(":")[2]):
                page.locator(".sendings").get_by_role("button", name="Try again").click()
                page.wait_for_url("**/#/data/*")


@pytest.fixture
def bars(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    """A home with two versions of a model, of which the first answers."""
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path)})
    for _ in range(2):
        registry.publish(tiny_bundle)
    registry.set_alias(tiny_bundle.manifest.name, 1, "champion")
    return tmp_path


def test_who_sets_a_split_that_another_changed_is_told_who(chromium: Any, bars: Path) -> None:
    store = KeyStore(bars, Clock())
    keys = [store.create(name, roles=("admin",))[1] for name in ("vera", "otto")]
    with (
        serving(bars, "--no-grpc", "--keys", "on") as server,
        visit(chromium, server.address, f"/#/serve/{server.model}") as first,
        visit(chromium, server.address, f"/#/serve/{server.model}") as second,
    ):
        for page, key in zip((first, second), keys, strict=True):
            enter(page, key)
            page.get_by_label("A further version").select_option("2")
            page.locator(".split input[type=range]").first.fill("20" if page is first else "40")
        first.get_by_role("button", name="Apply").click()
        first.wait_for_selector(".revisions li:has-text('20 of 100')")
        second.wait_for_selector(".overtaken")
        said = second.inner_text(".overtaken")
        assert "vera changed this" in said
        assert "20 of 100" in said
        assert "40 of 100" in said
        second.get_by_role("button", name="Apply mine over it").click()
        second.wait_for_selector(".revisions li:first-child:has-text('40 of 100')")
        assert "otto" in second.inner_text(".revisions li:first-child")


def test_a_key_that_is_revoked_under_an_open_page(chromium: Any, tmp_path: Path) -> None:
    """They are asked for another; what they wrote is still there."""
    store = KeyStore(tmp_path, Clock())
    (key, secret), (_, other) = (store.create(name, roles=("operator",)) for name in ("vera", "otto"))
    with (
        serving(tmp_path, "--no-grpc", "--keys", "on") as server,
        visit(chromium, server.address, "/#/train?job=new") as page,
    ):
        enter(page, secret)
        page.wait_for_selector(".verdict-line.valid")
        file = page.locator(".code-area textarea")
        written = file.input_value().replace("my-model", "half-written")
        store.revoke(key.id)
        until(lambda: server.send("GET", "/api/v1/runs", headers={"authorization": f"Bearer {secret}"})[0] == 401)
        file.fill(written)
        page.wait_for_selector("dialog .note")
        assert "vera" in page.inner_text("dialog .note")
        assert "revoked" in page.inner_text("dialog .note")
        enter(page, other)
        page.wait_for_selector(".verdict-line.valid")
        assert file.input_value() == written
        assert page.inner_text(".who span") == "otto"


def test_a_key_that_has_expired(chromium: Any, tmp_path: Path) -> None:
    _, secret = KeyStore(tmp_path, Clock()).create("vera", roles=("viewer",), expires_in_s=0.001)
    with (
        serving(tmp_path, "--no-grpc", "--keys", "on") as server,
        visit(chromium, server.address, "/#/runs") as page,
    ):
        page.get_by_label("Access key").fill(secret)
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog .note:has-text(\"'vera' has expired\")")
        assert "for a new one" in page.inner_text("dialog .mend")


def enter(page: Any, key: str) -> None:
    page.get_by_label("Access key").fill(key)
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog", state="detached")
