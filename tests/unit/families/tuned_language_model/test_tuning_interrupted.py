"""A tuning that is killed, meets a full disk, or is taken up by another version: the same weights, or an error."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from glassworks.catalog import get
from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Dataset, Family, Model, Progress
from glassworks.errors import StorageError, TrainingError
from glassworks.families.tuned_language_model import TunedLanguageModel
from glassworks.families.tuned_language_model.answering import ANSWERS
from glassworks.families.tuned_language_model.training import FINAL, train
from glassworks.language.importing import bring
from glassworks.training.loop import STATE
from glassworks.training.parallel import THREADS


class Shop:
    """A tiny job, its data, and what it ends with undisturbed."""

    def __init__(self, folder: Path) -> None:
        tiny = get(Family, "tuned_language_model").tiny(folder)
        training = TrainingConfig(epochs=2, checkpoint_every=1e-6)
        self.job: Job = tiny.model_copy(update={"training": training, "model": {**tiny.model, "answers_shown": 1}})
        self.brought = bring(folder / "model", str(self.job.model["source"]))
        self.data: Dataset = TunedLanguageModel().prepare(self.job)
        self.whole = folder / "whole"
        self.whole.mkdir()
        self.digest = self.trained(self.whole).weights_sha256

    def trained(self, folder: Path, progress: Progress | None = None) -> Model:
        config = TunedLanguageModel().settings(self.job)
        # Three parts at once, whatever the machine has: a run keeps its own number.
        (folder / THREADS).write_text(json.dumps({"parts": 3, "threads": 1}))
        return train(self.data, self.job, self.brought, config, folder, progress or Progress(), 0.0)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("tuned"))


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


class Ending(Progress):
    """Ends, or lets the disk be full, after so many values of a training."""

    def __init__(self, after: int, *, full: bool = False) -> None:
        super().__init__()
        self.left, self.full, self.stage = after, full, ""

    def start(self, stage: str, total: int | None = None) -> None:
        self.stage = stage

    def update(self, **values: float | str) -> None:
        self.left -= self.stage == "train"
        if self.left < 0 and self.full:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        elif self.left < 0:
            raise Killed


class EndingAtAnswers(Progress):
    """Ends when so many answers were shown: after they are written, and before the checkpoint that knows of them."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def update(self, **values: float | str) -> None:
        self.left -= "answer" in values
        if not self.left:
            raise Killed


@contextmanager
def any_size() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("after", [0, 2])
def test_a_full_disk_leaves_the_last_good_checkpoint(shop: Shop, tmp_path: Path, after: int) -> None:
    with any_size(), pytest.raises(StorageError, match="the disk is full") as raised:
        shop.trained(tmp_path, Ending(after, full=True))
    assert "give the same command again" in raised.value.mend
    assert (tmp_path / STATE).exists()
    assert not list(tmp_path.glob("*.partial"))
    model = shop.trained(tmp_path)
    assert model.resumed
    assert model.weights_sha256 == shop.digest


def test_killed_and_killed_again(shop: Shop, tmp_path: Path) -> None:
    for after in (0, 0, 1):
        with pytest.raises(Killed):
            shop.trained(tmp_path, Ending(after))
    assert shop.trained(tmp_path).weights_sha256 == shop.digest
    assert shop.trained(tmp_path).weights_sha256 == shop.digest  # once more, from what had ended


def test_answers_that_were_shown_before_a_kill_stand_once(shop: Shop, tmp_path: Path) -> None:
    for after in (1, 1, 2):
        with pytest.raises(Killed):
            shop.trained(tmp_path, EndingAtAnswers(after))
    with (tmp_path / ANSWERS).open("ab") as file:
        file.write(b'{"question": "cut o')  # as a kill in the middle of a line leaves it
    shop.trained(tmp_path)
    whole = (shop.whole / ANSWERS).read_text()
    assert (tmp_path / ANSWERS).read_text() == whole
    assert len(whole.splitlines()) == 2


@pytest.mark.parametrize("name", [STATE, FINAL])
@pytest.mark.parametrize("change", ["names", "values", "layout", "shapes"])
def test_what_another_version_wrote_is_told_and_stays(shop: Shop, tmp_path: Path, name: str, change: str) -> None:
    if name == STATE:
        with pytest.raises(Killed):
            shop.trained(tmp_path, Ending(1))
    else:
        shop.trained(tmp_path)
    path = tmp_path / name
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        described = dict(file.metadata())
    if change == "names":
        tensors = {key.replace("lora_A", "lora_down"): tensor for key, tensor in tensors.items()}
    elif change == "shapes":
        tensors = {key: tensor[:1].clone() if tensor.ndim else tensor for key, tensor in tensors.items()}
    elif change == "layout":
        described["layout"] = "99"
    else:
        described["values"] = json.dumps({"steps": 3})
    save_file(tensors, path, described)
    before = path.read_bytes()
    with pytest.raises(TrainingError, match="another version of Glassworks") as raised:
        shop.trained(tmp_path)
    assert "--fresh" in raised.value.mend
    assert path.read_bytes() == before
