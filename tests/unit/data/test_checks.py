"""Copies, contradictions and the other findings, on pictures with injected faults."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glassworks.data.checks import check_pictures
from glassworks.data.collection import Pictures, collect
from glassworks.data.duplicates import find_duplicates
from glassworks.data.pictures import as_picture, decode_picture, fit_picture
from glassworks.data.reader import read_pictures

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photographs() -> list[Pixels]:
    """120 different cuttings of two real photographs."""
    from sklearn.datasets import load_sample_images

    images, generator = load_sample_images().images, np.random.default_rng(0)
    cuttings: list[Pixels] = []
    while len(cuttings) < 120:
        image, side = images[len(cuttings) % 2], int(generator.integers(64, 128))
        top, left = (int(generator.integers(0, extent - side)) for extent in image.shape[:2])
        cutting = image[top : top + side, left : left + side]
        if cutting.std() > 30:
            cuttings.append(cutting)
    return cuttings


def collected(pictures: list[Pixels], labels: list[int] | None = None) -> Pictures:
    given = [index % 2 for index in range(len(pictures))] if labels is None else labels
    names = [f"{index}.png" for index in range(len(pictures))]
    classes = [chr(97 + number) for number in range(max(given) + 1)]
    return collect("test", pictures, as_picture, names=names, labels=np.array(given, np.int64), classes=classes)


def recompressed(picture: Pixels) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=85)
    return decode_picture(stream.getvalue())


def brighter(picture: Pixels) -> Pixels:
    brightened: Pixels = np.clip(picture * 1.08, 0, 255).astype(np.uint8)
    return brightened


def larger(picture: Pixels) -> Pixels:
    return fit_picture(picture, picture.shape[0] * 2, picture.shape[1] * 2, 3)


def smaller(picture: Pixels) -> Pixels:
    return fit_picture(picture, picture.shape[0] * 3 // 4, picture.shape[1] * 3 // 4, 3)


@pytest.mark.parametrize("change", [recompressed, brighter, larger, smaller])
def test_near_copies_of_photographs_are_found(change: Callable[[Pixels], Pixels], photographs: list[Pixels]) -> None:
    copies = [change(picture) for picture in photographs]
    near = find_duplicates(collected(photographs + copies).looks).near
    caught = near[: len(photographs)] == near[len(photographs) :]
    assert caught.mean() >= 0.9
    assert len(np.unique(near[: len(photographs)])) == len(photographs)


def test_recompressed_digits_are_found() -> None:
    digits = [picture[:, :, 0] for picture in read_pictures("sample:mnist-5k").pictures[::25]]
    both = [*digits, *(recompressed(digit) for digit in digits)]
    near = find_duplicates(collected(both).looks).near
    assert np.array_equal(near[: len(digits)], near[len(digits) :])


def test_different_digits_are_never_merged() -> None:
    report = check_pictures(read_pictures("sample:mnist-5k"))
    assert (report.examples, report.distinct, report.near_duplicates) == (5000, 5000, 0)
    assert report.findings == ()
    assert check_pictures(read_pictures("sample:digits")).near_duplicates == 3


def test_what_differs_only_in_color_or_brightness_is_different() -> None:
    shape = np.zeros((32, 32, 1), np.uint8)
    shape[8:24, 8:24] = 1
    squares = [shape * np.array(color, np.uint8) for color in ((200, 0, 0), (0, 102, 0), (0, 0, 255))]
    flat = [np.full((32, 32), level, np.uint8) for level in (0, 100, 110, 255)]
    near = find_duplicates(collected([*squares, *flat]).looks).near
    assert len(np.unique(near)) == 7


def test_a_fixed_camera_is_not_chained_into_one_group() -> None:
    generator = np.random.default_rng(0)
    ground = np.asarray(Image.fromarray(generator.integers(0, 255, (8, 8), dtype=np.uint8)).resize((64, 64)))
    pictures = []
    for _ in range(600):
        picture = np.clip(ground + generator.normal(0, 3, ground.shape), 0, 255).astype(np.uint8)
        top, left = generator.integers(0, 58, 2)
        picture[top : top + 6, left : left + 6] = 255
        pictures.append(picture)
    near = find_duplicates(collected(pictures).looks).near
    assert np.bincount(near).max() <= 12


def test_many_equal_pictures_are_one_group() -> None:
    found = find_duplicates(collected([np.full((9, 9), 7, np.uint8)] * 300).looks)
    assert found.exact.tolist() == found.near.tolist() == [0] * 300


def test_the_report_counts_what_was_injected(photographs: list[Pixels]) -> None:
    pictures = [*photographs[:30], photographs[0], photographs[0], photographs[1], recompressed(photographs[2])]
    labels = [*([0] * 30), 0, 1, 0, 1]
    report = check_pictures(collected(pictures, labels))
    assert (report.examples, report.distinct, report.duplicates, report.near_duplicates) == (34, 31, 3, 1)
    assert report.contradictions == 2
    assert report.contradictory == (("0.png (a)", "30.png (a)", "31.png (b)"), ("2.png (a)", "33.png (b)"))
    assert report.class_counts == {"a": 32, "b": 2}
    assert report.imbalance == 16.0
    assert report.tiny_classes == ("b",)
    assert report.mixed_sizes
    reported = list(map(str, report.findings))
    starts = (
        "contradictory labels: 2 pictures have copies",
        "3 examples with the same pixels and different labels are left out",
        "3 of 34 examples (8.8%) are exact copies",
        "1 distinct pictures are near copies",
        "1 classes have fewer than 10 examples: b (2)",
        "classes are imbalanced: 'a' has 16.0 times the examples of 'b'",
        "sizes differ, from ",
    )
    assert len(reported) == len(starts)
    assert all(sentence.startswith(start) for sentence, start in zip(reported, starts, strict=True)), reported


def test_unreadable_and_non_square_pictures_are_reported(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for index in range(20):
        path = tmp_path / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (8, 9), dtype=np.uint8)).save(path)
    (tmp_path / "a" / "bad.png").write_text("no")
    report = check_pictures(read_pictures(f"folder:{tmp_path}"))
    assert [name for name, _ in report.unreadable] == ["a/bad.png"]
    assert str(report.findings[0]).startswith("1 files cannot be read: a/bad.png (the 2 bytes given are not a picture")
    assert str(report.findings[-1]) == "20 of 20 pictures are not square"
    assert set(report.model_dump(mode="json")) >= {"examples", "distinct", "duplicates", "contradictions", "findings"}
