"""The operations of the control API on models.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from glassworks.client.transport import Transport, segment
from glassworks.control.comparing import Comparison
from glassworks.control.describing import ModelSummary, VersionSummary
from glassworks.control.paging import Page
from glassworks.control.resources.models import AliasState, VersionDetail


class ModelsMethods(Transport):
    """One method for each operation."""

    def compare_versions(self, name: str, *, a: str, b: str) -> Comparison:
        """Two versions side by side. Where both are in service they answer the same sample requests now."""
        return self.ask("GET", f"/models/{segment(name)}/compare", Comparison, query={"a": a, "b": b})

    def get_alias(self, name: str, alias: str) -> AliasState:
        """The version that an alias names; its ETag is what a change of it needs."""
        return self.ask("GET", f"/models/{segment(name)}/aliases/{segment(alias)}", AliasState)

    def get_model(self, name: str) -> ModelSummary:
        """One model. Its ETag changes with its aliases and versions."""
        return self.ask("GET", f"/models/{segment(name)}", ModelSummary)

    def get_version(self, name: str, version: str) -> VersionDetail:
        """One version, with its card, the report of its search, its lineage and sample requests."""
        return self.ask("GET", f"/models/{segment(name)}/versions/{segment(version)}", VersionDetail)

    def list_models(self, *, limit: int = 50, after: str = "", query: str = "") -> Page[ModelSummary]:
        """All models of the registry, by their names."""
        return self.ask("GET", "/models", Page[ModelSummary], query={"limit": limit, "after": after, "query": query})

    def list_versions(self, name: str, *, limit: int = 50, after: int | None = None) -> Page[VersionSummary]:
        """The versions of a model, the newest first."""
        return self.ask(
            "GET", f"/models/{segment(name)}/versions", Page[VersionSummary], query={"limit": limit, "after": after}
        )

    def remove_alias(self, name: str, alias: str, *, if_match: str | None = None) -> None:
        """Let an alias name nothing."""
        self.fetch("DELETE", f"/models/{segment(name)}/aliases/{segment(alias)}", headers={"if-match": if_match})

    def set_alias(
        self, name: str, alias: str, *, version: int, force: bool = False, if_match: str | None = None
    ) -> AliasState:
        """Let an alias name another version, at once where it is in service, unless it fell on a gate. ..."""
        return self.ask(
            "PUT",
            f"/models/{segment(name)}/aliases/{segment(alias)}",
            AliasState,
            headers={"if-match": if_match},
            body={"version": version, "force": force},
        )
