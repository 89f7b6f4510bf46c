"""Progressive resizing: sizes follow from the step, pictures shrink as served ones do, and what cannot says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from glassworks.catalog import get
from glassworks.contracts import Family
from glassworks.errors import ConfigError
from glassworks.families.convnet.networks import Classic, Default
from glassworks.families.convnet.resizing import Resizing, require_any_size
from glassworks.progress import Silent
from glassworks.training.loop import fit
from glassworks.training.plan import Learner, Plan, constant


def sizes(height: int, width: int, start: float) -> list[tuple[int, ...]]:
    resizing, found = Resizing(height, width, start), []
    for step in range(101):
        resizing.pace(step / 100)
        found.append(resizing.size)
    return found


def test_pictures_grow_from_the_share_to_the_whole_and_end_there() -> None:
    found = sizes(64, 96, 0.5)
    assert found[0] == (32, 48)
    assert found == sorted(found)
    assert all(side % 4 == 0 for size in found for side in size)
    assert all(size == (64, 96) for size in found[70:])
    assert found[60] != (64, 96)
    assert len(set(found)) > 8
    assert sizes(10, 9, 0.25)[0] == (8, 8)
    assert sizes(30, 30, 0.5)[-1] == (30, 30)


def test_smaller_pictures_look_as_those_that_are_served() -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 48, 64, 3), dtype=np.uint8)
    resizing = Resizing(48, 64, 0.5)
    found = resizing(torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255)
    wanted = np.asarray(Image.fromarray(x[0]).resize((32, 24), Image.Resampling.BILINEAR))
    assert np.abs(found[0].permute(1, 2, 0).numpy() * 255 - wanted).max() <= 1.5
    resizing.pace(1.0)
    whole = torch.rand(1, 3, 48, 64)
    assert resizing(whole) is whole


def test_the_loop_tells_the_pace_before_each_step(tmp_path: Path) -> None:
    heard: list[float] = []
    network = nn.Linear(1, 1)
    learner = Learner(
        network=network,
        optimizers=(torch.optim.SGD(network.parameters(), lr=0.1),),
        examples=8,
        loss=lambda rows: network(rows[:, None].float()).mean(),
        evaluate=lambda: {"accuracy": 0.0},
        pace=heard.append,
    )
    plan = Plan(epochs=2, batch_size=4, schedule=constant, seed=0, metric="accuracy")
    fit(learner, plan, tmp_path, Silent())
    assert heard == [0.0, 0.25, 0.5, 0.75]


def test_a_network_of_one_size_is_refused_before_it_learns(tmp_path: Path) -> None:
    require_any_size(Default(32, 32, 1, 2).train(), Resizing(32, 32, 0.5), 1, torch.device("cpu"))
    with pytest.raises(ConfigError, match=r"model\.progressive: this network takes no smaller pictures"):
        require_any_size(Classic(32, 32, 1, 2), Resizing(32, 32, 0.5), 1, torch.device("cpu"))
    family = get(Family, "convnet")
    job = family.tiny(tmp_path)
    training = job.training.model_copy(update={"recipe": "classic"})
    job = job.model_copy(update={"training": training, "model": {"progressive": 0.5}})
    with pytest.raises(ConfigError) as caught:
        family.train(family.prepare(job), job, tmp_path, Silent())
    assert caught.value.mend == 'leave model.progressive out, or set training.recipe = "default"'
    with pytest.raises(ConfigError, match=r"model\.progressive"):
        family.prepare(job.model_copy(update={"model": {"progressive": 1.5}}))
