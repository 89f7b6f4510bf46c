"""Vectors of texts as OpenAI's clients ask for them: `POST /v1/embeddings`."""

from __future__ import annotations

import base64
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import EMBEDDING, Embedding, Tokens
from glassworks.errors import InputError, NotFound
from glassworks.serving.codec.json_data import LARGE_BYTES
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.failures import NoModel, WrongParameter
from glassworks.serving.protocols._openai.answering import object_of
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.protocols._openai.requests import model_of
from glassworks.serving.requests import InferRequest, call_of
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

if TYPE_CHECKING:
    from glassworks.serving.core.model import LoadedModel

MOST_INPUTS = 2048
_MOST = 2**31
_FORMATS = ("float", "base64")
_QUICK_BYTES = 4096
"""Of a request whose texts become tokens in less time than the way to a thread takes."""
_LARGE_NUMBERS = 2**15
"""Numbers of an answer that take some milliseconds to write."""
_REQUEST = Schema(
    "EmbeddingRequest",
    {
        "type": "object",
        "required": ["model", "input"],
        "additionalProperties": False,
        "properties": {
            "model": {"type": "string"},
            "input": {"oneOf": [{"type": "string", "minLength": 1}, {"type": "array", "minItems": 1}]},
            "encoding_format": {"enum": list(_FORMATS)},
            "dimensions": {"type": "integer", "minimum": 1},
            "user": {"type": "string"},
        },
    },
)


class OpenAIEmbeddings(Protocol):
    """Over a dispatcher: the rows of a request are batched as those of every protocol."""

    def __init__(self, context: Context) -> None:
        self._dispatcher = context.dispatcher
        self._tokens: weakref.WeakKeyDictionary[LoadedModel, Tokens] = weakref.WeakKeyDictionary()

    @endpoint("POST", "/v1/embeddings", "embeddings", "Vectors of texts.", takes=_REQUEST, dispatched=True)
    async def embeddings(self, exchange: Exchange) -> Answer:
        """POST /v1/embeddings"""
        self._dispatcher.admission.permit(token(exchange))
        asked = _Asked(await object_of(self._dispatcher, exchange))
        name, _, version = asked.model.partition("@")
        call = call_of(exchange.headers, name, version or None, exchange.arrived_ns)
        try:
            chosen = self._dispatcher.model(call)
        except NotFound as error:
            raise NoModel(error.problem, f"{error.mend}; /v1/models lists what there is") from None

        def read(model: LoadedModel) -> InferRequest:
            return asked.read(model, self._tokens_of(model, call.token))

        size_bytes = len(exchange.body)
        long_bytes = max(size_bytes, LARGE_BYTES + 1) if size_bytes > _QUICK_BYTES else 0
        result = await self._dispatcher.answer(call, chosen, read, long_bytes)
        vectors = asked.vectors(result.outputs[EMBEDDING])
        if vectors.size < _LARGE_NUMBERS:
            return json_answer(asked.answer(vectors))
        return await self._dispatcher.models.threads.decoding.run(lambda: json_answer(asked.answer(vectors)))

    def _encoders(self, key: bytes | None) -> str:
        """Who may be asked instead, as far as the caller may know."""
        found = {each.name for each in self._dispatcher.models.loaded() if isinstance(each.opened.task, Embedding)}
        names = sorted(self._dispatcher.admission.visible(key, found))
        return f"ask one that does: {', '.join(names)}" if names else "serve one of the family text_encoder"

    def _tokens_of(self, model: LoadedModel, key: bytes | None) -> Tokens:
        """Raises WrongParameter for a model that gives no vectors."""
        task = model.opened.task
        if not isinstance(task, Embedding):
            problem = f"the model '{model.name}' is for {task.name} and gives no embeddings"
            raise WrongParameter(problem, self._encoders(key), "model", "model_not_supported")
        if model not in self._tokens:
            self._tokens[model] = task.tokens(model.opened.bundle.folder, model.manifest.preprocessing)
        return self._tokens[model]


