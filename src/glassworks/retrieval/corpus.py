"""Documents, and the passages that they are cut into."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.data.text.duplicates import find_copies
from glassworks.data.text.sameness import plain
from glassworks.errors import BundleError, DataError
from glassworks.retrieval.cutting import passage_spans

MOST_PASSAGES = 2_000_000
_COMPARED = 20_000
"""Passages of which near copies are counted, which takes about a millisecond each."""
_TEXTS = ("passages.text", "passages.text_ends", "documents.names", "documents.names_ends")
_NUMBERS = ("passages.document", "passages.start", "passages.copy_of", "passages.ids")


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Passages by document and place: `texts[i]` is that of the document `documents[document[i]]` from the character
    `start[i]` on.

    `copy_of[i]` is the first passage that says the same as passage `i`: itself where none does before.
    """

    documents: Sequence[str]
    texts: Sequence[str]
    document: NDArray[np.int32]
    start: NDArray[np.int64]
    copy_of: NDArray[np.int32]
    ids: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.texts)

    def id(self, passage: int) -> str:
        """Of a passage: the same as long as it says the same in a document of that name."""
        return bytes(self.ids[passage]).decode()

    def named(self, passage: int) -> dict[str, str | int]:
        """A passage as answers have it."""
        start, text = int(self.start[passage]), self.texts[passage]
        file = self.documents[int(self.document[passage])]
        return {"id": self.id(passage), "file": file, "start": start, "end": start + len(text), "text": text}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """By their names in a bundle."""
        texts: dict[str, NDArray[Any]] = dict(
            zip(_TEXTS, (*_packed(self.texts), *_packed(self.documents)), strict=True)
        )
        return texts | dict(zip(_NUMBERS, (self.document, self.start, self.copy_of, self.ids), strict=True))

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Corpus:
        """Of a bundle's arrays: texts are read when they are asked for. Raises BundleError."""
        texts, documents = (_Texts(arrays[f"{name}"], arrays[f"{name}_ends"]) for name in (_TEXTS[0], _TEXTS[2]))
        document, start, copy_of, ids = (arrays[name] for name in _NUMBERS)
        if not len(texts) == len(document) == len(start) == len(copy_of) == len(ids):
            raise BundleError("the passages of the index do not fit each other", "package the model again")
        return cls(documents=documents, texts=texts, document=document, start=start, copy_of=copy_of, ids=ids)  # type: ignore[arg-type]


def corpus_of(documents: Iterable[tuple[str, str]], size: int) -> Corpus:
    """Passages of at most `size` bytes of (name, text). A half of a surrogate pair, which no file of text has, is read
    as a question mark. Raises DataError where there are none, or too many."""
    names, texts, document, start = list[str](), list[str](), list[int](), list[int]()
    for name, given in documents:
        text = given.encode("utf-8", "replace").decode()
        for begin, end in passage_spans(text, size):
            texts.append(text[begin:end])
            document.append(len(names))
            start.append(begin)
        names.append(name)
        if len(texts) > MOST_PASSAGES:
            raise DataError(
                f"the texts have more than {MOST_PASSAGES:,} passages",
                "make larger ones (model.passage_bytes), or an index of each part",
            )
    if not texts:
        raise DataError("there is no text to look for anything in", "give a folder with files of text, or a table")
    return Corpus(
        documents=names,
        texts=texts,
        document=np.array(document, np.int32),
        start=np.array(start, np.int64),
        copy_of=copies_of(texts),
        ids=_ids(names, document, texts),
    )


def copies_of(texts: Sequence[str]) -> NDArray[np.int32]:
    """For each text the first one that is the same but for case, blanks and signs. Near copies are not: facts about two
    things often differ in one word."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(plain(text), number) for number, text in enumerate(texts)], np.int32)


def near_copies(corpus: Corpus) -> int:
    """How many passages are nearly those of another document (Jaccard similarity of their three-character runs from 0.7
    on), which may be another version of it; -1 where they are too many to compare, or datasketch is missing."""
    if len(corpus) > _COMPARED or find_spec("datasketch") is None:
        return -1
    pairs = find_copies(corpus.texts).pairs
    pairs = pairs[corpus.document[pairs[:, 0]] != corpus.document[pairs[:, 1]]]
    return len(np.unique(pairs[:, 1]))


def _ids(documents: Sequence[str], document: Sequence[int], texts: Sequence[str]) -> NDArray[np.bytes_]:
    """Names of passages, of the document and the text: they stay while other parts of it change. The second of two with
    the same text in one document has a number behind it."""
    found, met = list[bytes](), Counter[bytes]()
    for number, text in zip(document, texts, strict=True):
        whole = f"{documents[number]}\0{text}".encode("utf-8", "surrogatepass")
        name = b"p-" + hashlib.blake2b(whole, digest_size=8).hexdigest().encode()
        met[name] += 1
        found.append(name if met[name] == 1 else b"%b-%d" % (name, met[name]))
    return np.array(found, np.bytes_)


class _Texts(Sequence[str]):
    """Texts in one array of bytes, each decoded when it is asked for."""

    def __init__(self, content: NDArray[np.generic], ends: NDArray[np.generic]) -> None:
        if len(ends) and int(ends[-1]) != len(content):
            raise BundleError("the texts of the index are cut off", "package the model again")
        self._content, self._ends = content, ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> str:  # type: ignore[override]
        begin = int(self._ends[number - 1]) if number else 0
        return self._content[begin : int(self._ends[number])].tobytes().decode()


def _packed(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All texts as bytes, and where each ends."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    ends = np.cumsum([len(each) for each in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends
