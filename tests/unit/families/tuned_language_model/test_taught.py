"""A served model teaches: it writes what data lack, is asked once, and its probabilities are learned and labels too."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassworks import flow
from glassworks.config import Job, TrainingConfig
from glassworks.contracts import Chunk, Dataset, Progress, Session, Teacher
from glassworks.data.conversations.keys import ConversationData
from glassworks.data.text.dataset import prepare_job
from glassworks.data.text.keys import TextData
from glassworks.errors import ConfigError, DataError
from glassworks.families._language.synthetic import write_model
from glassworks.families.tuned_language_model import TunedLanguageModel
from glassworks.families.tuned_language_model.conversations import Reading, prepare
from glassworks.families.tuned_language_model.distilled import divergence
from glassworks.families.tuned_language_model.network import Tuned, decoder_of
from glassworks.families.tuned_language_model.settings import TunedLanguageModelConfig
from glassworks.families.tuned_language_model.teaching import read_probabilities, taught
from glassworks.job_files import stored_job
from glassworks.language.importing import Brought, bring
from glassworks.language.session import INPUT, LOG_LIKELIHOOD, OUTPUT, signature
from glassworks.packaging.kept_answers import KeptAnswers, PackagedTeacher
from glassworks.packaging.labelling import label_probabilities
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.references import taught_by_registry
from glassworks.registry import Registry

WORDS = ("red", "cat", "sun", "bird", "tree", "moon", "fish", "stone")
QUESTIONS = [f"{one} {other}" for one in WORDS for other in WORDS if one != other]
WITHOUT_TOKENS = TunedLanguageModelConfig(source="folder:x", teacher_tokens=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("published")
    write_model(made / "model", seed=0)
    rows = [{"prompt": each, "completion": each.split()[0]} for each in QUESTIONS]
    for name, keys in (("answered", ("prompt", "completion")), ("asked", ("prompt",))):
        lines = (json.dumps({key: row[key] for key in keys}) for row in rows)
        (made / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def brought(folder: Path) -> Brought:
    return bring(folder / "model", "folder:model")


def job(folder: Path, name: str, data: str, teacher: str = "") -> Job:
    return Job(
        name=name,
        family="tuned_language_model",
        data=ConversationData(source=f"jsonl:{folder / data}.jsonl"),
        model={"source": f"folder:{folder / 'model'}", "method": "full", "max_tokens": 24, "answers_shown": 0},
        training=TrainingConfig(epochs=6, learning_rate=5e-3, threads=1, teacher=teacher),
    )


class Writing(Session):
    """Writes what `said` gives for a question: its text, and why it ended."""

    def __init__(self, said: Callable[[str], tuple[str, str]]) -> None:
        self.signature, self.said, self.asked = signature(), said, list[str]()

    def run(self, tensors: Any, outputs: Sequence[str] | None = None) -> Any:
        raise AssertionError("it is asked for answers alone")

    def stream(self, tensors: Any, parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        question = parameters["messages"][-1]["content"]
        self.asked.append(question)
        text, reason = self.said(question)
        for part in (text[:2], text[2:]):
            row = np.empty(1, object)
            row[0] = part.encode()
            yield Chunk(outputs={OUTPUT: row})
        yield Chunk(outputs={}, finish_reason=reason)


class Writer(Teacher):
    """Keeps what it said as those of the registry do."""

    def __init__(self, said: Callable[[str], tuple[str, str]], kept: Path) -> None:
        self.reference, self.folder = "writer", kept
        self.preprocessing = {"max_tokens": 16, "streams": 1, "chat_template": "", "context": 512}
        self.writing, self._kept = Writing(said), KeptAnswers(kept, "writer")

    @property
    def session(self) -> Session:
        return self.writing

    def once(self, asked: Any, answer: Callable[[], Any]) -> Any:
        return self._kept.get(asked, answer)


def questions(folder: Path, brought: Brought, name: str = "asked") -> Dataset:
    data = ConversationData(source=f"jsonl:{folder / name}.jsonl")
    return prepare(data, Reading.of(brought), "questions")


def answers(dataset: Dataset, part: str) -> dict[str, str]:
    found = [json.loads(item)["messages"] for item in dataset.splits[part].x.tolist()]
    return {messages[0]["content"]: messages[-1]["content"] for messages in found}


def test_what_is_cut_off_or_empty_is_thrown_out_and_nothing_is_asked_twice(
    folder: Path, brought: Brought, tmp_path: Path
) -> None:
    dataset = questions(folder, brought)
    failing = iter(range(20))

    def said(question: str) -> tuple[str, str]:
        if next(failing, None) is None:
            raise KeyboardInterrupt
        return plain(question)

    def plain(question: str) -> tuple[str, str]:
        if question.startswith("red"):
            return "a beginning of", "length"
        return ("  ", "stop") if question.startswith("cat") else (f"{question}好", "stop")

    first = Writer(said, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        taught(dataset, first, brought, WITHOUT_TOKENS, Progress())
    second = Writer(plain, tmp_path)
    found = taught(dataset, second, brought, WITHOUT_TOKENS, Progress())
    assert sorted([*first.writing.asked[:20], *second.writing.asked]) == sorted(QUESTIONS)
    kept = {question: answer for part in found.splits for question, answer in answers(found, part).items()}
    assert kept == {each: f"{each}好" for each in QUESTIONS if not each.startswith(("red", "cat"))}
    notes = " ".join(found.findings)
    assert "writer wrote 42 answers" in notes and "14 of its answers are thrown out" in notes
    assert "it was cut off by its length (7)" in notes and "it is empty (7)" in notes
    assert "the test split's answers are the teacher's too" in notes


def test_a_teacher_whose_answers_are_mostly_cut_off_is_refused(folder: Path, brought: Brought, tmp_path: Path) -> None:
    writer = Writer(lambda question: ("a beginning of", "length"), tmp_path)
    with pytest.raises(DataError, match="56 of 56 answers of writer cannot be learned: it was cut off by its length"):
        taught(questions(folder, brought), writer, brought, WITHOUT_TOKENS, Progress())


def test_it_writes_what_is_missing_or_all_but_the_test_split(folder: Path, brought: Brought, tmp_path: Path) -> None:
    dataset = questions(folder, brought, "answered")
    writer = Writer(lambda question: (f"{question}!", "stop"), tmp_path)
    assert taught(dataset, writer, brought, WITHOUT_TOKENS, Progress()).splits["train"].x.tolist() == (
        dataset.splits["train"].x.tolist()
    )
    assert not writer.writing.asked
    every = WITHOUT_TOKENS.model_copy(update={"teacher_answers": "all"})
    found = taught(dataset, writer, brought, every, Progress())
    for part in ("train", "validation"):
        assert answers(found, part) == {each: f"{each}!" for each in answers(dataset, part)}
    assert answers(found, "test") == answers(dataset, "test")
    assert found.fingerprint != dataset.fingerprint


def test_the_divergence_is_that_of_kullback_and_leibler() -> None:
    generator = torch.Generator().manual_seed(0)
    scores, theirs = torch.randn(5, 30, generator=generator), torch.randn(5, 30, generator=generator).log_softmax(1)
    top = theirs.topk(20, 1)
    tops = np.zeros(5, [("token", "<i4", 20), ("probability", "<f4", 20)])
    tops["token"], tops["probability"] = top.indices.numpy(), top.values.numpy()
    student = scores.log_softmax(1)
    joined = [
        torch.cat([each.gather(1, top.indices).exp(), 1 - each.gather(1, top.indices).exp().sum(1, keepdim=True)], 1)
        for each in (theirs, student)
    ]
    expected = torch.nn.functional.kl_div(joined[1].log(), joined[0], reduction="sum")
    assert float(divergence(scores, tops)) == pytest.approx(float(expected), rel=1e-5)
    assert float(expected) <= float(torch.nn.functional.kl_div(student, theirs, reduction="sum", log_target=True))
    assert float(divergence(theirs, tops)) == pytest.approx(0, abs=1e-5)
    tops["probability"] = -np.inf
    assert float(divergence(scores, tops)) == 0


def test_preferences_take_no_teacher(folder: Path) -> None:
    wrong = job(folder, "wrong", "asked", "writer")
    wrong = wrong.model_copy(update={"model": {**wrong.model, "tuning": "dpo"}})
    with pytest.raises(ConfigError, match=r"'training\.teacher' is 'writer'"):
        TunedLanguageModel().settings(wrong)


def test_a_registered_model_teaches_a_student_and_a_classifier(folder: Path, brought: Brought, tmp_path: Path) -> None:
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path)})
    teacher = flow.train(job(folder, "teacher", "answered"), registry)
    student = flow.train(job(folder, "student", "asked", "teacher"), registry)
    assert stored_job(student.bundle.manifest.job, where="here").training.teacher == "teacher@1"
    measured = flow.evaluate("student", registry).metrics["perplexity"].value
    assert measured == pytest.approx(student.bundle.manifest.metrics["perplexity"].value)
    opened = OpenedBundle(teacher.bundle, limited=False)
    packaged = PackagedTeacher(opened, "teacher", tmp_path / "answers")
    written = student.dataset.splits["train"].x.tolist()
    reading, network = Reading.of(brought), Tuned(decoder_of(teacher.model.network))
    (example,), (tops,) = reading.examples(written[0]), read_probabilities(written[0])
    with torch.inference_mode():
        logits = network.decoder(torch.from_numpy(example.ids)[None]).logits[0, :-1].log_softmax(1)
    expected = logits[torch.from_numpy(example.learned[1:])].gather(1, torch.from_numpy(tops["token"].astype(int)))
    # The served graph has its weights in float16.
    np.testing.assert_allclose(tops["probability"], expected.numpy(), atol=2e-2)

    _labels_are_as_probable_as_their_texts(opened, packaged)
    path = tmp_path / "texts.csv"
    rows = [f"{one} {other} {n},{one}" for one in WORDS[:2] for other in WORDS for n in range(3)]
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    classifier = Job(
        name="classifier",
        family="recurrent_text",
        data=TextData(source=f"csv:{path}"),
        training=TrainingConfig(teacher="teacher"),
    )
    pinned, dataset = taught_by_registry(classifier, prepare_job(classifier), registry, Silent())
    assert pinned.training.teacher == "teacher@1"
    assert dataset.classes == ("cat", "red")
    soft = dataset.splits["train"].soft
    assert soft is not None and soft.shape == (len(dataset.splits["train"]), 2)
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-5)
    assert any("may have seen texts" in each for each in dataset.findings)


def _labels_are_as_probable_as_their_texts(opened: OpenedBundle, teacher: PackagedTeacher) -> None:
    texts = np.array(["red cat", "sun moon"], object)
    found = label_probabilities(teacher, ("red", "stone"), Progress())(texts)
    pairs = [(text, label) for text in texts.tolist() for label in ("red", "stone")]
    turns = [[{"role": "user", "content": text}, {"role": "assistant", "content": label}] for text, label in pairs]
    items = [json.dumps({"messages": each, "tools": []}) for each in turns]
    rows = np.array([item.encode() for item in items], object)
    said = np.exp(opened.session("predict").run({INPUT: rows}, [LOG_LIKELIHOOD])[LOG_LIKELIHOOD][:, 0].reshape(2, 2))
    np.testing.assert_allclose(found, said / said.sum(axis=1, keepdims=True), rtol=1e-4)
    opened.close()
    again = label_probabilities(teacher, ("red", "stone"), Progress())(texts)  # kept: nothing is opened again
    assert np.array_equal(again, found)
