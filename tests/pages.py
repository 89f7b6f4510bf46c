"""The page of each family of the catalog, and the blocks that pages show."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from glassworks.contracts import Family


def page_of(family: Family) -> Path:
    """The README in the family's folder."""
    return Path(inspect.getfile(type(family))).parent / "README.md"


def fenced(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language on a page."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def job_files(page: Path) -> list[str]:
    """The job files that a page shows."""
    return fenced(page, "toml")
