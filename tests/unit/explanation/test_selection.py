"""Every family gets the explainers that fit what it explains and exports; nobody lists them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from glassworks import catalog
from glassworks.contracts import Explainer, Family
from glassworks.explanation.methods.leave_one_out import LeaveOneOut
from glassworks.explanation.selection import explainers_of

TEXTS = ("integrated_gradients", "input_x_gradient", "leave_one_out", "partition_shapley")
HISTORIES = ("history_contributions", "counterfactual", "leave_one_out")
EXPECTED = {
    "collaborative": HISTORIES,
    "content_based": HISTORIES,
    "convnet": ("integrated_gradients", "grad_cam", "saliency", "input_x_gradient", "occlusion"),
    "few_shot": ("occlusion",),
    "hybrid_recommender": HISTORIES,
    "image_operators": ("input_x_gradient", "receptive_field", "integrated_gradients", "saliency", "occlusion"),
    "imported": ("integrated_gradients", "saliency", "input_x_gradient", "occlusion"),
    "recurrent_text": TEXTS,
    "text_encoder": ("leave_one_out", "partition_shapley"),
    "transformer_text": TEXTS,
}
"""The lists that families kept by hand before: a method that moves changes defaults that users know."""


@pytest.mark.parametrize("family", EXPECTED)
def test_the_families_have_their_methods_in_order(family: str) -> None:
    assert explainers_of(catalog.found(Family)[family]) == EXPECTED[family]


def test_every_method_has_a_rank_of_its_own_in_each_kind() -> None:
    ranks = [item for each in catalog.found(Explainer).values() for item in each.subjects.items()]
    assert len(set(ranks)) == len(ranks)


class Novel(LeaveOneOut):
    name: ClassVar[str] = "novel"
    subjects: ClassVar[dict[str, int]] = {"texts": 35, "pictures": 0}


class Steep(Novel):
    name: ClassVar[str] = "steep"
    role: ClassVar[str] = "gradient"


def test_a_new_method_appears_in_every_family_that_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = {**catalog.found(Explainer), "novel": Novel(), "steep": Steep()}
    monkeypatch.setattr("glassworks.explanation.selection.found", lambda contract: everything)
    families = catalog.found(Family)
    assert explainers_of(families["text_encoder"]) == ("leave_one_out", "novel", "partition_shapley")
    assert explainers_of(families["few_shot"]) == ("novel", "occlusion")
    assert explainers_of(families["convnet"])[:3] == ("novel", "steep", "integrated_gradients")
    assert explainers_of(families["collaborative"]) == HISTORIES
