"""Forms with files: what clients send is read to the byte, and what no client sends costs nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from glassworks.errors import InputError
from glassworks.serving.codec.forms import Form

TYPE = b"multipart/form-data; boundary=edge"
LONG_S = 20.0
"""Far more than the parser takes for any of these, and far less than one that looks at every byte again and again."""


def part(head: bytes, content: bytes) -> bytes:
    return b"--edge\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--edge--\r\n"


FILE = part(b'name="file"; filename="a.jsonl"', b"{}\n")


@given(st.binary(max_size=300).filter(lambda content: b"--edge" not in content))
def test_contents_come_back_to_the_byte(content: bytes) -> None:
    found = Form(TYPE, form(part(b'name="purpose"', b"batch"), part(b'name="file"; filename="x"', content)))
    assert found.files["file"].content == content
    assert found.fields == {"purpose": "batch"}


def test_httpx_sends_what_is_read() -> None:
    import httpx

    files = {"file": ("名字.jsonl", b"one\r\n--two", "application/octet-stream")}
    request = httpx.Request("POST", "http://x", files=files, data={"purpose": "batch"})
    found = Form(request.headers["content-type"].encode(), request.read())
    assert (found.files["file"].filename, found.files["file"].content) == ("名字.jsonl", b"one\r\n--two")


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (b"application/json", form(FILE), "the content type is 'application/json'"),
        (b"multipart/form-data", form(FILE), "the content type is"),
        (b"multipart/form-data; boundary=" + b"x" * 71, form(FILE), "the content type is"),
        (b"", b"", "the content type is ''"),
        (TYPE, b"", "ends before its last boundary"),
        (TYPE, FILE, "ends before its last boundary"),
        (TYPE, form(FILE)[:-9], "ends before its last boundary"),
        (TYPE, b"something else entirely", "the form cannot be read"),
        (TYPE, form(part(b'filename="x"', b"")), "a part of the form has no name"),
        (TYPE, form(b"--edge\r\n\r\nno head\r\n"), "a part of the form has no name"),
        (TYPE, form(FILE, FILE), "the form has 'file' twice"),
        (TYPE, form(part(b'name="purpose"', b"\xff")), "is not valid UTF-8"),
        (TYPE, form(part(b'name="purpose"', b"x" * 70_000)), "has 70,000 bytes"),
        (TYPE, form(*[part(b'name="%d"' % each, b"") for each in range(40)]), "more than 32 parts"),
        (TYPE, form(b"--edge\r\n" + b"a: b\r\n" * 50 + b"\r\n\r\n"), "the form cannot be read"),
        (TYPE, form(b"--edge\r\na: " + b"b" * 100_000 + b"\r\n\r\n\r\n"), "the form cannot be read"),
    ],
)
def test_what_is_no_form_is_refused_with_its_mend(kind: bytes, body: bytes, text: str) -> None:
    with pytest.raises(InputError, match=r"multipart|field|purpose|with a name") as caught:
        Form(kind, body)
    assert text in str(caught.value)


@pytest.mark.parametrize("content", [b"\r\n--edg", b"\r\n--edgeX", b"\r", b"\r\n", b"-", b"\r\n--edge "])
def test_no_content_takes_long(content: bytes) -> None:
    body = form(part(b'name="file"; filename="x"', content * (4 * 2**20 // len(content))))
    begun = time.process_time()
    try:
        assert len(Form(TYPE, body).files["file"].content) > 2**20
    except InputError as error:
        assert "more than 32 parts" in str(error)
    assert time.process_time() - begun < LONG_S
