"""Where a version came from, as a graph."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel

from glassworks.control.state import Control
from glassworks.errors import GlassworksError
from glassworks.packaging.manifest import Manifest
from glassworks.registry import Version

_LONGEST = 50
_VERSION = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}@\d{1,9}", re.ASCII)


class Node(BaseModel):
    """Something that a version was made of; `link` is where the console shows it."""

    id: str
    kind: Literal["data", "job", "run", "pass", "version", "teacher"]
    label: str
    link: str = ""


class Edge(BaseModel):
    """What went into what, by the ids of the nodes."""

    source: str
    target: str


class Graph(BaseModel):
    """Nodes and edges, the oldest first."""

    nodes: list[Node]
    edges: list[Edge]


def graph_of(control: Control, version: Version, run: str | None) -> Graph:
    """The lineage of a version: its data, job, run and passes, and its ancestors with theirs."""
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    line = control.registry.lineage(version.name, version.version)[:_LONGEST]
    for each in reversed(line):
        _add_version(control, each, run if each is line[0] else control.runs.made(each.reference), nodes, edges)
    return Graph(nodes=list(nodes.values()), edges=edges)


def _add_version(
    control: Control, version: Version, run: str | None, nodes: dict[str, Node], edges: list[Edge]
) -> None:
    this = f"version:{version.reference}"
    nodes[this] = Node(id=this, kind="version", label=version.reference, link=_page(version.reference))
    made_of: list[Node] = []
    if version.parent:
        made_of.append(Node(id=f"version:{version.parent}", kind="version", label=version.parent))
    if run:
        made_of.append(Node(id=f"run:{run}", kind="run", label=run, link=f"#/runs/{run}"))
    try:
        made_of += _made_of(control.registry.manifest(version))
    except GlassworksError:  # what its bundle said is lost; the rest is known all the same
        made_of = made_of[:]
    passes = [node for node in made_of if node.kind == "pass"]
    last = this
    for node in reversed(passes):
        node.id = f"{node.id}:{version.reference}"
        nodes[node.id] = node
        edges.append(Edge(source=node.id, target=last))
        last = node.id
    for node in made_of:
        if node.kind != "pass":
            nodes.setdefault(node.id, node)
            edges.append(Edge(source=node.id, target=last))


def _made_of(manifest: Manifest) -> list[Node]:
    lineage, found = manifest.lineage, []
    if lineage.data:
        this = f"data:{manifest.data_fingerprint or lineage.data}"
        found.append(Node(id=this, kind="data", label=lineage.data, link=_data_page(lineage.data)))
    if manifest.job:
        label = f"{manifest.job.get('name', manifest.name)} ({manifest.family})"
        found.append(Node(id=f"job:{lineage.run or label}", kind="job", label=label))
    found += [Node(id=f"pass:{name}", kind="pass", label=name) for name in lineage.passes]
    training = manifest.job.get("training")
    teacher = training.get("teacher") if isinstance(training, dict) else None
    if isinstance(teacher, str) and teacher:
        link = _page(teacher) if _VERSION.fullmatch(teacher) else ""
        found.append(Node(id=f"teacher:{teacher}", kind="teacher", label=teacher, link=link))
    return found


def _data_page(source: str) -> str:
    """Of what was uploaded, and of a sample; other data have none."""
    item = source.removeprefix("uploaded:")
    return f"#/data/{quote(item, safe='')}" if source.startswith(("uploaded:", "sample:")) else ""


def _page(reference: str) -> str:
    name, _, version = reference.partition("@")
    return f"#/models/{name}/{version}"
