"""Finds families, tasks, passes, sources and the like: by walking folders, never from a list.

A folder or file added under the right package is found; a half-written one is an error that names
what is missing. Other distributions add theirs through the entry-point group `glassworks.KIND`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from glassworks.contracts import (
    Explainer,
    Exporter,
    Family,
    Grader,
    Importer,
    Pass,
    Quantity,
    Runtime,
    Sample,
    Source,
    Task,
    Work,
)
from glassworks.errors import MissingLibrary, NotFound, Unsupported

_T = TypeVar("_T")

_HOMES: Mapping[type, str] = MappingProxyType(
    {
        Task: "glassworks.tasks",
        Family: "glassworks.families",
        Runtime: "glassworks.runtimes",
        Pass: "glassworks.optimization.passes",
        Quantity: "glassworks.optimization.quantities",
        Explainer: "glassworks.explanation.methods",
        Exporter: "glassworks.packaging.exporters",
        Importer: "glassworks.packaging.importers",
        Source: "glassworks.data.sources",
        Sample: "glassworks.data.samples",
        Work: "glassworks.runs.works",
        Grader: "glassworks.language.evaluation.graders",
    }
)


def kinds() -> tuple[str, ...]:
    """The names of what can be extended, such as `family`."""
    return tuple(contract.__name__.lower() for contract in _HOMES)


def contract_of(kind: str) -> type[Any]:
    """The contract class of a kind. Raises NotFound."""
    for contract in _HOMES:
        if contract.__name__.lower() == kind:
            return contract
    raise NotFound(f"there is no kind '{kind}'", f"kinds: {', '.join(kinds())}")


def found(contract: type[_T]) -> Mapping[str, _T]:
    """Every implementation of `contract`, by its name, in alphabetical order."""
    key: type = contract
    return _found(key)


def importer_of(path: Path) -> Importer | None:
    """The one that reads the form of a model at that path, ready to be used; None where there is none."""
    for name, importer in found(Importer).items():
        if importer.reads(path):
            return get(Importer, name)
    return None


def summaries(contract: type[_T]) -> Mapping[str, str]:
    """Name -> what it is, of every implementation: the first paragraph of its docstring."""
    return {name: first_paragraph(type(implementation)) for name, implementation in found(contract).items()}


def first_paragraph(thing: type) -> str:
    """Of a class's docstring, in one line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def named(contract: type[_T], name: str) -> _T:
    """One implementation, whether or not what it needs is installed. Raises NotFound with what there is."""
    everything = found(contract)
    if name not in everything:
        kind = contract.__name__.lower()
        raise NotFound(f"there is no {kind} '{name}'", f"available: {', '.join(everything) or 'none'}")
    return everything[name]


def get(contract: type[_T], name: str) -> _T:
    """One implementation, ready to be used. Raises NotFound, and MissingLibrary with what to install."""
    implementation = named(contract, name)
    extra = getattr(implementation, "extra", "train")
    require(getattr(implementation, "needs", ()), f"{contract.__name__.lower()} '{name}'", extra)
    return implementation


def require(libraries: Iterable[str], who: str, extra: str = "train") -> None:
    """Raise MissingLibrary for the first of `libraries` that is not installed."""
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            raise MissingLibrary(f"{who} needs the library '{library}'", f"pip install 'glassworks[{extra}]'")


@functools.cache
def _found(contract: type) -> Mapping[str, Any]:
    implementations: dict[str, Any] = {}
    for module in _modules(contract):
        implementation = _implementation(contract, module)
        if implementation.name in implementations:
            kind = contract.__name__.lower()
            raise Unsupported(
                f"two {kind} modules are named '{implementation.name}': {module.__name__} is the second",
                "rename one of them",
            )
        implementations[implementation.name] = implementation
    return MappingProxyType(dict(sorted(implementations.items())))


def _modules(contract: type) -> Iterable[ModuleType]:
    home = importlib.import_module(_HOMES[contract])
    for info in pkgutil.iter_modules(home.__path__):
        if info.name.startswith("_"):  # what several implementations share
            continue
        yield importlib.import_module(f"{home.__name__}.{info.name}")
    for point in entry_points(group=f"glassworks.{contract.__name__.lower()}"):
        yield importlib.import_module(point.module)


def _implementation(contract: type, module: ModuleType) -> Any:
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, contract)
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
    ]
    if len(classes) != 1:
        raise Unsupported(
            f"{module.__name__} holds {len(classes)} {contract.__name__} classes, one is expected",
            f"define exactly one subclass of glassworks.contracts.{contract.__name__} in it",
        )
    missing = sorted(getattr(classes[0], "__abstractmethods__", ()))
    missing += [key for key in _declared(contract) if not hasattr(classes[0], key)]
    if missing:
        raise Unsupported(
            f"{classes[0].__qualname__} in {module.__name__} is half written", f"implement: {', '.join(missing)}"
        )
    return classes[0]()


def _declared(contract: type) -> list[str]:
    return [key for key, annotation in contract.__annotations__.items() if str(annotation).startswith("ClassVar")]
