"""What a served model teaches: answers that it writes, and how probable it finds each of their tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from glassworks.data.conversations.collection import read_again
from glassworks.errors import DataError, InputError
from glassworks.families.tuned_language_model.conversations import Reading, as_split, has_answer
from glassworks.families.tuned_language_model.settings import TunedLanguageModelConfig
from glassworks.language.parameters import MOST_ALTERNATIVES
from glassworks.language.session import INPUT, OUTPUT, PROMPT_LOGPROBS
from glassworks.language.settings import TOKENIZER

if TYPE_CHECKING:
    from glassworks.contracts import Dataset, Progress, Teacher
    from glassworks.language.examples import Example
    from glassworks.language.importing import Brought

TEACHER = "teacher"
"""The key of an item that holds probabilities: of each of its examples those of `read_probabilities`, as text."""
_FEWEST, _NAMED = 10, 3
_SAME = ("model", "pre_tokenizer", "normalizer", "added_tokens")
"""What of two tokenizers must be equal for their ids to mean the same."""

Answered = tuple[str, str]
"""A text, and why it was thrown out; one of them is empty."""


def taught(
    dataset: Dataset, teacher: Teacher, brought: Brought, config: TunedLanguageModelConfig, progress: Progress
) -> Dataset:
    """The data with the teacher's answers and, in the training split, its probabilities. What it did not write to the
    end is thrown out, never shortened. Raises DataError where too little is left to learn from.
    """
    reading = Reading.of(brought)
    asked = {name: _asked(split.x.tolist(), config, name) for name, split in dataset.splits.items()}
    count = sum(map(len, asked.values()))
    progress.start("teacher", count)
    splits, thrown = dict[str, list[str]](), Counter[str]()
    for name, split in dataset.splits.items():
        splits[name], reasons = _answered(split.x.tolist(), asked[name], teacher, reading, progress)
        thrown.update(reasons)
    _require_enough(splits, count, thrown, teacher)
    notes = _notes(asked, thrown, teacher)
    if config.teacher_tokens:
        splits["train"], note = _with_probabilities(splits["train"], teacher, brought, reading, progress)
        notes = (*notes, note)
    progress.finish(f"{count - thrown.total():,} answers by {teacher.reference}")
    return _as_dataset(dataset, splits, notes)


def _as_dataset(dataset: Dataset, splits: Mapping[str, Sequence[str]], notes: tuple[str, ...]) -> Dataset:
    whole = "\0".join([dataset.fingerprint, *(item for each in splits.values() for item in each)])
    return replace(
        dataset,
        fingerprint=hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest(),
        splits={name: as_split(items) for name, items in splits.items()},
        findings=(*dataset.findings, *notes),
    )


def _asked(items: Sequence[str], config: TunedLanguageModelConfig, part: str) -> list[int]:
    """Which of a split's conversations the teacher answers: what is known of the test split stays."""
    every = config.teacher_answers == "all" and part != "test"
    return [row for row, item in enumerate(items) if every or not has_answer(read_again(item)[0])]


def _answered(
    items: Sequence[str], rows: Sequence[int], teacher: Teacher, reading: Reading, progress: Progress
) -> tuple[list[str], list[str]]:
    """The items of a split with their answers, and why others are not among them."""
    found: dict[int, str] = dict(enumerate(items))
    reasons = []
    with ThreadPoolExecutor(int(teacher.preprocessing.get("streams", 1)), "teacher") as pool:
        try:
            for row, (text, why) in zip(rows, pool.map(lambda row: _written(items[row], teacher), rows), strict=True):
                progress.update(step=row)
                item, why = _item(items[row], text, reading) if not why else ("", why)
                if why:
                    reasons.append(why)
                    del found[row]
                else:
                    found[row] = item
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [found[row] for row in sorted(found)], reasons


def _item(item: str, text: str, reading: Reading) -> tuple[str, str]:
    """A conversation with its answer, or why it cannot be learned."""
    messages, tools = read_again(item)
    whole = [*_question(messages), {"role": "assistant", "content": text}]
    try:
        reading.check(whole, tools)
    except InputError as error:
        return "", error.problem[:100]
    return json.dumps({"messages": whole, "tools": tools}, ensure_ascii=False), ""


