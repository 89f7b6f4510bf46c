"""Which of two answers is preferred: read from each form, scored as transformers scores it, learned, and measured."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Progress
from glassworks.data.conversations.keys import ConversationData
from glassworks.errors import ConfigError, DataError
from glassworks.families._language.synthetic import write_model, write_preferences
from glassworks.families.tuned_language_model import TunedLanguageModel
from glassworks.families.tuned_language_model.conversations import Reading, prepare, read
from glassworks.families.tuned_language_model.network import Tuned, decoder_of
from glassworks.families.tuned_language_model.objective import Course
from glassworks.families.tuned_language_model.packing import packed
from glassworks.families.tuned_language_model.preferences import REFERENCE, Preferences
from glassworks.families.tuned_language_model.training import train
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.importing import Brought, bring, write
from glassworks.language.session import INPUT, MARGIN, LanguageSession

WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "lagoon")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("published")
    write_model(made / "model", seed=0)
    write_preferences(made / "preferences.jsonl", examples=60, seed=0)
    return made


@pytest.fixture(scope="module")
def brought(folder: Path) -> Brought:
    return bring(folder / "model", "folder:model")


@pytest.fixture(scope="module")
def reading(brought: Brought) -> Reading:
    return Reading.of(brought)


@pytest.fixture(scope="module")
def job(folder: Path) -> Job:
    return Job(
        name="tuned",
        family="tuned_language_model",
        data=ConversationData(source=f"jsonl:{folder / 'preferences.jsonl'}"),
        model={"source": f"folder:{folder / 'model'}", "tuning": "dpo", "rank": 4, "answers_shown": 1},
        training=TrainingConfig(epochs=3, learning_rate=1e-2, threads=1),
    )


def message(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def opened(number: int) -> dict[str, Any]:
    """OpenAI's form, with an earlier turn of the assistant."""
    earlier = [message("user", "Hello"), message("assistant", "Good day")]
    return {
        "input": {"messages": [*earlier, message("user", f"{WORDS[number]}?")]},
        "preferred_output": [message("assistant", f"Yes {number}")],
        "non_preferred_output": [message("assistant", f"No {number}")],
    }


def columns(number: int) -> dict[str, Any]:
    return {"prompt": f"{WORDS[number]}?", "chosen": f"Yes {number}", "rejected": f"No {number}"}


def whole(number: int) -> dict[str, Any]:
    """Each answer with the whole conversation before it, and the question once more, as data sets have it."""
    asked = message("user", f"{WORDS[number]}?")
    answers = {"chosen": f"Yes {number}", "rejected": f"No {number}"}
    return {"prompt": asked["content"]} | {key: [asked, message("assistant", text)] for key, text in answers.items()}


def listed(number: int) -> dict[str, Any]:
    row = columns(number)
    return {
        "prompt": [message("user", row["prompt"])],
        "chosen": [message("assistant", row["chosen"])],
        "rejected": message("assistant", row["rejected"]),
    }


def source(folder: Path, rows: Sequence[Mapping[str, Any]]) -> ConversationData:
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return ConversationData(source=f"jsonl:{folder / 'rows.jsonl'}")


@pytest.mark.parametrize("form", [opened, columns, whole, listed])
def test_each_form_says_question_and_both_answers(reading: Reading, tmp_path: Path, form: Any) -> None:
    dataset = prepare(source(tmp_path, [form(number) for number in range(12)]), reading, "preferences")
    items = [item for split in dataset.splits.values() for item in split.x.tolist()]
    assert len(items) == 12
    for item in items:
        found = json.loads(item)
        number = int(found["messages"][-1]["content"].removeprefix("Yes "))
        assert found["messages"][-2]["content"] == f"{WORDS[number]}?"
        assert found["rejected"] == [message("assistant", f"No {number}")]
        preferred, rejected = reading.pair(item)
        assert [
            reading.tokenizer.decode(each.ids[each.learned].tolist()).removesuffix("<|im_end|>")
            for each in (preferred, rejected)
        ] == [f"Yes {number}", f"No {number}"]


