"""The keys of `[data]` for texts."""

from __future__ import annotations

from typing import Annotated, ClassVar

from glassworks.config import DataConfig
from glassworks.locations import Location


class TextData(DataConfig):
    """Texts, in the rows of a table."""

    kind: ClassVar[str] = "texts"
    text: str = "text"
    """The column that holds the text."""
    label: str = "label"
    """The column that holds the label."""
    split: str = ""
    """A column that says the part of each row: `train`, `validation` or `test`; left out, parts are dealt here."""
    group: str = ""
    """A column whose equal values stay in one part, such as the author of a text."""
    separator: str = ""
    """What separates the labels of a text that has more than one, such as `|`."""
    unlabeled: Annotated[str, Location()] = ""
    """A further source of texts; from them words are learned, never labels."""