class _Asked:
    """A request. Raises WrongParameter for what it cannot be."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        fields = Fields(content)
        self.model = model_of(fields)
        self._inputs = _inputs(fields.needed("input", "give a text, or a list of texts or of token ids"))
        self._format, self._dimensions = (
            fields.text("encoding_format", "float"),
            fields.whole("dimensions", None, 1, _MOST),
        )
        if self._format not in _FORMATS:
            raise fields.wrong("encoding_format", self._format, f"give one of: {', '.join(_FORMATS)}")
        fields.text("user")
        fields.end()
        self._order: NDArray[np.intp] = np.arange(len(self._inputs))
        self._prompt_tokens = 0

    def read(self, model: LoadedModel, tokens: Tokens) -> InferRequest:
        """Rows of texts of like length, one behind the other, since those of a batch are padded to the longest."""
        width = model.manifest.signature.outputs[0].shape[-1]
        if self._dimensions is not None and self._dimensions > width:
            raise WrongParameter(
                f"dimensions is {self._dimensions}, and the model '{model.name}' has {width}",
                f"give 1 to {width}, or leave it out",
                "dimensions",
            )
        texts = [_text_of(each, index, tokens) for index, each in enumerate(self._inputs)]
        counts = tokens.count(texts)
        for index, count in enumerate(counts):
            if count > tokens.most:
                raise WrongParameter(
                    f"input[{index}] has {count:,} tokens, and the model reads at most {tokens.most:,} of a text",
                    "send it in parts",
                    "input",
                    "context_length_exceeded",
                )
        self._prompt_tokens, self._order = sum(counts), np.argsort(counts, kind="stable")
        rows = np.empty(len(texts), object)
        rows[:] = texts
        name = model.manifest.signature.inputs[0].name
        return InferRequest({name: rows[self._order]}, outputs=(EMBEDDING,), tokens=counts)

    def vectors(self, found: Any) -> NDArray[np.float32]:
        """In the order of the request, as short as they were asked for, of length 1."""
        vectors = np.empty(found.shape, np.float32)
        vectors[self._order] = found
        if self._dimensions is None or self._dimensions == vectors.shape[1]:
            return vectors
        short = vectors[:, : self._dimensions]
        return np.asarray(short / np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-12), "<f4")

    def answer(self, vectors: NDArray[np.float32]) -> dict[str, Any]:
        """What OpenAI's clients read."""
        if self._format == "base64":
            rows: Sequence[Any] = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]
        else:
            rows = vectors.tolist()
        data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
        usage = {"prompt_tokens": self._prompt_tokens, "total_tokens": self._prompt_tokens}
        return {"object": "list", "data": data, "model": self.model, "usage": usage}


def _inputs(value: Any) -> list[str | list[int]]:
    """One text, texts, the ids of one, or of each."""
    inputs = value if isinstance(value, list) and not _are_ids(value) else [value]
    if not inputs:
        raise WrongParameter("input is an empty list", "give at least one text", "input")
    if len(inputs) > MOST_INPUTS:
        raise WrongParameter(f"input holds {len(inputs):,} texts", f"send at most {MOST_INPUTS:,} a request", "input")
    for index, each in enumerate(inputs):
        if not isinstance(each, str) and not _are_ids(each):
            problem = f"input[{index}] is {each!r:.100}"
            raise WrongParameter(problem, "give a text, a list of texts, ids, or a list of lists of ids", "input")
        if not each:
            raise WrongParameter(f"input[{index}] is empty", "leave it out, or send what it should say", "input")
    return inputs


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(type(each) is int for each in value)


def _text_of(value: str | list[int], index: int, tokens: Tokens) -> str:
    try:
        text = value if isinstance(value, str) else tokens.text(value)
        text.encode()
    except UnicodeEncodeError as error:
        problem = f"input[{index}] is not valid Unicode: character {error.start} is half of a pair"
        raise WrongParameter(problem, "send texts in UTF-8", "input") from None
    except InputError as error:
        raise WrongParameter(f"input[{index}]: {error.problem}", error.mend, "input") from None
    return text
