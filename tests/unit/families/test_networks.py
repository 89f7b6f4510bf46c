"""The networks and augmentations: shapes for every size, folding that changes nothing, pictures that stay pictures."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from glassworks.catalog import get
from glassworks.config import DataConfig, Job, OptimizationConfig, TrainingConfig
from glassworks.contracts import Family
from glassworks.errors import ConfigError, DataError, MissingLibrary
from glassworks.families.convnet.augment import affine, augmentation, crop, flip_and_crop
from glassworks.families.convnet.backbone import Backbone, _checked, require_map
from glassworks.families.convnet.networks import Classic, Default, Network, Pooled, deployable
from glassworks.families.convnet.recipes import RECIPES, Shape
from glassworks.families.convnet.synthetic import write_shapes
from glassworks.flow import release
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry


@pytest.mark.parametrize(
    ("height", "width", "channels", "classes"),
    [(8, 8, 1, 2), (28, 28, 1, 10), (32, 48, 3, 7), (96, 96, 3, 10_000), (512, 512, 3, 2)],
)
def test_default_takes_every_size(height: int, width: int, channels: int, classes: int) -> None:
    network = Default(height, width, channels, classes).eval()
    with torch.no_grad():
        assert network(torch.rand(2, channels, height, width)).shape == (2, classes)


def test_classic_is_the_textbook_network() -> None:
    """Kernel sizes, filters and the 225,034 parameters of the Keras script on 28 x 28 gray pictures."""
    network = Classic(28, 28, 1, 10)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size, c.padding) for c in convolutions] == [
        (32, (3, 3), (0, 0)),
        (64, (3, 3), (0, 0)),
    ]
    assert sum(p.numel() for p in network.parameters()) == 225_034
    recipe = RECIPES["classic"]
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.augments) == (10, 32, 1e-3, False)


def test_classic_refuses_pictures_that_it_would_pool_away() -> None:
    with pytest.raises(ConfigError, match="at least 10 x 10 pixels, these have 8 x 8") as told:
        Classic(8, 8, 1, 10)
    assert 'training.recipe = "default"' in told.value.mend


def test_folding_batch_normalization_changes_no_score() -> None:
    torch.manual_seed(0)
    network = Default(16, 16, 3, 4).train()
    for _ in range(5):
        network(torch.rand(32, 3, 16, 16) * 3)
    network.eval()
    frozen, x = deployable(network), torch.rand(8, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(frozen(x), network(x), atol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in frozen.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


@pytest.mark.parametrize("change", [affine, crop, flip_and_crop])
@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (5, 3, 20, 33), (5, 3, 8, 8)])
def test_augmented_pictures_keep_shape_and_range(change: object, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.rand(shape)
    changed = change(x)  # type: ignore[operator]
    assert changed.shape == x.shape
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    assert not torch.equal(changed, x)


def test_symbols_are_never_mirrored() -> None:
    """An arrow to the right keeps its head on the right whatever `digits` and `shifts` do to it."""
    torch.manual_seed(0)
    x = torch.zeros(64, 1, 28, 28)
    x[:, :, 12:16, 6:22] = 1
    x[:, :, 8:20, 18:22] = 1
    columns = torch.arange(28.0)
    for change in (affine, crop):
        weight = change(x).sum(dim=(1, 2))
        middle = (weight * columns).sum(dim=1) / weight.sum(dim=1)
        spread = weight / weight.sum(dim=1, keepdim=True)
        skew = (spread * (columns - middle[:, None]) ** 3).sum(dim=1)
        assert bool((skew < 0).all())
    assert augmentation("none") is None


def test_augmentation_repeats_with_its_seed() -> None:
    x = torch.rand(4, 1, 12, 12)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(affine(x))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_a_backbone_must_be_named_and_its_folder_complete(tmp_path: object) -> None:
    from pathlib import Path

    with pytest.raises(ConfigError, match="needs a pretrained network") as told:
        Backbone(None, 3, 2)
    assert "model.backbone" in told.value.mend
    with pytest.raises(DataError, match=r"holds no config\.json"):
        _checked(Path(str(tmp_path)))


class Shaped(Network):
    """Stands for a backbone with features of a shape, for pictures of one size."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape, self.head = shape, Pooled(8, 2)
        self.features = self.given  # type: ignore[assignment] # a function will do

    def given(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[2] != 32:
            raise AssertionError("Input height (16) doesn't match model (32).\nmore")
        return torch.zeros(self.shape)


def test_a_backbone_must_give_a_map() -> None:
    require_map(Shaped((1, 8, 2, 2)), 32, 32)
    for shape in ((1, 5, 8), (1, 2, 2, 8)):
        with pytest.raises(ConfigError, match=r"for one picture, no map of 8 channels") as told:
            require_map(Shaped(shape), 32, 32)
        assert "a convolutional network of timm" in told.value.mend
    with pytest.raises(ConfigError, match=r"takes no pictures of 16 x 16 pixels: Input height \(16\)") as told:
        require_map(Shaped((1, 8, 2, 2)), 16, 16)
    assert "model.size" in told.value.mend
    assert "\n" not in told.value.problem


def test_an_unknown_recipe_is_told_with_those_there_are() -> None:
    job = Job(name="a", family="convnet", data=DataConfig(source="sample:digits"))
    wrong = job.model_copy(update={"training": job.training.model_copy(update={"recipe": "clasic"})})
    family = get(Family, "convnet")
    from pathlib import Path

    from glassworks.progress import Silent

    with pytest.raises(ConfigError, match=r"'training\.recipe' is 'clasic'") as told:
        family.train(family.prepare(job), wrong, Path(), Silent())
    assert "classic, default, backbone" in told.value.mend


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is installed")
def test_without_timm_the_mend_names_the_extra() -> None:
    with pytest.raises(MissingLibrary, match="needs the library 'timm'") as told:
        RECIPES["backbone"].build(Shape(32, 32, 3, 2), "lcnet_050")
    assert told.value.mend == "pip install 'glassworks[vision]'"


@pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed: it needs torchvision, of torch's build")
def test_a_backbone_of_timm_gives_scores_and_a_map() -> None:
    network = Backbone("lcnet_050", 3, 4, pretrained=False).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, 64, 64)).shape == (2, 4)
        assert network.features(torch.rand(2, 3, 64, 64)).ndim == 4


@pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed: it needs torchvision, of torch's build")
def test_a_saved_backbone_goes_through_the_whole_flow_with_several_labels(tmp_path: Path) -> None:
    import timm
    from timm.models import save_for_hf

    torch.manual_seed(0)
    save_for_hf(timm.create_model("lcnet_050", num_classes=5), str(tmp_path / "saved"), safe_serialization=True)
    write_shapes(tmp_path / "shapes", examples=120, side=32, seed=0)
    job = Job(
        name="several",
        family="convnet",
        data=DataConfig(source=f"folder:{tmp_path / 'shapes'}"),
        model={
            "backbone": f"folder:{tmp_path / 'saved'}",
            "views": "mirror",
            "novelty": 0.9,
            "embed": True,
            "progressive": 0.5,
        },
        training=TrainingConfig(recipe="backbone", epochs=1, batch_size=32, precision="fp32"),
        optimization=OptimizationConfig(enabled=False),
    )
    made = release(job, Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")}), Silent())
    outputs = [spec.name for spec in made.bundle.manifest.signature.outputs]
    assert outputs == ["probabilities", "label_set", "novelty", "embedding"]
    opened, x = OpenedBundle(made.bundle), made.dataset.splits["test"].x[:1]
    for method in opened.manifest.explainers:
        explanation = opened.explain(x, method=method, target="ring", grade=False)
        assert explanation.attribution.values.shape == (1, 3, 32, 32)
        assert (explanation.attribution.gap or 0) <= 0.1  # hardly trained: the score hardly changes
