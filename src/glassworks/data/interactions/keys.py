"""The keys of `[data]` for interactions."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from glassworks.config import DataConfig
from glassworks.data.interactions.protocols import FEWEST, LEAST
from glassworks.durations import Seconds
from glassworks.locations import Location

Protocol = Literal["auto", "temporal", "leave_last_out", "strong_generalization", "strict_temporal"]


def _weights(given: object) -> object:
    """A text such as `view = 1, buy = 5` as a table."""
    if not isinstance(given, str):
        return given
    pairs = (part.rpartition("=") for part in given.split(",") if part.strip())
    return {name.strip(): number.strip() for name, _, number in pairs}


class InteractionData(DataConfig):
    """Interactions of users with items, in the rows of a table."""

    kind: ClassVar[str] = "interactions"
    user: str = "user"
    """The column of who; ids are kept as given."""
    item: str = "item"
    """The column of what, in the item table too."""
    time: str = ""
    """The column of when (seconds since 1970, or a date); without it nothing can be cut by time."""
    weight: str = ""
    """The column of how much, such as a rating or a count; without it each counts alike."""
    event: str = ""
    """The column of the kind of event, such as view or buy; `weights` says what each counts."""
    weights: Annotated[dict[str, Annotated[float, Field(allow_inf_nan=False)]], BeforeValidator(_weights)] = {}
    """What each kind of event counts, such as `{view = 1, buy = 5}`, or the text `view = 1, buy = 5`; what counts 0 or
    less is seen, not liked."""
    strength: float = Field(default=0.25, ge=0, le=1)
    """How far counts and repetitions make an item count more: the power of their sum, by which 50 plays count 2.7
    times one play; 0 takes all liked items alike. With `positive` only repetitions count."""
    half_life: Seconds | None = None
    """The age at which an interaction counts half, such as `30d`; without it age does not matter."""
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
    users: Annotated[str, Location()] = ""
    """A further source with a row a user: what people are answers those of whom nothing else is known."""
    user_categories: tuple[str, ...] = ()
    """Columns of the table of users that hold a category, such as a country; or more than one, as `categories`."""
    user_numbers: tuple[str, ...] = ()
    """Columns of the table of users that hold a number, such as an age."""
    protocol: Protocol = "auto"
    """How interactions are cut, by time or by user; `auto`: `temporal` where there are times, else by user; or another
    one, which is said, where hardly anybody could be asked by it."""
    least_likes: int = Field(default=LEAST, ge=FEWEST)
    """Users with at least so many liked items are asked; `auto` takes 2 where hardly anybody has as many."""
