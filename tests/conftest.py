"""Settings and models that every test shares."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

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


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A convolutional network, trained in seconds and packaged with its explanation graphs."""
    from glassworks.catalog import get
    from glassworks.contracts import Family
    from glassworks.flow import train
    from glassworks.registry import Registry
    from glassworks.training.progress import Silent

    folder = tmp_path_factory.mktemp("tiny-bundle")
    job = get(Family, "convnet").tiny(folder)
    return train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), Silent()).bundle