def _question(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return messages[:-1] if has_answer(messages) else messages


def _written(item: str, teacher: Teacher) -> Answered:
    messages, tools = read_again(item)
    asked = {"messages": _question(messages), **({"tools": tools} if tools else {})}
    most = int(teacher.preprocessing["max_tokens"])

    def answer() -> Answered:
        parts, reason = list[bytes](), ""
        try:
            for chunk in teacher.session.stream(_row(), {**asked, "temperature": 0.0}):
                parts += chunk.outputs[OUTPUT].tolist() if OUTPUT in chunk.outputs else []
                reason = chunk.finish_reason or reason
        except InputError as error:
            return "", error.problem[:100]
        text = b"".join(parts).decode("utf-8", "replace")
        if reason != "stop":
            return "", "it was cut off by its length" if reason == "length" else f"it ended by {reason or 'nothing'}"
        return (text, "") if text.strip() else ("", "it is empty")

    text, why = teacher.once(["answer", asked, most], answer)
    return str(text), str(why)


def _require_enough(splits: Mapping[str, Sequence[str]], count: int, thrown: Counter[str], teacher: Teacher) -> None:
    if all(splits.values()) and sum(map(len, splits.values())) >= _FEWEST and thrown.total() <= count / 2:
        return
    why = "; ".join(f"{reason} ({number:,})" for reason, number in thrown.most_common(2)) or "nothing is left"
    raise DataError(
        f"{thrown.total():,} of {count:,} answers of {teacher.reference} cannot be learned: {why[:200]}",
        "give shorter questions, or a teacher whose job has a larger model.max_tokens, or more that differ",
    )


def _notes(asked: Mapping[str, Sequence[int]], thrown: Counter[str], teacher: Teacher) -> tuple[str, ...]:
    count = sum(map(len, asked.values()))
    found = [f"{teacher.reference} wrote {count - thrown.total():,} answers"] if count else []
    if thrown:
        why = "; ".join(f"{reason} ({number:,})" for reason, number in thrown.most_common(_NAMED))
        found.append(f"{thrown.total():,} of its answers are thrown out: {why}")
    if asked["test"]:
        found.append("the test split's answers are the teacher's too: figures there say how well it is followed")
    return tuple(found)


def _with_probabilities(
    items: Sequence[str], teacher: Teacher, brought: Brought, reading: Reading, progress: Progress
) -> tuple[list[str], str]:
    """Items with the teacher's probabilities, and what people should know of them."""
    if not _same_tokens(teacher, brought):
        return list(items), (
            f"{teacher.reference} has other tokens or another chat template: its answers are learned, "
            "its probabilities of tokens are not"
        )
    found, mass = [], list[float]()
    progress.start("teacher_tokens", len(items))
    with ThreadPoolExecutor(2, "teacher") as pool:
        for row, (item, values) in enumerate(
            zip(items, pool.map(lambda item: _probabilities(reading.examples(item), teacher), items), strict=True)
        ):
            progress.update(step=row)
            mass += [float(np.exp(each["probability"]).sum(axis=1).mean()) for each in values if len(each)]
            kept = [base64.b64encode(each.tobytes()).decode() for each in values]
            found.append(json.dumps({**json.loads(item), TEACHER: kept}, ensure_ascii=False))
    return found, (
        f"{teacher.reference}'s {MOST_ALTERNATIVES} most probable tokens at each place are learned: they have "
        f"{np.mean(mass or [0]):.2%} of its probability, what is left counts as one"
    )


def _same_tokens(teacher: Teacher, brought: Brought) -> bool:
    theirs = json.loads(Tokenizer.from_file(str(teacher.folder / TOKENIZER)).to_str())
    ours = json.loads(brought.tokenizer.to_str())
    templates = {brought.settings.chat_template, teacher.preprocessing["chat_template"]}
    return len(templates) == 1 and all(theirs.get(key) == ours.get(key) for key in _SAME)


_TOP = np.dtype([("token", "<i4", MOST_ALTERNATIVES), ("probability", "<f4", MOST_ALTERNATIVES)])


def read_probabilities(item: str) -> list[NDArray[Any]]:
    """Of each example of an item, at each token that is learned, the teacher's most probable tokens and their
    log-probabilities: fields `token` and `probability` (A 20); none where it has none.
    """
    return [np.frombuffer(base64.b64decode(each), _TOP) for each in json.loads(item).get(TEACHER, ())]


def _probabilities(examples: Sequence[Example], teacher: Teacher) -> list[NDArray[Any]]:
    found = []
    for example in examples:
        ids = example.ids.tolist()
        known = teacher.once(["tokens", ids, example.learned.tolist()], partial(_top_tokens, example, teacher))
        found.append(np.array([(tokens, values) for tokens, values in known], _TOP))
    return found


def _top_tokens(example: Example, teacher: Teacher) -> list[tuple[list[int], list[float]]]:
    """Nothing where the teacher's context has no room for the example."""
    if len(example) >= int(teacher.preprocessing["context"]):
        return []
    asked = {"prompt_ids": example.ids.tolist(), "prompt_logprobs": MOST_ALTERNATIVES, "max_tokens": 1}
    with closing(teacher.session.stream(_row(), asked)) as chunks:
        scored = next(chunk for chunk in chunks if PROMPT_LOGPROBS in chunk.outputs)
    entries = json.loads(scored.outputs[PROMPT_LOGPROBS].tolist()[0])
    found = zip(entries[1:], example.learned[1:].tolist(), strict=True)
    tops = [entry["top"] for entry, learned in found if learned]
    return [([each["id"] for each in top], [each["logprob"] for each in top]) for top in tops]


def _row() -> Mapping[str, NDArray[Any]]:
    row = np.empty(1, object)
    row[0] = b""
    return {INPUT: row}
