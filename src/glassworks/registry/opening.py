"""A model by its reference, opened with its feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glassworks.contracts import Feedback
from glassworks.errors import Unsupported
from glassworks.packaging.opened import OpenedBundle, memory_file
from glassworks.registry.registry import Registry


def open_model(reference: str, registry: Registry) -> OpenedBundle:
    """The model of a reference, with its feedback. Raises what `resolve` raises."""
    resolved = registry.resolve(reference)
    opened = OpenedBundle(resolved.bundle)
    opened.recall(registry.home, resolved.name)
    return opened


def keep_feedback(reference: str, events: Sequence[Mapping[str, Any]], registry: Registry) -> Mapping[str, int]:
    """Keep feedback for a model, as a service does: `accepted` and `repeated` events.

    Raises Unsupported for a model that takes none, InputError and StorageError.
    """
    resolved = registry.resolve(reference)
    task = OpenedBundle(resolved.bundle).task
    if not isinstance(task, Feedback):
        raise Unsupported(f"a model for {task.name} takes no feedback", "send it to a model that does")
    memory = task.memory(memory_file(registry.home, resolved.name))
    try:
        return memory.learn({"events": list(events)})
    finally:
        memory.close()
