"""A decoder with fewer bits: what is kept of its graph and its answers, and how its speed is measured."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassworks.catalog import get
from glassworks.contracts import Artifact, Chunk, Opened, Pass, Session, Task
from glassworks.errors import Cancelled, DataError, Unsupported
from glassworks.families._language.synthetic import write_model
from glassworks.language.continuous_batching import ContinuousBatching, EngineSettings
from glassworks.language.importing import bring, write
from glassworks.language.measuring import measure_speeds
from glassworks.language.sampling import Sampling
from glassworks.language.scoring import Scorer
from glassworks.progress import Silent

WEIGHTS = ("int8_decoder", "int4_decoder", "int4_decoder_mixed")
TEXTS = ["Weights in fewer bits", "an example", "of what the model reads"]
STOP = 258
IDS = [list(text.encode()) for text in TEXTS]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """A Llama of two layers, wide enough for groups."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("exported")
    write_model(source / "model", seed=0, width=64, head_width=16, feed_forward=128)
    (folder / "fp16").mkdir()
    write(bring(source / "model", "here"), folder / "fp16", folder)
    beside = ("fp16/openvino_model.bin", "tokenizer.json", "language.json")
    artifact = Artifact(role="predict", format="decoder", file="fp16/openvino_model.xml", beside=beside)
    return Opened(artifact=artifact, folder=folder)


@pytest.fixture(scope="module")
def made(exported: Opened) -> dict[str, Artifact]:
    texts = np.array(TEXTS, object)
    calibration = get(Task, "text-generation").calibration(texts, exported, {"context": 64})
    return {name: get(Pass, name).apply(exported, calibration) for name in WEIGHTS}


def scores(folder: Path) -> Any:
    return np.array([[each.log_probability for each in Scorer(folder, 1).score(ids)] for ids in IDS[:1]])


def greedy(folder: Path) -> list[int]:
    engine = ContinuousBatching(folder, EngineSettings(cache_tokens=512, threads=1))
    sampling = Sampling(max_tokens=24, stop_ids=frozenset({STOP}))
    answer = [token for part in engine.generate(IDS[0], sampling) for token in part.ids]
    engine.close()
    return answer


@pytest.mark.parametrize(("name", "far"), [("int8_decoder", 0.2), ("int4_decoder", 4.0), ("int4_decoder_mixed", 4.0)])
def test_a_compressed_decoder_is_served_and_scored(
    exported: Opened, made: Mapping[str, Artifact], name: str, far: float
) -> None:
    artifact, folder = made[name], exported.folder
    assert artifact.file == f"{name}/openvino_model.xml"
    assert artifact.beside == (f"{name}/openvino_model.bin", "tokenizer.json", "language.json")
    assert artifact.precision == name[:4]
    apart = np.abs(scores(folder / name) - scores(folder / "fp16")).max()
    assert 1e-4 < apart < far
    assert 0 < len(greedy(folder / name)) <= 24


def test_fewer_bits_make_smaller_files(exported: Opened, made: Mapping[str, Artifact]) -> None:
    sizes = [(exported.folder / name / "openvino_model.bin").stat().st_size for name in ("fp16", *WEIGHTS)]
    assert sizes[0] > 1.6 * sizes[1]
    assert sizes[1] > sizes[3] > sizes[2]


def products(file: Path) -> dict[str, str]:
    """Name -> type of the weights of every product with a constant, and the graph's inputs and outputs by name."""
    import openvino

    graph = openvino.Core().read_model(file)
    found = {port.get_any_name(): "" for port in (*graph.inputs, *graph.outputs)}
    for node in graph.get_ordered_ops():
        if node.get_type_name() == "MatMul" and "ov_ext::linear" in node.get_friendly_name():
            weights = node.input_value(1).get_node()
            while weights.get_type_name() != "Constant":
                weights = weights.input_value(0).get_node()
            found[node.get_friendly_name()] = weights.get_element_type().get_type_name()
    return found


def test_names_stay_and_weights_have_the_bits_they_are_said_to_have(
    exported: Opened, made: Mapping[str, Artifact]
) -> None:
    kinds = {name: products(exported.folder / name / "openvino_model.xml") for name in ("fp16", *WEIGHTS)}
    assert len(kinds["fp16"]) == 5 + 2 * 7 + 1
    assert all(kind.keys() == kinds["fp16"].keys() for kind in kinds.values())
    assert set(kinds["fp16"].values()) == {"", "f16"}
    assert set(kinds["int8_decoder"].values()) == {"", "u8"}
    assert [*kinds["int4_decoder"].values()].count("u4") == 14
    assert 0 < [*kinds["int4_decoder_mixed"].values()].count("u4") < 14


def test_int8_makes_the_same_bytes_again(exported: Opened, made: Mapping[str, Artifact]) -> None:
    file = exported.folder / made["int8_decoder"].beside[0]
    before = file.read_bytes()
    get(Pass, "int8_decoder").apply(exported, [])
    assert file.read_bytes() == before


