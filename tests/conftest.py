"""Settings and models that every test shares."""

from __future__ import annotations

import os
import random
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from glassworks.packaging.bundle import Bundle

# Threads of OpenMP that wait must not spin: beside other work, the one they wait for would not get its core. Beside
# four busy processes a small network trains in 18 s so, in 67 s otherwise. It is read when PyTorch is loaded, here and
# in the processes that tests start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A deadline for one example would make a busy machine fail a right program.
settings.register_profile("glassworks", deadline=None, max_examples=60)
settings.load_profile("glassworks")
# Started in the background by a script, this process and those that tests start would ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run files, and tests within a file, in another order")
    parser.addoption(
        "--every-kind",
        action="store_true",
        help="export every kind of encoder, not only those that are exported unasked",
    )
    parser.addoption("--least", type=int, default=0, metavar="N", help="fail unless so many tests have passed")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that found or ran next to nothing is no success."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    least, passed = session.config.getoption("--least"), len(reporter.stats.get("passed", ())) if reporter else 0
    if passed < least and not hasattr(session.config, "workerinput"):
        reporter.write_line(f"only {passed} tests have passed, at least {least} must", red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(tryfirst=True)  # before tests that share an expensive fixture are put side by side again
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The same seed gives the same order in every worker."""
    seed = config.getoption("--shuffle")
    if seed is not None:
        generator = random.Random(seed)
        files: dict[Path, list[pytest.Item]] = {}
        for item in items:
            files.setdefault(item.path, []).append(item)
        order = list(files.values())
        generator.shuffle(order)
        for each in order:
            generator.shuffle(each)
        items[:] = [item for each in order for item in each]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A worker takes a file, or all that the conformance suite asks of one family: each is trained once."""
    from xdist.scheduler.loadfile import LoadFileScheduling

    class ByFileOrFamily(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            found = re.match(r"(tests/conformance/).*\[(\w+(?::\w+)?)", nodeid)
            return "".join(found.groups()) if found else str(super()._split_scope(nodeid))

    return ByFileOrFamily(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A convolutional network, trained in seconds and packaged with its explanation graphs."""
    from glassworks.catalog import get
    from glassworks.contracts import Family
    from glassworks.flow import train
    from glassworks.progress import Silent
    from glassworks.registry import Registry

    folder = tmp_path_factory.mktemp("tiny-bundle")
    job = get(Family, "convnet").tiny(folder)
    return train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), Silent()).bundle
