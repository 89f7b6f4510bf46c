"""Every operator against OpenCV itself, and in ONNX: depths, colors, borders and odd sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy import ndimage

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Pass, Runtime
from glassworks.errors import ConfigError, InputError, Unsupported
from glassworks.imaging.execution import Execution, reference
from glassworks.imaging.operator import Depth, Kind
from glassworks.imaging.operators import operators
from glassworks.imaging.pipeline import AnyOperator, Pipeline, connect, from_json

Pixels = NDArray[Any]
BORDERS: Mapping[str, int] = {
    "reflect101": cv2.BORDER_REFLECT_101,
    "reflect": cv2.BORDER_REFLECT,
    "replicate": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}
FLOAT = 1e-4
SIZES = ((37, 53), (1, 1), (2, 3))


def picture(depth: str, channels: int, size: tuple[int, int] = (37, 53), seed: int = 0) -> Pixels:
    """Noise over a bright square, in the whole range of its type."""
    generator = np.random.default_rng(seed)
    top = 65_535 if depth == "uint16" else 255
    values = generator.integers(0, top // 3, (*size, channels))
    values[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] += top // 2
    return values.astype(depth)


def pipeline(*declared: Mapping[str, Any], depth: Depth = "uint8", channels: int = 1) -> Pipeline:
    found = TypeAdapter(tuple[AnyOperator, ...]).validate_python(list(declared))
    return connect(found, Kind(depth, channels))


def natural(values: Pixels) -> Pixels:
    """As OpenCV takes it."""
    return values[:, :, 0] if values.shape[2] == 1 else values


def in_onnx(made: Pipeline, values: Pixels, folder: Path, runtime: str = "onnxruntime") -> Pixels:
    """The same pipeline as an ONNX graph in an engine."""
    (folder / "pipeline.json").write_bytes(made.to_json())
    artifact = Artifact(role="predict", format="operators", file="pipeline.json")
    graph = get(Pass, "operators_to_onnx").apply(Opened(artifact=artifact, folder=folder), [])
    session = get(Runtime, runtime).open(Opened(artifact=graph, folder=folder))
    found: Pixels = np.asarray(session.run({"image": values[None]})["picture"])
    return np.asarray(found[0])


def assert_same(found: Pixels, wanted: Pixels) -> None:
    """Whole numbers exactly, others to 1e-4 of their size."""
    wanted = wanted[:, :, None] if wanted.ndim == 2 else wanted
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    if found.dtype.kind == "f" and not np.array_equal(np.rint(wanted), wanted):
        assert np.allclose(found, wanted, rtol=FLOAT, atol=FLOAT)
    else:
        assert np.array_equal(found, wanted)


def as_uint8(values: Pixels) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


FILTERS: Sequence[tuple[Mapping[str, Any], Callable[[Pixels, int], Pixels]]] = (
    (
        {"operator": "sobel", "direction": "x", "kernel": 3},
        lambda x, b: cv2.Sobel(x, cv2.CV_32F, 1, 0, ksize=3, borderType=b),
    ),
    (
        {"operator": "sobel", "direction": "y", "kernel": 5},
        lambda x, b: cv2.Sobel(x, cv2.CV_32F, 0, 1, ksize=5, borderType=b),
    ),
    ({"operator": "laplacian", "kernel": 1}, lambda x, b: cv2.Laplacian(x, cv2.CV_32F, ksize=1, borderType=b)),
    ({"operator": "laplacian", "kernel": 3}, lambda x, b: cv2.Laplacian(x, cv2.CV_32F, ksize=3, borderType=b)),
    ({"operator": "laplacian", "kernel": 5}, lambda x, b: cv2.Laplacian(x, cv2.CV_32F, ksize=5, borderType=b)),
    ({"operator": "gaussian_blur", "kernel": 5}, lambda x, b: cv2.GaussianBlur(x, (5, 5), 0, borderType=b)),
    (
        {"operator": "gaussian_blur", "kernel": 9, "sigma": 1.7},
        lambda x, b: cv2.GaussianBlur(x, (9, 9), 1.7, borderType=b),
    ),
)
POINTS: Sequence[tuple[Mapping[str, Any], Callable[[Pixels], Pixels]]] = (
    (
        {"operator": "threshold", "value": 100},
        lambda x: cv2.threshold(x, 100, 255, cv2.THRESH_BINARY)[1].astype(np.uint8),
    ),
    (
        {"operator": "threshold", "value": 99.5, "maximum": 7},
        lambda x: cv2.threshold(x, 99.5, 7, cv2.THRESH_BINARY)[1].astype(np.uint8),
    ),
    (
        {"operator": "threshold", "value": 70, "maximum": 200, "mode": "inverted"},
        lambda x: cv2.threshold(x, 70, 200, cv2.THRESH_BINARY_INV)[1].astype(np.uint8),
    ),
    (
        {"operator": "threshold", "value": 90.7, "mode": "truncate"},
        lambda x: cv2.threshold(x, 90.7, 0, cv2.THRESH_TRUNC)[1],
    ),
    (
        {"operator": "threshold", "value": 90, "mode": "to_zero"},
        lambda x: cv2.threshold(x, 90, 0, cv2.THRESH_TOZERO)[1],
    ),
    (
        {"operator": "normalize", "mean": [100.0], "deviation": [57.0]},
        lambda x: ((x.astype(np.float64) - 100) / 57).astype(np.float32),
    ),
    (
        {"operator": "normalize", "mode": "range", "low": 10, "high": 200},
        lambda x: cv2.normalize(x, np.empty_like(x), 10, 200, cv2.NORM_MINMAX),
    ),
    (
        {"operator": "convert", "depth": "float32", "scale": 0.5, "shift": 3},
        lambda x: (x * np.float64(0.5) + 3).astype(np.float32),
    ),
    (
        {"operator": "convert", "depth": "uint8", "scale": -0.5, "shift": 20, "absolute": True},
        lambda x: as_uint8(np.abs(x * -0.5 + 20)),
    ),
    ({"operator": "crop", "x": 3, "y": 5, "width": 20, "height": 9}, lambda x: x[5:14, 3:23]),
    ({"operator": "resize", "width": 31}, lambda x: cv2.resize(x, (31, 22), interpolation=cv2.INTER_LINEAR)),
    (
        {"operator": "resize", "width": 91, "height": 60, "interpolation": "cubic"},
        lambda x: cv2.resize(x, (91, 60), interpolation=cv2.INTER_CUBIC),
    ),
    (
        {"operator": "resize", "height": 11, "interpolation": "area"},
        lambda x: cv2.resize(x, (16, 11), interpolation=cv2.INTER_AREA),
    ),
    (
        {"operator": "resize", "width": 19, "height": 19, "interpolation": "nearest"},
        lambda x: cv2.resize(x, (19, 19), interpolation=cv2.INTER_NEAREST),
    ),
    (
        {"operator": "resize", "width": 70, "height": 50, "interpolation": "lanczos"},
        lambda x: cv2.resize(x, (70, 50), interpolation=cv2.INTER_LANCZOS4),
    ),
    *(
        (
            {"operator": "morphology", "mode": mode, "kernel": 5, "shape": shape},
            lambda x, m=number, s=form: cv2.morphologyEx(x, m, cv2.getStructuringElement(s, (5, 5))),
        )
        for mode, number in (
            ("erode", cv2.MORPH_ERODE),
            ("dilate", cv2.MORPH_DILATE),
            ("open", cv2.MORPH_OPEN),
            ("close", cv2.MORPH_CLOSE),
            ("gradient", cv2.MORPH_GRADIENT),
            ("top_hat", cv2.MORPH_TOPHAT),
            ("black_hat", cv2.MORPH_BLACKHAT),
        )
        for shape, form in (("rectangle", cv2.MORPH_RECT), ("ellipse", cv2.MORPH_ELLIPSE), ("cross", cv2.MORPH_CROSS))
    ),
    *(
        ({"operator": "pad", "pixels": 4, "border": border}, lambda x, b=number: cv2.copyMakeBorder(x, 4, 4, 4, 4, b))
        for border, number in (*BORDERS.items(), ("wrap", cv2.BORDER_WRAP))
    ),
    *(
        (
            {"operator": "warp", "matrix": [[0.9, 0.2, 3], [-0.1, 1.1, 2]], "border": border},
            lambda x, b=number: cv2.warpAffine(x, np.array([[0.9, 0.2, 3], [-0.1, 1.1, 2]]), (53, 37), borderMode=b),
        )
        for border, number in (*BORDERS.items(), ("wrap", cv2.BORDER_WRAP))
    ),
    (
        {
            "operator": "warp",
            "matrix": [[0.9, 0.2, 3], [-0.1, 1.1, 2], [0.001, 0, 1]],
            "width": 40,
            "height": 30,
            "interpolation": "nearest",
        },
        lambda x: cv2.warpPerspective(
            x, np.array([[0.9, 0.2, 3], [-0.1, 1.1, 2], [0.001, 0, 1]]), (40, 30), flags=cv2.INTER_NEAREST
        ),
    ),
)


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(
    ("declared", "oracle"), FILTERS, ids=lambda each: str(each)[12:50] if isinstance(each, dict) else ""
)
def test_filters_equal_opencv_with_every_border(
    declared: Mapping[str, Any],
    oracle: Callable[[Pixels, int], Pixels],
    border: str,
    channels: int,
    depth: Depth,
    tmp_path: Path,
) -> None:
    made = pipeline({**declared, "border": border}, depth=depth, channels=channels)
    for size in SIZES:
        x = picture(depth, channels, size)
        wanted = oracle(natural(x), BORDERS[border])
        assert_same(Execution(made).run(x), wanted)
        if not (declared["operator"] == "gaussian_blur" and depth == "uint16"):
            assert_same(in_onnx(made, x, tmp_path), wanted)


def stays_in_opencv(declared: Mapping[str, Any]) -> bool:
    """What ONNX cannot compute to the same numbers: sampling between pixels, extremes of the whole picture, windows
    that are no rectangles."""
    return (
        declared["operator"] in ("resize", "warp")
        or (declared["operator"] == "normalize" and declared.get("mode") == "range")
        or declared.get("shape", "rectangle") != "rectangle"
    )


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("declared", "oracle"), POINTS, ids=lambda each: str(each)[12:60] if isinstance(each, dict) else ""
)
def test_other_operators_equal_opencv(
    declared: Mapping[str, Any], oracle: Callable[[Pixels], Pixels], channels: int, depth: Depth, tmp_path: Path
) -> None:
    made, x = pipeline(declared, depth=depth, channels=channels), picture(depth, channels)
    wanted = oracle(natural(x))
    assert_same(Execution(made).run(x), wanted)
    if stays_in_opencv(declared):
        with pytest.raises(Unsupported, match="ONNX"):
            in_onnx(made, x, tmp_path)
    else:
        assert_same(in_onnx(made, x, tmp_path), wanted)


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_gray_is_opencv_s_gray(depth: Depth, tmp_path: Path) -> None:
    made = pipeline({"operator": "grayscale"}, depth=depth, channels=3)
    x = np.random.default_rng(0).integers(0, 256 if depth == "uint8" else 65_536, (301, 299, 3)).astype(depth)
    assert_same(Execution(made).run(x), cv2.cvtColor(x, cv2.COLOR_RGB2GRAY))
    assert_same(in_onnx(made, x, tmp_path), cv2.cvtColor(x, cv2.COLOR_RGB2GRAY))


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_otsu_and_clahe_equal_opencv(depth: Depth) -> None:
    x = picture(depth, 1, (101, 99))
    wanted = cv2.threshold(natural(x), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    assert_same(Execution(pipeline({"operator": "otsu"}, depth=depth)).run(x), wanted.astype(np.uint8))
    made = pipeline({"operator": "clahe", "limit": 3.0, "tiles": 4}, depth=depth)
    assert_same(Execution(made).run(x), cv2.createCLAHE(3.0, (4, 4)).apply(natural(x)))


@pytest.mark.parametrize(("kernel", "l2"), [(3, False), (3, True), (5, False)])
def test_canny_equals_opencv(kernel: int, l2: bool) -> None:
    x = picture("uint8", 1, (101, 99))
    made = pipeline({"operator": "canny", "low": 200, "high": 500, "kernel": kernel, "l2": l2})
    assert_same(Execution(made).run(x), cv2.Canny(natural(x), 200, 500, apertureSize=kernel, L2gradient=l2))


def test_hysteresis_keeps_what_touches_what_is_strong() -> None:
    x = picture("uint8", 1, (101, 99))
    found = Execution(pipeline({"operator": "hysteresis", "low": 60, "high": 140})).run(x)[:, :, 0]
    touching = ndimage.binary_propagation(natural(x) > 140, np.ones((3, 3)), mask=natural(x) > 60)
    assert 0 < touching.sum() < touching.size
    assert np.array_equal(found > 0, touching)


GRADIENT = (
    {"operator": "sobel", "direction": "x", "kernel": 5, "name": "gx"},
    {"operator": "sobel", "direction": "y", "kernel": 5, "inputs": ["gray"], "name": "gy"},
)
EDGES = (
    {"operator": "grayscale", "name": "gray"},
    *GRADIENT,
    {"operator": "magnitude", "inputs": ["gx", "gy"]},
    {"operator": "threshold", "value": 100},
)


def plain_edges(x: Pixels, value: float = 100) -> Pixels:
    gray = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)
    across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=5), cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=5)
    return cv2.threshold(cv2.magnitude(across, down), value, 255, cv2.THRESH_BINARY)[1].astype(np.uint8)


def test_direction_equals_opencv() -> None:
    x = picture("uint8", 3)
    declared: list[Mapping[str, Any]] = [*EDGES[:3], {"operator": "direction", "inputs": ["gx", "gy"]}]
    gray = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)
    parts = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=5), cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=5)
    assert_same(Execution(pipeline(*declared, channels=3)).run(x), cv2.phase(*parts, angleInDegrees=True))


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (301, 203), (733, 1021)])
@pytest.mark.parametrize("threads", [1, 3])
def test_edges_in_strips_equal_plain_opencv(size: tuple[int, int], threads: int, tmp_path: Path) -> None:
    x = picture("uint8", 3, size)
    made = pipeline(*EDGES, channels=3)
    execution = Execution(made, threads)
    assert_same(execution.run(x), plain_edges(x))
    execution.close()
    assert_same(in_onnx(made, x, tmp_path), plain_edges(x))


@pytest.mark.parametrize(
    "declared", [each for each, _ in FILTERS] + [{"operator": "morphology", "mode": "open", "kernel": 7}], ids=str
)
def test_strips_change_nothing(declared: Mapping[str, Any]) -> None:
    """A tall picture is cut into many strips; the same picture as a whole is the oracle."""
    x = picture("uint8", 3, (1500, 701))
    execution = Execution(pipeline(declared, channels=3))
    assert np.array_equal(execution.run(x), reference(execution.pipeline, x))


def test_what_is_declared_survives_writing_and_reading() -> None:
    made = pipeline(*EDGES, channels=3)
    assert from_json(made.to_json(), "here") == made


def test_every_operator_is_tested_here() -> None:
    tested = {str(each["operator"]) for each, _ in (*FILTERS, *POINTS)} | {str(each["operator"]) for each in EDGES}
    assert tested | {"otsu", "clahe", "canny", "hysteresis", "direction"} == set(operators())


FAULTS: Sequence[tuple[Sequence[Mapping[str, Any]], str]] = (
    ([{"operator": "sobel", "inputs": ["nowhere"]}], r"model\.pipeline\.0 \(sobel\): there is no earlier result"),
    ([{"operator": "magnitude"}], "takes 2 pictures, it is given 1"),
    ([{"operator": "canny", "low": 1, "high": 2}], "takes one channel, it is given 3 channels of uint8"),
    ([*EDGES[:2], {"operator": "canny", "low": 1, "high": 2}], "takes uint8, it is given 1 channel of float32"),
    ([EDGES[0], {"operator": "hysteresis", "low": 3, "high": 2}], "low = 3 above high = 2"),
    ([*EDGES[:2], {"operator": "otsu", "inputs": ["gray"]}], "nothing takes its result"),
    ([EDGES[0], EDGES[0]], "the name 'gray' is taken"),
    ([{"operator": "resize"}], "has no size"),
    ([{"operator": "warp", "matrix": [[1, 1, 0], [1, 1, 0]]}], "cannot be inverted"),
    ([{"operator": "normalize", "mean": [1, 2]}], "has 2 numbers for 3 channels"),
)


@pytest.mark.parametrize(("declared", "reported"), FAULTS)
def test_what_does_not_fit_is_refused(declared: Sequence[Mapping[str, Any]], reported: str) -> None:
    with pytest.raises(ConfigError, match=reported):
        pipeline(*declared, channels=3)


def test_a_picture_that_is_too_small_is_refused() -> None:
    execution = Execution(pipeline({"operator": "crop", "width": 10, "height": 10}))
    with pytest.raises(InputError, match="has 4 x 4 pixels; the crop ends at 10 x 10"):
        execution.run(picture("uint8", 1, (4, 4)))
