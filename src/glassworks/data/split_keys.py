"""The key `split` of `[data]`: a column that says the part of each example, or a file for each part."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from glassworks.catalog import found
from glassworks.config import DataConfig
from glassworks.contracts import Source
from glassworks.data.assigned import is_part, part_of
from glassworks.errors import DataError
from glassworks.locations import Location, with_scheme
from glassworks.record import Record
from glassworks.sentences import Sentence, sentence

_SOURCE = r"^$|^[a-z][a-z0-9_-]*:.+"


class SplitFiles(Record):
    """A source for each part. One without a scheme has that of its ending, else that of `data.source`."""

    train: Annotated[str, Location()] = Field(default="", pattern=_SOURCE)
    """The examples to learn from: the same as `data.source`, of which one is written."""
    validation: Annotated[str, Location()] = Field(default="", pattern=_SOURCE)
    """The examples that choose the epoch, the engine and the precision; left out, they are taken from train."""
    test: Annotated[str, Location()] = Field(default="", pattern=_SOURCE)
    """The examples that only measure the result; left out, they are taken from train."""


def _form(value: object) -> str:
    return "<files>" if isinstance(value, Mapping | SplitFiles) else "<column>"


Split: TypeAlias = Annotated[
    Annotated[str, Tag("<column>")] | Annotated[SplitFiles, Tag("<files>")], Discriminator(_form)
]


class SplitData(DataConfig):
    """Data that may say themselves which part each example is in."""

    split: Split = ""
    """A column that says the part of each row: `train`, `validation` or `test`; or a file for each part, such as
    `{ validation = "csv:val.csv", test = "csv:test.csv" }`. Left out, parts are dealt here."""

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, table: Any) -> Any:
        return cls.completed(table) if isinstance(table, Mapping) else table

    @classmethod
    def completed(cls, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the part train as the source, usual names of parts as they are called here, and schemes."""
        split, source = table.get("split"), table.get("source")
        if isinstance(split, SplitFiles):
            split = split.model_dump(exclude_defaults=True)
        if not isinstance(split, Mapping):
            return table
        files = _files(split, source)
        train = files.pop("train", None) or source
        if source not in (None, train):
            raise ValueError(
                f"'data.source' is {source!r} and 'data.split.train' is {train!r}; "
                "both are the examples to learn from: leave one of them out"
            )
        if train is None and cls.model_fields["source"].is_required():
            raise ValueError("'data.split' has no train, and there is no 'data.source'; add data.split.train")
        return {**table, **({} if train is None else {"source": train}), "split": files}

    @property
    def split_column(self) -> str:
        """The column, or `folders`; empty where there is none."""
        return self.split if isinstance(self.split, str) else ""

    @property
    def split_files(self) -> dict[str, str]:
        """The source of each part that is not in `source` itself."""
        return {} if isinstance(self.split, str) else self.split.model_dump(exclude_defaults=True)


def _files(split: Mapping[Any, Any], source: object) -> dict[str, Any]:
    """By their part, each with its scheme. Raises ValueError."""
    beside = str(split.get("train") or "") if source is None else str(source)
    files: dict[str, Any] = {}
    for name, file in split.items():
        part = part_of(name, "") if is_part(str(name)) else str(name)
        if part in files:
            raise ValueError(f"'data.split.{name}' is {part} too; give one file for each part")
        files[part] = _with_scheme(file, beside, part) if isinstance(file, str) and file else file
    return files


def _with_scheme(file: str, beside: str, part: str) -> str:
    """By the ending of its name, else that of the source beside it, where that names paths too. Raises ValueError."""
    separator = ":" in file
    known = found(Source)
    ending = file.rpartition(".")[2].lower()
    near = beside.partition(":")[0] if ":" in beside else ""
    if separator:
        return file
    if ending in known and known[ending].naming == "path":
        return f"{ending}:{file}"
    if near in known and known[near].naming != "name":
        return f"{near}:{file}"
    example = with_scheme(file, known) or f"for example csv:{file}"
    raise ValueError(f"'data.split.{part}' is '{file}', not SCHEME:WHAT; write {example}")


@contextlib.contextmanager
def errors_of_part(part: str) -> Iterator[None]:
    """Errors say which part's file they are about."""
    try:
        yield
    except DataError as error:
        raise DataError(f"the {part} part: {error.problem}"[:300], error.mend) from None


def finding_of_parts(counts: Mapping[str, int]) -> Sentence:
    """What was understood: how many examples the file of each part has."""
    return sentence("finding.own-parts", named=", ".join(f"{part} {count:,}" for part, count in counts.items()))


def require_one_part(parts: Collection[str], source: str) -> None:
    """Raise DataError for a source that says of its examples that they are in several parts."""
    if len(parts) > 1:
        raise DataError(
            f"'{source}' has parts of its own: {', '.join(sorted(filter(None, parts)))}",
            "leave data.split out, and they are kept; or name a source with one part",
        )
