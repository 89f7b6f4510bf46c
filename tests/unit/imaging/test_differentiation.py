"""Gradients of operators against differences, receptive fields against what really changes the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from glassworks.imaging.differentiation import Region, Traced
from glassworks.imaging.execution import Execution
from glassworks.imaging.operator import Depth, Kind
from glassworks.imaging.operators import operators
from glassworks.imaging.pipeline import AnyOperator, Pipeline, connect

Floats = NDArray[np.float32]
Declared = Sequence[Mapping[str, Any]]
GRAY: Mapping[str, Any] = {"operator": "grayscale", "name": "gray"}
PARTS: Declared = (
    {"operator": "sobel", "direction": "x", "kernel": 5, "name": "gx"},
    {"operator": "sobel", "direction": "y", "kernel": 5, "inputs": ["gray"], "name": "gy", "border": "reflect"},
)
SMOOTH: Sequence[Declared] = (
    [GRAY],
    *(
        [{"operator": "sobel", "kernel": 3, "border": border}]
        for border in ("reflect101", "reflect", "replicate", "constant")
    ),
    [{"operator": "laplacian"}, {"operator": "threshold", "value": 9}],
    [{"operator": "laplacian", "kernel": 5}, {"operator": "convert", "depth": "float32", "scale": 0.5, "shift": 1.0}],
    [{"operator": "gaussian_blur", "kernel": 7, "border": "reflect"}],
    [GRAY, *PARTS, {"operator": "magnitude", "inputs": ["gx", "gy"]}, {"operator": "threshold", "value": 100}],
    [GRAY, *PARTS, {"operator": "direction", "inputs": ["gx", "gy"]}],
    [GRAY, {"operator": "canny", "low": 10, "high": 20}],
    [GRAY, {"operator": "canny", "low": 10, "high": 20, "l2": True, "kernel": 5}],
    [GRAY, {"operator": "hysteresis", "low": 10, "high": 20}],
    *(
        [{"operator": "morphology", "mode": mode, "kernel": 3}]
        for mode in ("erode", "dilate", "open", "close", "gradient", "top_hat", "black_hat")
    ),
    [{"operator": "resize", "width": 20}],
    [{"operator": "resize", "width": 31, "height": 29, "interpolation": "cubic"}],
    [{"operator": "resize", "width": 9, "interpolation": "area"}],
    [{"operator": "crop", "x": 2, "y": 3, "width": 14, "height": 13}],
    *([{"operator": "pad", "pixels": 5, "border": border}] for border in ("reflect101", "wrap", "constant")),
    *(
        [{"operator": "warp", "matrix": [[0.9, 0.2, 1.3], [-0.1, 1.1, 2.2]], "border": border}]
        for border in ("constant", "wrap", "reflect")
    ),
    [{"operator": "normalize", "mean": [1, 2, 3], "deviation": [4, 5, 6]}],
)
SURROGATES: Sequence[Declared] = (
    [GRAY, {"operator": "otsu"}],
    [GRAY, {"operator": "clahe", "tiles": 2}],
    [{"operator": "normalize", "mode": "range"}],
)
REGION = Region(6, 5, 3, 2)


def made(declared: Declared, depth: Depth = "uint8") -> Pipeline:
    return connect(TypeAdapter(tuple[AnyOperator, ...]).validate_python(list(declared)), Kind(depth, 3))


def picture(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).integers(0, 256, (17, 19, 3)).astype(np.float32)


@pytest.mark.parametrize("declared", SMOOTH, ids=str)
def test_the_gradient_is_the_slope(declared: Declared) -> None:
    pipeline, x, generator = made(declared), picture(), np.random.default_rng(1)
    gradient = Traced(pipeline, x).gradient(REGION)
    assert gradient.any()
    for _ in range(3):
        step = 0.02 * generator.normal(size=x.shape).astype(np.float32)
        high, low = (Traced(pipeline, x + sign * step).score(REGION) for sign in (1, -1))
        assert float((gradient * step).sum()) == pytest.approx((high - low) / 2, rel=0.05, abs=2e-3)


@pytest.mark.parametrize("declared", [*SMOOTH, *SURROGATES], ids=str)
def test_nothing_outside_the_receptive_field_matters(declared: Declared) -> None:
    """Another picture outside the field: the region of the answer, computed by OpenCV, stays the same."""
    pipeline, x = made(declared), picture()
    field = Traced(pipeline, x).field(REGION)
    assert field.any()
    changed = np.where(field[:, :, None], x, picture(7))
    execution = Execution(pipeline)
    answers = [
        execution.run(each.astype(np.uint8))[REGION.rows, REGION.columns].astype(np.float64) for each in (x, changed)
    ]
    assert np.allclose(answers[0], answers[1], atol=1e-3)


def test_the_field_of_an_edge_is_its_kernel_without_what_has_no_weight() -> None:
    declared = [GRAY, *PARTS[:1], {"operator": "threshold", "value": 5}]
    field = Traced(made(declared), picture()).field(Region(8, 8, 1, 1))
    wanted = np.zeros((17, 19), np.bool_)
    wanted[6:11, 6:11] = True
    wanted[6:11, 8] = False
    assert np.array_equal(field, wanted)


def test_the_gradient_of_an_edge_lies_across_it() -> None:
    """A dark left and a bright right half: pixels on the right speak for the edge, those on the left against it."""
    x = np.zeros((17, 19, 3), np.float32)
    x[:, 10:] = 200
    gradient = Traced(made([GRAY, *PARTS, {"operator": "magnitude", "inputs": ["gx", "gy"]}]), x).gradient(
        Region(9, 8, 1, 1)
    )
    columns = gradient.sum(axis=(0, 2))
    assert (columns[10:12] > 0).all()
    assert (columns[7:9] < 0).all()
    assert not columns[:7].any() and not columns[12:].any()


def test_every_operator_is_differentiated_here() -> None:
    assert {str(step["operator"]) for each in (*SMOOTH, *SURROGATES) for step in each} == set(operators())
