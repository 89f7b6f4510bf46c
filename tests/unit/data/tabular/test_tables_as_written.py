"""Tables as people and programs write them: read rightly, or refused with the line and a mend that works."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.reading import read_interactions
from glassworks.data.tabular import reading
from glassworks.data.tabular.format import Table, TableFormat
from glassworks.data.tabular.profile import is_even
from glassworks.data.tabular.reading import read_table
from glassworks.errors import DataError

ROWS = [(f"lamp chair {number} door", ("good", "bad")[number % 2]) for number in range(60)]


def table(folder: Path, content: str | bytes, form: TableFormat | None = None, name: str = "t.csv") -> Table:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(folder / name, form)


def rows(found: Table) -> list[tuple[Any, ...]]:
    return found.frame.collect().rows()


def lines(texts: list[tuple[str, str]], delimiter: str = ",", end: str = "\n") -> str:
    return f"text{delimiter}label{end}" + "".join(f"{text}{delimiter}{label}{end}" for text, label in texts)


def refusal(folder: Path, content: str | bytes, form: TableFormat | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        rows(table(folder, content, form))
    assert len(caught.value.problem) <= 300
    assert len(caught.value.mend) <= 300
    return caught.value


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt"])
def test_what_separates_cells_is_found_in_the_content(delimiter: str, suffix: str, tmp_path: Path) -> None:
    found = table(tmp_path, lines(ROWS, delimiter), name=f"t.{suffix}")
    assert (found.columns, rows(found)) == (["text", "label"], ROWS)
    assert found.format.delimiter == delimiter


def test_commas_within_texts_of_another_separator(tmp_path: Path) -> None:
    texts = [(f"so, so, {text}", label) for text, label in ROWS]
    assert rows(table(tmp_path, lines(texts, ";"))) == texts


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(end: str, tmp_path: Path) -> None:
    assert rows(table(tmp_path, lines(ROWS, end=end))) == ROWS


def test_a_mark_of_the_encoding_blank_lines_and_a_line_of_excel(tmp_path: Path) -> None:
    assert rows(table(tmp_path, "\ufeff" + lines(ROWS))) == ROWS
    assert rows(table(tmp_path, lines(ROWS).replace("\n", "\n\n"))) == ROWS
    assert rows(table(tmp_path, "sep=;\n" + lines(ROWS, ";"))) == ROWS
    assert table(tmp_path, " text , label \n" + lines(ROWS).partition("\n")[2]).columns == ["text", "label"]


def test_lines_above_the_names_are_left_out_and_shown(tmp_path: Path) -> None:
    found = table(tmp_path, "# exported in 2024\n" + lines(ROWS))
    assert rows(found) == ROWS
    assert [each.code for each in found.findings] == ["finding.lines-above"]


def test_zero_bytes_are_left_out_and_shown(tmp_path: Path) -> None:
    found = table(tmp_path, lines(ROWS).replace("chair 7", "cha\0ir 7"))
    assert rows(found) == ROWS
    assert [each.text for each in found.findings] == ["1 zero bytes are left out, the first in line 9"]
    assert rows(table(tmp_path, lines(ROWS).encode("utf-16"))) == ROWS


def test_a_packed_table(tmp_path: Path) -> None:
    assert rows(table(tmp_path, gzip.compress(lines(ROWS).encode()), name="t.csv.gz")) == ROWS
    assert "is damaged" in refusal(tmp_path, gzip.compress(lines(ROWS).encode())[:60]).problem


SIGNS: dict[str, Callable[[int, str], str]] = {
    "inch marks": lambda number, text: text.replace("chair", '5" chair') if number in (10, 50) else text,
    "one inch mark": lambda number, text: text.replace("chair", '5" chair') if number == 10 else text,
    "a mark at the beginning": lambda number, text: f'"{text}' if number == 10 else text,
    "two marks at the beginning": lambda number, text: f'"{text}' if number in (10, 50) else text,
    "a word in marks": lambda number, text: f'"lamp" {text}' if number % 7 == 0 else text,
    "a mark at the end": lambda number, text: f'{text}"' if number in (10, 50) else text,
}


@pytest.mark.parametrize("kind", SIGNS)
@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("last", [False, True])
def test_quotation_marks_that_enclose_no_cell_are_signs(kind: str, delimiter: str, last: bool, tmp_path: Path) -> None:
    texts = [(SIGNS[kind](number, text), label) for number, (text, label) in enumerate(ROWS)]
    if last:
        content = f"label{delimiter}text\n" + "".join(f"{label}{delimiter}{text}\n" for text, label in texts)
        assert [(text, label) for label, text in rows(table(tmp_path, content))] == texts
    else:
        assert rows(table(tmp_path, lines(texts, delimiter))) == texts


def test_marks_that_two_lines_share_are_no_cell_of_forty_lines(tmp_path: Path) -> None:
    texts = [
        (f'"{text}' if n == 10 else f'{text} 5"' if n == 50 else text, label) for n, (text, label) in enumerate(ROWS)
    ]
    found = table(tmp_path, lines(texts))
    assert rows(found) == texts
    assert found.findings[0].code == "finding.literal-quotes"


def test_two_lines_that_could_be_one_record_are_refused_and_the_mend_works(tmp_path: Path) -> None:
    texts = [
        (f'"{text}' if n == 10 else f'{text} 5"' if n == 11 else text, label) for n, (text, label) in enumerate(ROWS)
    ]
    error = refusal(tmp_path, lines(texts))
    assert "line 12" in error.problem
    assert 'data.quote = ""' in error.mend
    assert rows(table(tmp_path, lines(texts), TableFormat(quote=""))) == texts


@pytest.mark.parametrize("seed", range(20))
def test_what_the_csv_module_writes_is_read_as_it_reads_it(seed: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(seed)
    parts = ["lamp", '"', ",", "\n", '""', "chair, door", " ", "\r\n", '5"', "it's", ";", "灯"]
    texts = [("".join(generator.choice(parts, 6).tolist()) + "x", str(number)) for number in range(40)]
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_ALL if seed % 2 else csv.QUOTE_MINIMAL)
    writer.writerows([("text", "label"), *texts])
    assert rows(table(tmp_path, written.getvalue())) == texts


def test_backslashes_before_marks(tmp_path: Path) -> None:
    texts = [(f'say "{text}, now" end', label) for text, label in ROWS]
    content = lines([('"' + text.replace('"', '\\"') + '"', label) for text, label in texts])
    assert rows(table(tmp_path, content)) == texts


def test_single_marks_around_texts_with_commas(tmp_path: Path) -> None:
    texts = [(f"so, {text}", label) for text, label in ROWS]
    assert rows(table(tmp_path, lines([(f"'{text}'", label) for text, label in texts]))) == texts


@pytest.mark.parametrize(
    ("line", "problem", "mend"),
    [
        (
            "so, so,good",
            "line 62 has 3 cells, the line of column names 2: so, so,good",
            'put a text that holds , in "quotes"',
        ),
        ("alone", "line 62 has 1 cells, the line of column names 2: alone", "give each line a value for each column"),
        ('"never, closed,good', "line 62 has 3 cells", 'put a text that holds , in "quotes"'),
    ],
)
def test_a_line_with_other_cells_is_named(line: str, problem: str, mend: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, lines(ROWS) + line + "\n")
    assert problem in error.problem
    assert mend in error.mend


def test_a_file_without_names_and_one_of_a_long_separator(tmp_path: Path) -> None:
    form = TableFormat(header=("text", "label"))
    content = lines(ROWS).partition("\n")[2]
    assert rows(table(tmp_path, content, form)) == ROWS
    form = TableFormat(header=("text", "label"), delimiter="::")
    assert rows(table(tmp_path, content.replace(",", "::"), form)) == ROWS
    error = refusal(tmp_path, content, TableFormat(header=("text",)))
    assert "data.header names 1 columns, and its first line has 2 cells" in error.problem


def test_a_quick_scan_is_left_to_lines_that_are_even(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,4\n5,6")
    assert is_even(path, ",", 2, 1)
    path.write_text("a,b\n1,2\n3\n5,6\n")
    assert not is_even(path, ",", 2, 1)
    path.write_text("note\na,b\n1,2\n")
    assert is_even(path, ",", 2, 1)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_large_file_with_regular_marks_is_scanned_and_one_with_others_is_read(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LARGE_BYTES", 0)
    texts = [(f'so, "{text}", 5', label) for text, label in ROWS]
    content = lines([('"' + text.replace('"', '""') + '"', f'"{label}"') for text, label in texts], end=end)
    found = table(tmp_path, content)
    assert rows(found) == texts
    assert "CSV" in found.frame.explain().upper()
    odd = table(tmp_path, content.replace('"good"', 'go"od', 1))
    assert rows(odd)[0] == (texts[0][0], 'go"od')
    assert rows(odd)[1:] == texts[1:]


def test_interactions_and_items_are_read_alike(tmp_path: Path) -> None:
    events = [(user, item) for user in range(6) for item in range(user % 3, 6)]
    (tmp_path / "e.csv").write_text("".join(f"{user};{item}\r\n" for user, item in events))
    (tmp_path / "i.csv").write_text("item;title\n" + "".join(f'{item};chair, 5" {item}\n' for item in range(6)))
    data = InteractionData(source=f"csv:{tmp_path / 'e.csv'}", header=("user", "item"))
    assert len(read_interactions(data)) == len(events)
    data = InteractionData(source=f"csv:{tmp_path / 'e2.csv'}", items=f"csv:{tmp_path / 'i.csv'}", title="title")
    (tmp_path / "e2.csv").write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in events))
    log = read_interactions(data)
    assert log.table["title"].to_list() == [f'chair, 5" {item}' for item in range(6)]


def test_a_long_file_is_never_printed(tmp_path: Path) -> None:
    error = refusal(tmp_path, "text,label" + "x" * 5000 + "\n" + "y" * 9000 + "\n")
    assert "line 2 has 1 cells" in error.problem


def test_a_parquet_file_under_any_name(tmp_path: Path) -> None:
    polars.DataFrame({"text": ["one"], "label": [1]}).write_parquet(tmp_path / "t.csv")
    assert rows(read_table(tmp_path / "t.csv")) == [("one", 1)]
