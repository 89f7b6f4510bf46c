"""Gates before an alias: what is not measured yet is measured by runs."""

from __future__ import annotations

from glassworks.control.state import Control
from glassworks.errors import Conflict
from glassworks.registry import Version
from glassworks.registry.gates import Gates, Unmeasured
from glassworks.serving.access.gate import Caller


def require_passed(control: Control, version: Version, alias: str, caller: Caller, *, force: bool) -> bool:
    """Raise Conflict for a version that fell on a gate, or that is not measured there yet: a run then does. One that is
    forced is kept. Whether it had to be forced."""
    gates = Gates(control.registry)
    if force:
        return gates.force_past(version, alias, caller.name)
    try:
        gates.require_passed(version, alias)
    except Unmeasured as unknown:
        runs = [_measuring(control, unknown, each, caller) for each in unknown.versions]
        raise Conflict(
            unknown.problem, f"run {' and '.join(runs)} measures it: set the alias when that has ended; or force it"
        ) from None
    return False


def _measuring(control: Control, unknown: Unmeasured, version: Version, caller: Caller) -> str:
    """The run that measures a version, which may be under way."""
    request = {"model": version.reference, "gate": unknown.gate.gate}
    for run in control.runs.list(about=version.reference, kind="evaluate", limit=20):
        if run.state in ("queued", "running") and run.request.get("gate") == unknown.gate.gate:
            return run.id
    return control.runs.submit("evaluate", request, who=caller.name).id
