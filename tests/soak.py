"""`make soak`: every test many times, each time in another order, hash seed and time zone, beside busy processes.

Prints what became of each run, and ends with 1 unless all are green. OPTIONS of `make soak` go to pytest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati")
LIMIT_S = 3 * 3600
"""A run that takes longer hangs."""


def soak(times: int, busy: int, options: str) -> bool:
    """Whether each run was green."""
    green = 0
    for number in range(1, times + 1):
        start = time.monotonic()
        with load(busy):
            code, said = run(number, options)
        green += code == 0
        sys.stdout.write(said if code else "")
        seconds = time.monotonic() - start
        sys.stdout.write(f"soak: run {number} of {times}: {'green' if code == 0 else 'RED'}, {seconds:.0f} s, ")
        sys.stdout.write(f"shuffled by {number}, {ZONES[number % len(ZONES)]}; {green} green so far\n")
        sys.stdout.flush()
    return green == times


def run(number: int, options: str) -> tuple[int, str]:
    """Exit code and output of `make test`; a hang is a failure."""
    settings = {"PYTHONHASHSEED": str(number), "TZ": ZONES[number % len(ZONES)]}
    command = ["make", "--no-print-directory", "test", f"OPTIONS=--shuffle {number} {options}"]
    with subprocess.Popen(
        command, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        try:
            said, _ = child.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            child.terminate()
            return 1, f"soak: no end after {LIMIT_S} s\n"
    return child.returncode, said


@contextmanager
def load(busy: int) -> Iterator[None]:
    """So many processes that only count; they end here, or with this process."""
    program = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(10**6))"
    children = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(busy)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--busy", type=int, default=2 * (os.cpu_count() or 1), help="processes beside the tests")
    parser.add_argument("--options", default="", help="more for pytest")
    asked = parser.parse_args()
    sys.exit(0 if soak(asked.times, asked.busy, asked.options) else 1)
