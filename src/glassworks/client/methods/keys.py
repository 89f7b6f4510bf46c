"""The operations of the control API on keys.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from typing import Literal

from glassworks.client.transport import Transport, segment
from glassworks.control.paging import Page
from glassworks.control.resources.keys import MadeKey, NewKey, ShownKey


class KeysMethods(Transport):
    """One method for each operation."""

    def create_key(self, asked: NewKey) -> MadeKey:
        """Make a key. Its secret is in this answer, and nowhere else."""
        return self.ask("POST", "/keys", MadeKey, body=asked.model_dump(mode="json"))

    def list_keys(
        self, *, limit: int = 50, after: str = "", state: Literal["valid", "expired", "revoked"] | None = None
    ) -> Page[ShownKey]:
        """All keys, the newest first; those that were revoked too."""
        return self.ask("GET", "/keys", Page[ShownKey], query={"limit": limit, "after": after, "state": state})

    def revoke_key(self, key: str) -> ShownKey:
        """Refuse a key within a second; whoever is signed in with it is signed out."""
        return self.ask("DELETE", f"/keys/{segment(key)}", ShownKey)
