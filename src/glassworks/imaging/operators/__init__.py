"""Operators: each module here is one, found by walking the folder; its record's field `operator` is its name."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Mapping

from glassworks.errors import Unsupported
from glassworks.imaging.operator import Operator


@functools.cache
def operators() -> Mapping[str, type[Operator]]:
    """Name -> record. Raises Unsupported for a module that does not hold exactly one."""
    found: dict[str, type[Operator]] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        own = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Operator) and value.__module__ == module.__name__
        ]
        if len(own) != 1 or inspect.isabstract(own[0]) or "operator" not in own[0].model_fields:
            raise Unsupported(
                f"{module.__name__} does not hold one whole operator",
                "define exactly one subclass of Operator with a field 'operator' in it",
            )
        found[str(own[0].model_fields["operator"].default)] = own[0]
    return found
