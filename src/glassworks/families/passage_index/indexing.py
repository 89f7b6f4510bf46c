"""Texts of a source become an index of their passages, and questions to measure it with."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Dataset, Embedder, Measurement, Model, Progress, Split
from glassworks.data.text.keys import TextData
from glassworks.data.text.reader import Columns, read_rows
from glassworks.errors import ConfigError, DataError
from glassworks.families.passage_index.settings import PassageIndexConfig
from glassworks.retrieval.artifact import ENCODER, Index
from glassworks.retrieval.corpus import Corpus, corpus_of, near_copies
from glassworks.retrieval.known_items import known_questions, measure_by
from glassworks.retrieval.session import SIGNATURE, VECTORS, PassageSession
from glassworks.retrieval.words import Words

if TYPE_CHECKING:
    from glassworks.config import Job

_PARTS = ("train", "validation", "test")
_QUESTIONS = 256
_LOOKED_AT = 200
"""Passages that are looked at for signs which an encoder does not know."""
_AT_ONCE = 256
"""Passages that are embedded between two looks at whether to go on."""


@dataclass(frozen=True, kw_only=True)
class Passages(Dataset):
    """Questions of some words of passages, and all passages."""

    corpus: Corpus


def prepare(job: Job, config: PassageIndexConfig) -> Passages:
    """Passages of all texts of the source. Raises DataError where there are none."""
    rows = read_rows(job.data.source, Columns.of(TextData.of(job)).alone())
    documents = [(row.name, row.text) for row in rows if row.text.strip()]
    if not documents:
        left_out = "; ".join(map(str, getattr(rows, "findings", ())))
        problem = f"'{job.data.source}' holds no text that is read{': ' if left_out else ''}{left_out}"
        raise DataError(
            problem[:300], "give a folder with files of text (txt, md, html) or tables with a column of text"
        )
    corpus = corpus_of(documents, config.passage_bytes)
    whole = hashlib.sha256()
    for part in (part for document in documents for part in document):
        content = part.encode("utf-8", "surrogatepass")
        whole.update(len(content).to_bytes(8, "little") + content)
    return Passages(
        name=job.data.source,
        fingerprint=whole.hexdigest(),
        classes=(),
        splits={part: _split(corpus, job.data.seed + number) for number, part in enumerate(_PARTS)},
        findings=(*map(str, getattr(rows, "findings", ())), *_findings(corpus, len(documents))),
        corpus=corpus,
    )


def read(source: str, preprocessing: Mapping[str, Any]) -> Split:
    """Questions of another source, with what answers each in the column of labels: the id of a passage, the name of its
    file, or a text that it holds. Raises DataError."""
    rows = list(read_rows(source, Columns.of_bundle(preprocessing)))
    x, y = (np.empty(len(rows), object) for _ in range(2))
    x[:], y[:] = [row.text for row in rows], [str(row.label) for row in rows]
    if not all(y):
        raise DataError(
            f"'{source}': question {y.tolist().index('') + 1} does not say what answers it",
            "add a column label with the id of a passage, the name of its file, or a text that it holds",
        )
    return Split(x=x, y=y)


def index_of(
    dataset: Dataset,
    job: Job,
    config: PassageIndexConfig,
    embedder: Embedder | None,
    folder: Path,
    progress: Progress,
) -> Model:
    """All passages by words, and by meaning where there is an encoder. Raises ConfigError, Cancelled."""
    if not isinstance(dataset, Passages):
        raise TypeError("an index is made of passages")
    begun, corpus = time.monotonic(), dataset.corpus
    progress.start("train", len(corpus))
    index = _index(corpus, _ranked_by(config, embedder, looked_at(dataset)), embedder, progress)
    measured = {part: _measured(index, embedder, dataset.splits[part]) for part in _PARTS[1:]}
    progress.finish(f"{len(corpus):,} passages of {len(corpus.documents):,} texts, ranked by {_said(index, embedder)}")
    return Model(
        family=job.family,
        network=index,
        signature=SIGNATURE,
        preprocessing=_about(job, config, corpus, embedder),
        weights_sha256=_sha256(index),
        metrics=measured["validation"][index.by],
        run=folder.name,
        resumed=False,
        seconds=time.monotonic() - begun,
        comparison={f"by {by}": metrics for by, metrics in measured["test"].items()},
    )


def _index(corpus: Corpus, by: str, embedder: Embedder | None, progress: Progress) -> Index:
    words = Words.of(corpus.texts)
    if embedder is None:
        return Index(corpus=corpus, words=words, by=by)
    vectors = _vectors(corpus, embedder, progress)
    return Index(corpus=corpus, words=words, by=by, vectors=vectors, encoder=embedder.graph)


def _split(corpus: Corpus, seed: int) -> Split:
    questions, ids = known_questions(corpus, _QUESTIONS, seed)
    return Split(x=questions, y=ids)


def _findings(corpus: Corpus, documents: int) -> tuple[str, ...]:
    copies, near = int((corpus.copy_of != np.arange(len(corpus))).sum()), near_copies(corpus)
    counts = f"{documents:,} texts, {len(corpus):,} passages"
    more = f"; {copies:,} say the same as another, of which the first one is found" if copies else ""
    alike = f"; {near:,} are nearly those of another text: old versions answer too" if near > 0 else ""
    return (counts + more + alike,)


def _vectors(corpus: Corpus, embedder: Embedder, progress: Progress) -> NDArray[np.float32]:
    """P D. What was embedded before a kill is not embedded again."""
    found = []
    for begin in range(0, len(corpus), _AT_ONCE):
        progress.check()
        found.append(embedder.embed_texts(corpus.texts[begin : begin + _AT_ONCE]))
        progress.update(passages=min(begin + _AT_ONCE, len(corpus)))
    return np.concatenate(found)


def _ranked_by(config: PassageIndexConfig, embedder: Embedder | None, texts: Sequence[str]) -> str:
    if embedder is None and config.by in ("fused", "meaning"):
        raise ConfigError(f"model.by is '{config.by}', and there is no encoder", "name one: model.embedding")
    if config.by != "auto":
        return config.by
    return "fused" if embedder is not None and embedder.knows(texts) else "words"


def looked_at(dataset: Dataset) -> Sequence[str]:
    """Some passages, by which one sees whether an encoder knows their signs."""
    if not isinstance(dataset, Passages):
        raise TypeError("an index is made of passages")
    texts = dataset.corpus.texts
    return [texts[row] for row in np.unique(np.linspace(0, len(texts) - 1, _LOOKED_AT).astype(np.int64)).tolist()]


def _about(job: Job, config: PassageIndexConfig, corpus: Corpus, embedder: Embedder | None) -> dict[str, Any]:
    """What the bundle says of how the index was made, and of how its encoder reads a question."""
    about = {"columns": Columns.of(TextData.of(job)).kept(), "passages": len(corpus)}
    encoder = {} if embedder is None else {ENCODER: dict(embedder.preprocessing), "embedding": embedder.reference}
    return {**about, "passage_bytes": config.passage_bytes, **encoder}


def _said(index: Index, embedder: Embedder | None) -> str:
    by = {"fused": "words and meaning together"}.get(index.by, f"{index.by} alone")
    return by if embedder is None or index.by == "words" else f"{by} (encoder {embedder.reference})"


class _Encoder:
    """The encoder as a session asks it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N D."""
        return self._embedder.embed_texts(texts)

    def close(self) -> None:
        """It belongs to somebody else."""


def _measured(index: Index, embedder: Embedder | None, split: Split) -> dict[str, dict[str, Measurement]]:
    """Metrics of each way to rank."""
    arrays = {**index.corpus.arrays(), **index.words.arrays()}
    if index.vectors is not None:
        arrays[VECTORS] = index.vectors
    session = PassageSession({"by": index.by}, arrays, Path(), None if embedder is None else _Encoder(embedder))
    ways = ("words",) if embedder is None else ("fused", "words", "meaning")
    return {by: measure_by(session, by, split.x, split.y) for by in ways}


def _sha256(index: Index) -> str:
    """Of all that decides an answer."""
    digest = hashlib.sha256(index.by.encode())
    vectors = () if index.vectors is None else (index.vectors,)
    for array in (*index.corpus.arrays().values(), *index.words.arrays().values(), *vectors):
        digest.update(np.ascontiguousarray(array).tobytes())
    if index.encoder is not None:
        digest.update(index.encoder.path.read_bytes())
    return digest.hexdigest()
