"""An interrupt is received also where Python drops what is raised."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.patience import PATIENCE_S


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


PROGRAM = """
import os, signal, time, weakref
from glassworks.cli.interrupts import receive_interrupts

receive_interrupts()
interrupted = []

def busy(*ignored):
    if not interrupted:
        interrupted.append(os.kill(os.getpid(), signal.SIGINT))
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        pass

class Thing:
    {method}

thing = Thing()
{reference}
try:
    del thing
    end = time.monotonic() + 300
    while time.monotonic() < end:
        pass
    print("lost")
except KeyboardInterrupt:
    print("received")
"""


@pytest.mark.parametrize(
    ("method", "reference"),
    [("pass", "kept = weakref.ref(thing, busy)"), ("def __del__(self): busy()", "")],
    ids=["a callback of a weak reference", "a destructor"],
)
def test_an_interrupt_that_is_dropped_comes_again(method: str, reference: str) -> None:
    program = PROGRAM.format(method=method, reference=reference)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.stdout == "received\n", done.stderr
    assert done.stderr == ""


def test_what_else_is_dropped_is_reported() -> None:
    program = "from glassworks.cli.interrupts import receive_interrupts\nreceive_interrupts()\n"
    program += "class Thing:\n    def __del__(self): 1 / 0\nThing()\n"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert "ZeroDivisionError" in done.stderr


SWALLOWED = """
import os, signal
from glassworks.cli import app
from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import LiveProgress

def work(**ignored):
    receive_interrupts()
    progress = LiveProgress()
    progress.start("one")
    try:
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            pass
    except KeyboardInterrupt:
        {then}
    progress.{more}
    print("went on")

app.app = work
app.main()
"""


@pytest.mark.parametrize("more", ["start('two')", "update(loss=1.0)"])
def test_an_interrupt_that_others_swallow_is_heeded_at_the_next_step(more: str) -> None:
    assert ends_interrupted(SWALLOWED.format(then="pass", more=more))


@pytest.mark.parametrize("kind", ["ImportError", "GlassworksError", "OSError", "SystemError"])
def test_an_interrupt_of_which_others_make_an_exception_stays_one(kind: str) -> None:
    arguments = "'a', 'b'" if kind == "GlassworksError" else "'initialization failed'"
    then = f"from glassworks.errors import GlassworksError; raise {kind}({arguments})"
    assert ends_interrupted(SWALLOWED.format(then=then, more="close()"))


def ends_interrupted(program: str) -> bool:
    """Whether it says so, with exit code 130, and nothing else happened."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 130, done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()[-2].startswith("error: interrupted")


def test_who_was_started_to_ignore_interrupts_ignores_them() -> None:
    program = "import os, signal, time\nfrom glassworks.cli.interrupts import interrupted, receive_interrupts\n"
    program += "receive_interrupts()\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0.5)\nprint(interrupted())\n"
    asked = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", program]
    done = run(*asked)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr
