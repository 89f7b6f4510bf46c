"""Data sets in the layout of the Hugging Face hub keep their parts, their names of classes, and what has no label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import polars
import pytest

from glassworks.config import Job
from glassworks.data.text.collection import Texts
from glassworks.data.text.dataset import further_texts, prepare_job, prepare_texts
from glassworks.data.text.keys import TextData
from glassworks.data.text.reader import Columns, read_texts
from glassworks.errors import DataError

NAMES = ["negative", "positive"]


def texts(count: int, mark: str) -> polars.DataFrame:
    return polars.DataFrame({"text": [f"{mark} text {n} {'fine' if n % 2 else 'dull'}" for n in range(count)],
                             "label": [n % 2 for n in range(count)]})  # fmt: skip


def hub(folder: Path, files: dict[str, polars.DataFrame], features: object = None) -> str:
    for name, frame in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        info = {"huggingface": json.dumps({"info": {"features": features}})} if features else None
        frame.write_parquet(folder / name, metadata=info)
    return f"hf:{folder}"


def unlabeled(frame: polars.DataFrame) -> polars.DataFrame:
    return frame.with_columns(label=polars.lit(-1, polars.Int64))


def counted(found: Texts) -> dict[str, int]:
    return {part: found.assigned.parts.count(part) for part in dict.fromkeys(found.assigned.parts)}


LAYOUTS: Sequence[dict[str, str]] = [
    {"data/train-00000-of-00001.parquet": "train", "data/test-00000-of-00001.parquet": "test"},
    {"train/0000.parquet": "train", "valid/0000.parquet": "validation", "testing/0.parquet": "test"},
    {"plain/dev.parquet": "validation", "plain/train.parquet": "train", "plain/eval.parquet": "test"},
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_and_folders_name_parts(layout: dict[str, str], tmp_path: Path) -> None:
    source = hub(tmp_path, {name: texts(20 + number, part) for number, (name, part) in enumerate(layout.items())})
    found = read_texts(source)
    assert {part: found.assigned.parts.count(part) for part in layout.values()} == {
        part: 20 + number for number, part in enumerate(layout.values())
    }
    made = prepare_texts(found, validation=0.2, test=0.2, seed=0)
    assert all(text.startswith("test") for text in made.splits["test"].x.tolist())
    assert any("parts of its own" in finding for finding in made.findings)


def test_the_card_names_parts(tmp_path: Path) -> None:
    source = hub(tmp_path, {"a/one.parquet": texts(20, "a"), "b/two.parquet": texts(10, "b")})
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: a/*\n"
        "  - split: test\n    path:\n    - b/*.parquet\n"
        "dataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n"
        "          '0': negative\n          '1': positive\n---\n# A card\n"
    )
    found = read_texts(source)
    assert counted(found) == {"train": 20, "test": 10}
    assert list(found.classes) == NAMES


def test_a_card_of_more_than_one_data_set_is_refused(tmp_path: Path) -> None:
    source = hub(tmp_path, {"en/train.parquet": texts(4, "a"), "fr/train.parquet": texts(4, "b")})
    (tmp_path / "README.md").write_text("---\nconfigs:\n- config_name: en\n- config_name: fr\n---\n")
    with pytest.raises(DataError, match="holds 2 data sets: en, fr"):
        read_texts(source)
    assert len(read_texts(f"{source}/en")) == 4


@pytest.mark.parametrize(
    "feature",
    [
        {"names": NAMES, "_type": "ClassLabel"},
        {"num_classes": 2, "names": NAMES, "id": None, "_type": "ClassLabel"},
    ],
)
def test_classes_have_their_names_and_minus_one_is_no_label(feature: dict[str, object], tmp_path: Path) -> None:
    train = polars.concat([texts(20, "train"), unlabeled(texts(5, "more"))])
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": feature}
    source = hub(tmp_path, {"train.parquet": train}, features)
    found = read_texts(source)
    assert (list(found.classes), len(found), len(found.unreadable)) == (NAMES, 20, 5)
    assert any(finding.code == "finding.named-classes" for finding in found.findings)
    assert read_texts(f"parquet:{tmp_path / 'train.parquet'}").classes == found.classes


def test_lists_of_classes_have_their_names(tmp_path: Path) -> None:
    frame = polars.DataFrame({"text": ["one", "two"], "label": [[0, 1], [1]]})
    features = {"label": {"feature": {"names": NAMES, "_type": "ClassLabel"}, "_type": "Sequence"}}
    found = read_texts(hub(tmp_path, {"train.parquet": frame}, features))
    assert (list(found.classes), found.targets.tolist()) == (NAMES, [[1, 1], [0, 1]])


def test_a_part_without_labels_is_no_class_and_gives_words(tmp_path: Path) -> None:
    files = {"train.parquet": texts(30, "train"), "test.parquet": texts(10, "test")}
    source = hub(tmp_path, {**files, "unsupervised.parquet": unlabeled(texts(12, "more"))})
    found = read_texts(source)
    assert (found.classes, counted(found)) == (("0", "1"), {"test": 10, "train": 30})
    job = Job(name="n", family="recurrent_text", data=TextData(source=source, unlabeled=source))
    more = further_texts(job, prepare_job(job))
    assert sum(text.startswith("more") for text in more) == 12
    assert not any(text.startswith("test") for text in more)


def test_a_test_part_of_minus_one_alone_is_not_measured_on(tmp_path: Path) -> None:
    files = {"train.parquet": texts(30, "train"), "test.parquet": unlabeled(texts(10, "test"))}
    found = read_texts(hub(tmp_path, files))
    assert (found.classes, len(found)) == (("0", "1"), 30)


def test_minus_one_is_a_class_of_other_tables(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"text {n},{n % 3 - 1}\n" for n in range(12)))
    assert read_texts(f"csv:{tmp_path / 't.csv'}", Columns()).classes == ("-1", "0", "1")
