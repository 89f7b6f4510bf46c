"""Bodies as people's programs send them: base64 in its forms, forms with files, raw files, byte order marks, labels."""

from __future__ import annotations

import base64
import csv
import io
import json
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image
from tests.unit.serving.test_app import EXPLAIN, INFER, body, files, picture, post, send
from tests.unit.serving.wire import Reply, service

from glassworks.catalog import get
from glassworks.contracts import Task
from glassworks.errors import InputError
from glassworks.packaging.bundle import Bundle
from glassworks.serving.codec.base64_text import decoded
from glassworks.serving.core.models import Models
from glassworks.serving.descriptions import asked_by, metadata
from glassworks.serving.transports.http.service import Service

PREDICT, PICTURE = "/v1/models/bars:predict", "/v2/models/bars/picture"
BOUNDARY = "x7"


@pytest.fixture(scope="module")
def models(tiny_bundle: Bundle) -> Iterator[Models]:
    models = Models()
    models.load(tiny_bundle, "bars", "1")
    yield models
    models.close()


@pytest.fixture(scope="module")
def app(models: Models) -> Service:
    return service(models)


def standard(content: bytes) -> str:
    return base64.b64encode(content).decode()


WAYS: dict[str, Callable[[bytes], str]] = {
    "plain": standard,
    "wrapped at 76 with CRLF": lambda content: "\r\n".join(textwrap.wrap(standard(content), 76)),
    "wrapped by encodebytes": lambda content: base64.encodebytes(content).decode(),
    "URL-safe": lambda content: base64.urlsafe_b64encode(content).decode(),
    "without padding": lambda content: standard(content).rstrip("="),
    "URL-safe without padding": lambda content: base64.urlsafe_b64encode(content).decode().rstrip("="),
    "data: URL": lambda content: "data:image/png;base64," + standard(content),
    "data: URL with parameters": lambda content: "DATA:image/svg+xml;charset=utf-8;Base64," + standard(content),
    "data: URL, percent-encoded": lambda content: "data:;base64," + quote(standard(content), safe=""),
}


@pytest.mark.parametrize("way", WAYS)
@given(content=st.binary(max_size=300))
def test_base64_is_read_in_all_its_forms(way: str, content: bytes) -> None:
    assert decoded(WAYS[way](content)) == content


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ab-d+f==", "neither alphabet"), ("äöü=", "neither alphabet"), ("abc!", "not base64"), ("ab=c", "not base64"),
        ("abcd ef gh==", "where [+] was"), ("abcde", "cut off"), ("ab======", "cut off"), ("a", "cut off"),
        ("data:image/png,%89PNG", "not in base64"), ("data:image/png;base64", "not in base64"),
    ],
)  # fmt: skip
def test_what_is_no_base64_is_refused_in_words(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        decoded(text)


@pytest.mark.parametrize("way", WAYS)
def test_every_protocol_takes_every_form(way: str, app: Service) -> None:
    text = WAYS[way](picture())
    expected = post(app, INFER, files(picture())).tensor("probabilities")
    request = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}]}
    assert np.array_equal(post(app, INFER, request).tensor("probabilities"), expected)
    found = post(app, PREDICT, {"instances": [{"image": {"b64": text}}]}).json["predictions"]
    assert np.allclose(found[0], expected[0])


@pytest.mark.parametrize("text", ["abcd efgh ij==", "abcd\r\nefgh\r\n", " abcd efgh\n"])
def test_lines_that_were_folded_are_base64(text: str) -> None:
    assert decoded(text)[:6] == base64.b64decode("abcdefgh")


def test_escapes_of_a_url_take_no_seconds() -> None:
    text = "data:;base64," + "%41" * 4_000_000
    began = time.perf_counter()
    with pytest.raises(InputError, match="not base64"):
        decoded(text)
    assert time.perf_counter() - began < 1.5


def form(*parts: tuple[str, bytes, str | None]) -> tuple[bytes, dict[str, str]]:
    """A body of multipart/form-data as curl writes it, and its header."""
    content = b""
    for name, value, filename in parts:
        named = f'; filename="{filename}"\r\nContent-Type: image/png' if filename else ""
        content += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        content += value + b"\r\n"
    return content + f"--{BOUNDARY}--\r\n".encode(), {"content_type": f"multipart/form-data; boundary={BOUNDARY}"}


def sent(app: Service, path: str, *parts: tuple[str, bytes, str | None], **headers: str) -> Reply:
    content, kind = form(*parts)
    return send(app, "POST", path, content, **kind, **headers)


def test_a_form_of_files_is_a_row_a_file(app: Service) -> None:
    expected = post(app, INFER, files(picture(), picture(90))).tensor("probabilities")
    parts = [("file", picture(), "a.png"), ("file", picture(90), "b.png")]
    assert np.array_equal(sent(app, INFER, *parts).tensor("probabilities"), expected)
    assert np.allclose(sent(app, PREDICT, *parts).json["predictions"], expected)
    assert np.array_equal(sent(app, INFER, ("image", picture(), "a.png")).tensor("probabilities"), expected[:1])


