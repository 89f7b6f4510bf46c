"""A model that is brought for vLLM answers as the same one does with OpenVINO."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassworks.catalog import get
from glassworks.contracts import Chunk, Opened, Pass, Session
from glassworks.errors import BundleError, InputError, Unsupported
from glassworks.families._language.bringing import export
from glassworks.families._language.settings import LanguageModelConfig
from glassworks.families._language.synthetic import write_model
from glassworks.families.language_model.bringing import model_of
from glassworks.job_files import job_of
from glassworks.language.sampling import Sampling
from glassworks.language.session import INPUT, LOG_LIKELIHOOD, OUTPUT, PROMPT_LOGPROBS
from glassworks.language.settings import TOKENIZER, read_settings
from glassworks.language.tokenizer import LanguageTokenizer
from glassworks.progress import Silent
from glassworks.runtimes.openvino_genai_runtime import OpenVinoGenAi
from glassworks.runtimes.vllm_runtime import Vllm

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vllm is not installed", allow_module_level=True)

from glassworks.language.vllm_engine import VllmEngine
from glassworks.language.vllm_settings import computes_on, settings_of

HEAD_WIDTH = 32
TEXT = "A text of some words."
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string", "maxLength": 6}, "b": {"enum": [1, 2]}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
FORM = {"type": "json_schema", "json_schema": {"name": "it", "schema": SCHEMA}}


def brought(published: Path, folder: Path, engine: str) -> Opened:
    """The bundle's artifact of that engine."""
    config = {"source": f"folder:{published}", "engine": engine, "context": 256, "streams": 2}
    job = job_of({"name": "m", "family": "language_model", "model": config}, where="here")
    folder.mkdir()
    model = model_of(job, LanguageModelConfig.model_validate(config), None, folder, Silent())
    return Opened(artifact=export(model, folder), folder=folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brought")
    write_model(path / "published", seed=0, head_width=HEAD_WIDTH)
    return path


@pytest.fixture(scope="module")
def opened(folder: Path) -> Opened:
    return brought(folder / "published", folder / "vllm", "vllm")


@pytest.fixture(scope="module")
def session(opened: Opened) -> Iterator[Session]:
    it = Vllm().open(opened)
    yield it
    it.close()


@pytest.fixture(scope="module")
def other(folder: Path) -> Iterator[Session]:
    it = OpenVinoGenAi().open(brought(folder / "published", folder / "openvino", "openvino"))
    yield it
    it.close()


def ask(session: Session, text: str = TEXT, **parameters: Any) -> list[Chunk]:
    return list(session.stream({INPUT: np.array([text], object)}, parameters))


def told(chunks: list[Chunk], name: str) -> bytes:
    return b"".join(chunk.outputs[name].tolist()[0] for chunk in chunks if name in chunk.outputs)


def test_the_artifact_names_every_file(opened: Opened) -> None:
    names = {opened.artifact.file, *opened.artifact.beside}
    files = {path.relative_to(opened.folder).as_posix() for path in opened.folder.rglob("*") if path.is_file()}
    assert names == files
    assert (opened.artifact.format, opened.artifact.file) == ("safetensors", "hf/config.json")


def test_greedy_answers_are_those_of_openvino(session: Session, other: Session) -> None:
    for text in (TEXT, "Another one", "1 2 3"):
        found, expected = ask(session, text, max_tokens=12), ask(other, text, max_tokens=12)
        assert told(found, OUTPUT) == told(expected, OUTPUT)
        assert (found[-1].finish_reason, found[-1].completion_tokens) == (
            expected[-1].finish_reason,
            expected[-1].completion_tokens,
        )


def test_log_probabilities_are_those_of_openvino(session: Session, other: Session) -> None:
    np.testing.assert_allclose(log_likelihoods(session), log_likelihoods(other), rtol=1e-3)
    asked: dict[str, Any] = {
        "max_tokens": 3,
        "logprobs": True,
        "top_logprobs": 2,
        "prompt_logprobs": 2,
        "logit_bias": {"5": 1},
    }
    ours, theirs = (ask(each, **asked) for each in (session, other))
    for name in (PROMPT_LOGPROBS, "logprobs"):
        for mine, yours in zip(numbers(told(ours, name)), numbers(told(theirs, name)), strict=True):
            np.testing.assert_allclose(mine, yours, atol=1e-2)


def log_likelihoods(session: Session) -> Any:
    return session.run({INPUT: np.array([TEXT, "Another one"], object)}, [LOG_LIKELIHOOD])[LOG_LIKELIHOOD]


def test_in_bfloat16_it_is_nearly_as_likely(opened: Opened, session: Session) -> None:
    artifact = get(Pass, "bf16_safetensors").apply(opened, [])
    rounded = Vllm().open(Opened(artifact=artifact, folder=opened.folder))
    found, expected = log_likelihoods(rounded), log_likelihoods(session)
    rounded.close()
    np.testing.assert_allclose(found, expected, rtol=0.05)
    assert not np.array_equal(found, expected)


def numbers(content: bytes) -> list[list[float]]:
    """Of JSON lists one after the other: each token's id and log-probabilities."""
    entries = json.loads(content.replace(b"][", b","))
    return [
        [each["id"], each["logprob"] or 0.0, *(value for top in each["top"] for value in (top["id"], top["logprob"]))]
        for each in entries
    ]


def test_answers_keep_to_a_schema(session: Session) -> None:
    for seed in range(4):
        chunks = ask(session, max_tokens=200, temperature=1.2, seed=seed, response_format=FORM)
        if chunks[-1].finish_reason == "stop":
            answer = json.loads(told(chunks, OUTPUT))
            assert set(answer) == {"a", "b"}
            assert len(answer["a"]) <= SCHEMA["properties"]["a"]["maxLength"]  # type: ignore[index]
            return
    pytest.fail("no answer ended within 200 tokens")


def test_special_tokens_are_no_text_of_a_grammar(opened: Opened) -> None:
    tokenizer = LanguageTokenizer.read(opened.folder / TOKENIZER)
    special = sorted(tokenizer.special_ids)
    stops = read_settings(opened.folder).stop_ids
    engine = VllmEngine(opened.path.parent, settings_of(read_settings(opened.folder)), grammars=True)
    letter = tokenizer.encode("z")
    free = Sampling(max_tokens=5)
    formed = Sampling(max_tokens=60, stop_ids=frozenset(stops), grammar=r'root ::= "\"" [^"]{4,8} "\""')
    pushed = {**dict.fromkeys(letter, 50.0), **dict.fromkeys(special, 100.0)}
    ids = [
        [token for part in engine.answer(tokenizer.encode(TEXT), sampling, pushed) for token in part.ids]
        for sampling in (free, formed)
    ]
    engine.close()
    assert set(ids[0]) <= set(special)
    assert tokenizer.decode(ids[1]) == f'"{"z" * 8}"'


def test_what_the_engine_refuses_is_said_in_words(session: Session) -> None:
    with pytest.raises(InputError, match="the engine refuses the request: top_p"):
        ask(session, temperature=1.0, top_p=0.0)


def test_a_folder_that_cannot_be_opened(opened: Opened, folder: Path) -> None:
    write_model(folder / "narrow", seed=0)
    with pytest.raises(BundleError, match="vllm cannot open"):
        Vllm().open(brought(folder / "narrow", folder / "unsupported", "vllm"))


def test_a_build_for_cpus_does_not_compute_on_a_gpu(opened: Opened) -> None:
    if computes_on() == "cuda":
        pytest.skip("this vllm is built for cuda")
    with pytest.raises(Unsupported, match="built for cpu"):
        Vllm().open(opened, "cuda")
