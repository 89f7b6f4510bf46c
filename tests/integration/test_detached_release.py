"""`up --detach`: a run that outlives its terminal, and is loaded by the service that is running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.patience import until

from glassworks.families.image_operators.synthetic import write_squares
from glassworks.registry import Registry
from glassworks.runs import Runs
from glassworks.runs.presence import anybody

JOB = """
name = "gray"
family = "image_operators"
data = { source = "folder:pictures" }
model = { pipeline = [{ operator = "grayscale" }] }
optimization = { enabled = false }
serving = { max_batch = 7 }
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))
    write_squares(tmp_path / "pictures", pictures=3, seed=0)
    (tmp_path / "job.toml").write_text(JOB, encoding="utf-8")
    yield tmp_path / "home"
    until(lambda: not anybody(tmp_path / "home"), "the end of the worker")


def up(folder: Path, *more: str) -> str:
    """In a session of its own, whose end a terminal's would be: everything of its group is killed when it returns."""
    with subprocess.Popen(
        [sys.executable, "-m", "glassworks", "up", "job.toml", "--detach", *more],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        said, _ = process.communicate()
    assert process.returncode == 0, said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return said


def succeeded(home: Path) -> Callable[[], bool]:
    return lambda: [run.state for run in Runs(Registry.open()).list(kind="release")] == ["succeeded"]


def test_a_release_in_the_background_says_how_it_will_be_served(home: Path) -> None:
    said = up(home.parent, "--port", "8123")
    run = Runs(Registry.open()).list()[0]
    assert f"next: glassworks runs follow {run.id}" in said
    assert "once it is published: glassworks serve gray --port 8123 --max-batch 7" in said
    until(succeeded(home), "the release")
    assert Runs(Registry.open()).get(run.id).result["model"] == "gray@1"


def test_the_service_that_is_running_loads_what_was_released(home: Path) -> None:
    serve = [sys.executable, "-m", "glassworks", "serve", "--port", "0", "--json", "--no-grpc", "--workers", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            url = json.loads(service.stdout.readline())["url"]
            assert "the service that is running loads 'gray'" in up(home.parent)
            until(succeeded(home), "the release")
            until(lambda: answers(f"{url}/v2/models/gray/versions/1"), "the model in service")
            with urllib.request.urlopen(f"{url}/api/v1/deployments/gray") as answer:
                assert [each["what"] for each in json.load(answer)["history"]] == ["loaded"]
        finally:
            service.terminate()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url):
            return True
    except urllib.error.HTTPError:
        return False


def test_a_check_asks_and_so_cannot_go_on_in_the_background(home: Path) -> None:
    command = [sys.executable, "-m", "glassworks", "up", "job.toml", "--check", "--detach"]
    refused = subprocess.run(command, cwd=home.parent, capture_output=True, text=True, check=False)
    assert (refused.returncode, "--check does not go with --detach" in refused.stderr) == (2, True)
