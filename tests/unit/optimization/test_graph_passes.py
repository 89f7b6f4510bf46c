"""Passes over ONNX graphs: answers against the graph that they take, sizes, bits, and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Runtime, Step, Value
from glassworks.errors import Unsupported
from glassworks.onnx_graphs.builder import FLOAT, INT64, Builder
from glassworks.optimization import sensitivity
from glassworks.optimization.chains import make
from glassworks.optimization.computed import exact, layers_of, shares

Rows = list[dict[str, NDArray[Any]]]
ENGINES = ("onnxruntime", "openvino")
WORDS, WIDTH, HIDDEN = 300, 64, 128


def normal(seed: int, *shape: int) -> NDArray[np.float32]:
    fan = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
    found: NDArray[np.float32] = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return found * np.float32(np.sqrt(2 / fan))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Opened, Rows]:
    """Three convolutions, of which the second is depthwise with channels of very different sizes, and a product."""
    folder = tmp_path_factory.mktemp("pictures")
    g = Builder("pictures")
    x = g.input("image", FLOAT, ["n", 3, 12, 12])
    x = g.op("Relu", g.op("Conv", x, g.constant(normal(0, 16, 3, 3, 3)), pads=[1, 1, 1, 1]))
    spread = np.logspace(-2, 1, 16, dtype=np.float32).reshape(-1, 1, 1, 1)
    x = g.op("Relu", g.op("Conv", x, g.constant(normal(1, 16, 1, 3, 3) * spread), pads=[1, 1, 1, 1], group=16))
    x = g.op("Relu", g.op("Conv", x, g.constant(normal(2, 32, 16, 1, 1) / spread.reshape(1, -1, 1, 1))))
    x = g.op("Flatten", g.op("GlobalAveragePool", x))
    g.output(g.op("MatMul", x, g.constant(normal(3, 32, 10))), "scores", FLOAT, ["n", 10])
    return _opened(g, folder), [
        {"image": row} for row in np.random.default_rng(0).random((40, 1, 3, 12, 12), np.float32)
    ]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Opened, Rows]:
    """A table of tokens and a feed-forward network with matrices of a low rank and some noise."""
    folder = tmp_path_factory.mktemp("texts")
    g = Builder("texts")
    ids = g.input("ids", INT64, ["n", "t"])
    x = g.op("Gather", g.constant(normal(0, WORDS, WIDTH) * 10), ids)
    for seed in (1, 2):
        up = normal(seed, WIDTH, 8) @ normal(seed + 10, 8, HIDDEN) + normal(seed, WIDTH, HIDDEN) * 0.02
        hidden = g.op("Relu", g.op("MatMul", x, g.constant(up)))
        x = g.op("Add", x, g.op("MatMul", hidden, g.constant(normal(seed + 20, HIDDEN, WIDTH))))
    mean = g.op("ReduceMean", x, g.constant([1]), keepdims=0)
    g.output(g.op("MatMul", mean, g.constant(normal(5, WIDTH, 4))), "scores", FLOAT, ["n", 4])
    rows = [{"ids": np.random.default_rng(n).integers(0, WORDS, (1, 3 + n % 9))} for n in range(40)]
    return _opened(g, folder), rows


@pytest.fixture(scope="module")
def examples(pictures: tuple[Opened, Rows], texts: tuple[Opened, Rows]) -> Mapping[str, tuple[Opened, Rows]]:
    return {"pictures": pictures, "texts": texts}


def _opened(g: Builder, folder: Path) -> Opened:
    g.save(folder / "predict.onnx")
    return Opened(
        artifact=Artifact(role="predict", format="onnx", file="predict.onnx", made_by="export"), folder=folder
    )


def answers(opened: Opened, artifact: Artifact, engine: str, rows: Rows) -> NDArray[np.float32]:
    chosen = replace(opened, artifact=artifact.model_copy(update={"runtime": engine}))
    session = get(Runtime, engine).open(chosen)
    return np.concatenate([next(iter(session.run(row).values())) for row in rows])


def apart(opened: Opened, artifact: Artifact, engine: str, rows: Rows) -> float:
    """Root mean square of the difference to the graph as it was, as a share of its own."""
    before = answers(opened, opened.artifact, "onnxruntime", rows)
    return float(np.sqrt(np.mean((answers(opened, artifact, engine, rows) - before) ** 2) / np.mean(before**2)))


def step(name: str, **parameters: Value) -> Step:
    return Step(name=name, parameters=parameters)


CASES: Sequence[tuple[str, Sequence[Step], float, float, tuple[str, ...]]] = [
    # which graph, the chain, how far answers may be apart, the largest size, the engines
    ("pictures", [step("int8_onnxruntime", exclude=2)], 0.22, 1.6, ("onnxruntime",)),
    ("pictures", [step("int8_onnxruntime", exclude=2, bits=8, ranges="entropy")], 0.22, 1.6, ("onnxruntime",)),
    ("pictures", [step("int8_onnxruntime", exclude=2, ranges="percentile")], 0.22, 1.6, ("onnxruntime",)),
    ("pictures", [step("int8", bias="full", exclude=1)], 0.2, 1.6, ("openvino",)),
    ("pictures", [step("int8", ranges="percentile", activations="mixed", exclude=2)], 0.2, 1.6, ("openvino",)),
    ("texts", [step("int8_onnxruntime")], 0.05, 0.36, ("onnxruntime",)),
    ("texts", [step("int8_dynamic")], 0.05, 0.33, ("onnxruntime",)),
    ("texts", [step("int8_dynamic", bits=8, exclude=1)], 0.05, 0.5, ("onnxruntime",)),
    ("texts", [step("int8_embeddings")], 0.01, 0.75, ENGINES),
    ("texts", [step("fp16_weights")], 1e-3, 0.55, ENGINES),
    ("texts", [step("int4_weights")], 0.25, 0.25, ("onnxruntime",)),
    ("texts", [step("int4_weights", compute="fp32", block=128)], 0.35, 0.25, ("onnxruntime",)),
    ("texts", [step("low_rank")], 0.1, 0.9, ENGINES),
    ("texts", [step("low_rank", energy=0.9), step("int8_embeddings"), step("fp16_weights")], 0.5, 0.4, ENGINES),
    ("texts", [step("int8_embeddings"), step("int8")], 0.08, 0.4, ("openvino",)),
]


@pytest.mark.parametrize(("graph", "chain", "far", "size", "engines"), CASES, ids=lambda each: str(each)[:60])
def test_answers_stay_near_and_files_get_small(
    examples: Mapping[str, tuple[Opened, Rows]],
    graph: str,
    chain: Sequence[Step],
    far: float,
    size: float,
    engines: Sequence[str],
) -> None:
    opened, rows = examples[graph]
    made = make(chain, opened, rows)
    assert made.runtime in ("", *engines)
    for engine in engines:
        assert 0 < apart(opened, made, engine, rows) < far, engine
    onnx.checker.check_model(str(opened.folder / made.file), full_check=made.runtime == "")
    assert (opened.folder / made.file).stat().st_size < size * opened.path.stat().st_size
    assert [each.name for each in made.passes] == [each.name for each in chain]


@pytest.mark.parametrize(("bits", "largest"), [(7, 64), (8, 128)])
def test_weights_have_the_bits_that_are_asked_for(
    examples: Mapping[str, tuple[Opened, Rows]], bits: int, largest: int
) -> None:
    for graph, name in (("pictures", "int8_onnxruntime"), ("texts", "int8_dynamic")):
        opened, rows = examples[graph]
        made = make([step(name, bits=bits)], opened, rows)
        assert made.settings == {"weight_bits": str(bits)}
        model = onnx.load(opened.folder / made.file)
        tables = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
        stored = [
            numpy_helper.to_array(each)
            for each in model.graph.initializer
            if each.data_type == onnx.TensorProto.INT8 and each.name not in tables and np.prod(each.dims) > 100
        ]
        assert largest / 2 - 2 < max(np.abs(each.astype(int)).max() for each in stored) <= largest


def test_ranges_of_a_call_are_those_of_each_row(texts: tuple[Opened, Rows]) -> None:
    """The library's quantizer has one range for the whole call; here no row depends on what else is in the batch, and
    answers are nearer to the graph as it was.
    """
    from onnxruntime.quantization import quantize_dynamic

    opened, rows = texts
    embedded = make([step("int8_embeddings")], opened, rows)
    made = make([step("int8_embeddings"), step("int8_dynamic", bits=8)], opened, rows)
    alike = [row for row in rows if row["ids"].shape[1] == 7]
    together = {"ids": np.concatenate([row["ids"] for row in alike])}
    assert len(alike) > 3
    alone = answers(opened, made, "onnxruntime", alike)
    assert np.allclose(answers(opened, made, "onnxruntime", [together]), alone, rtol=1e-6, atol=1e-6)

    path = opened.folder / "library.onnx"
    quantize_dynamic(opened.folder / embedded.file, path, per_channel=True, op_types_to_quantize=["MatMul"])
    library = opened.artifact.model_copy(update={"file": path.name})
    assert not np.allclose(answers(opened, library, "onnxruntime", [together]), alone, rtol=1e-6, atol=1e-6)
    rows_apart, call_apart = (apart(opened, each, "onnxruntime", [together]) for each in (made, library))
    assert rows_apart < call_apart


@pytest.mark.parametrize(
    ("graph", "name", "problem"),
    [
        ("pictures", "int8_dynamic", "convolutions with ranges found at each call are several times slower"),
        ("pictures", "int8_embeddings", "no large table of embeddings"),
        ("pictures", "low_rank", "no matrix of this graph keeps 99% of its squared weights in fewer"),
    ],
)
def test_a_graph_that_a_pass_cannot_handle_has_a_reason(
    examples: Mapping[str, tuple[Opened, Rows]], graph: str, name: str, problem: str
) -> None:
    opened, rows = examples[graph]
    with pytest.raises(Unsupported, match=problem):
        make([step(name)], opened, rows)


@pytest.mark.parametrize("name", ["int8", "int8_onnxruntime", "int8_dynamic"])
def test_recurrent_layers_go_to_their_own_pass(name: str, tmp_path: Path) -> None:
    g = Builder("recurrent")
    x = g.input("x", FLOAT, ["t", "n", 8])
    w, r = (g.constant(normal(seed, 1, 48, size).reshape(1, 48, size)) for seed, size in ((0, 8), (1, 16)))
    g.output(g.op("GRU", x, w, r, hidden_size=16), "y", FLOAT, ["t", 1, "n", 16])
    with pytest.raises(Unsupported, match=r"recurrent layer in fp32; this graph has: GRU \(1,152 weights\)"):
        make([step(name)], _opened(g, tmp_path), [])


def test_what_can_be_folded_is_and_every_engine_opens_it(tmp_path: Path) -> None:
    g = Builder("unfolded")
    x = g.input("x", FLOAT, ["n", 8])
    scaled = g.op("Mul", g.constant(normal(0, 8, 8)), g.scalar(2))
    y = g.op("Identity", g.op("MatMul", x, g.op("Transpose", scaled, perm=[1, 0])))
    g.output(g.op("Relu", y), "y", FLOAT, ["n", 8])
    opened = _opened(g, tmp_path)
    rows: Rows = [{"x": row} for row in np.random.default_rng(0).random((9, 1, 8), np.float32)]
    made = make([step("simplify")], opened, rows)
    graph = onnx.load(tmp_path / made.file)
    assert [node.op_type for node in graph.graph.node] == ["MatMul", "Relu"]
    assert {each.domain for each in graph.opset_import} <= {"", "ai.onnx"}
    assert (made.precision, made.runtime, made.made_by) == ("fp32", "", "simplify")
    for engine in ENGINES:
        assert apart(opened, made, engine, rows) < 1e-6


def test_the_layer_that_suffers_is_found_measured_once_and_left_out(
    pictures: tuple[Opened, Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, rows = pictures
    ratios = sensitivity.sensitivities(opened, rows)
    assert len(ratios) == 4
    assert all(3 < each < 80 for each in ratios.values())
    monkeypatch.setattr(sensitivity, "_measured", lambda *words: pytest.fail("measured again"))
    assert sensitivity.sensitivities(opened, rows) == ratios
    assert sensitivity.most_sensitive(opened, rows, 1) == [min(ratios, key=lambda name: ratios[name])]
    far = [
        apart(opened, make([step("int8_onnxruntime", exclude=n)], opened, rows), "onnxruntime", rows) for n in (0, 1)
    ]
    assert far[1] < 0.4 * far[0]
    with pytest.raises(pytest.fail.Exception, match="measured again"):  # of other rows it is another matter
        sensitivity.sensitivities(opened, rows[1:])


def test_engines_tell_what_they_compute(examples: Mapping[str, tuple[Opened, Rows]]) -> None:
    for graph, name, engine in (
        ("pictures", "int8_onnxruntime", "onnxruntime"),
        ("texts", "int8_dynamic", "onnxruntime"),
        ("pictures", "int8", "openvino"),
        ("texts", "int8", "openvino"),
    ):
        opened, rows = examples[graph]
        made = make([step(name)], opened, rows)
        layers = layers_of(made.model_copy(update={"runtime": engine}), opened.folder)
        assert len(layers) >= 4, name
        assert shares(layers).get("int8", 0) > 0.7, name
    mixed = make([step("int8_onnxruntime", exclude=1)], *pictures_of(examples))
    layers = layers_of(mixed, examples["pictures"][0].folder)
    assert shares(layers) == {"fp32": 0.25, "int8": 0.75}
    assert all(each.endswith(" layers)") for each in exact(layers, mixed))
    assert (
        layers_of(examples["texts"][0].artifact.model_copy(update={"runtime": "onnxruntime"}), Path("/nowhere")) == ()
    )


def pictures_of(examples: Mapping[str, tuple[Opened, Rows]]) -> tuple[Opened, Rows]:
    return examples["pictures"]
