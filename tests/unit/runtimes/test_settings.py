"""Settings of engines: what is worth trying, what is applied, and what no engine knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Runtime
from glassworks.errors import BundleError
from glassworks.onnx_graphs.builder import FLOAT, Builder
from glassworks.runtimes.onnx_runtime import needs_exact_products


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    folder = tmp_path_factory.mktemp("settings")
    g = Builder("rows")
    x = g.input("x", FLOAT, ["n", 8])
    weights = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    g.output(g.op("Relu", g.op("MatMul", x, g.constant(weights))), "y", FLOAT, ["n", 4])
    g.save(folder / "predict.onnx")
    return Opened(artifact=Artifact(role="predict", format="onnx", file="predict.onnx"), folder=folder)


def with_record(opened: Opened, **record: object) -> Opened:
    return replace(opened, artifact=opened.artifact.model_copy(update=record))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_every_setting_that_is_worth_trying_gives_the_same_answers(opened: Opened, engine: str) -> None:
    runtime, several = get(Runtime, engine), with_record(opened, threads=2)
    space = runtime.space(several)
    assert set(space) - set(runtime.space(opened)) == {"engine_threads" if engine == "onnxruntime" else "streams"}
    rows = {count: np.random.default_rng(count).random((count, 8), np.float32) for count in (1, 3)}
    plain = runtime.open(opened)
    for key, values in space.items():
        assert len(values) == len(set(values)) > 1
        for value in values:
            session = runtime.open(with_record(several, settings={key: value, "of_a_pass": "whatever"}))
            assert session.signature == plain.signature
            for each in (rows[3], rows[1], rows[3]):
                found, before = (
                    np.asarray(next(iter(one.run({"x": each}).values())), np.float32) for one in (session, plain)
                )
                np.testing.assert_allclose(found, before, atol=1e-5, err_msg=f"{key}={value}")


@pytest.mark.parametrize(
    ("engine", "key", "value"),
    [
        ("onnxruntime", "graph_level", "most"),
        ("onnxruntime", "engine_threads", "0"),
        ("onnxruntime", "engine_threads", "two"),
        ("openvino", "static_rows", "7"),
        ("openvino", "streams", "9"),
        ("openvino", "float_precision", "f8"),
    ],
)
def test_a_value_that_no_engine_knows_is_refused(opened: Opened, engine: str, key: str, value: str) -> None:
    with pytest.raises(BundleError, match=rf"predict\.onnx asks for {key} = '{value}'") as raised:
        get(Runtime, engine).open(with_record(opened, threads=2, settings={key: value}))
    assert raised.value.mend == "optimize again"


@pytest.mark.parametrize(
    ("precision", "bits", "instructions", "needed"),
    [
        ("int8", "8", ("avx", "avx2"), True),
        ("int8", "", ("avx", "avx2"), True),  # of a pass that does not say
        ("int8", "7", ("avx", "avx2"), False),
        ("int8", "8", ("avx", "avx2", "avx512_vnni"), False),
        ("int8", "8", ("avx", "avx_vnni"), False),
        ("int8", "8", ("asimd", "i8mm"), False),
        ("fp32", "", ("avx", "avx2"), False),
    ],
)
def test_products_are_made_exact_where_they_would_overflow(
    precision: str, bits: str, instructions: tuple[str, ...], needed: bool
) -> None:
    settings = {"weight_bits": bits} if bits else {}
    artifact = Artifact(role="predict", format="onnx", file="x", precision=precision, settings=settings)
    assert needs_exact_products(artifact, instructions) == needed


def test_fp32_layers_are_told_too(opened: Opened, tmp_path: Path) -> None:
    for engine in ("onnxruntime", "openvino"):
        (layer,) = get(Runtime, engine).layers(opened)
        assert layer.precision == "fp32"
