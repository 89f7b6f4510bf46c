"""The console of the wheel, which has all that the console of the sources has and asks nobody for anything."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.integration.console.browsing import browser, visit
from tests.integration.serving.running import serving
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "src" / "glassworks" / "console" / "static"
NAMESPACES = "http://www.w3.org/"
"""Names, which nobody fetches."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an installation of the wheel puts on the path."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE_S)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_wheel_has_every_file(unpacked: Path) -> None:
    assert files(unpacked / "glassworks" / "console" / "static") == files(STATIC)


def test_the_console_works_from_the_wheel(unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(unpacked))
    monkeypatch.chdir(tmp_path)
    with browser() as chromium, serving(tmp_path, "--no-grpc") as server:
        used = Path(f"/proc/{server.process.pid}/environ").read_bytes()
        assert str(unpacked).encode() in used
        with visit(chromium, server.address) as page:
            for name in ("Data", "Train", "Runs", "Models", "Try it", "Optimize", "Serve", "Keys and usage", "Home"):
                page.locator("nav").get_by_role("link", name=name, exact=True).click()
                page.wait_for_selector(f"main h1:text-is('{name}')")


@pytest.mark.parametrize("path", sorted(files(STATIC)))
def test_no_file_names_another_server(path: str) -> None:
    """Licenses, also those at the head of a file, and the list of what was vendored say where things are from."""
    if path.endswith((".LICENSE.txt", "versions.json")):
        return
    text = re.sub(r"\A\s*/\*.*?\*/", "", (STATIC / path).read_text(encoding="utf-8"), flags=re.DOTALL)
    found = re.findall(r"(?:https?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+[^\s\"'`)]*", text)
    assert [each for each in found if not each.startswith(NAMESPACES)] == []
