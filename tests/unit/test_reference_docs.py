"""The committed reference pages are those that the code gives."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("catalog.md", "cli.md", "errors.md", "job.md")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    subprocess.run([sys.executable, "docs/generate.py", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_current(name: str, fresh: Path) -> None:
    committed = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert committed == (fresh / name).read_text(encoding="utf-8"), "run `make docs` and commit what it writes"


def test_there_are_no_other_pages(fresh: Path) -> None:
    assert sorted(path.name for path in fresh.iterdir()) == list(PAGES)
    assert sorted(path.name for path in (ROOT / "docs" / "reference").iterdir()) == list(PAGES)


def test_the_job_page_holds_defaults_and_meanings(fresh: Path) -> None:
    page = (fresh / "job.md").read_text(encoding="utf-8")
    assert "| `epochs` | integer, >= `1`, <= `100000` |  |" in page
    assert "| `port` | integer, >= `0`, <= `65535` | `8080` |" in page
    assert "Stop after this many epochs without a better validation metric." in page
