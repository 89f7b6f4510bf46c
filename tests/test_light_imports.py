"""Listing, the command line and serving load no heavy library."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LIST_EVERYTHING = """
from glassworks import catalog
for kind in catalog.kinds():
    catalog.found(catalog.contract_of(kind))
"""
IMPORT_ALL_OF = """
import importlib, pkgutil
import glassworks.{0} as part
for module in pkgutil.walk_packages(part.__path__, part.__name__ + "."):
    importlib.import_module(module.name)
"""


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import glassworks", ("numpy", "torch", "onnxruntime", "openvino", "sqlalchemy", "starlette")),
        (LIST_EVERYTHING, ("torch", "onnxruntime", "openvino", "nncf", "scipy", "sklearn")),
        (IMPORT_ALL_OF.format("cli"), ("torch", "onnxruntime", "openvino", "nncf", "scipy", "sklearn")),
        (IMPORT_ALL_OF.format("serving"), ("torch", "nncf", "sklearn")),
    ],
    ids=["the package", "the catalog", "the command line", "the server"],
)
def test_loads_nothing_heavy(statement: str, heavy: tuple[str, ...]) -> None:
    assert _loaded(statement, heavy) == []


def test_something_heavy_would_be_seen() -> None:
    assert _loaded("import numpy", ("numpy", "torch")) == ["numpy"]


def _loaded(statement: str, heavy: tuple[str, ...]) -> list[str]:
    """Which of `heavy` a fresh interpreter holds after `statement`."""
    code = f"import sys, json\n{statement}\njson.dump([name for name in {heavy!r} if name in sys.modules], sys.stdout)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded: list[str] = json.loads(done.stdout)
    return loaded
