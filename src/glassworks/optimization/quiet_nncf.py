"""NNCF without a word to its makers or to the terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def quiet_nncf() -> Iterator[Any]:
    """NNCF reports to its makers unless it runs in a pipeline, and writes a lot to stdout."""
    os.environ["NNCF_CI"] = "1"
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        warnings.simplefilter("ignore")
        import nncf

        nncf.set_log_level(logging.ERROR)
        yield nncf
