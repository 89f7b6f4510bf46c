"""What tasks on texts share: how a text is stored, sent and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from glassworks.contracts import Session, Task
from glassworks.tasks._strings import decoded, encoded
from glassworks.text.parts import join_parts, part_names, whole_text
from glassworks.text.session import INPUT as INPUT, text_of

if TYPE_CHECKING:
    from glassworks.contracts import Array, Opened, Tensors

_ANY = 2**30
_SMALL = 200
"""Characters of a sample request: no more than any request may have."""
_USUAL = b"a text of common length, to warm up and to see how long one takes " * 2


class TextTask(Task):
    """`preprocessing` is what `Tokenization` reads; texts are stored as an object array of str."""

    subject_kind: ClassVar[str] = "texts"
    literal: ClassVar[bool] = True
    parts: ClassVar[Literal["", "spans", "names"]] = "spans"

    def decode(self, value: bytes, preprocessing: Mapping[str, Any]) -> Array:
        """The text of a file, without dimensions; a JSON object of its parts as one text. Raises InputError."""
        text = decoded(value, "text", "save it as UTF-8: iconv -f ENCODING -t UTF-8 FILE > NEW")
        return np.array(whole_text(str(text), part_names(preprocessing)), object)

    def aliases(self, preprocessing: Mapping[str, Any]) -> tuple[str, ...]:
        return part_names(preprocessing)

    def gathered(self, tensors: Tensors, preprocessing: Mapping[str, Any]) -> Tensors:
        names = part_names(preprocessing)
        if not names or set(tensors) != set(names) or len({np.shape(each) for each in tensors.values()}) != 1:
            return tensors
        columns = [np.ravel(tensors[name]).tolist() for name in names]
        found = np.empty(np.shape(tensors[names[0]]), object)
        found.ravel()[:] = [join_parts(list(map(text_of, parts))) for parts in zip(*columns, strict=True)]
        return {INPUT: found}

    def inputs(self, source: str, preprocessing: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], Array]]]:
        """The texts in the column that the model has learned from; labels are not asked for."""
        from glassworks.data.kinds import reader_of
        from glassworks.data.text.reader import Columns, TextReader

        reader, what = reader_of(source, TextReader)
        for row in reader.texts(what, Columns.of_bundle(preprocessing).alone()):
            yield row[0], partial(np.array, row[1], object)

    def encode(self, x: Array, preprocessing: Mapping[str, Any]) -> dict[str, Array]:
        """`text`: bytes of UTF-8 (N)."""
        return {INPUT: encoded(x)}

    def unlimited(self, preprocessing: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**preprocessing, "max_windows": _ANY}

    def usual(self, session: Session, preprocessing: Mapping[str, Any]) -> Tensors:
        return {INPUT: np.array([_USUAL], object)}

    def small(self, x: Array) -> Array:
        found = np.empty(len(x), object)
        found[:] = [text[:_SMALL] for text in x.tolist()]
        return found

    def calibration(self, x: Array, opened: Opened, preprocessing: Mapping[str, Any]) -> list[Tensors]:
        from glassworks.text.tokenization import Tokenization

        tokenization = Tokenization(opened.folder, self.unlimited(preprocessing))
        return [tokenization.tensors([window]) for text in x.tolist() for window in tokenization.windows(text)[:1]]
