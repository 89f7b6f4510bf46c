"""Which engines a model gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from glassworks.catalog import get
from glassworks.contracts import Runtime
from glassworks.serving.core.engines.client import EngineClient
from glassworks.serving.core.engines.local import LocalEngine
from glassworks.serving.core.engines.messages import Open
from glassworks.serving.core.engines.process import ProcessEngine

if TYPE_CHECKING:
    from glassworks.contracts import Memory
    from glassworks.packaging.opened import OpenedBundle
    from glassworks.serving.supervision import Supervisor

Where = Literal["thread", "process"]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where models compute: on threads of the server, or in processes of their own. One whose runtime wants a process
    has one, in which it is explained too."""

    engine: Where = "thread"
    explain_in: Where = "thread"
    """`thread` is a thread of the engine, wherever that is."""


@dataclass(frozen=True, kw_only=True)
class Engines:
    """What computes and what explains for one version of a model: one engine, or two."""

    computing: EngineClient
    explaining: EngineClient

    @property
    def restarts(self) -> int:
        """How often their processes were started again."""
        return sum(engine.stats().restarts for engine in {self.computing, self.explaining})

    def stop(self) -> None:
        """End their processes: who waits for one has an answer then."""
        for engine in (self.explaining, self.computing):
            if isinstance(engine, ProcessEngine):
                engine.close()

    def close(self) -> None:
        """Give the engines' memory back; nothing may be under way in this process."""
        self.explaining.close()
        self.computing.close()


def open_engines(
    opened: OpenedBundle, name: str, placement: Placement, memory: Memory | None, supervisor: Supervisor
) -> Engines:
    """Engines that are warm and answer as the manifest says. Raises what forbids it, with nothing left open."""
    wants_process = get(Runtime, opened.bundle.artifact("predict").artifact.runtime).own_process
    explains = wants_process or placement.explain_in == "thread"
    opened.memory = memory
    if wants_process or placement.engine == "process":
        computing: EngineClient = ProcessEngine(name, _opening(opened, True, explains, wants_process), supervisor)
    else:
        try:
            if memory is not None:
                opened.remember(memory)
            computing = LocalEngine(opened).prepare(explains)
        except BaseException:
            opened.close()
            raise
    if explains:
        return Engines(computing=computing, explaining=computing)
    return Engines(computing=computing, explaining=ProcessEngine(name, _opening(opened, False, True), supervisor))


def _opening(opened: OpenedBundle, infers: bool, explains: bool, steps_back: bool = False) -> Open:
    memory = str(opened.memory.file) if opened.memory is not None else ""
    return Open(str(opened.bundle.folder), opened.bundle.sha256, memory, infers, explains, steps_back)
