"""A job for programs: schema, faults with their lines, edits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from glassworks.catalog import found
from glassworks.contracts import Family
from glassworks.errors import ConfigError
from glassworks.job_files import job_of
from glassworks.job_schema import edited, faults, job_schema, line_of, read, warnings_of, written

TEXT = """# my job
name = "digits"
family = "convnet"  # pictures

[data]
source = "sample:digits"

[training]
# few
epochs = 3
"""


@pytest.mark.parametrize("family", found(Family))
def test_the_schema_takes_what_the_family_takes(family: str, tmp_path: Path) -> None:
    schema = job_schema(family)
    Draft202012Validator.check_schema(schema)
    job = found(Family)[family].tiny(tmp_path).model_dump(mode="json", exclude={"serving"})
    job["model"] = {key: value for key, value in job["model"].items() if value is not None}
    errors = [error.message for error in Draft202012Validator(schema).iter_errors(job)]
    assert errors == []
    assert not Draft202012Validator(schema).is_valid({**job, "trianing": {}})
    assert "serving" not in schema["properties"]


def test_the_schema_says_what_keys_mean() -> None:
    schema = job_schema("convnet")
    assert (
        schema["$defs"]["TrainingConfig"]["properties"]["epochs"]["description"] == "Passes over the training examples."
    )
    data = schema["$defs"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]
    assert "SCHEME:WHAT" in data["properties"]["source"]["description"]


def test_every_fault_has_its_key_and_line() -> None:
    text = TEXT.replace("epochs = 3", "epochs = 0\npatience = 'x'\nxyzzy = 1").replace("sample:digits", "sample")
    found = {fault.key: fault for fault in faults(read(text), text)}
    assert {key: fault.line for key, fault in found.items()} == {
        "data.source": 6, "training.epochs": 10, "training.patience": 11, "training.xyzzy": 12,
    }  # fmt: skip
    assert "allowed here" in found["training.xyzzy"].mend
    assert faults(read(TEXT), TEXT) == ()


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({}, "family"),
        ({"family": "dance"}, "family"),
        ({"family": 3, "data": []}, "family"),
        ({"name": "a", "family": "convnet", "data": {"source": "nowhere"}}, "data.source"),
        ({"name": "A b", "family": "convnet", "data": {"source": "sample:digits"}}, "name"),
        ({"name": "a", "family": "convnet", "data": {"source": "sample:digits"}, "model": {"size": 1}}, "model.size"),
        ({"name": "a", "family": "convnet", "data": 3}, "data."),
    ],
)
def test_what_is_no_job_has_a_fault_and_raises_nothing(table: dict[str, object], key: str) -> None:
    assert key in {fault.key for fault in faults(table)}
    assert warnings_of(table) == ()


def test_keys_of_another_modality_are_warned_of() -> None:
    table = read(TEXT.replace("[training]", "text = 'x'\n[training]"))
    assert "'data.text' has no effect" in warnings_of(table)[0]


def test_an_edit_keeps_comments() -> None:
    text = edited(TEXT, {"training.epochs": 5, "training.seed": 1, "model.size": 28, "license": "MIT"})
    assert "# few\nepochs = 5" in text
    assert "# pictures" in text
    job = job_of(read(text), where="it")
    assert (job.training.epochs, job.training.seed, job.model, job.license) == (5, 1, {"size": 28}, "MIT")
    assert read(edited(text, {"training.epochs": None, "model.absent": None}))["training"] == {"seed": 1}


@pytest.mark.parametrize("changes", [{"name.deep": 1}, {"training": {"x": object()}}, {"a": float}])
def test_an_edit_that_cannot_be_is_an_error(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        read(edited(TEXT, changes))


def test_a_table_written_and_read_is_the_same() -> None:
    table = {"model": {"size": 8}, "name": "a", "data": {"source": "csv:数据.csv", "test": 0.1}, "x": [1, "b\n"]}
    assert read(written(table)) == table
    assert json.loads(json.dumps(read(written({**table, "gone": None})))) == table


def test_lines_are_of_the_innermost_key_that_is_there() -> None:
    assert [line_of(TEXT, key) for key in ("training.epochs", "training.seed", "data", "none")] == [10, 8, 5, None]
    assert line_of("a = 1\n'b' = 2", "b") == 2


@pytest.mark.parametrize("text", [".".join(["a"] * 3000) + " = 1", "a = " + "1" * 5000])
def test_a_text_that_takes_too_long_to_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read(text)
