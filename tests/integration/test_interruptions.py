"""Kills, interrupts, full disks and damaged files: nothing is lost, nothing half-written, and the mend works."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PATIENCE_S, until

from glassworks.families.convnet.synthetic import write_bars
from glassworks.packaging.bundle import read_bundle

JOB = """
name = "bars"
family = "convnet"

[data]
source = "npz:bars.npz"

[training]
epochs = 60
batch_size = 32
checkpoint_every = "0.1s"
precision = "fp32"
threads = 1

[optimization]
enabled = false
"""


class Shop:
    """A folder with a job, a registry of its own, and the command line."""

    def __init__(self, folder: Path, home: Path | None = None) -> None:
        self.folder, self.home = folder, home or folder / "home"
        folder.mkdir(parents=True, exist_ok=True)
        write_bars(folder / "bars.npz", examples=360, side=16, seed=0)
        (folder / "job.toml").write_text(JOB, encoding="utf-8")
        self.environment = {**os.environ, "GLASSWORKS_HOME": str(self.home), "COLUMNS": "100"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that runs on."""
        return subprocess.Popen(
            [sys.executable, "-m", "glassworks", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def done(self, *arguments: str) -> dict[str, Any]:
        """The one JSON object of a command that succeeds."""
        code, out, err = self.run(*arguments, "--json")
        assert code == 0, err
        answer: dict[str, Any] = json.loads(out)
        return answer

    def versions(self) -> int:
        """How many versions the registry holds."""
        return len(self.done("models")["models"])

    def run_folder(self) -> Path | None:
        """The folder of the run, once there is one."""
        return next(iter(sorted((self.home / "runs").glob("bars-*"))), None)


def two_lines(err: str) -> tuple[str, str]:
    """The last two lines of stderr, which are all there is of an error."""
    *before, problem, mend = err.strip().splitlines()
    assert problem.startswith("error: "), err
    assert mend.startswith("mend: "), err
    assert not any("Traceback" in line or line.startswith("error:") for line in before), err
    return problem, mend


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A fresh one."""
    return Shop(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """One whose training ended undisturbed."""
    shop = Shop(tmp_path_factory.mktemp("whole"))
    shop.environment["WHOLE"] = shop.done("train", "job.toml")["weights_sha256"]
    return shop


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until `what()` is true; fails when the process ends before."""

    def reached() -> bool:
        if what():
            return True
        assert process.poll() is None, process.communicate()
        return False

    until(reached)


def threads_that_take(number: signal.Signals, process: int) -> list[str]:
    """Threads that do not refuse a signal: its handler would run in the middle of what they do."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            status = (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        refused = re.search(r"^SigBlk:\s*(\w+)", status, re.MULTILINE)
        if refused is None or not int(refused[1], 16) >> (number - 1) & 1:
            found.append(task.name)
    return found


def killed_after(checkpoints: int, shop: Shop) -> bool:
    """Kill a training after so many different checkpoints have been seen; False where it ends before."""
    seen = set[int]()

    def enough() -> bool:
        folder = shop.run_folder()
        state = folder / "state.safetensors" if folder else None
        with contextlib.suppress(FileNotFoundError):  # the run is over, and its folder gone
            if state:
                seen.add(state.stat().st_mtime_ns)
        return (folder is not None and len(seen) >= checkpoints) or process.poll() is not None

    with shop.start("train", "job.toml") as process:
        until(enough)
        process.kill()
        process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("checkpoints", [0, 3])  # there are about 20, fewer where the disk is slow
def test_a_killed_training_resumes_to_the_same_weights(shop: Shop, whole: Shop, checkpoints: int) -> None:
    """SIGKILL after so many different checkpoints have been seen; 0 is while PyTorch is still being loaded."""
    while not killed_after(checkpoints, shop):
        shutil.rmtree(shop.home)  # it was done before all of them were seen, as happens on a busy machine
    answer = shop.done("train", "job.toml")
    assert answer["resumed"] is (checkpoints > 0)
    assert answer["weights_sha256"] == whole.environment["WHOLE"]
    assert shop.versions() == 1


@pytest.mark.parametrize("stage", ["state.safetensors", "final.safetensors", "build/predict.onnx", "bundle"])
def test_an_interrupt_in_any_stage_leaves_everything_resumable(shop: Shop, whole: Shop, stage: str) -> None:
    process = shop.start("up", "job.toml", "--check")

    def reached() -> bool:
        folder = shop.run_folder()
        return folder is not None and (folder / stage).exists()

    wait_for(reached, process)
    assert len(threads_that_take(signal.SIGINT, process.pid)) <= 1  # the one that waits for it
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    if process.returncode == 0:
        pytest.fail("the stage was over before it could be interrupted")
    assert process.returncode == 130, err
    problem, mend = two_lines(err)
    assert "interrupted" in problem
    assert "same command" in mend
    published = shop.versions()
    assert published <= (1 if stage == "bundle" else 0)
    answer = shop.done("up", "job.toml", "--check")
    assert answer["train"]["weights_sha256"] == whole.environment["WHOLE"]
    assert shop.versions() == published + 1


def test_a_port_in_use_is_told_before_anything_is_trained(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = shop.run("up", "job.toml", "--set", f"serving.port={port}")
    assert code == 1
    problem, mend = two_lines(err)
    assert f"127.0.0.1:{port}" in problem
    assert "serving.port" in mend
    assert shop.run_folder() is None


def test_two_trainings_of_one_job_do_not_meet(shop: Shop) -> None:
    first = shop.start("train", "job.toml")
    wait_for(lambda: shop.run_folder() is not None and (shop.run_folder() / "state.safetensors").exists(), first)  # type: ignore[operator]
    code, _, err = shop.run("train", "job.toml")
    assert code == 1
    assert "another process is training this job" in two_lines(err)[0]
    first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0
    assert shop.versions() == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True
        ).returncode
    ):
        pytest.skip("a small file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("room_kb", [40, 700])
def test_a_full_disk_loses_nothing(tmp_path: Path, small_disk: Path, whole: Shop, room_kb: int) -> None:
    """With 40 kB no checkpoint fits; with 700 kB training does, and publishing does not."""
    shop = Shop(tmp_path / "shop", small_disk / "home")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * (1024 - room_kb - 16) * 1024)
    code, _, err = shop.run("train", "job.toml")
    assert code == 1, err
    problem, mend = two_lines(err)
    assert "disk is full" in problem or "No space" in problem
    assert "free" in mend
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert shop.versions() == 0
    assert shop.done("train", "job.toml")["weights_sha256"] == whole.environment["WHOLE"]
    assert shop.versions() == 1
    assert not list(shop.home.rglob("*.partial"))


def test_a_corrupt_registry_is_told_and_its_mend_works(tmp_path: Path, whole: Shop) -> None:
    home = tmp_path / "home"
    shutil.copytree(whole.home, home)
    shop = Shop(tmp_path / "shop", home)
    database = home / "registry.db"
    for each in home.glob("registry.db*"):
        each.unlink()
    database.write_bytes(os.urandom(4096))
    code, _, err = shop.run("models")
    assert code == 1
    problem, mend = two_lines(err)
    assert "registry.db" in problem + mend
    database.rename(tmp_path / "moved")
    assert shop.versions() == 1


def test_a_flipped_byte_in_the_store_is_refused(tmp_path: Path, whole: Shop) -> None:
    home = tmp_path / "home"
    shutil.copytree(whole.home, home)
    shop = Shop(tmp_path / "shop", home)
    shutil.rmtree(home / "bundles")
    largest = max((home / "store").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else -1)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.chmod(0o644)
    largest.write_bytes(bytes(content))
    code, _, err = shop.run("show", "bars")
    assert code == 1
    assert "differs" in two_lines(err)[0]


def test_nothing_leaves_the_machine(shop: Shop) -> None:
    """The whole flow in a network that has nothing but its own loopback."""
    inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if (
        not shutil.which("unshare")
        or not shutil.which("ip")
        or subprocess.run([*inside, "true"], capture_output=True).returncode
    ):
        pytest.skip("a network of its own cannot be made here")
    command = [*inside, sys.executable, "-m", "glassworks", "up", "job.toml", "--check", "--json"]
    command += ["--set", "optimization.enabled=true", "--set", "optimization.budget=0.1s"]
    done = subprocess.run(
        command, cwd=shop.folder, env=shop.environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert list(answer) == ["data", "train", "optimize", "package", "explain", "serve"]
    assert {"fingerprint", "examples", "splits"} <= answer["data"].keys()
    row = answer["optimize"]["candidates"][0]
    assert {"name", "engine", "precision", "latency_p50_ms", "latency_p99_ms", "size_bytes", "metrics"} <= row.keys()
    assert read_bundle(next((shop.home / "bundles").iterdir())).manifest.name == "bars"
