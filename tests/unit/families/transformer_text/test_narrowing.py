"""Fewer hidden units of a pretrained encoder: `model.narrow`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.families.transformer_text.encoders import served_and_own, write_encoder
from tests.unit.families.transformer_text.test_transformer_text import job_of
from torch import nn

from glassworks.errors import ConfigError
from glassworks.families._text.encoder import find_backbone, load_encoder
from glassworks.families.transformer_text import TransformerText
from glassworks.families.transformer_text.narrowing import narrow
from glassworks.flow import train
from glassworks.progress import Silent
from glassworks.registry import Registry

D, F = 8, 64


class Layer(nn.Module):
    """One feed-forward layer."""

    def __init__(self, hidden: int = F) -> None:
        super().__init__()
        self.config = type("Config", (), {"intermediate_size": hidden})
        self.up, self.down = nn.Linear(D, F), nn.Linear(F, D)

    def hidden(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.gelu(self.up(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.down(self.hidden(x))
        return y


@pytest.fixture
def layer() -> Layer:
    torch.manual_seed(0)
    return Layer()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(5, 400, D, generator=torch.Generator().manual_seed(1))


def test_units_that_say_the_same_are_left_out_without_any_loss(layer: Layer, x: torch.Tensor) -> None:
    """Planted: three quarters of the units repeat the first quarter, some as constants."""
    with torch.no_grad():
        for begin in range(16, F, 16):
            layer.up.weight[begin : begin + 16] = layer.up.weight[:16]
            layer.up.bias[begin : begin + 16] = layer.up.bias[:16]
        layer.up.weight[20] = 0.0  # always the same value: the bias takes it over
        expected = layer(x)
        narrow(layer, lambda: layer(x), 0.25)
        assert layer.up.weight.shape == (16, D)
        assert layer.down.weight.shape == (D, 16)
        # The ridge keeps the weights a little from their optimum.
        assert (layer(x) - expected).square().mean() < 1e-3 * expected.var()


def test_what_stays_is_least_squares_on_the_units_that_stay(layer: Layer, x: torch.Tensor) -> None:
    with torch.no_grad():
        expected, units = layer(x).reshape(-1, D), layer.hidden(x).reshape(-1, F)
        old = layer.up.weight.clone()
        narrow(layer, lambda: layer(x), 0.5)
        kept = [int((old == row).all(1).nonzero()) for row in layer.up.weight]
        assert len(set(kept)) == 32
        left = (layer(x).reshape(-1, D) - expected).square().mean().item()
        table = np.column_stack([units[:, kept].numpy(), np.ones(len(units))])
        best = np.linalg.lstsq(table, expected.numpy(), rcond=None)[0]
        optimum = np.square(table @ best - expected.numpy()).mean()
        assert optimum <= left <= 1.1 * optimum
        # Worth more than units by chance, even with the best weights for those.
        by_chance = []
        for seed in range(20):
            some = np.random.default_rng(seed).permutation(F)[:32]
            table = np.column_stack([units[:, some].numpy(), np.ones(len(units))])
            best = np.linalg.lstsq(table, expected.numpy(), rcond=None)[0]
            by_chance.append(np.square(table @ best - expected.numpy()).mean())
        assert left < min(by_chance)


def test_an_encoder_without_such_layers(x: torch.Tensor) -> None:
    layer = Layer(hidden=F + 1)
    with pytest.raises(ConfigError, match=r"'model\.narrow' is for encoders of BERT's kind") as caught:
        narrow(layer, lambda: layer(x), 0.5)
    assert "model.layers" in caught.value.mend


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_shares_out_of_bounds(tmp_path: Path, share: float) -> None:
    with pytest.raises(ConfigError, match=r"model\.narrow"):
        TransformerText().settings(job_of(tmp_path / "encoder", narrow=share))


def test_from_nothing_there_is_nothing_to_narrow(tmp_path: Path) -> None:
    job = job_of(tmp_path / "encoder").model_copy(update={"model": {"narrow": 0.5}})
    with pytest.raises(ConfigError, match="there is no pretrained encoder") as caught:
        TransformerText().settings(job)
    assert "model.width" in caught.value.mend


@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_what_is_served_is_the_narrow_network(tmp_path: Path, mode: str) -> None:
    job = job_of(write_encoder(tmp_path / "encoder"), narrow=2 / 3, layers=1, mode=mode)
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")})
    release = train(job, registry, Silent())
    network = release.model.network[0]
    whole = load_encoder(find_backbone(f"folder:{tmp_path / 'encoder'}"), 0.0)
    units = whole.encoder.layer[0].intermediate.dense.out_features
    assert [each.intermediate.dense.weight.shape[0] for each in network.encoder.encoder.layer] == [2 * units // 3]
    given, wanted = served_and_own(release, "the wonderful book")
    np.testing.assert_allclose(given, wanted, atol=1e-4)
    # A run that had ended is read, not trained again.
    again = train(job, registry, Silent())
    assert again.model.preprocessing == release.model.preprocessing
    for name, values in network.state_dict().items():
        assert torch.equal(values, again.model.network[0].state_dict()[name]), name