def test_a_table_of_pandas_with_columns_of_its_own(reading: Reading, tmp_path: Path) -> None:
    rows = [f'{word}?,"[""yes"", {number}]",no {number}' for number, word in enumerate(WORDS)]
    (tmp_path / "rows.csv").write_text("\n".join(["Question,better,worse", *rows, "x?,NaN,no"]), encoding="utf-8")
    named = {"prompt": "question", "preferred": "better", "rejected": "worse"}
    data = ConversationData.model_validate({"source": f"csv:{tmp_path / 'rows.csv'}", **named})
    dataset = prepare(data, reading, "preferences")
    assert dataset.examples == 12
    assert "1 conversations are left out: row 13: 'better' is empty" in " ".join(dataset.findings)
    assert '["yes", ' in json.loads(dataset.splits["train"].x[0])["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({**columns(0), "chosen": ""}, "'chosen' is empty"),
        ({**columns(0), "rejected": "Yes 0"}, "both answers are the same"),
        ({"chosen": "a", "rejected": "b"}, "it has no question: neither 'input' nor 'prompt'"),
        ({**opened(0), "input": {"messages": "hello"}}, "'input.messages' is 'hello', which is no list of messages"),
        ({**opened(0), "preferred_output": []}, "'preferred_output' is empty"),
        ({**opened(0), "preferred_output": [message("user", "a")]}, "is not one message of the assistant"),
        ({**whole(0), "rejected": whole(1)["rejected"]}, "are different before their last message"),
        ({**columns(0), "rejected": "No! " * 200}, "it has [0-9,]+ tokens, the context holds 512"),
        ({"text": "a"}, "it has no preferred and rejected answer; it has text"),
    ],
)
def test_a_bad_preference_is_left_out_by_number_and_reason(
    reading: Reading, tmp_path: Path, row: Any, why: str
) -> None:
    dataset = prepare(source(tmp_path, [*map(columns, range(12)), row]), reading, "preferences")
    assert dataset.examples == 12
    (finding,) = dataset.findings
    assert re.search(f"1 conversations are left out: line 13: .*{why}", finding), finding


def test_the_form_of_the_other_tuning_is_refused(reading: Reading, tmp_path: Path) -> None:
    conversations = [{"messages": [message("user", f"{word}?"), message("assistant", word)]} for word in WORDS]
    with pytest.raises(DataError, match="line 1: it has one answer") as refused:
        prepare(source(tmp_path, conversations), reading, "preferences")
    assert "take model.tuning away" in refused.value.mend
    for form, other in ((opened, ""), (columns, 'data.answer = "chosen"')):
        with pytest.raises(DataError, match="line 1: it has a preferred and a rejected answer") as refused:
            prepare(source(tmp_path, [form(number) for number in range(12)]), reading)
        assert 'model.tuning = "dpo"' in refused.value.mend and other in refused.value.mend
    alone = source(tmp_path, [*map(columns, range(12))]).model_copy(update={"answer": "chosen"})
    assert prepare(alone, reading).examples == 12  # what the mend says


def test_beta_is_of_preferences_alone(job: Job) -> None:
    with pytest.raises(ConfigError, match=r"'model.beta' is 0\.2"):
        TunedLanguageModel().settings(job.model_copy(update={"model": {"source": "folder:x", "beta": 0.2}}))


def course(job: Job, reading: Reading, folder: Path, progress: Progress | None = None) -> Course:
    config = TunedLanguageModel().settings(job)
    data = prepare(ConversationData.of(job), reading, "preferences")
    return Course(
        job=job, config=config, folder=folder, progress=progress or Progress(), started=0.0, reading=reading,
        dataset=data,
    )  # fmt: skip


def test_the_loss_is_that_of_the_paper_by_the_log_probabilities_of_transformers(
    brought: Brought, reading: Reading, job: Job, folder: Path, tmp_path: Path
) -> None:
    """Packed with one copy of the question, against each whole answer alone in two networks."""
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    reference = auto.from_pretrained(folder / "model", dtype=torch.float32)
    job = job.model_copy(update={"model": {**job.model, "preferred_weight": 0.5}})
    learner = Preferences(course(job, reading, tmp_path))
    network = Tuned(decoder_of(brought))
    learner.begin(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.02)
    rows = [3, 0, 8, 5]
    pairs = [reading.pair(learner.course.items("train")[row]) for row in rows]

    def said(model: Any) -> Any:
        found = []
        for example in (each for pair in pairs for each in pair):
            ids = torch.from_numpy(example.ids)
            logits = model(ids[None]).logits[0, :-1].log_softmax(1)
            each = logits.gather(1, ids[1:, None])[:, 0]
            found.append(each[torch.from_numpy(example.learned[1:])].sum())
        return torch.stack(found).view(-1, 2)

    with torch.inference_mode():
        moved = said(network.decoder) - said(reference)
        lengths = torch.tensor([int(preferred.learned[1:].sum()) for preferred, _ in pairs])
        own = -(said(network.decoder)[:, 0] / lengths).mean()
        expected = -torch.nn.functional.logsigmoid(0.1 * (moved[:, 0] - moved[:, 1])).mean() + 0.5 * own
        assert len(list(packed(pairs, 512))) == 1
        assert float(sum(part() for part in learner.parts(network, rows))) == pytest.approx(float(expected), rel=1e-4)
    assert abs(float(expected) - 0.5 * float(own) - np.log(2)) > 1e-3


