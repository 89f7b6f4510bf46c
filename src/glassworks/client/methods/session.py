"""The operations of the control API on session.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from glassworks.client.transport import Transport
from glassworks.control.resources.session import Session


class SessionMethods(Transport):
    """One method for each operation."""

    def get_session(self) -> Session:
        """Who asks."""
        return self.ask("GET", "/session", Session)

    def sign_in(self, *, key: str) -> Session:
        """Exchange a key for a cookie that only this service's own pages can use."""
        return self.ask("POST", "/session", Session, body={"key": key})

    def sign_out(self) -> None:
        """Forget the cookie."""
        self.fetch("DELETE", "/session")
