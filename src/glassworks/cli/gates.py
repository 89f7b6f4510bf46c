"""Gates on the terminal: set with an evaluation, measured again, and removed."""

from __future__ import annotations

from typing import Any

from glassworks.cli.evaluations import evaluation_json, show_evaluation, show_understood
from glassworks.cli.following import located
from glassworks.cli.output import LiveProgress, stdout, write_json
from glassworks.errors import InputError

_REMOVED = "none"


def gated(model: str, asked: dict[str, Any], as_json: bool) -> None:
    """Measure a model on `asked["gate"]`, which is set where there are data. Raises InputError and what measuring
    raises."""
    from glassworks.registry import Registry
    from glassworks.registry.gates import Gates

    registry, gate, metric = Registry.open(), asked["gate"], asked["metric"]
    version = registry.find(model)
    if metric == _REMOVED:
        Gates(registry).remove(version.name, gate)
        stdout().print(f"{version.name} has no gate '{gate}' any more", markup=False)
        return
    if asked["against"]:
        raise InputError("--gate compares with the version that an alias names", "leave --against out")
    progress = LiveProgress()
    try:
        found = _set(version.reference, asked, registry, progress) if asked["data"] else None
        found = found or _measured(version.reference, asked, registry, progress)
    finally:
        progress.close()
    made = Gates(registry).get(version.name, gate)
    if as_json:
        write_json({"model": version.reference, "gate": made.model_dump(mode="json"), **evaluation_json(found)})
        return
    show_evaluation(version.reference, found)
    allowed = "by more than chance" if made.tolerance is None else f"by more than {made.tolerance:g}"
    said = f"gate '{gate}': an alias of {version.name} refuses a version whose {made.metric} is worse {allowed}"
    stdout().print(said, markup=False, soft_wrap=True)


def _set(reference: str, asked: dict[str, Any], registry: Any, progress: LiveProgress) -> Any:
    from glassworks.comparison.gates import set_gate
    from glassworks.comparison.measuring import evaluate

    given = {"source": located(asked["data"]), "columns": asked["columns"], **asked["questions"]}
    found = evaluate(reference, registry, progress, **{**given, "understood": show_understood})
    set_gate(reference, asked["gate"], found, given, registry, asked["metric"], asked["tolerance"])
    return found


def _measured(reference: str, asked: dict[str, Any], registry: Any, progress: LiveProgress) -> Any:
    from glassworks.comparison.gates import measure_gate
    from glassworks.registry.gates import Gates

    if asked["metric"] or asked["tolerance"] is not None:
        raise InputError("--metric and --tolerance are of a gate that is set", "give --data SOURCE too")
    version = registry.find(reference)
    return measure_gate(Gates(registry).get(version.name, asked["gate"]), version.version, registry, progress)
