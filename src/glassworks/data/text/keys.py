"""The keys of `[data]` for texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from glassworks.data.split_keys import SplitData
from glassworks.data.text.sameness import Same
from glassworks.locations import Location


class TextData(SplitData):
    """Texts, in the rows of a table."""

    kind: ClassVar[str] = "texts"
    before: ClassVar[Mapping[str, object]] = {"same": "letters"}
    text: str | tuple[str, ...] = "text"
    """The column that holds the text; or a list of columns whose parts make one text, such as `["title", "body"]`."""
    label: str = "label"
    """The column that holds the label."""
    labels: tuple[str, ...] = ()
    """Columns with 1 for a text that has the label of that name, else 0; they take the place of `label`."""
    group: str = ""
    """A column whose equal values stay in one part, such as the author of a text."""
    separator: str = ""
    """What separates the labels of a text that has more than one, such as `|`."""
    multi_label: bool | None = None
    """Whether a text may have several labels; left out, the data show it. `true` joins rows of the same text."""
    rename: dict[str, str] = {}
    """Labels that are called otherwise, such as `{ BAD = "bad", "0" = "negative" }`."""
    same: Same = "spacing"
    """Which texts are the same, so that one is kept, and none under different labels: `exact`, as they are; `spacing`,
    but for spaces and line ends; `letters`, but for case, punctuation, signs and emoji too."""
    unlabeled: Annotated[str, Location()] = ""
    """A further source of texts; from them words are learned, never labels."""
