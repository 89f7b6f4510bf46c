"""`data.split` with a file for each part: texts, pictures and conversations, checked for copies between the files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from glassworks.cli.app import build
from glassworks.config import Job
from glassworks.contracts import Dataset
from glassworks.control.paths import refuse_paths
from glassworks.data.conversations.keys import ConversationData
from glassworks.data.dataset import prepare_pictures
from glassworks.data.keys import PictureData
from glassworks.data.reader import Reading, read_pictures
from glassworks.data.reports import report_on
from glassworks.data.text.dataset import prepare_job
from glassworks.data.text.keys import TextData
from glassworks.data.uploads.records import Item
from glassworks.data.uploads.store import DataStore
from glassworks.errors import ConfigError, DataError, Forbidden, GlassworksError
from glassworks.job_files import job_of, load_job, stored_job
from glassworks.job_schema import faults
from glassworks.progress import Silent

PARTS = ("train", "validation", "test")
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "omicron")


def text(number: int) -> str:
    return " ".join(np.random.default_rng(number).choice(WORDS, 8)) + f" {number}"


def table(path: Path, numbers: range, head: str = "text,label", labels: str = "ab") -> None:
    path.write_text("\n".join([head, *(f"{text(n)},{labels[n % len(labels)]}" for n in numbers)]) + "\n")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    table(tmp_path / "train.csv", range(30))
    table(tmp_path / "val.csv", range(30, 40))
    table(tmp_path / "test.csv", range(40, 52))
    return tmp_path


def job(folder: Path, data: str, *overrides: str) -> Job:
    (folder / "job.toml").write_text(f'name = "x"\nfamily = "recurrent_text"\n[data]\n{data}\n')
    return load_job(folder / "job.toml", overrides)


def sizes(dataset: Dataset) -> list[int]:
    return [len(dataset.splits[name]) for name in PARTS]


@pytest.mark.parametrize(
    "data",
    [
        'split = { train = "csv:train.csv", validation = "csv:val.csv", test = "csv:test.csv" }',
        'split = { train = "train.csv", val = "val.csv", test = "test.csv" }',
        'source = "csv:train.csv"\nsplit = { validation = "val.csv", test = "csv:test.csv" }',
        'source = "csv:train.csv"\nsplit = { train = "train.csv", dev = "val.csv", test = "test.csv" }',
        '[data.split]\ntrain = "csv:train.csv"\nvalidation = "val.csv"\ntest = "test.csv"',
    ],
)
def test_each_file_is_a_part_wherever_the_job_is_started(
    files: Path, monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    monkeypatch.chdir("/")
    made = job(files, data)
    assert made.data.source == f"csv:{files}/train.csv"
    dataset = prepare_job(made)
    assert sizes(dataset) == [30, 10, 12]
    assert dataset.splits["test"].x.tolist() == [text(n) for n in range(40, 52)]
    assert sizes(prepare_job(stored_job(json.loads(made.model_dump_json()), where="bundle"))) == [30, 10, 12]


def test_a_part_without_a_file_is_taken_from_train_and_told(files: Path) -> None:
    dataset = prepare_job(job(files, 'split = { train = "csv:train.csv", test = "csv:test.csv" }'))
    assert sizes(dataset)[2] == 12 and sum(sizes(dataset)) == 42
    assert "the data have no part for validation: it is taken from train" in dataset.findings


def test_a_file_is_named_on_the_command_line(files: Path) -> None:
    made = job(files, 'source = "csv:train.csv"', "data.split.test=csv:test.csv", "data.split.validation=val.csv")
    assert sizes(prepare_job(made)) == [30, 10, 12]


def test_copies_of_another_file_are_left_out_and_told(files: Path) -> None:
    table(files / "train.csv", range(44))
    dataset = prepare_job(job(files, 'split = { train = "csv:train.csv", test = "csv:test.csv" }'))
    assert sizes(dataset)[2] == 12 and sum(sizes(dataset)) == 52
    assert dataset.findings[0].startswith("4 examples are copies, exact or near, of examples of a later part")


def test_a_class_that_train_lacks_is_an_error(files: Path) -> None:
    table(files / "test.csv", range(40, 52), labels="abc")
    with pytest.raises(DataError, match="the train part has no example of c"):
        prepare_job(job(files, 'split = { train = "csv:train.csv", test = "csv:test.csv" }'))


def test_every_file_counts_in_the_fingerprint(files: Path) -> None:
    data = 'split = { train = "csv:train.csv", validation = "csv:val.csv", test = "csv:test.csv" }'
    first = prepare_job(job(files, data)).fingerprint
    table(files / "test.csv", range(40, 53))
    second = prepare_job(job(files, data)).fingerprint
    swapped = data.replace("val.csv", "x").replace("test.csv", "val.csv").replace('"csv:x"', '"csv:test.csv"')
    assert len({first, second, prepare_job(job(files, swapped)).fingerprint}) == 3


def test_a_column_that_one_file_lacks_is_an_error_with_its_name(files: Path) -> None:
    table(files / "test.csv", range(40, 52), head="text,stars")
    with pytest.raises(DataError, match=r"the test part: .*test\.csv") as caught:
        prepare_job(job(files, 'split = { train = "csv:train.csv", test = "csv:test.csv" }'))
    assert "label" in caught.value.problem and len(caught.value.problem) < 300


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('split = { test = "csv:test.csv" }', "data.source"),
        ('split = { train = "csv:train.csv", tst = "csv:test.csv" }', "data.split.tst"),
        ('split = { train = "csv:train.csv", test = 5 }', "data.split.test"),
        ('source = "csv:train.csv"\nsplit = 5', "data.split"),
        ('source = "csv:val.csv"\nsplit = { train = "csv:train.csv" }', "data.split.train"),
        ('split = { train = "csv:train.csv", val = "a.csv", validation = "b.csv" }', "validation"),
        ('split = { train = "train", test = "test" }', "data.split.train"),
    ],
)
def test_what_cannot_be_meant_is_an_error_in_two_lines(files: Path, data: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        job(files, data)
    assert said in caught.value.problem and "<" not in caught.value.problem
    assert len(caught.value.problem) < 300 and 0 < len(caught.value.mend) < 300
    assert "\n" not in caught.value.problem + caught.value.mend


def test_an_unknown_part_is_mended_by_the_one_that_is_meant(files: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        job(files, 'split = { train = "csv:train.csv", tst = "csv:test.csv" }')
    assert caught.value.mend == "did you mean 'data.split.test'?"
    wrong = {"name": "x", "family": "recurrent_text", "data": {"source": "csv:x", "split": {"tst": "csv:y"}}}
    assert [fault.key for fault in faults(wrong)] == ["data.split.tst"]


def test_a_file_that_is_not_there_is_named(files: Path) -> None:
    with pytest.raises(DataError, match=r"the test part: .*gone\.csv"):
        prepare_job(job(files, 'split = { train = "csv:train.csv", test = "csv:gone.csv" }'))


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(build(), list(arguments))
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def test_the_check_of_a_job_reads_all_files_and_tells_of_copies(files: Path) -> None:
    table(files / "train.csv", range(44))
    job(files, 'split = { train = "csv:train.csv", validation = "val.csv" }')
    given = ("data", "check", str(files / "job.toml"), "--set", "data.split.test=csv:test.csv", "--json")
    found = json.loads(run(*given).stdout)
    assert found["examples"] == 66
    said = [str(each["text"]) for each in found["findings"]]
    assert any(each.startswith("14 examples are copies") for each in said)
    assert "the data set has parts of its own, which are kept: train 44, validation 10, test 12" in said


def test_the_report_names_rows_by_their_part_and_numbers_those_of_the_source(files: Path) -> None:
    table(files / "train.csv", range(41))
    data = TextData(source=f"csv:{files}/train.csv", split={"test": f"csv:{files}/test.csv"})  # type: ignore[arg-type]
    (found,) = report_on(data, Silent()).duplicates.items
    assert sorted((each.name.split(":")[0], each.index) for each in found.pair) == [("test", None), ("train", 40)]


@pytest.mark.parametrize(
    "split",
    [{"test": "csv:/etc/passwd"}, {"train": "csv:x.csv"}, {"test": "x.csv"}, {"validation": "../x"}, {"test": "/x"}],
)
def test_files_of_parts_are_refused_over_the_network(split: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        refuse_paths({"job": {"data": {"source": "uploaded:00112233", "split": split}}})


def test_uploads_and_columns_may_be_named_over_the_network() -> None:
    refuse_paths({"data": {"source": "uploaded:00112233", "split": {"test": "uploaded:44556677"}}})
    refuse_paths({"data": {"source": "uploaded:00112233", "split": "a column / of parts", "rename": {"test": "a b"}}})


def test_uploads_are_parts(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSWORKS_HOME", str(files / "home"))

    def sent(name: str) -> Item:
        content = (files / name).read_bytes()
        (files / "sent").write_bytes(content)
        return DataStore().keep(files / "sent", name, "texts", hashlib.sha256(content).hexdigest())

    train, test = sent("train.csv"), sent("test.csv")
    made = job(files, f'split = {{ train = "{train.source}", test = "{test.source}" }}')
    assert sizes(prepare_job(made))[2] == 12


def pictures(folder: Path, numbers: range, classes: str = "ab") -> None:
    for number in numbers:
        name = classes[number % len(classes)]
        (folder / name).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name / f"{number}.png")


def of_pictures(folder: Path, split: dict[str, str], **more: Any) -> Dataset:
    table = {"name": "x", "family": "convnet", "data": {"split": split, **more}}
    data = job_of(table, where="the job", folder=folder).data
    assert isinstance(data, PictureData)
    found = read_pictures(data.source, Reading.of(data))
    return prepare_pictures(found, data, height=12, width=12, channels=1)


def test_folders_of_pictures_are_parts(tmp_path: Path) -> None:
    pictures(tmp_path / "in" / "learn", range(20))
    pictures(tmp_path / "in" / "measure", range(18, 28))
    files = {"train": "folder:in/learn", "test": "in/measure"}
    dataset = of_pictures(tmp_path, files)
    assert sizes(dataset)[2] == 10 and sum(sizes(dataset)) == 28
    assert any(each.startswith("2 examples are copies") for each in dataset.findings)
    pictures(tmp_path / "in" / "measure", range(28, 29), "z")
    assert dataset.fingerprint != of_pictures(tmp_path, {"train": "folder:in/measure", "test": "in/learn"}).fingerprint
    with pytest.raises(DataError, match="the train part has no example of z"):
        of_pictures(tmp_path, files)


def test_a_part_of_pictures_may_lack_a_class(tmp_path: Path) -> None:
    pictures(tmp_path / "learn", range(40), "abc")
    pictures(tmp_path / "measure", range(40, 50), "ac")
    dataset = of_pictures(tmp_path, {"test": "measure"}, source="folder:learn")
    assert dataset.classes == ("a", "b", "c")
    assert set(dataset.splits["test"].y.tolist()) == {0, 2}
    assert "1 classes have no example in the test split, so nothing can be measured of them: b" in dataset.findings


def test_pictures_with_several_labels_are_parts(tmp_path: Path) -> None:
    for name, numbers, labels in (("learn", range(30), ("x;y", "y")), ("measure", range(30, 40), ("y", "x"))):
        pictures(tmp_path / name, numbers)
        lines = [f"{'ab'[n % 2]}/{n}.png,{labels[n % 2]}" for n in numbers]
        (tmp_path / name / "labels.csv").write_text("\n".join(["file,labels", *lines]))
    dataset = of_pictures(tmp_path, {"train": "folder:learn", "test": "measure"})
    assert dataset.splits["test"].y.sum(axis=0).tolist() == [5, 5]
    with pytest.raises(GlassworksError, match="several labels"):
        (tmp_path / "measure" / "labels.csv").unlink()
        of_pictures(tmp_path, {"train": "folder:learn", "test": "measure"})


def test_conversations_have_parts() -> None:
    data = ConversationData(split={"train": "jsonl:a.jsonl", "test": "b.jsonl"})  # type: ignore[arg-type, call-arg]
    assert (data.source, data.split_files) == ("jsonl:a.jsonl", {"test": "jsonl:b.jsonl"})


def test_the_check_of_pictures_tells_of_their_parts(tmp_path: Path) -> None:
    pictures(tmp_path / "learn", range(20))
    pictures(tmp_path / "measure", range(18, 28))
    job = 'name = "x"\nfamily = "convnet"\n[data]\nsource = "folder:learn"\nsplit = { test = "measure" }\n'
    (tmp_path / "job.toml").write_text(job)
    said = " ".join(run("data", "check", str(tmp_path / "job.toml")).output.split())
    assert "train 20, test 10" in said and "2 examples are copies" in said
    pictures(tmp_path / "measure", range(28, 29), "z")
    done = CliRunner().invoke(build(), ["data", "check", str(tmp_path / "job.toml")])
    assert isinstance(done.exception, DataError) and "no example of z" in done.exception.problem
