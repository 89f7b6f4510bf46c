"""Texts whose label hangs on a sign are kept; what is the same is a rule that has three levels."""

from __future__ import annotations

import numpy as np
import pytest

from glassworks.data.text.checks import check_texts
from glassworks.data.text.collection import Texts, collect
from glassworks.data.text.dataset import kept_rows, prepare_texts
from glassworks.data.text.duplicates import find_copies
from glassworks.data.text.reader import Columns, Row
from glassworks.data.text.sameness import Same, sameness
from glassworks.families.recurrent_text import RecurrentText
from glassworks.job_files import stored_job

BODIES = [
    "the parcel came on monday in a large box",
    "my sister ordered two lamps for the kitchen",
    "nobody answered when i called the shop",
    "the chair is blue and fits under the table",
    "we waited in the rain for the bus home",
    "this window does not close in winter",
    "a friend lent me the second part of the book",
    "please send the bill to our new office",
]
DECIDING = {
    "emoji": ("{} 👍", "{} 👎"),
    "emoticons": ("{} :)", "{} :("),
    "hearts": ("{} ❤️", "{} 💔"),
    "names of languages": ("{} in C++", "{} in C#"),
    "names of languages, one without signs": ("{} in C++", "{} in C"),
    "plus and minus": ("{} changed +5", "{} changed -5"),
    "a point in a number": ("{} costs 1.5", "{} costs 15"),
    "a question": ("{}?", "{}."),
    "an exclamation": ("{}!!!", "{}"),
    "case": ("{}", "{} NOW"),
    "all capitals": ("us, {}", "US, {}"),
    "quotes": ("{}", '"{}"'),
    "hosts": ("http://{}gardensmall.com", "http://{}garden-small.com"),
    "Thai vowel signs": ("{} ดี", "{} ดุ"),
    "Thai tone marks": ("{} ใกล้", "{} ใกล"),
    "Hindi vowel signs": ("{} दिन", "{} दीन"),
    "Arabic harakat": ("{} عَلَّمَ", "{} عُلِمَ"),
    "Hebrew points": ("{} שָׁלוֹם", "{} שָׁלוּם"),
    "powers": ("{} 10²", "{} 102"),
    "rising and falling": ("{} ↑", "{} ↓"),
}
"""Two texts, of which the label of each hangs on what they differ in."""


def texts_of(kind: str, same: Same = "spacing") -> Texts:
    rows = [
        Row(f"row {2 * number + side}", form.format(body), ("first", "second")[side])
        for number, body in enumerate(BODIES)
        for side, form in enumerate(DECIDING[kind])
    ]
    return collect("test", rows, Columns(same=same))


@pytest.mark.parametrize("same", ["exact", "spacing"])
@pytest.mark.parametrize("kind", DECIDING)
def test_texts_that_differ_in_what_decides_are_all_kept(kind: str, same: Same) -> None:
    texts = texts_of(kind, same)
    report = check_texts(texts)
    assert (report.contradictions, report.duplicates) == (0, 0)
    assert len(kept_rows(texts, find_copies(texts.texts, same))) == 2 * len(BODIES)
    dataset = prepare_texts(texts, validation=0.2, test=0.2, seed=0)
    assert sum(map(len, dataset.splits.values())) == 2 * len(BODIES)
    sides = {
        name: {body for body in BODIES for text in part.x if body in text} for name, part in dataset.splits.items()
    }
    assert sum(map(len, sides.values())) == len(BODIES), "the two stand in one part"


@pytest.mark.parametrize("kind", [each for each in DECIDING if "vowel" in each or "tone" in each or "harakat" in each])
def test_signs_that_are_parts_of_letters_count_in_every_rule(kind: str) -> None:
    report = check_texts(texts_of(kind, "letters"))
    assert (report.contradictions, report.distinct) == (0, 2 * len(BODIES))


def test_of_400_titles_none_is_contradicted_by_another_language() -> None:
    generator = np.random.default_rng(0)
    things = [
        "socket",
        "class",
        "thread",
        "struct",
        "pointer",
        "list",
        "file",
        "event",
        "loop",
        "map",
        "template",
        "lock",
    ]
    rows = []
    for number in range(400):
        what = " ".join(generator.choice(things, 2, replace=False).tolist())
        name = ("C", "C++", "C#")[number % 3]
        rows.append(Row(f"row {number}", f"how to {what} in {name}", name))
    texts = collect("test", rows)
    report = check_texts(texts)
    kept = kept_rows(texts, find_copies(texts.texts))
    assert report.contradictions == 0
    assert {texts.texts[row] for row in kept} == set(texts.texts)


def test_the_check_shows_pairs_of_each_kind() -> None:
    rows = [
        Row("a", "the parcel came on monday in a large box", "x"),
        Row("b", "the parcel came  on monday in a large box ", "x"),
        Row("c", "nobody answered when i called the shop", "x"),
        Row("d", "nobody answered when i called the shop", "y"),
        Row("e", "this window does not close in winter", "x"),
        Row("f", "this window does not close in winter?", "y"),
        Row("g", "please send the bill to our new office", "y"),
        Row("h", "please send the bill to our new offices", "y"),
    ]
    report = check_texts(collect("test", rows))
    shown = {(each.kind, each.one[0], each.other[0]) for each in report.pairs}
    assert shown == {
        ("copies", "a", "b"),
        ("copies", "c", "d"),
        ("contradictory", "c", "d"),
        ("alike", "e", "f"),
        ("near", "g", "h"),
    }
    (told,) = [str(each) for each in report.findings if each.code == "finding.alike-texts"]
    assert "e (x): this window does not close in winter = f (y)" in told
    assert 'data.same = "letters"' in told


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a b", "a b", "exact"),
        ("a b", " a \t\r\n b", "spacing"),
        ("caf\u00e9", "cafe\u0301", "spacing"),
        ("a\u3000b", "a b", "spacing"),
        ("A, b!", "a B", "letters"),
        ("ＡＢ 👍", "ab", "letters"),
    ],
)
def test_each_rule_is_wider_than_the_one_before(one: str, other: str, same: Same) -> None:
    rules: tuple[Same, ...] = ("exact", "spacing", "letters")
    found = [sameness(one, rule) == sameness(other, rule) for rule in rules]
    assert found == [rules.index(rule) >= rules.index(same) for rule in rules]


def test_jobs_in_bundles_from_before_the_rule_keep_their_split() -> None:
    table = {"name": "x", "family": "recurrent_text", "data": {"source": "csv:t.csv"}}
    assert RecurrentText.data(source="csv:t.csv").model_dump()["same"] == "spacing"
    assert stored_job(table, where="x").data.model_dump()["same"] == "letters"
    kept = stored_job(table, where="x").model_dump(mode="json")
    kept["data"]["same"] = "exact"
    job = stored_job(kept, where="x")
    assert job.data.model_dump()["same"] == "exact"
