"""A model that does not beat something simpler says so wherever its metrics stand."""

from __future__ import annotations

import pytest
from rich.console import Console

from glassworks.cli.tables import show_test, show_warnings
from glassworks.contracts import Measurement
from glassworks.packaging.card import write_card
from glassworks.packaging.comparison import comparison_metric, warnings_of
from glassworks.packaging.manifest import Manifest, from_json, to_json

CONSTANT = "most frequent class"


def measured(value: float, name: str = "accuracy") -> dict[str, Measurement]:
    return {name: Measurement(value=value, interval=(value - 0.01, value + 0.01), examples=2598)}


def compared(
    manifest: Manifest, own: float, simple: float | None, constant: float | None = None, metric: str = "accuracy"
) -> Manifest:
    changed = manifest.model_copy(
        update={
            "task": "text-classification",
            "metrics": measured(own, metric),
            "baseline": measured(simple, metric) if simple is not None else {},
            "comparison": {CONSTANT: measured(constant, metric)} if constant is not None else {},
        }
    )
    return changed.model_copy(update={"warnings": tuple(warnings_of(changed, metric))})


WARNING = "the model does not beat the simple baseline: accuracy 0.8500 against 0.8591 on the same 2,598 test examples"
LOUD = (
    f"the model is no better than one answer to everything ({CONSTANT}): accuracy 0.0110 against 0.9890 on the same "
    '2,598 test examples; training.class_weights = "balanced" learns rare classes; look at the data with '
    "'glassworks data check', train longer or otherwise ([training], [model]), and do not serve it before it is better"
)


@pytest.mark.parametrize(
    ("own", "simple", "expected"),
    [(0.85, 0.8591, WARNING), (0.87, 0.8591, ""), (0.85, None, ""), (0.5, 0.5, "does not beat"), (1.0, 1.0, "")],
)
def test_the_sentence(own: float, simple: float | None, expected: str, manifest: Manifest) -> None:
    reported = compared(manifest, own, simple).warnings
    assert expected in "".join(reported)
    assert len(reported) == bool(expected)


@pytest.mark.parametrize(
    ("own", "constant", "expected"),
    [(0.011, 0.989, (LOUD,)), (0.99, 0.989, ()), (0.989, 0.989, None), (1.0, 1.0, ()), (0.011, None, ())],
)
def test_one_answer_to_everything_is_to_be_beaten(
    own: float, constant: float | None, expected: tuple[str, ...] | None, manifest: Manifest
) -> None:
    reported = compared(manifest, own, None, constant).warnings
    assert reported == expected if expected is not None else len(reported) == 1


def test_what_is_best_when_small_is_compared_so(manifest: Manifest) -> None:
    def with_loss(own: float, simple: float) -> Manifest:
        values = {
            key: {"error": Measurement(value=value, interval=(value, value), examples=9, higher_is_better=False)}
            for key, value in (("metrics", own), ("baseline", simple))
        }
        return manifest.model_copy(update={"task": "text-classification", **values})

    assert len(list(warnings_of(with_loss(0.5, 0.4), "error"))) == 1
    assert not list(warnings_of(with_loss(0.3, 0.4), "error"))


def test_balanced_classes_are_compared_by_balanced_accuracy(manifest: Manifest) -> None:
    """Which such models trade accuracy for."""
    balanced = manifest.model_copy(update={"job": {"training": {"class_weights": "balanced"}}})
    for each, metric in ((balanced, "balanced_accuracy"), (manifest, "accuracy")):
        both = each.model_copy(update={"metrics": measured(0.9) | measured(0.7, "balanced_accuracy")})
        assert comparison_metric(both, "accuracy") == metric
    assert (
        comparison_metric(balanced.model_copy(update={"metrics": measured(0.2, "ndcg_at_10")}), "ndcg_at_10")
        == "ndcg_at_10"
    )
    reported = compared(balanced, 0.4, None, 0.5, "balanced_accuracy").warnings
    assert len(reported) == 1
    assert "class_weights" not in reported[0]


def test_it_stands_in_the_card(manifest: Manifest) -> None:
    card = write_card(compared(manifest, 0.85, 0.8591, 0.86), (), "", [])
    assert f"**Warning: {WARNING}.**" in card
    assert "**Warning: the model is no better than one answer to everything" in card
    assert "| accuracy | 0.8591 | [0.8491, 0.8691] | 2598 | higher |" in card
    assert f"| {CONSTANT} | accuracy | 0.86 |" in card
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
        show_warnings(compared(manifest, 0.85, 0.8591).warnings, console)
    assert f"WARNING: {WARNING}" in caught.get()
    assert "0.8591 [0.8491, 0.8691]" in caught.get()


def test_bundles_without_a_baseline_stay_readable(manifest: Manifest) -> None:
    kept = compared(manifest.model_copy(update={"artifacts": ()}), 0.9, 0.8, 0.95)
    read = from_json(to_json(kept), "x")
    assert (read.baseline, read.warnings) == (kept.baseline, kept.warnings)
    assert len(read.warnings) == 1
    older = manifest.model_dump(mode="json")
    del older["baseline"], older["warnings"]
    assert Manifest.model_validate(older).warnings == ()
