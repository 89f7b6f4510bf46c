"""A session that answers texts and conversations, whole or in parts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Chunk, Session, Signature, TensorSpec
from glassworks.errors import InputError, Unsupported
from glassworks.language.answer import TEXT, Answer, objects
from glassworks.language.answer_form import form_grammar
from glassworks.language.confidence import LONGEST, Confidence
from glassworks.language.engine import Computing, Scoring
from glassworks.language.examples import is_conversation
from glassworks.language.grammars import Grammars
from glassworks.language.lazily import Lazily
from glassworks.language.likelihoods import Known, likelihoods
from glassworks.language.nearest import Kept
from glassworks.language.parameters import Asked, asked_of
from glassworks.language.prompts import Prompt, Prompts
from glassworks.language.reporting import CONFIDENCE, Whole, of_prompt, reported
from glassworks.language.sampling import Generated, Sampling
from glassworks.language.settings import TOKENIZER, read_settings
from glassworks.language.tokenizer import LanguageTokenizer
from glassworks.language.vocabulary import contents_of

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

INPUT, OUTPUT, REASON = "text", TEXT, "finish_reason"
LOG_LIKELIHOOD = "log_likelihood"
"""What `run` gives when it is named: sum of the log-probabilities of a text's tokens but the first, and their count; of
a conversation, those of the tokens that its assistant wrote."""
MATCHES, ANSWERED = "matches", "answered"
"""What `run` gives when it is named, of conversations: 1 where the last answer is written again, 0 where another is,
not a number where it is too long to be compared; and the log-probability (N 2) of what is written, beside that."""
MARGIN = "margin"
"""What `run` gives when it is named, of conversations with two answers: the log-probability of the preferred one less
that of the rejected one; not a number of others."""
PROMPT_TOKENS, PROMPT_LOGPROBS = "prompt_tokens", "prompt_logprobs"
_ROWS = 32
_COMPARED_TOKENS, _EMBEDDED = LONGEST - 4, 512


class LanguageSession(Session):
    """Texts in, texts out. `run` answers with the defaults; `stream` takes one row and the parameters of
    `parameters.Asked`, and gives the answer as it comes: no character is broken, and the parts together are the whole.
    """

    def __init__(self, graph: Path, model: Path, computing: Computing) -> None:
        """`graph` holds what the engine opens, `model` the tokenizer and the settings; they may be one folder. Raises
        BundleError.
        """
        self._settings = read_settings(model)
        self._tokenizer = LanguageTokenizer.read(model / TOKENIZER)
        self._prompts = Prompts(self._settings, self._tokenizer)
        contents = contents_of(self._tokenizer, self._settings.architecture.vocabulary, self._prompts.marks)
        self._engine = computing.engine(graph, contents)
        self._grammars = Grammars(model)
        self._scorer = Lazily(lambda: computing.scorer(graph, self._engine))
        self._context = min(self._settings.context, computing.cache_tokens)
        self.max_tokens = self._settings.max_tokens
        """Of an answer where a request does not say."""
        self.conversations = False
        """Whether rows of `run` may be conversations in JSON (`messages`, `tools`) whose answers are known."""
        self.confidence: Confidence | None = None
        """How often answers are right, where it is known."""
        self.kept: Kept | None = None
        """What the model learned from, where it is kept."""
        self._rows = ThreadPoolExecutor(_ROWS, "answers")
        self.signature = signature()

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        texts, wanted = tensors[INPUT].tolist(), set(outputs or (OUTPUT, REASON))
        found: dict[str, Array] = {}
        if LOG_LIKELIHOOD in wanted:
            found[LOG_LIKELIHOOD] = likelihoods(self._scorer(), [self._known(text) for text in texts])
        if wanted & {MATCHES, ANSWERED}:
            answered = np.array(list(self._rows.map(self._answered, texts)), float).reshape(-1, 2)
            found |= {MATCHES: answered[:, 1], ANSWERED: answered}
        if MARGIN in wanted:
            found[MARGIN] = self._margins(texts)
        if outputs is None and self.confidence is not None:
            wanted.add(CONFIDENCE)
        if wanted & {OUTPUT, REASON, CONFIDENCE}:
            whole = partial(self._whole, sure=CONFIDENCE in wanted)
            names = (OUTPUT, REASON, *((CONFIDENCE,) if CONFIDENCE in wanted else ()))
            for name, values in zip(names, zip(*self._rows.map(whole, texts), strict=True), strict=False):
                found[name] = objects(values)
        return {name: found[name] for name in outputs or found}

    def stream(self, tensors: Tensors, parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        return self._stream(tensors, parameters, lambda ids: None)

    def answered(self, text: bytes | str, parameters: Mapping[str, Any]) -> tuple[list[int], bytes, str]:
        """A whole answer: the ids of its tokens, its text, and why it ended."""
        ids = list[int]()
        chunks = list(self._stream({INPUT: objects([text])}, parameters, ids.extend))
        parts = [chunk.outputs[OUTPUT].tolist()[0] for chunk in chunks if OUTPUT in chunk.outputs]
        return ids, b"".join(parts), chunks[-1].finish_reason

    def prompt_ids(self, text: bytes | str, parameters: Mapping[str, Any]) -> list[int]:
        """Ids of the prompt that a request makes. Raises InputError."""
        asked = asked_of(parameters, self._settings.stop_ids, self._settings.architecture.vocabulary)
        return self._prompts.prompt(text, asked).ids

    @property
    def tokenizer(self) -> LanguageTokenizer:
        return self._tokenizer

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens that end an answer."""
        return self._settings.stop_ids

    @property
    def open_requests(self) -> int:
        """Answers that the engine writes, and those that wait for it."""
        return self._engine.open_requests

    @property
    def context(self) -> int:
        """Most tokens of prompt and answer together."""
        return self._context

    @property
    def first_token(self) -> int:
        """What stands before a text of which nothing is left: what begins texts, else what ends them."""
        settings = self._settings
        begins = self._tokenizer.special.get(settings.special.get("bos_token", ""))
        return begins if begins is not None else next(iter(settings.stop_ids), 0)

    def scorer(self) -> Scoring:
        """What tells log-probabilities by the graph that is served."""
        return self._scorer()

    def _stream(
        self, tensors: Tensors, parameters: Mapping[str, Any], heard: Callable[[Sequence[int]], None]
    ) -> Generator[Chunk, None, None]:
        """The same; `heard` is told the tokens as they come."""
        (text,) = tensors[INPUT].tolist()
        asked = asked_of(parameters, self._settings.stop_ids, self._settings.architecture.vocabulary)
        if asked.nearest and self.kept is None:
            raise Unsupported(
                "nearest: the bundle of this model keeps none of what it learned from",
                "leave it out, or tune the model with model.keep_examples = true",
            )
        prompt = self._prompts.prompt(text, asked)
        if asked.tokenize:
            yield self._tokens(prompt.ids)
            return
        grammar = form_grammar(asked, prompt)
        sampling = asked.sampling(self._room(prompt.ids, asked), grammar)
        if grammar:
            self._grammars.check(grammar)
        first = Chunk(outputs={}, prompt_tokens=len(prompt.ids), max_tokens=sampling.max_tokens)
        yield first
        begun = None
        if asked.prompt_logprobs is not None:
            scores, begun = self._scorer().read(prompt.ids, asked.prompt_logprobs)
            yield replace(first, outputs={PROMPT_LOGPROBS: of_prompt(self._tokenizer, prompt.ids[0], scores)})
        yield from self._written(text, prompt, asked, sampling, heard, begun)

    def _written(
        self,
        text: bytes | str,
        prompt: Prompt,
        asked: Asked,
        sampling: Sampling,
        heard: Callable[[Sequence[int]], None],
        begun: Any,
    ) -> Generator[Chunk, None, None]:
        answer, said = Answer(self._tokenizer, asked, prompt.text(), self._prompts.marks), list[int]()
        with closing(self._generated(prompt.ids, asked, sampling, begun)) as parts:
            for part in parts:
                heard(part.ids)
                said += part.ids
                chunk = replace(answer.feed(part), prompt_tokens=len(prompt.ids), max_tokens=sampling.max_tokens)
                if chunk.finish_reason and asked.reported:
                    yield replace(chunk, finish_reason="")
                    own = part.finish_reason == chunk.finish_reason == "stop"
                    whole = Whole(text=text, prompt=prompt.ids, ids=said, reason=chunk.finish_reason, ended=own)
                    chunk = replace(chunk, outputs=reported(self, asked, whole))
                yield chunk
                if chunk.finish_reason:
                    return

    def embed(self, text: str) -> NDArray[np.float32]:
        """The mean hidden vector (D) of a text's end. Raises Unsupported."""
        ids = self._tokenizer.encode(text)[-min(_EMBEDDED, self._context) :]
        return self._scorer().embed(ids or [0])

    def close(self) -> None:
        self._rows.shutdown(cancel_futures=True)
        self._engine.close()
        self._scorer.forget()
        self._grammars.close()

    def _generated(
        self, ids: list[int], asked: Asked, sampling: Sampling, begun: Any
    ) -> Generator[Generated, None, None]:
        if asked.scored:
            return self._scorer().generate(ids, sampling, asked.bias, asked.top_logprobs, begun)
        return self._engine.generate(ids, sampling)

    def _whole(self, text: bytes | str, sure: bool) -> tuple[bytes, bytes, bytes]:
        """An answer with the defaults, why it ended, and how often such answers are right, where that is asked for."""
        asked = {**(question(text) if self.conversations else {}), **({"confidence": True} if sure else {})}
        chunks = list(self.stream({INPUT: objects([text])}, asked))
        said = b"".join(chunk.outputs[OUTPUT].tolist()[0] for chunk in chunks if OUTPUT in chunk.outputs)
        sure_of = chunks[-1].outputs[CONFIDENCE].tolist()[0] if sure else b""
        return said, chunks[-1].finish_reason.encode(), sure_of

    def _known(self, text: bytes | str) -> list[Known]:
        """What of a text is scored: of a conversation its answers. Windows of the context overlap by a token, so that
        each token but the first counts once."""
        if self.conversations:
            return self._answers(*_conversation(text))
        ids, step = self._prompts.plain(text), self._settings.context - 1
        windows = (ids[start : start + step + 1] for start in range(0, len(ids) - 1, step))
        return [Known(ids=window, learned=np.ones(len(window), bool)) for window in windows]

    def _answers(self, messages: list[dict[str, Any]], tools: list[Any]) -> list[Known]:
        found = self._prompts.examples(messages, tools)
        return [Known(ids=each.ids.tolist(), learned=np.asarray(each.learned, bool)) for each in found]

    def _margins(self, texts: Sequence[bytes | str]) -> NDArray[np.float64]:
        """Not a number where there is no other answer."""
        found, pairs = np.full(len(texts), np.nan), dict[int, tuple[list[Known], list[Known]]]()
        for index, text in enumerate(texts):
            if rejected := json.loads(text).get("rejected"):
                messages, tools = _conversation(text)
                pairs[index] = self._answers(messages, tools), self._answers([*messages[:-1], *rejected], tools)
        if pairs:
            scored = likelihoods(self._scorer(), [answers for pair in pairs.values() for answers in pair])[:, 0]
            found[[*pairs]] = scored[::2] - scored[1::2]
        return found

    def _answered(self, text: bytes | str) -> tuple[float, float]:
        """What the most probable tokens write. Of an answer that was cut no log-probability is known, as when it is
        asked for."""
        messages, _ = _conversation(text)
        expected = str(messages[-1].get("content", ""))
        size = len(self._tokenizer.encode(expected))
        if size > _COMPARED_TOKENS or messages[-1].get("tool_calls"):
            return math.nan, math.nan
        asked = {**question(text), "max_tokens": LONGEST, "temperature": 0.0, "confidence": True}
        chunks = list(self.stream({INPUT: objects([text])}, asked))
        said = b"".join(chunk.outputs[OUTPUT].tolist()[0] for chunk in chunks if OUTPUT in chunk.outputs)
        sure = json.loads(chunks[-1].outputs[CONFIDENCE].tolist()[0])
        known = math.nan if chunks[-1].finish_reason == "length" else sure["log_probability"]
        return known, float(said.decode().strip() == expected.strip())

    def _tokens(self, ids: Sequence[int]) -> Chunk:
        tokens = json.dumps([self._tokenizer.described(number) for number in ids], ensure_ascii=False)
        left = max(self._context - len(ids), 0)
        outputs = {PROMPT_TOKENS: objects([tokens.encode()])}
        return Chunk(outputs=outputs, prompt_tokens=len(ids), max_tokens=left, finish_reason="stop")

    def _room(self, ids: Sequence[int], asked: Asked) -> int:
        """How many tokens the answer may have. Raises InputError where the context does not hold the prompt."""
        left = self._context - len(ids)
        if left < 1 or asked.max_tokens > left:
            wanted = f" and {asked.max_tokens} of the answer" if asked.max_tokens else ""
            raise InputError(
                f"context_length_exceeded: the prompt's {len(ids)} tokens{wanted} do not fit into {self._context}",
                "send a shorter prompt, or ask for fewer tokens",
            )
        return asked.max_tokens or min(left, self.max_tokens)


def _conversation(text: bytes | str) -> tuple[list[dict[str, Any]], list[Any]]:
    found = json.loads(text)
    return found["messages"], found["tools"]


def question(text: bytes | str) -> dict[str, Any]:
    """The parameters by which the last message of a conversation is asked for; none of a plain prompt."""
    if not is_conversation(text):
        return {}
    messages, tools = _conversation(text)
    return {"messages": messages[:-1], **({"tools": tools} if tools else {})}


def signature() -> Signature:
    """Texts in; out come texts, and why each ended."""
    return Signature(
        inputs=(TensorSpec(name=INPUT, datatype="BYTES", shape=(-1,)),),
        outputs=tuple(TensorSpec(name=name, datatype="BYTES", shape=(-1,)) for name in (OUTPUT, REASON)),
    )