def test_fields_of_a_form_are_parameters(app: Service) -> None:
    reply = sent(app, EXPLAIN, ("file", picture(), "a.png"), ("method", b"occlusion", None), ("grade", b"false", None))
    assert reply.status == 200
    assert reply.json["parameters"]["method"] == "occlusion"
    assert sent(app, EXPLAIN, ("file", picture(), "a.png"), ("seed", b"-3", None)).status == 400
    explained = sent(app, "/v1/models/bars:explain", ("file", picture(), "a.png"), ("method", b"occlusion", None))
    assert explained.json["explanations"][0]["method"] == "occlusion"


def test_a_field_may_hold_anything(app: Service) -> None:
    for value in (b"[" * 50_000, b"9" * 50_000, b"{}", b"nan"):
        assert sent(app, INFER, ("file", picture(), "a.png"), ("note", value, None)).status == 200


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF"])
@pytest.mark.parametrize("header", ["0", ""])
def test_a_body_may_be_the_picture(kind: str, header: str, app: Service) -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture())).convert("RGB").resize((64, 64)).save(stream, kind)
    expected = post(app, INFER, files(stream.getvalue())).tensor("probabilities")
    headers = {"inference_header_content_length": header} if header else {"content_type": "image/png"}
    assert np.array_equal(send(app, "POST", INFER, stream.getvalue(), **headers).tensor("probabilities"), expected)


def test_a_form_may_hold_the_picture_to_look_at(app: Service) -> None:
    expected = send(app, "POST", PICTURE, picture(), accept="application/json").json
    assert sent(app, PICTURE, ("file", picture(), "a.png"), accept="application/json").json == expected
    assert sent(app, PICTURE, ("picture", picture(), "a.png")).body[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("path", "parts", "problem"),
    [
        (INFER, [], "no file"), (INFER, [("seed", b"3", None)], "no file"), (PICTURE, [], "0 files"),
        (PICTURE, [("a", b"x", "a.png"), ("b", b"y", "b.png")], "2 files"),
        (INFER, [("file", b"no picture", "a.png")], "picture"),
    ],
)  # fmt: skip
def test_a_form_without_a_file_is_refused_in_words(
    path: str, parts: list[tuple[str, bytes, str | None]], problem: str, app: Service
) -> None:
    reply = sent(app, path, *parts)
    assert reply.status == 400
    assert problem in reply.error


def test_a_form_that_is_cut_off_is_refused(app: Service) -> None:
    content, kind = form(("file", picture(), "a.png"))
    for path in (INFER, PREDICT, PICTURE):
        reply = send(app, "POST", path, content[: len(content) // 2], **kind)
        assert (reply.status, "ends before its last boundary" in reply.error) == (400, True)
        assert send(app, "POST", path, content, content_type="multipart/form-data").status == 400


def test_a_raw_body_may_be_a_picture_file(app: Service) -> None:
    expected = post(app, INFER, files(picture())).tensor("probabilities")
    raw = send(app, "POST", INFER, picture(), inference_header_content_length="0")
    assert np.array_equal(raw.tensor("probabilities"), expected)


@pytest.mark.parametrize("path", [INFER, PREDICT, "/v2/models/bars/generate", "/v2/repository/index"])
def test_a_byte_order_mark_is_left_out(path: str, app: Service) -> None:
    requests: dict[str, Any] = {INFER: body(1), PREDICT: {"instances": np.zeros((1, 1, 16, 16)).tolist()}}
    content = json.dumps(requests.get(path, {})).encode()
    plain, marked = send(app, "POST", path, content), send(app, "POST", path, b"\xef\xbb\xbf" + content)
    assert (marked.status, marked.body) == (plain.status, plain.body)
    if path == INFER:
        typed = {**body(1), "parameters": {"binary_data_output": True}, "id": "x"}
        assert send(app, "POST", path, b"\xef\xbb\xbf" + json.dumps(typed).encode()).status == 200


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("path", [INFER, PREDICT, "/v2/models/bars/generate", "/v2/repository/index"])
def test_wide_text_is_refused_by_its_name(path: str, encoding: str, app: Service) -> None:
    reply = send(app, "POST", path, json.dumps(body(1)).encode(encoding))
    assert reply.status == 400
    assert "UTF-16 or UTF-32 text, not UTF-8" in reply.error


def test_a_label_with_a_comma_stays_one(models: Models) -> None:
    model = models.model("bars")
    described = metadata(model, ["1"])["properties"]
    assert described["labels"] == ",".join(model.manifest.labels)
    labels = ("ring, box", 'a "b"', "two\nlines", "plain", "")
    model.manifest, before = model.manifest.model_copy(update={"labels": labels}), model.manifest
    described = metadata(model, ["1"])["properties"]
    model.manifest = before
    assert tuple(next(csv.reader(io.StringIO(described["labels"], newline="")))) == labels
    assert tuple(json.loads(described["labels_json"])) == labels
    assert all(isinstance(value, str) for value in described.values())


def test_what_an_object_may_hold_is_described(models: Models) -> None:
    texts = get(Task, "text-classification")
    assert asked_by(texts, {"columns": {"text": ["标题", "body"]}}) == {"text_parts_json": '["标题", "body"]'}
    assert asked_by(texts, {"columns": {"text": "body"}}) == {}
    people = asked_by(get(Task, "recommendation"), {"user_features": ["country", "age"]})
    assert people == {"user_features_json": '["country", "age"]'}
    assert all(
        not name.startswith(("text_parts", "user_features"))
        for name in metadata(models.model("bars"), [])["properties"]
    )
