"""Models as OpenAI's clients and KServe's see them, in one answer."""

from __future__ import annotations

import time

import openai
from openai.types import Model
from tests.integration.serving.running import Server

MODEL = "tiny-language-model"
A_DAY_S = 86_400


def test_the_list_holds_names_versions_and_aliases_of_what_can_be_asked(language_client: openai.OpenAI) -> None:
    found = list(language_client.models.list())
    assert [each.id for each in found] == [MODEL, f"{MODEL}@1", f"{MODEL}@champion"]
    for each in found:
        Model.model_validate(each.model_dump())
        assert (each.object, each.owned_by, each.shutdown_date) == ("model", "glassworks", None)
        assert time.time() - A_DAY_S < each.created <= time.time()


def test_each_id_of_the_list_can_be_looked_up(language_client: openai.OpenAI) -> None:
    for each in language_client.models.list():
        assert language_client.models.retrieve(each.id).model_dump().items() >= each.model_dump().items()


def test_kserves_client_finds_in_it_what_it_looks_for(language_server: Server) -> None:
    assert language_server.get("/v1/models")["models"] == ["tiny-convnet", MODEL]
    found = language_server.get(f"/v1/models/{MODEL}")
    assert (found["name"], found["ready"], found["id"]) == (MODEL, True, MODEL)
    assert language_server.get("/v1/models/tiny-convnet")["object"] == "model"
