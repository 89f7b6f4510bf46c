"""Fine-tuning by OpenAI's own client: from a file to answers of the tuned model, through a kill of its service."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.integration.serving.running import Server, serving
from tests.patience import until

from glassworks.families._language.synthetic import write_conversations
from glassworks.registry import Registry
from glassworks.runs import Runs
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger

BASE = "tiny-language-model"
OPTIONS = ("--no-grpc", "--keys", "on", "--workers", "1")
EPOCHS, EXAMPLES = 3, 40
ENDED = ("succeeded", "failed", "cancelled")


class Keys:
    """Two keys that may tune, one that may only ask, and clients that use them."""

    def __init__(self, home: Path) -> None:
        store = KeyStore(home, Clock())
        made = {name: store.create(name, roles=["infer", "operator"]) for name in ("one", "other")}
        made["asker"] = store.create("asker")
        self.one = made["one"][0].id
        self._secrets = {name: secret for name, (_, secret) in made.items()}

    def client(self, server: Server, name: str = "one") -> openai.OpenAI:
        return openai.OpenAI(base_url=f"http://{server.address}/v1", api_key=self._secrets[name], max_retries=0)


@dataclass(frozen=True)
class Scene:
    """What was asked for before everything was killed, and the server that went on with it."""

    home: Path
    keys: Keys
    server: Server
    file: str
    job: str
    broken: str

    def client(self, name: str = "one") -> openai.OpenAI:
        return self.keys.client(self.server, name)


def ended(client: openai.OpenAI, job: str) -> Any:
    found: list[Any] = []

    def holds() -> bool:
        found[:] = [client.fine_tuning.jobs.retrieve(job)]
        return found[0].status in ENDED

    until(holds, "the end of the job")
    return found[0]


def sent(client: openai.OpenAI, content: bytes, purpose: Any = "fine-tune") -> str:
    return client.files.create(file=("train.jsonl", content), purpose=purpose).id


def broken(lines: bytes) -> bytes:
    """With two lines that cannot be learned."""
    found = lines.splitlines()
    found[4], found[9] = b"{", json.dumps({"messages": [{"role": "user", "content": "and?"}]}).encode()
    return b"\n".join(found)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("lines") / "chats.jsonl"
    write_conversations(path, examples=EXAMPLES, seed=1)
    return path.read_bytes()


@pytest.fixture(scope="module")
def scene(language_home: Path, lines: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two jobs; their service is killed with its worker as soon as the first has begun, and another one started."""
    home = tmp_path_factory.mktemp("tuning") / "home"
    shutil.copytree(language_home, home)
    keys = Keys(home)
    with serving(home, *OPTIONS) as server:
        client = keys.client(server)
        file, wrong = sent(client, lines), sent(client, broken(lines))
        job = client.fine_tuning.jobs.create(
            model=BASE, training_file=file, suffix="Mine", seed=7, metadata={"of": "me"},
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": EPOCHS, "batch_size": 16}}},
        )  # fmt: skip
        assert (job.status, job.model, job.fine_tuned_model) == ("queued", f"{BASE}@1", None)
        second = client.fine_tuning.jobs.create(model=BASE, training_file=wrong)
        client.files.delete(file)
        until(lambda: client.fine_tuning.jobs.retrieve(job.id).status in ("validating_files", "running"), "its begin")
        server.process.kill()
        server.process.wait()
    with serving(home, *OPTIONS) as server:
        yield Scene(home, keys, server, file, job.id, second.id)


@pytest.fixture
def client(scene: Scene) -> openai.OpenAI:
    return scene.client()


def test_the_tuned_model_answers_as_soon_as_its_job_has_succeeded(scene: Scene, client: openai.OpenAI) -> None:
    job = ended(client, scene.job)
    assert (job.status, job.error, job.fine_tuned_model) == ("succeeded", None, f"{BASE}-mine")
    asked: Any = [{"role": "user", "content": "the red cat sleeps 0"}]
    assert client.chat.completions.create(model=f"{BASE}-mine", messages=asked, max_tokens=4).choices[0].message.content
    assert f"{BASE}-mine" in [model.id for model in client.models.list()]
    versions = Registry.open({"GLASSWORKS_HOME": str(scene.home)}).versions(f"{BASE}-mine")
    assert [version.version for version in versions] == [1]
    assert (job.method.type, job.hyperparameters.n_epochs, job.seed, job.metadata) == (
        "supervised", EPOCHS, 7, {"of": "me"},
    )  # fmt: skip
    assert job.finished_at >= job.created_at


def test_what_was_learned_is_told_and_counted_once(scene: Scene, client: openai.OpenAI) -> None:
    job = ended(client, scene.job)
    rows = client.files.content(job.result_files[0]).text.splitlines()
    assert rows[0].startswith("step,train_loss,valid_loss")
    (checkpoint,) = client.fine_tuning.jobs.checkpoints.list(job.id)
    assert checkpoint.fine_tuned_model_checkpoint == job.fine_tuned_model
    losses = {float(row.split(",")[0]): row.split(",")[2] for row in rows[1:] if row.split(",")[2]}
    assert len(losses) == EPOCHS
    assert checkpoint.metrics.valid_loss == min(map(float, losses.values())) == float(losses[checkpoint.step_number])
    assert [each.id for each in client.files.list(purpose="fine-tune-results")] == job.result_files
    totals = Ledger(scene.home, Clock()).totals(key=scene.keys.one)
    used = [(each.model, each.tokens, each.requests) for each in totals if each.verb == "fine_tuning"]
    assert used == [(job.fine_tuned_model, job.trained_tokens, 1)]
    assert job.trained_tokens % EPOCHS == 0