def test_a_planted_preference_is_learned_and_measured_on_what_is_served(
    brought: Brought, reading: Reading, job: Job, tmp_path: Path
) -> None:
    data = prepare(ConversationData.of(job), reading, "preferences")
    config = TunedLanguageModel().settings(job)
    model = train(data, job, brought, config, tmp_path, Progress(), 0.0)
    assert model.comparison["before tuning"]["preference_accuracy"].value < 0.5
    assert model.history[-1]["reward_accuracy"] == 1.0
    (tmp_path / "written").mkdir()
    write(replace(model.network, settings=brought.settings), tmp_path / "written")
    session = LanguageSession(tmp_path / "written", tmp_path / "written", EngineSettings(cache_tokens=2048, threads=1))
    session.conversations = True
    items = [each.encode() for each in data.splits["test"].x.tolist()]
    plain = json.dumps({"messages": [message("user", "a"), message("assistant", "b")], "tools": []}).encode()
    margins = np.asarray(session.run({INPUT: np.array([*items, plain], object)}, [MARGIN])[MARGIN], np.float64)
    session.close()
    assert (margins[:-1] > 0).all() and np.isnan(margins[-1])
    network = Tuned(decoder_of(model.network))
    expected = Preferences(course(job, reading, tmp_path)).outputs(network, "test")[MARGIN]
    # The served graph has its weights in float16.
    np.testing.assert_allclose(margins[:-1], expected, rtol=5e-3, atol=2e-2)


class Killed(Exception):
    pass


class Killing(Progress):
    """Ends in the middle of a stage, without a word to anybody: at its update of that number."""

    def __init__(self, stage: str, update: int) -> None:
        super().__init__()
        self.wanted, self.left, self.stage = stage, update, ""

    def start(self, stage: str, total: int | None = None) -> None:
        super().start(stage, total)
        self.stage = stage

    def update(self, **values: float | str) -> None:
        super().update(**values)
        self.left -= self.stage == self.wanted
        if self.left < 0:
            raise Killed


def test_a_run_that_is_killed_ends_with_the_same_weights(
    brought: Brought, reading: Reading, job: Job, tmp_path: Path
) -> None:
    """Killed as the model before tuning is asked, and in its training."""
    data = prepare(ConversationData.of(job), reading, "preferences")
    often = job.training.model_copy(update={"checkpoint_every": 1e-3, "epochs": 2})
    job = job.model_copy(update={"training": often})
    config = TunedLanguageModel().settings(job)
    digests = []
    for name, stages in (("whole", ()), ("killed", (("reference", 7), ("train", 1)))):
        (tmp_path / name).mkdir()
        for stage in stages:
            with pytest.raises(Killed):
                train(data, job, brought, config, tmp_path / name, Killing(*stage), 0.0)
        assert not stages or len(np.load(tmp_path / name / REFERENCE)) == len(data.splits["train"].x) + 9
        model = train(data, job, brought, config, tmp_path / name, Progress(), 0.0)
        assert model.resumed == bool(stages)
        digests.append(model.weights_sha256)
    assert digests[0] == digests[1]


def test_other_data_are_measured_by_their_own_form(folder: Path, tmp_path: Path) -> None:
    """A table of preferences for a model that learned from right answers, and the other way about."""
    columns_of_job = {"columns": {"messages": "messages", "prompt": "prompt"}}
    found = read(f"jsonl:{folder / 'preferences.jsonl'}", columns_of_job)
    assert all("rejected" in json.loads(item) for item in found.x.tolist())
    rows = [{"prompt": f"{word}?", "completion": word} for word in WORDS]
    found = read(source(tmp_path, rows).source, columns_of_job)
    assert len(found) == 12 and not any("rejected" in json.loads(item) for item in found.x.tolist())
