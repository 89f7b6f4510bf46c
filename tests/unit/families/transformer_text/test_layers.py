"""Only the first layers of a pretrained encoder: `model.layers`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.unit.families.transformer_text.encoders import served_and_own, write_encoder
from tests.unit.families.transformer_text.test_transformer_text import job_of

from glassworks.errors import ConfigError
from glassworks.families._text.encoder import find_backbone, load_encoder
from glassworks.flow import train
from glassworks.progress import Silent
from glassworks.registry import Registry

IDS = torch.tensor([[2, 9, 14, 30, 7, 3], [2, 11, 5, 3, 0, 0]])


def test_a_cut_encoder_gives_what_transformers_has_behind_that_layer(tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = write_encoder(tmp_path / "encoder")
    source, mask = f"folder:{folder}", (IDS > 0).long()
    whole = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        behind = whole(IDS, attention_mask=mask, output_hidden_states=True).hidden_states
        for layers in (1, 2):
            cut = load_encoder(find_backbone(source), 0.0, layers).eval()
            found = cut(IDS, attention_mask=mask).last_hidden_state
            np.testing.assert_allclose(found[mask > 0], behind[layers][mask > 0], atol=1e-5)
    assert (
        sum(1 for name, _ in load_encoder(find_backbone(source), 0.0, 1).named_parameters() if "layer.1." in name) == 0
    )


def test_more_layers_than_there_are(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    found = find_backbone(f"folder:{folder}")
    with pytest.raises(ConfigError, match=r"'model\.layers' is 3, but the encoder in .* has 2") as caught:
        load_encoder(found, 0.0, 3)
    assert caught.value.mend == "give 1 to 2, or leave it out"
    with pytest.raises(ConfigError, match="does not say how many it has"):
        load_encoder(dataclasses.replace(found, config=SimpleNamespace()), 0.0, 1)


@pytest.mark.parametrize("layers", [0, 49])
def test_layers_out_of_bounds(tmp_path: Path, layers: int) -> None:
    from glassworks.families.transformer_text import TransformerText

    with pytest.raises(ConfigError, match=r"model\.layers"):
        TransformerText().settings(job_of(tmp_path / "encoder", layers=layers))


def test_what_is_served_is_the_cut_network(tmp_path: Path) -> None:
    job = job_of(write_encoder(tmp_path / "encoder"), layers=1, mode="frozen")
    release = train(job, Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")}), Silent())
    network = release.model.network[0]
    assert len(network.encoder.encoder.layer) == 1
    given, wanted = served_and_own(release, "the wonderful book")
    np.testing.assert_allclose(given, wanted, atol=1e-4)
