"""`up` and its service end together, whatever ends `up`; and no command minds a reader that goes away."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.patience import PATIENCE_S

from glassworks.families.image_operators.synthetic import write_squares

JOB = """
name = "gray"
family = "image_operators"

[data]
source = "folder:pictures"

[[model.pipeline]]
operator = "grayscale"

[optimization]
enabled = false

[serving]
port = 0
"""
WAIT_S = PATIENCE_S
PROCESSES = Path("/proc")


class Home:
    """A folder with a job that trains nothing, and all processes that were started for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {**os.environ, "GLASSWORKS_HOME": str(folder / "home")}
        write_squares(folder / "pictures", pictures=3, seed=0)
        (folder / "job.toml").write_text(JOB, encoding="utf-8")

    @contextlib.contextmanager
    def start(self, *arguments: str, stderr: int = subprocess.STDOUT) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "glassworks", *arguments]
        # Tests that are started by nohup ignore it, and so would what they start.
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        try:
            started = subprocess.Popen(
                command, cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        finally:
            signal.signal(signal.SIGHUP, before)
        with started as process:
            try:
                yield process
            finally:
                process.kill()

    def running(self) -> list[int]:
        """Processes of this home, found by their environment."""
        mark, found = f"GLASSWORKS_HOME={self.environ['GLASSWORKS_HOME']}\0".encode(), []
        for place in PROCESSES.glob("[0-9]*"):
            try:
                if mark in (place / "environ").read_bytes() + b"\0":
                    found.append(int(place.name))
            except OSError:
                continue  # it has ended, or belongs to somebody else
        return found

    def until(self, reached: Callable[[int], bool]) -> None:
        """Wait until the number of processes is as it is to be."""
        end = time.monotonic() + WAIT_S
        while not reached(len(self.running())):
            assert time.monotonic() < end, self.running()
            time.sleep(0.05)

    def until_none_is_left(self) -> None:
        self.until(lambda count: count == 0)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    if not PROCESSES.is_dir():
        pytest.skip("processes cannot be listed here")
    home = Home(tmp_path)
    yield home
    for left in home.running():
        os.kill(left, signal.SIGKILL)


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"it never said '{words}'")


def close(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    process.stdout.close()


ENDS: dict[str, Callable[[subprocess.Popen[str]], None]] = {
    "killed": lambda process: process.kill(),
    "hung up": lambda process: process.send_signal(signal.SIGHUP),
    "interrupted": lambda process: process.send_signal(signal.SIGINT),
    "nobody reads": close,
}


@pytest.mark.parametrize("how", ENDS)
def test_the_service_ends_with_up(home: Home, how: str) -> None:
    with home.start("up", "job.toml") as process:
        read_until(process, "until Ctrl-C")
        home.until(lambda count: count > 1)  # the service, and soon the worker beside it
        ENDS[how](process)
        process.wait(WAIT_S)
        home.until_none_is_left()
        assert not home.running()


def test_a_reader_that_leaves_before_the_service_is_up_leaves_nothing(home: Home) -> None:
    """As `up --check 2>&1 | head` does: the next line that is printed is that the service is up."""
    with home.start("up", "job.toml", "--check") as process:
        read_until(process, "explanations, measured")
        close(process)
        assert process.wait(WAIT_S) == 1
    home.until_none_is_left()


@pytest.mark.parametrize("command", [("--help",), ("catalog",), ("data", "list", "--json")], ids=" ".join)
def test_a_command_whose_reader_is_gone_ends_without_a_traceback(home: Home, command: tuple[str, ...]) -> None:
    with home.start(*command, stderr=subprocess.PIPE) as process:
        close(process)
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(WAIT_S) == 1
