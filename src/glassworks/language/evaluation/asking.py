"""What a model answers, and how probable it finds what is known."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from glassworks.contracts import Choice, Opening, Progress
from glassworks.errors import InputError
from glassworks.language.answer import TEXT, objects
from glassworks.language.engine import Row
from glassworks.language.session import INPUT, LOG_LIKELIHOOD, MARGIN

if TYPE_CHECKING:
    from glassworks.language.evaluation.rows import Example
    from glassworks.language.session import LanguageSession

_MOST_AT_ONCE = 16
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, kw_only=True)
class Written:
    """An answer, and how many tokens it and its prompt have. `problem` is why there is none."""

    text: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = ""
    problem: str = ""


class Asking:
    """Asks an opened model. Thread-safe."""

    def __init__(self, opening: Opening, max_tokens: int) -> None:
        session: Any = opening.session.within()
        self._session: LanguageSession = session
        self._session.max_tokens = max_tokens
        self.at_once = max(1, min(_MOST_AT_ONCE, int(opening.preprocessing.get("streams") or 1)))

    def answer(self, example: Example, **parameters: Any) -> Written:
        """The most probable answer, token by token. What does not fit into the context has a problem."""
        asked = {**question(example), "temperature": 0.0, **parameters}
        parts, last = list[bytes](), None
        try:
            for chunk in self._session.stream({INPUT: objects([example.prompt.encode("utf-8", "replace")])}, asked):
                last = chunk
                parts += chunk.outputs[TEXT].tolist() if TEXT in chunk.outputs else []
        except InputError as error:
            return Written(problem=error.problem[:200])
        if last is None:
            return Written(problem="nothing was answered")
        return Written(
            text=b"".join(parts).decode("utf-8", "replace"),
            prompt_tokens=last.prompt_tokens,
            completion_tokens=last.completion_tokens,
            finish_reason=last.finish_reason,
        )

    def choices(self, example: Example) -> tuple[Choice, ...]:
        """How probable each is; what they have in common is computed once. Raises InputError for what does not fit into
        the context.
        """
        rows = [self._row(example, text) for text in example.choices]
        found = self._session.scorer().variants(rows[0].prompt).score(rows)
        return tuple(
            Choice(text=text, log_probability=float(values.sum()), tokens=len(values))
            for text, values in zip(example.choices, found, strict=True)
        )

    def continuation(self, example: Example, text: str) -> list[float]:
        """Log-probabilities of the tokens of a continuation. Raises InputError for what does not fit."""
        row = self._row(example, text)
        scores = self._session.scorer().score([*row.prompt, *row.answer])
        return [score.log_probability for score in scores[-len(row.answer) :]]

    def _row(self, example: Example, text: str) -> Row:
        """A continuation: the answer in a conversation, else what follows the prompt after a blank. Blanks at the end
        of a prompt belong to what follows, as in lm-eval.
        """
        if example.messages:
            before = self._session.prompt_ids(b"", question(example))
            after = self._session.tokenizer.encode(text)
        else:
            prompt = example.prompt.rstrip()
            between = example.prompt[len(prompt) :] or " "
            whole = self._session.prompt_ids(f"{prompt}{between}{text}", {})
            size = min(len(self._session.prompt_ids(prompt, {})), len(whole) - 1)
            before, after = whole[:size], whole[size:]
        if not before or not after:
            raise InputError("a prompt or an answer without tokens has no probability", "give texts that are not empty")
        if len(before) + len(after) > self._session.context:
            raise InputError(
                f"context_length_exceeded: {len(before) + len(after)} tokens do not fit into {self._session.context}",
                "give a shorter text",
            )
        return Row(prompt=before, answer=after)

    def likelihood(self, example: Example) -> tuple[float, int]:
        """The sum of log-probabilities of a text's tokens but the first, or of the answers in a conversation, and their
        count. Raises InputError.
        """
        text = _whole(example)
        self._session.conversations = bool(example.messages)
        ((total, count),) = self._session.run({INPUT: objects([text])}, [LOG_LIKELIHOOD])[LOG_LIKELIHOOD].tolist()
        return float(total), int(count)

    def margin(self, example: Example) -> float:
        """By how much the preferred answer is more probable than the rejected one: the difference of the sums of
        log-probabilities. Raises InputError.
        """
        self._session.conversations = True
        (found,) = self._session.run({INPUT: objects([_whole(example)])}, [MARGIN])[MARGIN].tolist()
        return float(found)

    def tokens(self, text: str) -> int:
        """Of a text."""
        return len(self._session.tokenizer.encode(text))


def question(example: Example) -> dict[str, Any]:
    """The parameters by which an example is asked for."""
    if not example.messages:
        return {}
    messages = example.messages[:-1] if example.messages[-1]["role"] == "assistant" else example.messages
    found: dict[str, Any] = {"messages": list(messages)}
    return {**found, "tools": list(example.tools)} if example.tools else found


def _whole(example: Example) -> str:
    """An example with its known answer, as sessions take it for its likelihood; a text alone as it is."""
    if not example.messages:
        return example.text
    messages: Sequence[Mapping[str, Any]] = example.messages
    if messages[-1]["role"] != "assistant":
        messages = [*messages, {"role": "assistant", "content": example.expected}]
    found: dict[str, Any] = {"messages": list(messages), "tools": list(example.tools)}
    return json.dumps({**found, **({"rejected": list(example.rejected)} if example.rejected else {})})


def in_order(
    items: Sequence[_T], work: Callable[[_T], _R], at_once: int, progress: Progress, stage: str
) -> Iterator[_R]:
    """Work of all items, several at once, in their order. Raises Cancelled."""
    progress.start(stage, len(items))
    begun = time.monotonic()
    with ThreadPoolExecutor(at_once, stage) as pool:
        futures = []
        try:
            waiting = iter(items)
            futures = [pool.submit(work, item) for item in islice(waiting, 2 * at_once)]
            for number in range(len(items)):
                yield futures.pop(0).result()
                futures += [pool.submit(work, item) for item in islice(waiting, 1)]
                left = (time.monotonic() - begun) / (number + 1) * (len(items) - number - 1)
                progress.update(step=number + 1, left_s=left)
                progress.check()
        finally:
            for future in futures:
                future.cancel()
