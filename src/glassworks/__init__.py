"""Glassworks: models as a service that you can see through. The verbs of the flow; they load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Client", "evaluate", "explain", "feedback", "load_job", "optimize", "predict", "release", "train"]

if TYPE_CHECKING:
    from glassworks.client import Client
    from glassworks.flow import evaluate, explain, feedback, optimize, predict, release, train
    from glassworks.job_files import load_job


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'glassworks' has no attribute '{name}'")
    import importlib

    homes = {"load_job": "glassworks.job_files", "Client": "glassworks.client"}
    return getattr(importlib.import_module(homes.get(name, "glassworks.flow")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
