"""The operations of the control API on runs.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from glassworks.client.transport import ServerEvent, Transport, segment
from glassworks.control.paging import Page
from glassworks.control.resources.runs import Events, Kind, Log, RunSeries
from glassworks.runs.records import Run


class RunsMethods(Transport):
    """One method for each operation."""

    def cancel_run(self, run: str) -> Run:
        """End a run at its next step; what it has trained is kept."""
        return self.ask("POST", f"/runs/{segment(run)}/cancel", Run)

    def finish_run(self, run: str) -> Run:
        """Good enough: end the training of a run at its next step, and go on with what it has learned."""
        return self.ask("POST", f"/runs/{segment(run)}/finish", Run)

    def get_file(self, run: str) -> bytes:
        """The lines of JSON that a run of the kind predict or explain has written."""
        return self.fetch("GET", f"/runs/{segment(run)}/file")

    def get_log(self, run: str, *, limit: int = 10000) -> Log:
        """What a run wrote."""
        return self.ask("GET", f"/runs/{segment(run)}/log", Log, query={"limit": limit})

    def get_run(self, run: str) -> Run:
        """One run, by its id or the beginning of it."""
        return self.ask("GET", f"/runs/{segment(run)}", Run)

    def get_series(self, run: str, *, points: int = 1000) -> RunSeries:
        """The values of a run, of each at most about so many points; the extremes are among them."""
        return self.ask("GET", f"/runs/{segment(run)}/series", RunSeries, query={"points": points})

    def list_events(self, run: str, *, after: int = 0, limit: int = 1000) -> Events:
        """What happened in a run."""
        return self.ask("GET", f"/runs/{segment(run)}/events", Events, query={"after": after, "limit": limit})

    def list_kinds(self) -> Page[Kind]:
        """What can be queued."""
        return self.ask("GET", "/runs/kinds", Page[Kind])

    def list_runs(
        self, *, state: str = "", kind: str = "", about: str = "", limit: int = 50, after: str = ""
    ) -> Page[Run]:
        """Runs, the newest first."""
        return self.ask(
            "GET",
            "/runs",
            Page[Run],
            query={"state": state, "kind": kind, "about": about, "limit": limit, "after": after},
        )

    def resume_run(self, run: str) -> Run:
        """Queue a run again that failed or was cancelled."""
        return self.ask("POST", f"/runs/{segment(run)}/resume", Run)

    def stream_run(self, run: str, *, after: int | None = None) -> Iterator[ServerEvent]:
        """What happens in a run, from its beginning or behind an event."""
        return self.follow(f"/runs/{segment(run)}/stream", query={"after": after})

    def stream_runs(self, *, after: int | None = None) -> Iterator[ServerEvent]:
        """What happens in all runs from now on, or behind an event; the lines that they write are in their ..."""
        return self.follow("/runs/stream", query={"after": after})

    def submit_run(
        self,
        *,
        kind: str,
        request: dict[str, Any],
        priority: int = 0,
        parent: str = "",
        idempotency_key: str | None = None,
    ) -> Run:
        """Queue work. A worker takes it up; its events say how it goes."""
        return self.ask(
            "POST",
            "/runs",
            Run,
            headers={"idempotency-key": idempotency_key},
            body={"kind": kind, "request": request, "priority": priority, "parent": parent},
        )
