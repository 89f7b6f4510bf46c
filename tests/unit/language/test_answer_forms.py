"""An answer in a form that was asked for parses and meets its schema; a form that cannot be had is refused first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from tests.patience import PATIENCE_S
from tests.unit.language.test_gguf import write as write_gguf
from tests.unit.language.test_importing import add_tokenizer
from tests.unit.language.test_tokenizer import byte_level
from tests.unit.language.tiny_models import tiny

from glassworks.contracts import Chunk
from glassworks.errors import InputError
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.grammars import Grammars
from glassworks.language.importing import bring, write
from glassworks.language.schema_grammar import grammar_of
from glassworks.language.session import INPUT, LanguageSession

NODE = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "l": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}},
    "required": ["v", "l"],
}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", 'y"\\', 3]}}, "required": ["b"]},
    {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "minimum": -3, "maximum": 120},
            "b": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "c": {"type": "string", "minLength": 1, "maxLength": 5},
        },
        "required": ["a", "b", "c"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    {"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}], "items": {"const": 1}, "maxItems": 3},
    {"type": "array", "prefixItems": [{"type": "boolean"}], "items": False},
    {"type": "string", "pattern": '^[A-Z]{2}-\\d{3,4}"x$'},
    {"type": "string", "pattern": "^(ab|[^\\w\\s\"'\\\\]{2})?\\.\\n$"},
    *({"type": "string", "format": each} for each in ("date", "date-time", "uuid", "ipv4", "email", "uri")),
    {"$ref": "#/$defs/n", "$defs": {"n": NODE}},
    {"type": ["string", "null", "integer"], "maxLength": 3, "minimum": 1234, "exclusiveMaximum": 56789},
    {"type": "object", "additionalProperties": {"type": "integer", "maximum": -10}, "properties": {}},
    {
        "oneOf": [
            {"type": "object", "properties": {"k": {"const": "a"}, "x": {"type": "null"}}, "required": ["k", "x"]},
            {"type": "object", "properties": {"k": {"const": "b"}}, "required": ["k"]},
        ]
    },
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    write_gguf(path / "m.gguf", tiny("llama", vocab_size=340, max_position_embeddings=2048), "llama")
    add_tokenizer(path / "m.gguf", byte_level())
    write(bring(path / "m.gguf", "here"), path)
    return path


@pytest.fixture(scope="module")
def session(folder: Path) -> Iterator[LanguageSession]:
    opened = LanguageSession(folder, folder, EngineSettings(cache_tokens=16384, threads=1))
    yield opened
    opened.close()


def streamed(session: LanguageSession, **parameters: Any) -> list[Chunk]:
    return list(session.stream({INPUT: np.array([b"Answer"], object)}, {"max_tokens": 600, **parameters}))


def text_of(chunks: list[Chunk]) -> str:
    return b"".join(chunk.outputs["generated"].tolist()[0] for chunk in chunks if "generated" in chunk.outputs).decode()


def form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_answers_meet_the_schema_whatever_a_model_would_say(session: LanguageSession, schema: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    ended = 0
    for seed in range(6):
        chunks = streamed(session, response_format=form(schema), temperature=1.5, seed=seed)
        if chunks[-1].finish_reason == "stop":
            ended += 1
            validator.validate(json.loads(text_of(chunks)))
    assert ended >= 4


def test_json_objects(session: LanguageSession) -> None:
    found = [
        streamed(session, response_format={"type": "json_object"}, temperature=1.0, seed=each) for each in range(8)
    ]
    ended = [text_of(chunks) for chunks in found if chunks[-1].finish_reason == "stop"]
    assert ended
    assert all(isinstance(json.loads(text), dict) for text in ended)
    plain = streamed(session, response_format={"type": "text"})
    assert text_of(plain) == text_of(streamed(session))


def test_whitespace_ends(session: LanguageSession) -> None:
    for seed in range(20):
        chunks = streamed(session, response_format=form(SCHEMAS[2]), temperature=2.0, seed=seed, max_tokens=300)
        text = text_of(chunks)
        assert chunks[-1].finish_reason == "stop"
        assert "\n\n" not in text
        assert " " * 17 not in text


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "nonsense"}, "has the type 'nonsense'"),
        ({"type": "object", "properties": {"a": {"not": {}}}}, "#/a has the keyword 'not'"),
        ({"$ref": "#/$defs/x"}, "#/$defs/x is referred to, but not there"),
        ({"$ref": "https://elsewhere/x"}, "not there"),
        ({"type": "number", "minimum": 0.5}, "not whole"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no number"),
        ({"type": "string", "pattern": "(a"}, "cannot be read"),
        ({"type": "string", "pattern": "(?=a)b"}, "not supported: assert"),
        ({"type": "string", "format": "iris"}, "has the format 'iris'"),
        ({"type": "string", "minLength": "1"}, "has minLength of '1'"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "may be met at once"),
        ({"anyOf": [{"type": "null"}], "minimum": 1}, "has minimum beside anyOf"),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, "which it forbids"),
        ({"enum": []}, "allows no value"),
        ({"description": "x" * 70_000}, "bytes"),
        ({"anyOf": [{"$ref": "#/anyOf/\u00b2"}]}, "not there"),
        ({"anyOf": [{"$ref": "#/anyOf/" + "1" * 5000}]}, "not there"),
        ({"type": "integer", "minimum": int("12345" * 240), "maximum": int("22345" * 240)}, "more than 16 digits"),
        ({"type": "number", "maximum": 1e308}, "more than 16 digits"),
        ({"type": "number", "maximum": float("inf")}, "holds what no answer can"),
        ({"type": "integer", "enum": [float("inf")]}, "holds what no answer can"),
        ({"const": "\ud800"}, "holds what no answer can"),
        ({"type": "string", "pattern": "(" * 300 + "a" + ")" * 300}, "cannot be read"),
        ({"oneOf": [{"const": number} for number in range(3000)]}, "oneOf with 3000 alternatives"),
    ],
)
def test_a_schema_that_cannot_be_met_to_the_letter_is_refused(
    session: LanguageSession, schema: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        next(session.stream({INPUT: np.array([b"a"], object)}, {"response_format": form(schema)}))
    assert said in refused.value.problem


def test_depth_is_bounded(session: LanguageSession) -> None:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(2000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(InputError, match="deep"):
        next(session.stream({INPUT: np.array([b"a"], object)}, {"response_format": form(schema)}))


@pytest.mark.parametrize(
    "given", ["json", {"type": "xml"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {}}]
)
def test_unknown_forms_are_refused(session: LanguageSession, given: Any) -> None:
    with pytest.raises(InputError, match="response_format is"):
        next(session.stream({INPUT: np.array([b"a"], object)}, {"response_format": given}))


def test_forms_and_biases_are_not_had_together(session: LanguageSession) -> None:
    with pytest.raises(InputError, match="together"):
        streamed(session, response_format={"type": "json_object"}, logit_bias={"1": 2})


def test_what_breaks_or_never_ends_costs_the_compiler_alone(folder: Path) -> None:
    grammars = Grammars(folder, limit_s=0.5)
    repeated = "((a{0,4000}b){0,4000}c){0,4000}d"
    with pytest.raises(InputError, match=r"took more than 0.5 s"):
        grammars.check(grammar_of({"root": {"type": "string", "pattern": repeated}}))
    grammars._limit_s = PATIENCE_S
    with pytest.raises(InputError, match=r"cannot be compiled: .*Rule \"nobody\" is not defined"):
        grammars.check("root ::= nobody")
    process = grammars._process
    for _ in range(2):
        grammars.check(grammar_of({"root": SCHEMAS[0]}))
    assert grammars._process is not process
    grammars.close()
