"""What a job would publish, beside what is served under its name: told before anything is trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from glassworks.catalog import named
from glassworks.contracts import Family
from glassworks.control.state import Control
from glassworks.data.preview import Preview, open_preview
from glassworks.errors import GlassworksError
from glassworks.packaging.manifest import Manifest
from glassworks.registry.succession import labels_differ, warning

_LOOKED_AT = 5
"""Pictures whose size is looked at: where they differ, what they are scaled to is not known yet."""


def foreseen(control: Control, job: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for a job whose version would take other inputs, or answer with other labels, than the one that its
    name stands for now. Nothing is said of what cannot be known without training."""
    with contextlib.suppress(GlassworksError, KeyError, TypeError, ValueError):  # the job may be wrong in any way
        before = control.registry.find(f"{job['name']}")
        manifest, task = control.registry.manifest(before), named(Family, job["family"]).task
        if task != manifest.task:
            yield warning(before.name, before, f"it is for {task}, not {manifest.task}")
            return
        look = open_preview(job["data"]["source"])
        if found := _sizes(look, job, manifest) or _labels(look, job, manifest):
            yield warning(before.name, before, found)


def _sizes(look: Preview, job: Mapping[str, Any], manifest: Manifest) -> str:
    """Models of pictures say in their preprocessing what they are scaled to."""
    height, width = manifest.preprocessing.get("height"), manifest.preprocessing.get("width")
    side = job.get("model", {}).get("size")
    sizes = {(side, side)} if side else set(look.sizes(_LOOKED_AT))
    if not height or len(sizes) != 1 or (size := sizes.pop()) == (height, width):
        return ""
    return f"they take other inputs, {size[0]} x {size[1]} pixels against {height} x {width}"


def _labels(look: Preview, job: Mapping[str, Any], manifest: Manifest) -> str:
    if column := job["data"].get("label"):
        look = look.read_as(look.kind or "texts", {"label": column})
    multi_label = any(key in job["data"] for key in ("separator", "labels"))
    names = sorted(each.name for each in look.classes())
    return labels_differ(names, sorted(manifest.labels), manifest.task) if names and not multi_label else ""
