"""The operations of the control API on jobs.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from typing import Any, Literal

from glassworks.client.transport import Transport, segment
from glassworks.control.paging import Page
from glassworks.control.resources.drafts import DraftedJob
from glassworks.control.resources.jobs import Checked, FamilyFound


class JobsMethods(Transport):
    """One method for each operation."""

    def check_job(
        self, *, toml: str | None = None, job: dict[str, Any] | None = None, changes: dict[str, Any] | None = None
    ) -> Checked:
        """Say everything that is wrong with a job, by key and line, without reading its data; and where it ..."""
        return self.ask("POST", "/jobs/check", Checked, body={"toml": toml, "job": job, "changes": changes})

    def draft(
        self,
        *,
        data: str,
        kind: Literal["pictures", "texts", "interactions"] | None = None,
        columns: dict[Literal["text", "label", "user", "item", "time", "weight"], str] | None = None,
        family: str | None = None,
    ) -> DraftedJob:
        """A job that trains these data. Nothing is kept."""
        return self.ask(
            "POST", "/jobs/draft", DraftedJob, body={"kind": kind, "columns": columns, "data": data, "family": family}
        )

    def get_schema(self, family: str) -> dict[str, Any]:
        """JSON schema of the jobs of a family, with what each key means."""
        return self.ask("GET", f"/jobs/families/{segment(family)}/schema", dict[str, Any])

    def list_families(self) -> Page[FamilyFound]:
        """The kinds of models that a job can train."""
        return self.ask("GET", "/jobs/families", Page[FamilyFound])
