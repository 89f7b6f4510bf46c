"""Reading texts from any source."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from glassworks.contracts import Reader
from glassworks.data.assigned import UNLABELED
from glassworks.data.kinds import reader_of
from glassworks.data.split_keys import errors_of_part, finding_of_parts, require_one_part
from glassworks.data.tabular.format import TableFormat
from glassworks.data.text.sameness import Same
from glassworks.errors import DataError
from glassworks.record import Record

if TYPE_CHECKING:
    from glassworks.data.text.collection import Texts
    from glassworks.data.text.keys import TextData
    from glassworks.sentences import Sentence


class Row(NamedTuple):
    """Where a text is, the text, its label, and what the data say themselves of it.

    `label` is empty where there is none, or nothing is known; a tuple has the labels of a text that may have several.
    `part` and `group` are those that `Assigned` has; see `part_of` for names of parts.
    """

    name: str
    text: str
    label: str | tuple[str, ...] = ""
    part: str = ""
    group: str = ""


class Rows(Iterable[Row]):
    """Rows, and what was found while they were read."""

    def __init__(self, rows: Iterable[Row], findings: Iterable[Sentence] = ()) -> None:
        self._rows, self.findings = rows, tuple(findings)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


class Columns(Record):
    """The columns of text and label, as `TextData` has them, how their table is written, and the `files` of the parts
    validation and test where these are not in the source itself."""

    text: str | tuple[str, ...] = "text"
    label: str = "label"
    labels: tuple[str, ...] = ()
    separator: str = ""
    multi_label: bool | None = None
    rename: dict[str, str] = {}
    split: str = ""
    files: dict[str, str] = {}
    group: str = ""
    same: Same = "spacing"
    form: TableFormat = TableFormat()

    @classmethod
    def of(cls, data: TextData) -> Self:
        """Those that a job names."""
        own = {key: getattr(data, key) for key in cls.model_fields if key not in ("form", "split", "files")}
        return cls(form=TableFormat.of(data), split=data.split_column, files=data.split_files, **own)

    @classmethod
    def of_bundle(cls, preprocessing: Mapping[str, Any]) -> Self:
        """Those that a model has learned from."""
        return cls(**(preprocessing.get("columns") or {"text": preprocessing.get("column") or "text"}))

    @property
    def parts(self) -> tuple[str, ...]:
        """The columns of the text; more than one are joined."""
        return (self.text,) if isinstance(self.text, str) else self.text

    def alone(self) -> Self:
        """The same, of texts alone."""
        return self.model_copy(update={"label": "", "labels": (), "split": "", "group": ""})

    def of_one_file(self) -> Self:
        """The same, of one part alone."""
        return self.model_copy(update={"split": "", "files": {}})

    def kept(self) -> dict[str, Any]:
        """What a bundle says of them."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"split", "files", "group", "same"})


class TextReader(Reader):
    """Reads texts, with labels or without."""

    kind: ClassVar[str] = "texts"

    @abstractmethod
    def texts(self, what: str, columns: Columns) -> Iterable[Row]:
        """A row for each text, as `Rows` where something is to be said about them; an empty `columns.label` asks for
        texts alone. Raises DataError."""


def read_texts(source: str, columns: Columns | None = None, *, min_classes: int = 2) -> Texts:
    """The labelled texts of `SCHEME:WHAT`. Raises DataError when there is nothing to learn from them."""
    from glassworks.data.text.collection import collect

    columns = columns or Columns()
    texts = collect(source, read_rows(source, columns), columns)
    if len(texts.classes) < min_classes and not texts.multi_label:
        raise DataError(
            f"'{source}' holds only one label, '{texts.classes[0]}'; a classifier needs at least {min_classes}",
            "add texts of another class, or name another column: data.label = ... or --label",
        )
    return texts


def read_lines(source: str, columns: Columns) -> list[str]:
    """The texts of a source without their labels, and of the files of its parts. Raises DataError."""
    return [row.text for row in read_rows(source, columns.alone()) if row.text.strip()]


def read_rows(source: str, columns: Columns) -> Iterable[Row]:
    """The rows of a source; where parts have files of their own those of all, each named by its part. Raises
    DataError."""
    if not columns.files:
        reader, what = reader_of(source, TextReader)
        return reader.texts(what, columns)
    rows, findings, counts = list[Row](), list["Sentence"](), dict[str, int]()
    for part, file in {"train": source, **columns.files}.items():
        with errors_of_part(part):
            reader, what = reader_of(file, TextReader)
            read = reader.texts(what, columns.of_one_file())
            found = [Row(*row) for row in read]
            require_one_part({row.part for row in found} - {UNLABELED}, file)
        for row in found:
            rows.append(row._replace(name=f"{part}: {row.name}", part=UNLABELED if row.part == UNLABELED else part))
        findings += getattr(read, "findings", ())
        counts[part] = len(found)
    if columns.label:
        findings.append(finding_of_parts(counts))
    return Rows(rows, {finding.text: finding for finding in findings}.values())
