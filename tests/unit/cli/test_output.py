"""Tables show what others named as it is, and explanations claim only what was found."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from glassworks.cli.drawing import Drawn
from glassworks.cli.output import stdout, table
from glassworks.cli.tables import show_grade
from glassworks.cli.verbs.explain import _show
from glassworks.contracts import Attribution, Explanation
from glassworks.packaging.answered import explanation_json


def test_brackets_in_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table("of [/x]", ("label",), [("[red]apple",), ("[/b]",)], stdout())
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("of [/x]", "[red]apple", "[/b]"))


@pytest.mark.parametrize(
    ("z", "said"),
    [
        (4.46, "deletion beats random orders by 4.5 standard deviations\n"),
        (1.9, "is not told apart from random orders (1.9 standard deviations): do not rely on this"),
        (0.0, "is not told apart from random orders (0.0 standard deviations): do not rely on this"),
        (-2.2, "does not beat random orders (-2.2 standard deviations): do not rely on this explanation"),
    ],
)
def test_a_grade_says_when_an_explanation_is_no_better_than_chance(
    z: float, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console(width=200)
    show_grade({"converged": True, "faithfulness_z": z, "forward": 1, "backward": 0}, console)
    shown = capsys.readouterr().out
    assert said in shown
    assert ("beats random orders by" in shown) is (z > 2)


@pytest.mark.parametrize("found", [True, False])
def test_the_headline_claims_only_what_was_found(found: bool, capsys: pytest.CaptureFixture[str]) -> None:
    explanation = Explanation(
        attribution=Attribution(values=np.zeros(2, np.float32), score=0.0, forward=1, converged=found),
        method="counterfactual",
        target=0,
        label="film",
        seed=0,
        outputs={},
        input="x",
        artifact_sha256="",
        milliseconds=1.0,
    )
    _show("m", explanation, Drawn(rows=[], file=b"", suffix="html"), explanation_json(explanation), None)
    headline = capsys.readouterr().out.splitlines()[0]
    assert ("would not be among the best" in headline) is found
    assert ("nothing was found" in headline) is not found
