"""The keys of `[data]` for interactions."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from glassworks.config import DataConfig
from glassworks.locations import Location

Protocol = Literal["auto", "temporal", "leave_last_out", "strong_generalization", "strict_temporal"]


class InteractionData(DataConfig):
    """Interactions of users with items, in the rows of a table."""

    kind: ClassVar[str] = "interactions"
    user: str = "user"
    """The column of who; ids are kept as given."""
    item: str = "item"
    """The column of what, in the item table too."""
    time: str = ""
    """The column of when (seconds since 1970, or a date); without it nothing can be cut by time."""
    time_format: str = ""
    """Times: how they are written."""
    weight: str = ""
    """The column of how much, such as a rating or a count; without it each counts alike."""
    positive: float | None = None
    """Interactions of at least this weight are liked, such as 4 for ratings; without it all above 0."""
    items: Annotated[str, Location()] = ""
    """A further source with a row an item."""
    categories: tuple[str, ...] = ()
    """Columns of the item table that hold a category, or more than one with `separator` between them."""
    separator: str = ""
    """What separates the categories of an item that has more than one, such as `|`."""
    numbers: tuple[str, ...] = ()
    """Columns of the item table that hold a number, such as a price."""
    descriptions: tuple[str, ...] = ()
    """Columns of the item table that hold text."""
    title: str = ""
    """The column of the item table by which people know an item."""
    protocol: Protocol = "auto"
    """How interactions are cut, by time or by user; `auto`: `temporal` where there are times, else by user."""
