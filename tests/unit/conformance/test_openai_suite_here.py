"""The suite `openai` against our own server: a language model and an encoder of texts, both tiny, with a key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.serving.running import Server, serving
from tests.patience import PATIENCE_S

from glassworks.catalog import get
from glassworks.config import OptimizationConfig
from glassworks.conformance import suite
from glassworks.conformance.openai import checks
from glassworks.conformance.openai.client import Client
from glassworks.contracts import Family
from glassworks.flow import release
from glassworks.progress import Silent
from glassworks.registry import Registry

TEMPLATE = (
    "{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<tool_call>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% for call in message.tool_calls %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""One that shows tools, in the form of Hermes and Qwen."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("graded")
    registry = Registry.open({"GLASSWORKS_HOME": str(folder / "home")})
    for family in ("language_model", "text_encoder"):
        job = get(Family, family).tiny(folder)
        template = {"chat_template": TEMPLATE} if family == "language_model" else {}
        changes = {"optimization": OptimizationConfig(enabled=False), "model": {**job.model, **template}}
        release(job.model_copy(update=changes), registry, Silent())
    with serving(folder / "home", "--no-grpc") as found:
        yield found


def test_our_server_fails_no_check_and_what_it_does_not_offer_is_said(server: Server) -> None:
    client = Client(url=f"http://{server.address}", seconds=PATIENCE_S, grace=PATIENCE_S)
    outcomes = list(suite.run(client, suite.found(checks)))
    assert [(each.id, each.seen) for each in outcomes if each.result == "failed"] == []
    reasons = {each.id: each.seen for each in outcomes if each.result == "not offered"}
    assert set(reasons) <= {
        *("O1.models_do_not_share_a_cache", "O2.picture", "O8.object", "O10.token_ids", "O10.dimensions"),
        *("O11.no_key", "O11.wrong_key", "O11.rate_limits"),
    }
    assert all(reasons.values())
