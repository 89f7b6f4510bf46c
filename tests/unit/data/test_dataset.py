"""From labelled pictures to splits of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glassworks.config import DataConfig
from glassworks.contracts import Dataset
from glassworks.data.collection import Pictures, collect
from glassworks.data.dataset import labelled_split, picture_shape, prepare_pictures
from glassworks.data.pictures import as_picture
from glassworks.data.reader import read_pictures
from glassworks.errors import DataError


def noise(count: int, height: int = 10, width: int = 10, channels: int = 1) -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(height * 1000 + width)
    return list(generator.integers(0, 256, (count, height, width, channels), dtype=np.uint8))


def collected(pictures: list[NDArray[np.uint8]], labels: list[int]) -> Pictures:
    return collect(
        "test",
        pictures,
        as_picture,
        names=[str(index) for index in range(len(pictures))],
        labels=np.array(labels, np.int64),
        classes=[f"c{number}" for number in range(max(labels) + 1)],
    )


def prepared(pictures: Pictures, seed: int = 0) -> Dataset:
    return prepare_pictures(pictures, DataConfig(source="npz:x", seed=seed), height=10, width=10, channels=1)


def rows(dataset: Dataset, part: str) -> set[bytes]:
    return {picture.tobytes() for picture in dataset.splits[part].x}


def test_mnist_is_split_by_class() -> None:
    pictures = read_pictures("sample:mnist-5k")
    dataset = prepare_pictures(pictures, DataConfig(source="npz:x"), height=28, width=28, channels=1)
    assert {name: np.bincount(part.y).tolist() for name, part in dataset.splits.items()} == {
        "train": [350] * 10,
        "validation": [75] * 10,
        "test": [75] * 10,
    }
    train = dataset.splits["train"].x
    assert train.dtype == np.uint8
    assert train.shape == (3500, 28, 28, 1)
    assert train.flags.c_contiguous
    assert (dataset.name, dataset.fingerprint) == ("sample:mnist-5k", pictures.fingerprint)
    assert dataset.findings == ()


def test_copies_never_cross_and_every_example_is_kept() -> None:
    pictures = collected(noise(60) * 3, [index % 3 for index in range(60)] * 3)
    dataset = prepared(pictures)
    parts = [rows(dataset, name) for name in ("train", "validation", "test")]
    assert dataset.examples == 180
    assert sum(len(part) for part in parts) == 60
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_labels_stay_with_their_pictures() -> None:
    pictures = noise(40)
    label_of = {picture.tobytes(): index % 2 for index, picture in enumerate(pictures)}
    dataset = prepared(collected(pictures, [index % 2 for index in range(40)]))
    for part in dataset.splits.values():
        assert [label_of[picture.tobytes()] for picture in part.x] == part.y.tolist()


def test_contradictory_examples_are_left_out() -> None:
    pictures = noise(40)
    dataset = prepared(collected([*pictures, pictures[0]], [*(index % 2 for index in range(40)), 1]))
    assert dataset.examples == 39
    assert not any(pictures[0].tobytes() in rows(dataset, name) for name in dataset.splits)
    assert any("2 examples with the same pixels and different labels are left out" in text for text in dataset.findings)


def test_the_seed_decides_the_split() -> None:
    pictures = collected(noise(60), [index % 3 for index in range(60)])
    assert rows(prepared(pictures), "test") == rows(prepared(pictures), "test")
    assert rows(prepared(pictures), "test") != rows(prepared(pictures, seed=1), "test")


def test_a_class_too_small_to_measure_is_reported() -> None:
    dataset = prepared(collected(noise(21), [*(index % 2 for index in range(20)), 2]))
    said = "1 classes have no example in the test split, so nothing can be measured of them: c2"
    assert dataset.findings[0] == said
    assert 2 in dataset.splits["train"].y
    assert 2 not in dataset.splits["test"].y


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(DataError, match="no class has 3 distinct pictures") as caught:
        prepared(collected(noise(2) * 10, [0, 1] * 10))
    assert "copies of the same one do not count" in caught.value.mend


def test_a_class_of_contradictions_is_an_error() -> None:
    pictures = noise(12)
    with pytest.raises(DataError, match="every picture of the class 'c1' has another label too"):
        prepared(collected([*pictures, pictures[0]], [*([0] * 12), 1]))


def test_ten_thousand_classes() -> None:
    pictures = collected(noise(30_000, 8, 8), np.repeat(np.arange(10_000), 3).tolist())
    dataset = prepare_pictures(pictures, DataConfig(source="npz:x"), height=8, width=8, channels=1)
    assert len(dataset.classes) == 10_000
    assert {name: len(np.unique(part.y)) for name, part in dataset.splits.items()} == dict.fromkeys(
        ("train", "validation", "test"), 10_000
    )


@pytest.mark.parametrize(
    ("sizes", "channels", "size", "wanted", "expected"),
    [
        ([(28, 28)], 1, None, None, (28, 28, 1)),
        ([(30, 20)], 3, None, None, (30, 20, 3)),
        ([(28, 28)], 1, None, 3, (28, 28, 3)),
        ([(28, 28)], 3, 64, 1, (64, 64, 1)),
        ([(4, 4)], 1, None, None, (8, 8, 1)),
        ([(1024, 512)], 1, None, None, (512, 256, 1)),
        ([(30, 40), (50, 60), (31, 41)], 3, None, None, (40, 40, 3)),
        ([(400, 600), (600, 400)], 3, None, None, (224, 224, 3)),
        ([(2, 2), (3, 3)], 1, None, None, (8, 8, 1)),
    ],
)
def test_the_shape_follows_the_pictures(
    sizes: list[tuple[int, int]],
    channels: int,
    size: int | None,
    wanted: int | None,
    expected: tuple[int, int, int],
) -> None:
    pictures = [picture for height, width in sizes for picture in noise(2, height, width, channels)]
    assert picture_shape(collected(pictures, [0, 1] * len(sizes)), size, wanted) == expected


def test_one_color_picture_makes_all_color() -> None:
    pictures = [*noise(3), *noise(1, channels=3)]
    assert picture_shape(collected(pictures, [0, 1, 0, 1]), None, None) == (10, 10, 3)


def test_another_source_is_counted_in_the_models_labels() -> None:
    pictures = collected(noise(4), [0, 1, 0, 1])
    split = labelled_split(pictures, {"height": 6, "width": 5, "channels": 3}, ("x", "c1", "c0"))
    assert split.x.shape == (4, 6, 5, 3)
    assert split.y.tolist() == [2, 1, 2, 1]


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(DataError, match=r"classes that the model does not know: c1; it knows c0, c2") as caught:
        labelled_split(collected(noise(2), [0, 1]), {"height": 6, "width": 6, "channels": 1}, ("c0", "c2"))
    assert "train a model with these" in caught.value.mend


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    for index, picture in enumerate(noise(8)):
        path = tmp_path / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture[:, :, 0]).save(path)
    pictures = read_pictures(f"folder:{tmp_path}")
    (tmp_path / "a" / "2.png").unlink()
    with pytest.raises(DataError, match=r"a/2\.png could be read before and cannot be now"):
        prepared(pictures)
