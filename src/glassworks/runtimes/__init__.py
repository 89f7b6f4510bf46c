"""Runtimes: each file opens an artifact in one engine and runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from glassworks.catalog import get
from glassworks.contracts import Device, Opened, Runtime, Session, Task


def open_session(
    task: Task, opened: Opened, preprocessing: Mapping[str, Any], device: Device = "cpu", *, limited: bool = True
) -> Session:
    """Open an artifact in its runtime; one that predicts takes and gives what the model's signature says.

    `limited`: it refuses what is too much for a request. Raises BundleError when the file is not what it says.
    """
    session = get(Runtime, opened.artifact.runtime).open(_within_cores(opened), device)
    if opened.artifact.role not in PREDICTING:
        return session
    return task.wrap(session, opened, preprocessing if limited else task.unlimited(preprocessing))


PREDICTING = ("predict", "reference")


def _within_cores(opened: Opened) -> Opened:
    """No more threads than this machine has cores, wherever the artifact was measured."""
    cores = os.cpu_count() or 1
    if opened.artifact.threads <= cores:
        return opened
    return replace(opened, artifact=opened.artifact.model_copy(update={"threads": cores}))
