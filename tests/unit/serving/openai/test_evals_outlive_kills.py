"""Evals of a server with keys: they are their owner's, cost what it may spend, and go on after a kill."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import sqlalchemy as sa
from tests.integration.serving.running import serving
from tests.patience import until
from tests.unit.serving.openai.test_evals_by_client import NAME, SAME, asking, content, defined, ended, items, started

from glassworks.registry import Registry
from glassworks.runs import Runs
from glassworks.runs.tables import RUNS
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger

ITEMS = 60


@pytest.fixture
def home(language_home: Path, tmp_path: Path) -> Path:
    """The same models in a registry of its own."""
    home = tmp_path / "home"
    shutil.copytree(language_home, home, ignore=lambda _, names: [n for n in names if n in ("batches.db", "files")])
    return home


@contextlib.contextmanager
def clients(home: Path, *secrets: str) -> Iterator[tuple[Any, list[openai.OpenAI]]]:
    with serving(home, "--no-grpc", "--keys", "on") as server, contextlib.ExitStack() as stack:
        base = f"http://{server.address}/v1"
        made = [openai.OpenAI(base_url=base, api_key=each, max_retries=0) for each in secrets]
        yield server, [stack.enter_context(each) for each in made]


def test_a_kill_loses_nothing_and_others_see_nothing(home: Path) -> None:
    store = KeyStore(home, Clock())
    (owner, secret), (_, others) = store.create("owner"), store.create("other")
    source = asking(content([{"item": {"q": f"hello {number}", "a": ""}} for number in range(ITEMS)]))
    with clients(home, secret, others) as (server, (client, other)):
        found = defined(client, SAME)
        whole = ended(client, started(client, found, source))
        run = started(client, found, source)
        until(lambda: client.evals.runs.retrieve(run.id, eval_id=found.id).result_counts.total > 0, "a first item")
        for call in (
            lambda: other.evals.retrieve(found.id),
            lambda: other.evals.delete(found.id),
            lambda: started(other, found, source),
            lambda: other.evals.runs.retrieve(run.id, eval_id=found.id),
            lambda: other.evals.runs.cancel(run.id, eval_id=found.id),
            lambda: items(other, run),
        ):
            with pytest.raises(openai.NotFoundError):
                call()
        assert other.evals.list().data == []
        server.process.kill()
        server.process.wait()
    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    runs = Runs(registry)
    with runs.connected.transaction() as connection:  # the lease of what was killed is over
        connection.execute(sa.update(RUNS).where(RUNS.c.state == "running").values(lease=0.0))
    # Somebody who names the run of another one in the queue gets nothing of it.
    forged = runs.submit("evaluation", {"evaluation": run.id, "about": "x"}, idempotency=f"0 {run.id}")
    with clients(home, secret) as (_, (client,)):
        again = ended(client, run)
        assert (again.status, again.result_counts) == ("completed", whole.result_counts)
        texts = [[each.sample.output[0].content for each in items(client, one, limit=100)] for one in (whole, again)]
        assert texts[0] == texts[1]
        assert len(texts[0]) == ITEMS
        until(lambda: runs.get(forged.id).state == "failed", "the end of the forged run")
        assert "belongs to no eval" in str(runs.get(forged.id).error)
        assert runs.list(kind="evaluation", about=f"{NAME}@1")[0].who == "owner"
    used = sum(each.requests for each in Ledger(home, Clock()).totals(key=owner.id))
    assert 2 * ITEMS <= used <= 2 * ITEMS + 8
