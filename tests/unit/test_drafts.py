"""A draft for every sample and every kind of upload: it loads as a file, and its data can be prepared."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import polars
import pytest
from tests.archives import picture, write_zip
from tests.sent import kept_source

from glassworks import flow
from glassworks.catalog import found, require
from glassworks.contracts import Sample
from glassworks.drafts import Draft, data_keys, draft_job
from glassworks.errors import ConfigError, DataError, MissingLibrary, NotFound
from glassworks.job_files import load_job


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))
    return tmp_path


def prepared(folder: Path, draft: Draft) -> int:
    """Of the draft as a job file, the examples that are split."""
    (folder / "job.toml").write_text(draft.toml, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job = load_job(folder / "job.toml")
    assert job.family == draft.family
    assert draft.reasons
    return flow.prepare(job).examples


def pets(folder: Path, each_class: int) -> bytes:
    files = {f"{'cat' if each % 2 else 'dog'}/{each:03}.png": picture(each) for each in range(2 * each_class)}
    return write_zip(folder / "made.zip", files).read_bytes()


def texts(count: int) -> list[tuple[str, str]]:
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf"]
    found = []
    for each in range(count):
        good = each % 2 == 0
        chosen = " ".join(words[(each * step) % 7] for step in (1, 3, 5))
        found.append((f"{'I like' if good else 'nobody wants'} number {each * 7919} {chosen}", "yes" if good else "no"))
    return found


def events(separator: str = ",") -> str:
    rows = [
        separator.join(map(str, (f"u{user}", (user * 7 + step * 3) % 61, 1000 * step + user, step % 5 + 1)))
        for user in range(40)
        for step in range(30)
    ]
    return separator.join(("customer", "product_id", "when", "stars")) + "\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize("name", sorted(found(Sample)))
def test_every_sample_has_a_draft_that_can_be_prepared(name: str, home: Path) -> None:
    try:
        require(found(Sample)[name].needs, name)
    except MissingLibrary as error:
        pytest.skip(str(error))
    draft = draft_job(f"sample:{name}")
    if name in ("mnist-5k", "zh-reviews", "zh-news", "python-manual"):  # they are large: the job alone
        (home / "job.toml").write_text(draft.toml, encoding="utf-8")
        assert load_job(home / "job.toml").data.source == f"sample:{name}"
    else:
        assert prepared(home, draft) > 0


@pytest.mark.parametrize(
    ("name", "family", "model"),
    [
        ("digits", "convnet", None),
        ("photographs", "image_operators", "pipeline"),
        ("zh-reviews", "recurrent_text", None),
        ("zh-news", "text_encoder", "backbone"),
        ("movielens-small", "hybrid_recommender", None),
    ],
)
def test_a_family_suits_the_sample(name: str, family: str, model: str | None) -> None:
    draft = draft_job(f"sample:{name}")
    assert draft.family == family
    assert list(draft.job.get("model", {})) == ([model] if model else [])


def test_ratings_are_liked_from_four_stars_on() -> None:
    assert draft_job("sample:movielens-small").job["data"] == {"source": "sample:movielens-small", "positive": 4}


def test_pictures(home: Path) -> None:
    draft = draft_job(kept_source(home, pets(home, 24), "My Pets (2026).zip"))
    assert (draft.job["name"], draft.family) == ("my-pets-2026", "convnet")
    assert prepared(home, draft) == 48
    few = draft_job(kept_source(home, pets(home, 6), "宠物.zip"))
    assert few.job["name"].startswith("pictures-")
    assert few.reasons[-1].code == "reason.few-shot-suits"
    assert prepared(home, few) == 12


def test_pictures_with_many_labels(home: Path) -> None:
    labels = "file,labels\n" + "".join(f"{each}.png,{'a;b' if each % 2 else 'a'}\n" for each in range(40))
    files = {**{f"{each}.png": picture(each) for each in range(40)}, "labels.csv": labels.encode()}
    assert prepared(home, draft_job(kept_source(home, write_zip(home / "made.zip", files).read_bytes(), "a.zip"))) == 40


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet", "gb18030", "utf-16"])
def test_texts_of_every_form(form: str, home: Path) -> None:
    rows = texts(60)
    table = "review,verdict\n" + "".join(f"{text},{label}\n" for text, label in rows)
    content = table.encode(form if form in ("gb18030", "utf-16") else "utf-8")
    if form == "tsv":
        content = table.replace(",", "\t").encode()
    if form == "jsonl":
        content = "".join(json.dumps({"review": text, "verdict": label}) + "\n" for text, label in rows).encode()
    if form == "parquet":
        polars.DataFrame(rows, schema=["review", "verdict"], orient="row").write_parquet(home / "a.parquet")
        content = (home / "a.parquet").read_bytes()
    draft = draft_job(kept_source(home, content, f"reviews.{form if len(form) < 8 else 'csv'}"))
    assert {key: draft.job["data"][key] for key in ("text", "label")} == {"text": "review", "label": "verdict"}
    assert prepared(home, draft) == 60


def test_texts_of_many_labels(home: Path) -> None:
    lines = [{"text": text, "label": ["x", label]} for text, label in texts(60)]
    draft = draft_job(kept_source(home, "\n".join(map(json.dumps, lines)).encode(), "many.jsonl"))
    assert draft.job["data"]["separator"] == "|"
    assert prepared(home, draft) == 60


@pytest.mark.parametrize("form", ["csv", "tsv", "semicolon", "gb18030", "parquet"])
def test_interactions_of_every_form(form: str, home: Path) -> None:
    table = events({"tsv": "\t", "semicolon": ";"}.get(form, ","))
    content = table.encode("gb18030" if form == "gb18030" else "utf-8")
    if form == "parquet":
        polars.read_csv(events().encode()).write_parquet(home / "a.parquet")
        content = (home / "a.parquet").read_bytes()
    draft = draft_job(kept_source(home, content, f"loans.{'tsv' if form == 'tsv' else 'csv'}"))
    assert draft.family == "collaborative"
    assert draft.job["data"] == {
        "source": draft.job["data"]["source"],
        "user": "customer",
        "item": "product_id",
        "time": "when",
        "weight": "stars",
        "positive": 4,
        "protocol": "strong_generalization",
    }
    assert prepared(home, draft) == 1200


def purchases(customers: int, header: str = "顾客,商品,日期") -> str:
    """Of a shop: each customer buys 3 to 6 of 40 things within a year."""
    rows = [
        f"c{customer},g{(customer * 7 + step * step * 3) % 40},2025-{(customer + step * 2) % 12 + 1:02}-01"
        for customer in range(customers)
        for step in range(3 + customer % 4)
    ]
    return "\n".join((header, *rows)) + "\n"


def test_purchases_of_a_chinese_shop_are_read_without_asking(home: Path) -> None:
    draft = draft_job(kept_source(home, purchases(150).encode(), "购买记录.csv"))
    assert draft.family == "collaborative"
    assert {role: draft.job["data"][role] for role in ("user", "item", "time")} == {
        "user": "顾客",
        "item": "商品",
        "time": "日期",
    }


@pytest.mark.parametrize("customers", [30, 150, 3000])
def test_short_histories_are_asked_for_the_last_purchase(customers: int, home: Path) -> None:
    draft = draft_job(kept_source(home, purchases(customers).encode(), "purchases.csv"))
    assert draft.job["data"]["protocol"] == "leave_last_out"
    assert draft.reasons[1].code == "reason.shortest-histories"
    assert prepared(home, draft) > 0
    asked = flow.prepare(load_job(home / "job.toml")).splits["test"]
    assert len(asked.x) > 0.9 * customers


def test_lines_without_labels_can_be_compared(home: Path) -> None:
    content = "\n".join(text for text, _ in texts(60)).encode()
    draft = draft_job(kept_source(home, content, "lines.txt"))
    assert draft.family == "text_encoder"
    assert prepared(home, draft) > 0


def test_a_family_that_is_named(home: Path) -> None:
    rows = "".join(f"u{each % 9},{each % 11},{text},{label}\n" for each, (text, label) in enumerate(texts(60)))
    source = kept_source(home, f"user,item,review,label\n{rows}".encode(), "both.csv")
    with pytest.raises(DataError, match="as texts and as interactions"):
        draft_job(source)
    assert prepared(home, draft_job(source, "recurrent_text")) == 60
    assert draft_job(source, "transformer_text").family == "transformer_text"
    assert prepared(home, draft_job(source, "collaborative")) == 60
    with pytest.raises(DataError, match="no source of pictures"):
        draft_job(source, "convnet")


@pytest.mark.parametrize(
    ("source", "family", "error"),
    [
        ("sample:digits", "few_shot", ConfigError),
        ("sample:zh-reviews", "language_model", ConfigError),
        ("sample:digits", "nothing", NotFound),
        ("sample:digits", "recurrent_text", DataError),
        ("sample:nothing", None, NotFound),
        ("folder:/etc", None, DataError),
    ],
)
def test_what_cannot_be_drafted(source: str, family: str | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        draft_job(source, family)


def test_a_table_of_which_nothing_is_clear(home: Path) -> None:
    content = b"a,b,c\n" + b"".join(b"%d,%d,%d\n" % (each, each * 2, each % 2) for each in range(40))
    source = kept_source(home, content, "numbers.csv")
    with pytest.raises(DataError):
        draft_job(source)
    with pytest.raises(DataError, match="which column holds the text; its columns: a, b, c"):
        draft_job(source, "recurrent_text")
    with pytest.raises(DataError, match="which columns hold users and items"):
        draft_job(source, "collaborative")


def test_folders_that_are_parts_stay_parts(home: Path) -> None:
    files = {
        f"{part}/{('cat', 'dog')[each % 2]}/{each:03}.png": picture(each + at * 100)
        for at, part in enumerate(("train", "test"))
        for each in range(40)
    }
    source = kept_source(home, write_zip(home / "made.zip", files).read_bytes(), "pets.zip")
    draft = draft_job(source)
    assert draft.job["data"] == {"source": source, "split": "folders"}
    assert "reason.own-parts" in [reason.code for reason in draft.reasons]
    assert data_keys(source) == ("pictures", draft.job["data"])
    assert prepared(home, draft) == 80


def test_a_title_and_a_body_are_one_text_unless_one_is_named(home: Path) -> None:
    rows = "".join(f"title {each % 5},{text},{label}\n" for each, (text, label) in enumerate(texts(60)))
    source = kept_source(home, f"title,body,label\n{rows}".encode(), "a.csv")
    draft = draft_job(source)
    assert draft.job["data"]["text"] == ["title", "body"]
    assert "title + body" in " ".join(map(str, draft.reasons))
    assert prepared(home, draft) == 60
    assert draft_job(source, columns={"text": "body"}).job["data"]["text"] == "body"


def test_words_for_no_label_are_no_class(home: Path) -> None:
    names = ("yes", "no", "NA")
    rows = "".join(f"{text},{names[each % 3]}\n" for each, (text, _) in enumerate(texts(90)))
    source = kept_source(home, f"text,label\n{rows}".encode(), "a.csv")
    draft = draft_job(source, "recurrent_text")
    told = {reason.code: reason.values for reason in draft.reasons}
    assert told["reason.texts"] == {"n": 90, "classes": 2, "each": 30}
    assert told["reason.without-label"] == {"n": 30}
    assert prepared(home, draft) == 60
