"""Every architecture: its limit of tokens, dropout, padding, and its exported graph against transformers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.families.transformer_text.architectures import REFUSED, WORKING, write_architecture

from glassworks.catalog import get
from glassworks.config import DataConfig, Job
from glassworks.contracts import Artifact, Opened, Runtime
from glassworks.errors import GlassworksError
from glassworks.families._text.encoder import Backbone, find_backbone, load_encoder, reading, sentence_layers
from glassworks.families._text.encoder_kinds import KNOWN
from glassworks.families._text.trial import may_fill
from glassworks.families.text_encoder.encoding import Encoder
from glassworks.families.transformer_text import TransformerText as Family
from glassworks.families.transformer_text.network import TransformerText
from glassworks.onnx_graphs.export import write_onnx
from glassworks.packaging.exported import rehearse
from glassworks.progress import Silent

FILLED_OTHERWISE = {"convbert", "fnet", "nystromformer", "yoso"}
"""Kinds that read what stands behind a text: never filled up here."""


def opened(name: str, folder: Path, dropout: float = 0.0) -> tuple[Backbone, TransformerText, dict[str, Any]]:
    found = find_backbone(f"folder:{write_architecture(folder, name)}")
    how = reading(found, None)
    return (
        found,
        TransformerText(load_encoder(found, dropout), sentence_layers(found, "auto", how), 2, dropout=0.0),
        how,
    )


def texts(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids (N T) and mask (N T) of texts of these lengths, filled up with id 1."""
    generator = torch.Generator().manual_seed(4)
    ids = torch.randint(5, 40, (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return torch.where(mask == 1, ids, 1), mask


def by_transformers(folder: Path, ids: torch.Tensor) -> torch.Tensor:
    """The states of one text by the model as transformers loads it, with nothing of ours."""
    import transformers

    try:
        model: Any = transformers.AutoModelForTextEncoding.from_pretrained(folder)
    except ValueError:
        model = transformers.AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        states: torch.Tensor = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    return states


def test_at_least_thirty_kinds_are_tested() -> None:
    assert len(WORKING) >= 30
    assert WORKING.keys() >= KNOWN


@pytest.mark.parametrize("name", WORKING)
def test_what_an_encoder_reads(name: str, tmp_path: Path) -> None:
    found, network, how = opened(name, tmp_path / name, dropout=0.4)
    most = WORKING[name][2]
    assert found.most == (most or 8192)
    ids, mask = texts(9, 5)
    network.train()
    with torch.no_grad():
        assert (network.pool(network.embed(ids)) - network.pool(network.embed(ids))).abs().max() > 1e-4
        network.eval()
        assert may_fill(network, found, int(how["max_tokens"])) == (name not in FILLED_OTHERWISE)
        longest, _ = texts(found.most if most else 300)
        assert network(longest, torch.ones_like(longest)).isfinite().all()
        states = network.encoder(inputs_embeds=network.embed(ids[:1]), attention_mask=mask[:1]).last_hidden_state
    assert (states - by_transformers(tmp_path / name, ids[:1])).abs().max() <= 2e-4 * states.abs().max()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Kinds that a training does not export before it begins; all of them with `--every-kind`, for minutes."""
    if "exported" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-kind")
        metafunc.parametrize("exported", WORKING if every else [name for name in WORKING if name in KNOWN])
    if "refused" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-kind")
        metafunc.parametrize("refused", [name for name in REFUSED if every or name != "funnel"])


def test_the_exported_graph_is_the_network(exported: str, tmp_path: Path) -> None:
    name = exported
    _, network, _ = opened(name, tmp_path / name)
    plain = Encoder(network.encoder, network.sentence).eval().requires_grad_(requires_grad=False)
    example = torch.ones(2, 7, dtype=torch.int64)
    given = (example, torch.ones_like(example))
    write_onnx(plain, given, tmp_path / "x.onnx", inputs=("ids", "mask"), outputs=("vector",), free=2)
    made = Artifact(role="predict", format="onnx", file="x.onnx", made_by="export")
    session = get(Runtime, "onnxruntime").open(Opened(artifact=made, folder=tmp_path))
    filled = name not in FILLED_OTHERWISE
    ids, mask = texts(12, 4, 9) if filled else texts(12, 12)
    together = session.run({"ids": ids.numpy(), "mask": mask.numpy()})["vector"]
    for row, length in enumerate(mask.sum(1).tolist()):
        alone = ids[row : row + 1, :length]
        (wanted,) = torch.nn.functional.normalize(by_transformers(tmp_path / name, alone).mean(1)).numpy()
        (got,) = session.run({"ids": alone.numpy(), "mask": np.ones((1, length), np.int64)})["vector"]
        assert got @ wanted >= 0.99999
        assert together[row] @ wanted >= 0.99999
    session.close()


def rehearsed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(exist_ok=True)
    job = Job(
        name="x", family="transformer_text", data=DataConfig(source="csv:x"), model={"backbone": f"folder:{folder}"}
    )
    rehearse(Family(), job, tmp_path / "run", Silent())


@pytest.mark.parametrize("name", ["longformer"])
def test_less_usual_kinds_are_exported_before_they_are_trained(name: str, tmp_path: Path) -> None:
    rehearsed(write_architecture(tmp_path / name, name), tmp_path)
    assert len(list(tmp_path.glob("encoder-*.json"))) == 1
    assert not list((tmp_path / "run").iterdir())


def test_what_does_not_work_is_told_before_training(refused: str, tmp_path: Path) -> None:
    with pytest.raises(GlassworksError) as caught:
        rehearsed(write_architecture(tmp_path / refused, refused), tmp_path)
    problem, mend = str(caught.value).splitlines()
    assert REFUSED[refused][2] in problem
    assert "BERT" in mend
    assert len(problem) <= 300 + len(str(tmp_path))
    assert len(mend) <= 300
