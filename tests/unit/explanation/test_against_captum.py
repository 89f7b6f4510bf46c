"""Golden: captum 0.9 on the same PyTorch weights is the oracle of every compiled method."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, LayerAttribution, LayerGradCam, Occlusion, Saliency
from numpy.typing import NDArray
from tests.unit.explanation.compiled import Compiled

from glassworks.catalog import get
from glassworks.contracts import Attribution, Budget, Explainer


def ours(compiled: Compiled, method: str, row: int, budget: Budget | None = None) -> Attribution:
    """Our method's attribution of one picture."""
    explainer = get(Explainer, method)
    image = compiled.images[row : row + 1]
    return explainer.explain(
        compiled.sessions[explainer.role],
        image,
        int(compiled.targets[row]),
        np.zeros_like(image),
        budget or Budget(),
        0,
    )


def pearson(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Correlation of all values."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.mark.parametrize(("method", "oracle"), [("saliency", Saliency), ("input_x_gradient", InputXGradient)])
def test_gradients_equal_captums(compiled: Compiled, method: str, oracle: type) -> None:
    images = torch.from_numpy(compiled.images).requires_grad_()
    wanted = oracle(compiled.network).attribute(images, target=torch.from_numpy(compiled.targets)).detach().numpy()
    found = np.concatenate([ours(compiled, method, row).values for row in range(len(compiled.images))])
    assert np.abs(found - wanted).max() <= 1e-5
    assert np.abs(wanted).max() > 1e-4


def test_integrated_gradients_equal_captums(compiled: Compiled) -> None:
    oracle = IntegratedGradients(compiled.network)
    for row in range(len(compiled.images)):
        image = torch.from_numpy(compiled.images[row : row + 1])
        wanted = oracle.attribute(image, target=int(compiled.targets[row]), n_steps=500, internal_batch_size=100)
        found = ours(compiled, "integrated_gradients", row, Budget(tolerance=1e-12))
        assert pearson(found.values, wanted.float().numpy()) >= 0.9999


def test_grad_cam_equals_captums(compiled: Compiled) -> None:
    layer = compiled.network.features[-1]  # type: ignore[index]
    oracle = LayerGradCam(compiled.network, layer)
    for row in range(len(compiled.images)):
        image = torch.from_numpy(compiled.images[row : row + 1]).requires_grad_()
        coarse = oracle.attribute(image, target=int(compiled.targets[row]), relu_attributions=True)
        wanted = LayerAttribution.interpolate(coarse, (20, 24), "bilinear").detach().numpy()
        found = ours(compiled, "grad_cam", row).values.sum(axis=1, keepdims=True)
        if np.abs(wanted).max() < 1e-7:
            assert np.abs(found).max() < 1e-6
        else:
            assert pearson(found, wanted) >= 0.999
            assert np.abs(found - wanted).max() <= 1e-5


def test_occlusion_equals_captums(compiled: Compiled) -> None:
    """Captum's windows are ours where a window and a stride divide the sides: 3 of 20 rows, 3 of 24 columns do not."""
    image = compiled.images[:1, :, :, :21]
    probabilities = torch.nn.Softmax(dim=1)

    class Predictor:
        """Predictions of the padded picture through the same interface as a session."""

        signature = compiled.sessions["gradient"].signature

        def run(
            self, tensors: dict[str, NDArray[np.float32]], outputs: object = None
        ) -> dict[str, NDArray[np.float32]]:
            padded = np.pad(tensors["image"], ((0, 0), (0, 0), (0, 0), (0, 3)))
            scores = compiled.network(torch.from_numpy(padded))
            return {"scores": probabilities(scores).numpy()}

    def forward(images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = probabilities(compiled.network(torch.nn.functional.pad(images, (0, 3))))
        return scores

    wanted = Occlusion(forward).attribute(
        torch.from_numpy(image), sliding_window_shapes=(3, 3, 3), strides=(3, 1, 1), target=2, baselines=0
    )
    found = get(Explainer, "occlusion").explain(Predictor(), image, 2, np.zeros_like(image), Budget(), 0)  # type: ignore[arg-type]
    assert np.abs(found.values.sum(axis=1) - wanted.numpy()[:, 0]).max() <= 1e-5
    assert found.forward == 1 + 18 * 19


def test_counts_are_what_the_engine_computed(compiled: Compiled) -> None:
    """The reported rows equal those of a counting session."""

    class Counting:
        """Counts rows on their way to the real session."""

        signature = compiled.sessions["gradient"].signature
        rows = 0

        def run(self, tensors: dict[str, NDArray[np.float32]], outputs: list[str]) -> dict[str, NDArray[np.generic]]:
            self.rows += len(tensors["image"])
            return compiled.sessions["gradient"].run(tensors, outputs)

    session, image = Counting(), compiled.images[:1]
    explainer = get(Explainer, "integrated_gradients")
    found = explainer.explain(session, image, 0, np.zeros_like(image), Budget(tolerance=1e-4), 0)  # type: ignore[arg-type]
    assert found.forward == found.backward == session.rows
