"""Pictures whose parts are in folders or files of their own, as one collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from glassworks.data.assigned import Assigned
from glassworks.data.collection import Decoded, Looks, Pictures, fingerprint_of
from glassworks.data.kinds import reader_of
from glassworks.data.reader import PictureReader, Reading
from glassworks.data.split_keys import errors_of_part, finding_of_parts
from glassworks.errors import DataError


def joined_parts(source: str, how: Reading) -> Pictures:
    """The pictures of a source, which is the part train, and of `how.files`; each is named by its part.

    Raises DataError.
    """
    sources = {"train": source, **how.files}
    parts = _read(sources, how)
    bits = {pictures.bits for pictures in parts.values()} - {0}
    if len(bits) > 1:  # the same values must be equally bright in all parts
        parts = _read(sources, replace(how, bits=max(bits)))
    multi_label = [part for part, pictures in parts.items() if pictures.multi_label]
    if multi_label and len(multi_label) < len(parts):
        raise DataError(
            f"pictures of {multi_label[0]} have several labels, those of other parts one each",
            "write labels.csv for every part, or for none",
        )
    return _joined(source, parts)


def _read(sources: Mapping[str, str], how: Reading) -> dict[str, Pictures]:
    found: dict[str, Pictures] = {}
    for part, each in sources.items():
        with errors_of_part(part):
            reader, what = reader_of(each, PictureReader)
            found[part] = reader.pictures(what, replace(how, split="", files={}))
    return found


def _joined(source: str, parts: Mapping[str, Pictures]) -> Pictures:
    every = list(parts.values())
    classes = tuple(sorted({name for pictures in every for name in pictures.classes}))
    labels = np.concatenate([_labels(pictures, classes) for pictures in every])
    looks = _looks([pictures.looks for pictures in every])
    assigned = Assigned.of(
        [part for part, pictures in parts.items() for _ in range(len(pictures))],
        [group for pictures in every for group in pictures.assigned.groups or [""] * len(pictures)],
    )
    notes = {note.text: note for pictures in every for note in pictures.notes}
    entries = [(pictures, row) for pictures in every for row in range(len(pictures))]
    return Pictures(
        source=source,
        pictures=Decoded(entries, lambda entry: entry[0].pictures[entry[1]]),
        names=tuple(f"{part}: {name}" for part, pictures in parts.items() for name in pictures.names),
        labels=labels,
        classes=classes,
        unreadable=_named({part: pictures.unreadable for part, pictures in parts.items()}),
        looks=looks,
        fingerprint=fingerprint_of(looks.digests, labels, classes, assigned),
        assigned=assigned,
        left_out=_named({part: pictures.left_out for part, pictures in parts.items()}),
        notes=(finding_of_parts({part: len(each) for part, each in parts.items()}), *notes.values()),
        bits=max(pictures.bits for pictures in every),
    )


def _labels(pictures: Pictures, classes: Sequence[str]) -> NDArray[np.int64]:
    """In the classes of all parts."""
    number = np.array([classes.index(name) for name in pictures.classes], np.int64)
    if not pictures.multi_label:
        found: NDArray[np.int64] = number[pictures.labels]
        return found
    targets = np.zeros((len(pictures), len(classes)), np.int64)
    targets[:, number] = pictures.labels
    return targets


def _looks(every: Sequence[Looks]) -> Looks:
    arrays = {
        name: np.concatenate([getattr(looks, name) for looks in every])
        for name in (field.name for field in fields(Looks))
        if name != "digests"
    }
    return Looks(digests=tuple(chain.from_iterable(looks.digests for looks in every)), **arrays)


def _named(found: Mapping[str, Sequence[tuple[str, str]]]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{part}: {name}", why) for part, each in found.items() for name, why in each)
