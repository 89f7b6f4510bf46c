"""The operations of the control API on deployments.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from glassworks.client.transport import Transport, segment
from glassworks.control.paging import Page
from glassworks.control.resources.deployments import Deployment
from glassworks.registry.deployments import Revision


class DeploymentsMethods(Transport):
    """One method for each operation."""

    def change_deployment(
        self,
        name: str,
        *,
        champion: int | str | None = None,
        shares: dict[str, float] | None = None,
        shadow: int | str | None = None,
        force: bool = False,
        if_match: str | None = None,
    ) -> Deployment:
        """Let other versions answer, at once: they are opened first, and where one cannot be, nothing changes."""
        return self.ask(
            "PUT",
            f"/deployments/{segment(name)}",
            Deployment,
            headers={"if-match": if_match},
            body={"champion": champion, "shares": shares, "shadow": shadow, "force": force},
        )

    def get_deployment(self, name: str) -> Deployment:
        """How a model is answered; its ETag is what a change needs. Counts change without it."""
        return self.ask("GET", f"/deployments/{segment(name)}", Deployment)

    def list_deployments(self, *, limit: int = 50, after: str = "") -> Page[Deployment]:
        """Models that are in service or were changed here, by their names."""
        return self.ask("GET", "/deployments", Page[Deployment], query={"limit": limit, "after": after})

    def list_revisions(self, name: str, *, limit: int = 50, after: int | None = None) -> Page[Revision]:
        """All changes, the newest first."""
        return self.ask(
            "GET", f"/deployments/{segment(name)}/history", Page[Revision], query={"limit": limit, "after": after}
        )

    def load_model(self, *, reference: str) -> Deployment:
        """Bring a model into service. Raises what keeps it from being opened."""
        return self.ask("POST", "/deployments", Deployment, body={"reference": reference})

    def roll_back(self, name: str, *, if_match: str | None = None) -> Deployment:
        """Restore champion, shares and shadow of before; again, and it goes further back."""
        return self.ask("POST", f"/deployments/{segment(name)}/rollback", Deployment, headers={"if-match": if_match})

    def unload_model(self, name: str) -> Deployment:
        """Take a model out of service; what it is answering ends first. It stays out over a restart, ..."""
        return self.ask("DELETE", f"/deployments/{segment(name)}", Deployment)
