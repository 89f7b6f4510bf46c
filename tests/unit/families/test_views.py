"""Several looks at one picture: the mean of separate runs, explained as it is served, and only where it helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from glassworks.contracts import Model
from glassworks.explanation.compile import _cam, _gradient, compile_explanations
from glassworks.families.convnet.deciding import _best, apply_decision, decide
from glassworks.families.convnet.export import differentiable, export, signature
from glassworks.families.convnet.networks import Default, Network, deployable
from glassworks.families.convnet.views import Views, count, views

SIDE, CLASSES = 8, 3
KINDS: list[Views] = ["mirror", "shifts"]


def network(kind: Views, *, several: bool = False) -> Default:
    """With random filters and running means that are not those of nothing."""
    torch.manual_seed(0)
    made = Default(SIDE, SIDE, 3, CLASSES).train()
    for _ in range(3):
        made(torch.rand(16, 3, SIDE, SIDE))
    thresholds = [0.3, 0.5, 0.7] if several else None
    apply_decision(made.eval(), {"views": kind, "temperature": 1.7 if several else 1.0, "thresholds": thresholds})
    return made


def model(made: Network) -> Model:
    return Model(
        family="convnet",
        network=made,
        signature=signature(SIDE, SIDE, 3, CLASSES, made),
        preprocessing={},
        weights_sha256="",
        metrics={},
        run="",
        resumed=False,
        seconds=0.0,
    )


def run(path: Path, **given: np.ndarray) -> list[np.ndarray]:
    found: list[np.ndarray] = onnxruntime.InferenceSession(path).run(None, given)
    return found


@pytest.mark.parametrize(("kind", "several"), [("mirror", True), ("shifts", False)])
def test_the_graph_answers_the_mean_of_separate_runs(kind: Views, several: bool, tmp_path: Path) -> None:
    for name in ("none", kind):
        (tmp_path / name).mkdir()
        export(model(network(name, several=several)), tmp_path / name)
    x = torch.rand(5, 3, SIDE, SIDE)
    separate = [run(tmp_path / "none" / "predict.onnx", image=each.contiguous().numpy())[0] for each in views(x, kind)]
    assert len(separate) == count(kind)
    assert max(np.abs(each - separate[0]).max() for each in separate[1:]) > 1e-3
    found = run(tmp_path / kind / "predict.onnx", image=x.numpy())
    wanted = np.mean(np.array(separate, np.float64), axis=0)
    assert np.abs(found[0] - wanted).max() <= 1e-6
    if several:
        assert np.array_equal(found[1], found[0] >= np.array([0.3, 0.5, 0.7], np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_explained_is_the_mean_score(kind: Views, tmp_path: Path) -> None:
    """The shifts' compiled graphs too: their padding must have a gradient that ONNX can express."""
    plain, whole = deployable(network("none")), differentiable(model(network(kind)))
    x, target = torch.rand(2, 3, SIDE, SIDE, requires_grad=True), torch.ones(2, dtype=torch.long)
    scores = torch.stack([plain(each) for each in views(x, kind)]).mean(dim=0)
    (wanted,) = torch.autograd.grad(scores[:, 1].sum(), x)
    answers = [_gradient(whole.network)(x.detach(), target), _cam(whole.features, whole.head)(x.detach(), target)]
    if kind == "shifts":
        given = {"image": x.detach().numpy(), "target": target.numpy()}
        files = [artifact.file for artifact in compile_explanations(whole, tmp_path)]
        answers += [tuple(map(torch.from_numpy, run(tmp_path / file, **given))) for file in files]  # type: ignore[misc]
    for place, (found, values) in enumerate(answers):
        assert torch.allclose(found, scores, atol=1e-5)
        if place % 2 == 0:
            assert torch.allclose(values, wanted, atol=1e-5)
        else:
            assert values.shape[1:] == plain.features(x).shape[2:]


def test_a_mirrored_picture_has_the_mirrored_map() -> None:
    whole = differentiable(model(network("mirror")))
    x, target = torch.rand(CLASSES, 3, SIDE, SIDE), torch.arange(CLASSES)
    maps = [_cam(whole.features, whole.head)(each, target)[1] for each in (x, x.flip(3))]
    assert float(maps[0].max()) > 0
    assert torch.allclose(maps[0].flip(2), maps[1], atol=1e-5)


def test_shifts_repeat_the_edge_and_keep_the_size() -> None:
    x = torch.arange(2 * 3 * 20 * 33, dtype=torch.float32).reshape(2, 3, 20, 33)
    seen = views(x, "shifts")
    assert all(each.shape == x.shape for each in seen)
    padded = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    assert torch.equal(seen[0], x)
    assert torch.equal(seen[1], padded[:, :, 0:20, 1:34])
    assert torch.equal(seen[4], padded[:, :, 1:21, 2:35])


class Left(Network):
    """Sees only whether the left half is bright."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features, self.head, self.classes = nn.Identity(), nn.Identity(), classes

    def forward(self, x: Tensor) -> Tensor:
        bright = 20 * (x[:, 0, :, : x.shape[3] // 2].mean(dim=(1, 2)) - 0.25)
        zeros = torch.zeros(len(x), self.classes - 1)
        return torch.cat([zeros, bright[:, None]], dim=1) if self.classes > 1 else bright[:, None]


def halves(generator: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """Pictures with one bright half or none; and which: 0 none, 1 left, 2 right."""
    which = generator.integers(0, 3, 60)
    x = np.zeros((60, 1, 8, 8), np.uint8)
    x[which == 1, :, :, :4] = x[which == 2, :, :, 4:] = 200
    return torch.from_numpy(x), which


def test_auto_looks_twice_only_where_that_helps() -> None:
    pixels, which = halves(np.random.default_rng(0))
    either, left = (torch.from_numpy((which == 1) | ((which == 2) & both)).long() for both in (True, False))
    assert decide(Left(2), pixels, either, "auto").views == "mirror"
    assert decide(Left(2), pixels, left, "auto").views == "none"
    assert decide(Left(2), pixels, either, "none").views == "none"
    several = decide(Left(1), pixels, either[:, None], "auto")
    assert several.views == "mirror"
    assert several.thresholds is not None
    assert several.metrics["exact_match"].value == 1.0
    assert several.temperature > 0.1


def test_a_gain_within_chance_is_no_reason_to_look_twice() -> None:
    losses = np.random.default_rng(0).normal(1, 0.1, 100)
    noise = np.random.default_rng(1).normal(0, 1, 100)
    noise -= noise.mean()
    for gain, wanted in ((0.05, "none"), (0.2, "mirror")):
        assert _best({"none": losses, "mirror": losses - gain - noise}) == wanted


def test_one_label_keeps_its_scores_and_has_no_thresholds() -> None:
    pixels, which = halves(np.random.default_rng(1))
    found = decide(Left(2), pixels, torch.from_numpy(which == 1).long(), "none")
    assert (found.temperature, found.thresholds) == (1.0, None)
    assert found.metrics["accuracy"].value == 1.0