def test_events_are_read_page_by_page_the_last_first(scene: Scene, client: openai.OpenAI) -> None:
    ended(client, scene.job)
    events = list(client.fine_tuning.jobs.list_events(scene.job, limit=3))
    numbers = [int(event.id.removeprefix("ftevent-")) for event in events]
    assert numbers == sorted(set(numbers), reverse=True)
    assert (events[0].message, events[-1].message) == ("The job has succeeded", "The job waits for a worker")
    metrics: Any = [event.data for event in events if event.type == "metrics"]
    assert metrics
    assert all({"step", "train_loss"} <= each.keys() for each in metrics)
    assert str(scene.home) not in "".join(event.message for event in events)


def test_a_wrong_line_fails_the_job_and_is_named(scene: Scene, client: openai.OpenAI) -> None:
    job = ended(client, scene.broken)
    assert (job.status, job.fine_tuned_model, job.result_files) == ("failed", None, [])
    assert (job.error.code, job.error.param) == ("invalid_training_file", "training_file")
    assert "2 of 40 conversations cannot be used: line 5: " in job.error.message
    assert "; line 10: no message is the assistant's to learn" in job.error.message


def test_jobs_wait_go_on_and_end_as_they_are_asked(scene: Scene, client: openai.OpenAI, lines: bytes) -> None:
    jobs, home = client.fine_tuning.jobs, scene.home
    runs = Runs(Registry.open({"GLASSWORKS_HOME": str(home)}))
    made = jobs.create(model=BASE, training_file=sent(client, lines), validation_file=sent(client, lines[:4000]))
    assert jobs.pause(made.id).to_dict()["status"] == "paused"  # the types of the client have no such status
    refused(lambda: jobs.pause(made.id), "is paused")
    until(lambda: runs.get(made.id.removeprefix("ftjob-")).state == "cancelled", "the stop of its run")
    assert jobs.retrieve(made.id).to_dict()["status"] == "paused"
    assert jobs.resume(made.id).to_dict()["status"] != "paused"
    with contextlib.suppress(openai.BadRequestError):  # it may have ended, however long this process waits here
        assert jobs.cancel(made.id).status == "cancelled"
    ended(client, made.id)
    refused(lambda: jobs.cancel(made.id), f"the job '{made.id}' is ")
    ended(client, scene.job)
    refused(lambda: jobs.resume(scene.job), "is succeeded")
    assert [job.id for job in jobs.list(limit=1)] == [made.id, scene.broken, scene.job]
    assert [job.id for job in jobs.list(metadata={"of": "me"})] == [scene.job]
    assert list(jobs.list(metadata={"of": ""})) == []


def refused(ask: Callable[[], object], said: str, error: type[openai.APIStatusError] = openai.BadRequestError) -> Any:
    with pytest.raises(error) as caught:
        ask()
    assert said in caught.value.message
    return caught.value


def test_others_see_nothing_of_a_job(scene: Scene) -> None:
    stranger, asker = scene.client("other").fine_tuning.jobs, scene.client("asker").fine_tuning.jobs
    asks: list[Callable[[str], object]] = [
        stranger.retrieve, stranger.cancel, stranger.pause, stranger.resume, stranger.list_events,
        stranger.checkpoints.list,
    ]  # fmt: skip
    for job in (scene.job, "ftjob-1", scene.job.removeprefix("ftjob-"), "ftjob-../../" + scene.job):
        for ask in asks:
            refused(lambda ask=ask, job=job: ask(job), "", openai.NotFoundError)  # type: ignore[misc]
    assert list(stranger.list()) == []
    refused(lambda: asker.create(model=BASE, training_file="file-1"), "role 'operator'", openai.PermissionDeniedError)
    refused(lambda: asker.list(), "role 'viewer'", openai.PermissionDeniedError)


def test_what_is_wrong_with_a_request_is_named(scene: Scene, client: openai.OpenAI, lines: bytes) -> None:
    good, foreign = sent(client, lines), sent(scene.client("other"), lines)
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"training_file": foreign}, "training_file", f"there is no file '{foreign}'"),
        ({"training_file": "../../etc/passwd"}, "training_file", "there is no file"),
        ({"training_file": scene.file}, "training_file", "there is no file"),
        ({"training_file": sent(client, b"")}, "training_file", "is empty"),
        ({"training_file": sent(client, lines, "evals")}, "training_file", "has the purpose 'evals'"),
        ({"validation_file": good}, "validation_file", "nothing would be held out"),
        ({"model": "nothing"}, "model", "nothing"),
        ({"model": "gguf:/etc/passwd"}, "model", "gguf:/etc/passwd"),
        ({"model": "tiny-convnet"}, "model", "is for image-classification, and writes no text"),
        ({"suffix": "a b"}, "suffix", "at most 40 letters"),
        ({"hyperparameters": {"n_epochs": 10**9}}, "hyperparameters.n_epochs", "from 1 to 100, or auto"),
        ({"hyperparameters": {"learning_rate_multiplier": 0}}, "hyperparameters.learning_rate_multiplier", "above 0"),
        ({"method": {"type": "reinforcement"}}, "method.type", "give supervised or dpo"),
        ({"metadata": {"k": "v" * 513}}, "metadata", "at most 512 characters"),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}, "integrations", "is not supported"),
        ({"extra_body": {"n_epochs": 3}}, "n_epochs", "is not supported"),
    ]
    for given, param, said in wrong:
        asked: dict[str, Any] = {"model": BASE, "training_file": good, **given}
        error = refused(lambda asked=asked: client.fine_tuning.jobs.create(**asked), said)  # type: ignore[misc]
        assert error.param == param
