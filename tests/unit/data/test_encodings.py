"""Files of texts in the encodings that people's programs save: read right or refused, never read as nonsense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from tests.unit.data.languages import ENCODINGS, SENTENCES

from glassworks.data.encodings import decode, read_text
from glassworks.data.text.reader import read_texts
from glassworks.errors import DataError, InputError
from glassworks.tasks.text_classification import TextClassification

TABLE = "text,label\n这本书很好，值得一读,好评\n房间太小，服务态度差,差评\n"
WORDS = st.text(st.sampled_from("的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年abc ,\n"), max_size=80)


def table(language: str, plain: int = 0) -> str:
    """A table with a header of ASCII, three reviews, and so many others before them that are ASCII too."""
    others = [f'"the lamp number {number}, as it was",good\n' for number in range(plain)]
    return "text,label\n" + "".join(others) + "".join(f'"{text}",bad\n' for text in SENTENCES[language])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_table_reads_the_same_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(TABLE.encode(encoding))
    assert read_text(tmp_path / "t.csv").text == TABLE


@pytest.mark.parametrize("plain", [0, 3000])
@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_the_encodings_of_sixteen_languages_are_recognized(language: str, encoding: str, plain: int) -> None:
    """Also where only the last three of 3,000 rows have a sign beyond ASCII."""
    text = table(language, plain)
    found = decode(text.encode(encoding), "x")
    assert found.text == text, found.encoding
    assert 0.5 <= found.confidence <= 1


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_one_sentence_is_read_right_or_refused(language: str, encoding: str) -> None:
    for sentence in SENTENCES[language]:
        text = sentence + "\n"
        try:
            assert decode(text.encode(encoding), "x").text == text
        except DataError as error:
            assert "in doubt" in error.problem
            assert 'data.encoding = "' in error.mend


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_an_encoding_that_is_told_is_taken(language: str, encoding: str) -> None:
    text = SENTENCES[language][0]
    assert decode(text.encode(encoding), "x", encoding).text == text


@settings(deadline=None)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@given(rest=WORDS)
def test_any_chinese_text_after_a_head_comes_back(encoding: str, rest: str) -> None:
    text = "text,label\n" + TABLE[11:] + rest
    assert decode(text.encode(encoding), "x").text == text


@pytest.mark.parametrize("taken_for", ["cp1252", "latin-1", "cp1251", "gbk"])
@pytest.mark.parametrize("language", ["de", "fr", "ru", "zh-CN"])
def test_utf_8_that_was_taken_for_another_encoding_is_refused(language: str, taken_for: str) -> None:
    """Where the other one has all of its bytes, which is what makes such files possible."""
    lines = []
    for line in table(language).split("\n"):
        try:
            lines.append(line.encode().decode(taken_for))
        except UnicodeDecodeError:
            lines.append("left out")
    if sum(not line.isascii() for line in lines) == 0:
        pytest.skip("no line of this language can be taken for it")
    content = "\n".join(lines).encode()
    with pytest.raises(DataError, match=r"was read as .* and saved again") as caught:
        decode(content, "x")
    assert "iconv -f UTF-8 -t" in caught.value.mend
    assert decode(content, "x", "UTF-8").text == "\n".join(lines)


def test_doubt_names_the_candidates_with_what_they_read() -> None:
    with pytest.raises(DataError) as caught:
        decode("text,label\nPáginas Simples,good\n".encode("cp1252"), "x")
    assert "Windows-1252: 'Páginas Simples,good'" in caught.value.problem
    assert "Windows-1257: 'Pįginas Simples,good'" in caught.value.problem
    assert 'data.encoding = "' in caught.value.mend
    assert len(caught.value.problem) < 300


def test_signs_for_private_use_are_refused_but_not_where_the_encoding_is_told() -> None:
    content = (TABLE * 5 + "这个商品很好\ue5e5,好评\n").encode("gb18030")
    with pytest.raises(DataError, match=r"holds the sign U\+E5E5, which no text has"):
        decode(content, "x")
    assert "\ue5e5" in decode(content, "x", "GB18030").text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (TABLE.encode()[:-1] + b"\xff\n", "x is not valid UTF-8: byte 86 (line 3)"),
        (TABLE.encode()[:40] + TABLE.encode()[41:], "x is not valid UTF-8: byte 38 (line 2)"),
        (b"\xff\xfea\0b", "x is not valid UTF-16: byte 4 (line 1)"),
        (b"a\0\0b", "x holds zero bytes (line 1): it is not a text file"),
        (bytes(range(256)) * 4, "x holds zero bytes (line 1): it is not a text file"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        decode(content, "x")
    assert caught.value.problem == problem


def test_an_unknown_name_of_an_encoding_is_refused() -> None:
    for name in ("utf-9", "base64", "hex"):
        with pytest.raises(DataError, match="there is no encoding"):
            decode(b"a", "x", name)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file") as caught:
        read_text(tmp_path / "none.csv")
    assert caught.value.mend == "give the path of a file that exists"
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        read_text(tmp_path)


def test_what_was_recognized_is_told_with_how_sure_it_is_and_what_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for name, content in (("big5", table("zh-TW")), ("cp1251", table("ru"))):
        path.write_bytes(content.encode(name))
        (told,) = decode(path.read_bytes(), "x").findings
        assert told.code == "finding.encoding"
        assert float(told.values["percent"]) >= 50
    assert "as Windows-1251 (" in str(told) and "Вчера привезли" in str(told)
    assert told in read_texts(f"csv:{path}", min_classes=1).findings
    rows = [
        json.dumps({"text": text, "label": "ab"[n % 2]}, ensure_ascii=False) for n, text in enumerate(SENTENCES["ja"])
    ]
    (tmp_path / "t.jsonl").write_bytes("\n".join(rows).encode("shift_jis"))
    (told,) = (each for each in read_texts(f"jsonl:{tmp_path / 't.jsonl'}").findings if each.code == "finding.encoding")
    assert "昨日届いた" in str(told)


def test_nothing_is_told_of_utf_8_and_of_an_encoding_that_was_given() -> None:
    assert decode(TABLE.encode(), "x").findings == ()
    assert decode(TABLE.encode("utf-16"), "x").findings == ()
    assert decode(TABLE.encode("gbk"), "x", "GBK").findings == ()


def test_a_file_of_a_text_is_read_in_its_encoding_when_it_is_asked_about() -> None:
    task = TextClassification()
    for language, encoding in (("ru", "cp1251"), ("ja", "shift_jis"), ("zh-TW", "big5")):
        text = SENTENCES[language][0]
        assert task.decode(text.encode(encoding), {}).item() == text
    with pytest.raises(InputError, match="the encoding of the text is in doubt") as caught:
        task.decode("Páginas Simples".encode("cp1252"), {})
    assert "iconv" in caught.value.mend


@pytest.mark.parametrize("scheme", ["csv", "jsonl"])
def test_a_device_that_never_ends_is_not_read(scheme: str) -> None:
    with pytest.raises(DataError, match="/dev/zero is a device, not a file") as refused:
        read_texts(f"{scheme}:/dev/zero")
    assert refused.value.mend == "give the path of a file"
