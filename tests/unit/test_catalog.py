"""The catalog: what is found, and what is said of an implementation that is not right."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from glassworks import catalog
from glassworks.contracts import Runtime
from glassworks.errors import MissingLibrary, NotFound, Unsupported

GOOD = """
from glassworks.contracts import Runtime

class {cls}(Runtime):
    name = "{name}"
    accepts = frozenset({{"onnx"}})
    precisions = {{"fp32": ""}}
    needs = {needs}

    def open(self, opened, device="cpu"):
        return None
"""
HALF = """
from glassworks.contracts import Runtime

class Half(Runtime):
    name = "half"
    precisions = {}
"""
Planter = Callable[..., str]
_numbers = itertools.count()


def good(name: str, needs: tuple[str, ...] = (), cls: str = "Planted") -> str:
    return GOOD.format(name=name, needs=needs, cls=cls)


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Planter]:
    """Writes a package of the given modules and makes it the home of runtimes."""

    def write(**modules: str) -> str:
        package = f"planted_{next(_numbers)}"
        (tmp_path / package).mkdir()
        for name, text in {"__init__": "", **modules}.items():
            (tmp_path / package / f"{name}.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr(catalog, "_HOMES", {Runtime: package})
        return package

    monkeypatch.syspath_prepend(str(tmp_path))
    catalog._found.cache_clear()
    yield write
    catalog._found.cache_clear()
    for name in [name for name in sys.modules if name.startswith("planted_")]:
        del sys.modules[name]


@pytest.mark.parametrize("kind", catalog.kinds())
def test_everything_of_ours_is_complete(kind: str) -> None:
    everything = catalog.found(catalog.contract_of(kind))
    assert list(everything) == sorted(everything)
    assert all(name == implementation.name for name, implementation in everything.items())


def test_both_engines_are_found() -> None:
    assert {"onnxruntime", "openvino"} <= set(catalog.found(Runtime))


def test_an_unknown_kind_is_refused_with_the_kinds() -> None:
    with pytest.raises(NotFound) as caught:
        catalog.contract_of("flavour")
    assert caught.value.problem == "there is no kind 'flavour'"
    assert "family" in caught.value.mend


def test_an_unknown_name_is_refused_with_the_names() -> None:
    with pytest.raises(NotFound) as caught:
        catalog.get(Runtime, "abacus")
    assert caught.value.problem == "there is no runtime 'abacus'"
    assert "onnxruntime, opencv, openvino" in caught.value.mend


def test_a_file_is_enough(plant: Planter) -> None:
    plant(b=good("beta"), a=good("alpha"))
    assert list(catalog.found(Runtime)) == ["alpha", "beta"]
    assert catalog.get(Runtime, "beta").accepts == {"onnx"}


def test_what_is_half_written_is_refused_with_what_is_missing(plant: Planter) -> None:
    package = plant(a=good("alpha"), half=HALF)
    with pytest.raises(Unsupported) as caught:
        catalog.found(Runtime)
    assert caught.value.problem == f"Half in {package}.half is half written"
    assert caught.value.mend == "implement: open, accepts"


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("from glassworks.contracts import Runtime", 0), (good("a") + good("b", cls="Other"), 2)],
)
def test_a_module_holds_exactly_one(text: str, count: int, plant: Planter) -> None:
    package = plant(wrong=text)
    with pytest.raises(Unsupported) as caught:
        catalog.found(Runtime)
    assert caught.value.problem == f"{package}.wrong holds {count} Runtime classes, one is expected"
    assert "exactly one subclass of glassworks.contracts.Runtime" in caught.value.mend


def test_an_imported_class_does_not_count(plant: Planter) -> None:
    plant(fast_engine=good("fast"), fast="from .fast_engine import Planted\n" + good("own", cls="Own"))
    assert list(catalog.found(Runtime)) == ["fast", "own"]


def test_two_of_one_name_are_refused(plant: Planter) -> None:
    package = plant(a=good("same"), b=good("same"))
    with pytest.raises(Unsupported) as caught:
        catalog.found(Runtime)
    assert caught.value.problem == f"two runtime modules are named 'same': {package}.b is the second"


def test_an_import_error_is_raised_as_it_is(plant: Planter) -> None:
    plant(broken="import no_such_library_at_all")
    with pytest.raises(ModuleNotFoundError, match="no_such_library_at_all"):
        catalog.found(Runtime)


def test_a_missing_library_is_reported_when_it_is_used_not_when_listed(plant: Planter) -> None:
    plant(a=good("alpha", needs=("json", "no_such_library_at_all")))
    assert list(catalog.found(Runtime)) == ["alpha"]
    with pytest.raises(MissingLibrary) as caught:
        catalog.get(Runtime, "alpha")
    assert caught.value.problem == "runtime 'alpha' needs the library 'no_such_library_at_all'"
    assert caught.value.mend == "pip install 'glassworks[train]'"


def test_the_extra_is_named() -> None:
    with pytest.raises(MissingLibrary) as caught:
        catalog.require(["no_such_library_at_all"], "sample 'digits'", extra="samples")
    assert str(caught.value) == (
        "sample 'digits' needs the library 'no_such_library_at_all'\nmend: pip install 'glassworks[samples]'"
    )


@pytest.mark.parametrize("suffix", ["", ":Planted"])
def test_other_distributions_add_theirs(suffix: str, plant: Planter, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = plant(theirs=good("theirs"))
    plant(ours=good("ours"))
    point = EntryPoint(name="theirs", value=f"{elsewhere}.theirs{suffix}", group="glassworks.runtime")
    monkeypatch.setattr(catalog, "entry_points", lambda *, group: EntryPoints([point]).select(group=group))
    assert list(catalog.found(Runtime)) == ["ours", "theirs"]
