"""The README is true: its commands and its Python run, both languages say the same, links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.pages import fenced, page_of

from glassworks.catalog import found, get
from glassworks.cli.app import app
from glassworks.config import Job, validate
from glassworks.contracts import Family
from glassworks.job_files import load_job
from glassworks.record import Record

ROOT = Path(__file__).parents[2]
TEXTS = "docs/guides/texts.md"
DOCUMENTS = ("README.md", "README.zh-CN.md")
FAMILY_PAGES = sorted(page_of(family).relative_to(ROOT).as_posix() for family in found(Family).values())
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")]
)


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of a language in a document."""
    return fenced(ROOT / document, language)


def test_both_languages_show_the_same_blocks() -> None:
    for language in ("bash", "python", "toml", "text"):
        assert blocks("README.md", language) == blocks("README.zh-CN.md", language)
        assert blocks("README.md", language)
    for language in ("python", "toml"):
        assert blocks(TEXTS, language) == blocks("docs/guides/texts.zh-CN.md", language) != []


def test_every_command_and_every_line_of_python_runs(tmp_path: Path) -> None:
    """In a copy of the examples, with a registry of its own and the commands of this environment."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GLASSWORKS_HOME": str(tmp_path / "home"), "COLUMNS": "100"}
    for block in blocks("README.md", "bash"):
        for command in block.strip().splitlines():
            done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    for document, begins in (("README.md", "digits@3 "), (TEXTS, "[{'label': ")):
        for block in blocks(document, "python"):
            done = subprocess.run(
                [sys.executable, "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith(begins)
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "exported" / "model.onnx").is_file()


@pytest.mark.parametrize("document", [*DOCUMENTS, *FAMILY_PAGES])
def test_the_job_files_shown_are_valid(document: str, tmp_path: Path) -> None:
    """Every key is known to the family that the job names."""
    shown = blocks(document, "toml")
    assert shown
    for block in shown:
        (tmp_path / "job.toml").write_text(block, encoding="utf-8")
        known(load_job(tmp_path / "job.toml"))


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_the_job_files_of_the_examples_are_valid(path: Path) -> None:
    assert isinstance(known(load_job(path)), get(Family, load_job(path).family).config)


def known(job: Job) -> Record:
    """The job's table; raises ConfigError unless the family knows all its keys."""
    return validate(get(Family, job.family).config, job.model, where=f"job '{job.name}'", prefix="model.")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_every_verb_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    verbs = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(verbs) > 10
    for verb in [*verbs, *(group.name for group in app.registered_groups)]:
        assert f"glassworks {verb}" in text, verb
