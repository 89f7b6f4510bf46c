"""A model of texts with a title and a body over the wire: as one text, as an object, and as an input for each part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars
import pytest
from tests.integration.serving.running import Server, serving

from glassworks.config import OptimizationConfig
from glassworks.families.recurrent_text import RecurrentText
from glassworks.flow import train
from glassworks.progress import Silent
from glassworks.registry import Registry

TITLE, BODY = "some subject", "the lamp is wonderful"
WHOLE = f"{TITLE} \u241f {BODY}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("parts")
    job = RecurrentText().tiny(folder)
    read = polars.read_csv(job.data.source.removeprefix("csv:")).rename({"text": "body"})
    read.with_columns(title=polars.lit("some subject")).write_csv(folder / "parts.csv")
    data = job.data.model_copy(update={"source": f"csv:{folder / 'parts.csv'}", "text": ("title", "body")})
    job = job.model_copy(update={"data": data, "optimization": OptimizationConfig(enabled=False)})
    bundle = train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")}), Silent()).bundle
    with serving(tmp_path_factory.mktemp("home"), str(bundle.folder)) as running:
        yield running


def tensor(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "shape": [len(values)], "datatype": "BYTES", "data": list(values)}


def asked(server: Server, verb: str, *inputs: dict[str, Any]) -> tuple[int, Any]:
    return server.post(verb, json.dumps({"inputs": inputs}).encode())


def test_every_form_has_the_same_answer(server: Server) -> None:
    as_object = json.dumps({"title": TITLE, "body": BODY})
    status, whole = asked(server, "infer", tensor("text", WHOLE))
    assert status == 200, whole
    assert asked(server, "infer", tensor("text", as_object))[1]["outputs"] == whole["outputs"]
    assert asked(server, "infer", tensor("body", BODY), tensor("title", TITLE))[1]["outputs"] == whole["outputs"]
    path = f"/v1/models/{server.model}:predict"
    found = [
        server.send("POST", path, json.dumps({"instances": [each]}).encode())
        for each in (WHOLE, {"text": WHOLE}, {"title": TITLE, "body": BODY})
    ]
    assert [status for status, _ in found] == [200, 200, 200]
    assert found[0] == found[1] == found[2]


def test_a_part_alone_or_another_number_of_rows_is_refused(server: Server) -> None:
    status, answer = asked(server, "infer", tensor("title", TITLE))
    assert (status, "the model has no input 'title'" in answer["error"]) == (400, True)
    status, answer = asked(server, "infer", tensor("title", TITLE), tensor("body", BODY, BODY))
    assert status == 400


def test_explanations_are_told_by_part(server: Server) -> None:
    body = json.dumps({"instances": [{"title": TITLE, "body": BODY}]}).encode()
    status, answer = server.send("POST", f"/v1/models/{server.model}:explain", body)
    assert status == 200, answer
    parts = answer["explanations"][0]["parts"]["text"]
    assert [WHOLE[part["start"] : part["end"]] for part in parts] == [TITLE, BODY]
    status, answer = asked(server, "explain", tensor("title", TITLE), tensor("body", BODY))
    assert status == 200, answer
    assert answer["parameters"]["part.body"] == pytest.approx(parts[1]["value"], abs=1e-3)
