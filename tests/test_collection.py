"""Every process collects the same tests in the same order: workers that do not end the whole run at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[1]
HERE = {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
ELSEWHERE = {"PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "ELSEWHERE_S": "7777777.7"}

PLANTED = """
import gzip, os, time
import pytest

@pytest.mark.parametrize("x", [gzip.compress(b"")])
def test_seconds(x): pass

@pytest.mark.parametrize("x", [time.strftime("%z")])
def test_zones(x): pass

@pytest.mark.parametrize("x", {*"abcdefgh"})
def test_sets(x): pass

@pytest.mark.parametrize("x", [name for name in os.listdir(os.path.dirname(__file__)) if name.startswith("test_")])
def test_folders(x): pass

@pytest.mark.parametrize("x", [os.getcwd()])
def test_places(x): pass

@pytest.mark.parametrize("x", ["always the same"])
def test_nothing(x): pass
"""


def collected(tests: Path, root: Path, folder: Path) -> list[list[str]]:
    """The names of all tests below `tests`, collected at once by two processes with little in common."""
    pytest = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "tests.elsewhere", "-p", "no:cacheprovider"]
    found, children = [], []
    for number, settings in enumerate((HERE, ELSEWHERE)):
        place = folder / str(number)
        place.mkdir()
        found.append(place / "collected.json")
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environ = {**os.environ, **settings, "PYTHONPATH": path, "COLLECTED": str(found[-1]), "HOME": str(place)}
        command = [*pytest, "--rootdir", str(root), "-c", str(ROOT / "pyproject.toml"), str(tests)]
        children.append(subprocess.Popen(command, cwd=place, env=environ, stdout=subprocess.PIPE, text=True))
    said = [child.communicate(timeout=PATIENCE_S)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    return [json.loads(each.read_text(encoding="utf-8")) for each in found]


def test_the_same_tests_are_collected_everywhere(tmp_path: Path) -> None:
    here, elsewhere = collected(ROOT / "tests", ROOT, tmp_path)
    assert len(here) > 1000
    assert [pair for pair in zip(here, elsewhere, strict=True) if pair[0] != pair[1]] == []
    assert len(set(here)) == len(here)


def test_what_differs_would_be_seen(tmp_path: Path) -> None:
    tests = tmp_path / "planted"
    tests.mkdir()
    for name in ("test_one.py", "test_two.py"):
        (tests / name).write_text(PLANTED, encoding="utf-8")
    here, elsewhere = collected(tests, tests, tmp_path)
    told = {
        one.partition("::")[2].partition("[")[0] for one, other in zip(here, elsewhere, strict=True) if one != other
    }
    assert told == {f"test_{what}" for what in ("seconds", "zones", "sets", "folders", "places")}
