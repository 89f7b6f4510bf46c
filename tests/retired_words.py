"""Words of this project's own that names no longer use: docs/glossary.md has those that took their place."""

from __future__ import annotations

RETIRED = frozenset(
    {
        *("along", "apart", "desk", "foundation", "front", "forth", "heed", "heeds", "held", "judged", "lane"),
        *("lanes", "piece", "pieces", "place", "places", "planted", "several", "tell", "tells", "told", "wish"),
        "wishes",
    }
)
NOT_OURS = frozenset({"SentencePieceProcessor", "WordPiece"})
"""Names of other libraries."""
