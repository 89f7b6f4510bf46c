"""The conversations that a model learned from, kept in its bundle where its job says so, and which of them are like an
answer."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import BundleError
from glassworks.storage import write_atomically

TEXTS, VECTORS = "examples.jsonl", "examples.npz"
FILES = (TEXTS, VECTORS)
_ID, _LETTERS = 12, 1024

Embed = Callable[[str], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """`items` are conversations as JSON of `messages` and `tools`; `vectors` (N D) their unit vectors, one half the
    model's hidden vectors and one half counts of sequences of letters, each less its `mean` of all: what texts of one
    kind share says nothing of which are alike.
    """

    items: Sequence[str]
    vectors: NDArray[np.float32]
    mean: NDArray[np.float32]

    def nearest(self, text: str, embed: Embed, count: int) -> list[dict[str, Any]]:
        """The most similar `count`, by the cosine of the angle, each computed: `id`, `similarity` and `messages`."""
        similar = self.vectors @ _unit(_features(text, embed) - self.mean)
        order = np.argsort(-similar, kind="stable")[:count].tolist()
        return [
            {
                "id": id_of(self.items[row]),
                "similarity": round(float(similar[row]), 6),
                "messages": json.loads(self.items[row])["messages"],
            }
            for row in order
        ]


def id_of(item: str) -> str:
    """The first digits of a conversation's SHA-256: the same in every bundle that keeps it."""
    return hashlib.sha256(item.encode("utf-8", "surrogatepass")).hexdigest()[:_ID]


def text_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """What was said in a conversation, without how the model was told to answer."""
    said = (message for message in messages if message["role"] not in ("system", "developer"))
    return "\n".join(str(message.get("content") or message.get("tool_calls") or "") for message in said)


def keep(folder: Path, items: Sequence[str], embed: Embed) -> None:
    """Write them with the vectors by which they are found. Raises StorageError."""
    found = np.stack([_features(text_of(json.loads(item)["messages"]), embed) for item in items])
    mean = found.mean(axis=0)
    content = io.BytesIO()
    np.savez(content, vectors=_unit(found - mean), mean=mean)
    write_atomically(folder / TEXTS, "".join(f"{item}\n" for item in items).encode("utf-8", "surrogatepass"))
    write_atomically(folder / VECTORS, content.getvalue())


def kept(folder: Path) -> Kept | None:
    """What `keep` wrote; None where nothing was. Raises BundleError for what does not belong together."""
    if not (folder / TEXTS).exists():
        return None
    try:
        items = (folder / TEXTS).read_text("utf-8", "surrogatepass").removesuffix("\n").split("\n")
        with np.load(folder / VECTORS, allow_pickle=False) as arrays:
            vectors, mean = arrays["vectors"], arrays["mean"]
        if vectors.shape != (len(items), *mean.shape) or vectors.dtype != np.float32 or mean.dtype != np.float32:
            raise ValueError(f"{len(items)} conversations, vectors {vectors.shape}")
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(f"the kept examples cannot be read: {error}", "tune the model again") from error
    return Kept(items=items, vectors=vectors, mean=mean)


def _features(text: str, embed: Embed) -> NDArray[np.float32]:
    """Hidden vector, and the square roots of how often each sequence of 3 to 5 letters occurs, by their hashes."""
    counts, letters = np.zeros(_LETTERS, np.float32), f" {text.lower()} "
    for size in (3, 4, 5):
        for start in range(len(letters) - size + 1):
            counts[zlib.crc32(letters[start : start + size].encode("utf-8", "surrogatepass")) % _LETTERS] += 1
    return np.concatenate([embed(text), np.sqrt(counts)])


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    halves = np.split(values, [values.shape[-1] - _LETTERS], axis=-1)
    lengths = (np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-9) for half in halves)
    units = [half / length for half, length in zip(halves, lengths, strict=True)]
    return np.asarray(np.concatenate(units, axis=-1) / np.sqrt(2), np.float32)
