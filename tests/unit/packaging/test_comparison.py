"""A model that does not beat the simple classifier says so wherever its metrics stand."""

from __future__ import annotations

import pytest
from rich.console import Console

from glassworks.cli.tables import show_test
from glassworks.contracts import Measurement
from glassworks.packaging.card import write_card
from glassworks.packaging.comparison import not_better
from glassworks.packaging.manifest import Manifest, from_json, to_json


def accuracy(value: float) -> dict[str, Measurement]:
    return {"accuracy": Measurement(value=value, interval=(value - 0.01, value + 0.01), examples=2598)}


def compared(manifest: Manifest, own: float, simple: float | None) -> Manifest:
    baseline = accuracy(simple) if simple is not None else {}
    return manifest.model_copy(update={"task": "text-classification", "metrics": accuracy(own), "baseline": baseline})


WARNING = "the model does not beat the simple baseline: accuracy 0.8500 against 0.8591 on the same 2,598 test examples"


@pytest.mark.parametrize(
    ("own", "simple", "expected"),
    [(0.85, 0.8591, WARNING), (0.87, 0.8591, ""), (0.85, None, ""), (0.5, 0.5, "does not beat")],
)
def test_the_sentence(own: float, simple: float | None, expected: str, manifest: Manifest) -> None:
    told = not_better(compared(manifest, own, simple))
    assert expected in told
    assert bool(told) == bool(expected)


def test_it_stands_in_the_card(manifest: Manifest) -> None:
    card = write_card(compared(manifest, 0.85, 0.8591), (), "", [])
    assert f"**Warning: {WARNING}.**" in card
    assert "| accuracy | 0.8591 | [0.8491, 0.8691] | 2598 | higher |" in card
    better = write_card(compared(manifest, 0.87, 0.8591), (), "", [])
    assert "A simple classifier" in better
    assert "Warning" not in better
    assert "A simple classifier" not in write_card(compared(manifest, 0.87, None), (), "", [])


def test_it_is_printed() -> None:
    console = Console(width=160, record=True, quiet=False, file=None)
    nothing = {"inputs": (), "outputs": ()}
    manifest = Manifest.model_validate(
        {"name": "m", "task": "text-classification", "family": "f", "signature": nothing}
    )
    with console.capture() as caught:
        show_test(compared(manifest, 0.85, 0.8591), "test", console)
    assert f"WARNING: {WARNING}" in caught.get()
    assert "0.8591 [0.8491, 0.8691]" in caught.get()


def test_bundles_without_a_baseline_stay_readable(manifest: Manifest) -> None:
    kept = compared(manifest.model_copy(update={"artifacts": ()}), 0.9, 0.8)
    assert from_json(to_json(kept), "x").baseline == kept.baseline
    older = manifest.model_dump(mode="json")
    del older["baseline"]
    assert Manifest.model_validate(older).baseline == {}
