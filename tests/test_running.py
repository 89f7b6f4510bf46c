"""`.ci/run` tells which step failed, and a run of few tests is no success; the order of tests can be another one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[1]
MAKE = """#!/bin/sh
echo "$2" >> "$ASKED"
test "$2" != "$FAILING" || exit 2
"""


@pytest.mark.parametrize(
    ("failing", "asked", "told"),
    [
        ("check", ["setup", "check"], "'make --no-print-directory check' ended with 2"),
        ("", ["setup", "check", "test"], ""),
    ],
)
def test_the_step_that_failed_is_told(failing: str, asked: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "make").write_text(MAKE, encoding="ascii")
    (tmp_path / "make").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "FAILING": failing, "ASKED": str(tmp_path / "asked")}
    done = subprocess.run([tmp_path / ".ci" / "run"], env=environ, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (tmp_path / "asked").read_text().split() == asked
    assert done.returncode == (2 if failing else 0)
    assert told in done.stderr
    assert ("everything passed" in done.stdout) is not bool(failing)


FILE = ROOT / "tests" / "test_architecture.py"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(FILE), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.mark.parametrize(("least", "code"), [("1", 0), ("2", 1)])
def test_few_tests_are_no_success(least: str, code: int) -> None:
    done = run("-k", "turns_one_way", "--least", least)
    assert done.returncode == code, done.stdout
    assert ("only 1 tests have passed, at least 2 must" in done.stdout) is bool(code)


def test_a_seed_gives_an_order() -> None:
    orders = [run("--collect-only", "-q", *options).stdout.splitlines() for options in ([], ["--shuffle", "1"])]
    plain, shuffled = ([line for line in order if "::" in line] for order in orders)
    assert plain != shuffled
    assert sorted(plain) == sorted(shuffled)


FLAKY = """#!/bin/sh
echo "$3"
test "$PYTHONHASHSEED" != 2
"""


def test_a_soak_counts_the_green_runs_and_shows_the_red_ones(tmp_path: Path) -> None:
    (tmp_path / "make").write_text(FLAKY, encoding="ascii")
    (tmp_path / "make").chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, str(ROOT / "tests" / "soak.py"), "--times", "2", "--busy", "1", "--options=-x"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1
    first, shown, second = done.stdout.splitlines()
    assert first.startswith("soak: run 1 of 2: green")
    assert shown == "OPTIONS=--shuffle 2 -x"
    assert second.startswith("soak: run 2 of 2: RED")
    assert second.endswith("1 green so far")