def test_a_cache_in_8_bits_takes_the_same_files(exported: Opened, made: Mapping[str, Artifact]) -> None:
    each = get(Pass, "int8_decoder_kv8")
    artifact = each.apply(Opened(artifact=made[each.after], folder=exported.folder), [])
    assert (artifact.file, artifact.beside) == (made["int8_decoder"].file, made["int8_decoder"].beside)
    assert artifact.settings == {"kv_cache": "u8"}
    folder = exported.folder / "int8_decoder"
    long = IDS[0] * 12  # the cache is read from its second step on
    whole, halved = (Scorer(folder, 1, kv_cache=kind).score(long) for kind in ("f32", "u8"))
    apart = [abs(a.log_probability - b.log_probability) for a, b in zip(whole, halved, strict=True)]
    assert 1e-6 < max(apart) < 0.2


def test_what_is_in_few_bits_already_is_refused(exported: Opened, made: Mapping[str, Artifact]) -> None:
    opened = Opened(artifact=made["int8_decoder"], folder=exported.folder)
    with pytest.raises(Unsupported, match="no weights to compress"):
        get(Pass, "int8_decoder").apply(opened, [])


def test_texts_and_widths_that_do_not_do_are_refused(exported: Opened, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="no texts"):
        get(Pass, "int4_decoder").apply(exported, [])
    write_model(tmp_path / "model", seed=0, width=24, head_width=6, feed_forward=40)
    (tmp_path / "fp16").mkdir()
    write(bring(tmp_path / "model", "here"), tmp_path / "fp16", tmp_path)
    opened = Opened(artifact=exported.artifact, folder=tmp_path)
    with pytest.raises(Unsupported, match="share no group of 16 weights"):
        get(Pass, "int4_decoder").apply(opened, [{"input_ids": np.array([IDS[0]], np.int64)}])


@dataclass
class Clock:
    """Time that only goes on when somebody works."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Writer(Session):
    """Waits `first` seconds, then writes a token every `each` seconds; it stops after `stops` tokens."""

    clock: Clock
    first: float
    each: float
    log: list[tuple[float, tuple[int, ...]]]
    stops: int = 1000
    context: int = 1000
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def run(self, tensors: Mapping[str, Any], outputs: Sequence[str] | None = None) -> dict[str, Any]:
        raise NotImplementedError

    def stream(self, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        if parameters.get("tokenize"):
            ids = list(tensors["text"].tolist()[0].encode())
            told = "[" + ", ".join(f'{{"id": {number}}}' for number in ids) + "]"
            outputs = {"prompt_tokens": np.array([told.encode()], object)}
            left = max(self.context - len(ids), 0)
            yield Chunk(outputs=outputs, prompt_tokens=len(ids), max_tokens=left, finish_reason="stop")
            return
        self.asked.append(parameters)
        self.log.append((self.each, tuple(parameters["prompt_ids"])))
        yield Chunk(outputs={}, prompt_tokens=len(parameters["prompt_ids"]))
        self.clock.now += self.first
        last = min(parameters["max_tokens"], self.stops)
        for count in range(1, last + 1):
            yield Chunk(outputs={}, completion_tokens=count, finish_reason="length" if count == last else "")
            self.clock.now += self.each if count < last else 0.0


def test_speeds_are_what_a_clock_says_in_turns_over_other_prompts() -> None:
    clock, log = Clock(), list[tuple[float, tuple[int, ...]]]()
    quick, slow = Writer(clock, 0.125, 0.01, log), Writer(clock, 0.5, 0.1, log)
    texts = {"text": np.array(["".join(map(chr, range(33, 120))), "another text"], object)}
    found = measure_speeds({"quick": quick, "slow": slow}, texts, 30.0, clock=clock)
    for name, rate, wait in (("quick", 100.0, 125.0), ("slow", 10.0, 500.0)):
        assert found[name]["tokens_per_second"] == pytest.approx(rate)
        assert found[name]["first_token_p50"] == found[name]["first_token_p99"] == pytest.approx(wait)
    assert [each for each, _ in log] == [0.01, 0.1] * (len(log) // 2)
    prompts = [ids for _, ids in log[::2]]
    assert prompts == [ids for _, ids in log[1::2]]
    assert len(set(prompts)) == len(prompts) == 1 + 4  # the warm-up, and rounds of 7.3 seconds
    assert {len(ids) for ids in prompts} == {128}
    assert {each["max_tokens"] for each in quick.asked[1:]} == {64}


def test_prompts_and_answers_fit_into_the_context() -> None:
    clock = Clock()
    writer = Writer(clock, 0.1, 0.1, [], context=40)
    measure_speeds({"one": writer}, {"text": np.array(["longer than the context " * 3], object)}, 0.0, clock=clock)
    assert {(len(each["prompt_ids"]), each["max_tokens"]) for each in writer.asked[1:]} == {(20, 20)}
    assert len(writer.asked) == 1 + 3


def test_answers_that_end_at_once_have_no_speed() -> None:
    clock = Clock()
    writer = Writer(clock, 0.1, 0.1, [], stops=1)
    with pytest.raises(DataError, match="ends at its first token"):
        measure_speeds({"one": writer}, {"text": np.array(["short"], object)}, 0.0, clock=clock)


def test_measuring_stops_when_it_is_asked_to() -> None:
    clock, progress = Clock(), Silent()
    progress.cancel()
    with pytest.raises(Cancelled):
        measure_speeds({"one": Writer(clock, 0.1, 0.1, [])}, {"text": np.array(["a b"], object)}, 9.0, progress, clock)
