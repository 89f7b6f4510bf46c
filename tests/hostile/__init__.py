"""Hostile clients, for tests and benchmarks: each is a function that attacks a server on loopback for some seconds.

A module's functions named `attack_...` are found by `attacks()`; none of them expects a particular answer: what the
server must keep (health answers, bounded memory, right answers for others) is watched from outside, by `watching`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping

from tests.hostile.place import Place

Attack = Callable[[Place, float], None]
"""Attacks the place for about so many seconds, then leaves."""
_PREFIX = "attack_"


def attacks() -> Mapping[str, Attack]:
    """Every attack by its name, `module.what`."""
    found: dict[str, Attack] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for name, value in vars(loaded).items():
            if name.startswith(_PREFIX) and callable(value):
                found[f"{module.name}.{name.removeprefix(_PREFIX)}"] = value
    return found
