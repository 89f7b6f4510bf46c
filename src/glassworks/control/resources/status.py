"""Status: everything is running, or what needs somebody."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from glassworks.control.access import Controlled, Viewer
from glassworks.control.describing import served
from glassworks.control.needs import Need, free_bytes, needs, workers

router = APIRouter(prefix="/status", tags=["status"])


class ServedModel(BaseModel):
    """A model in service, and its versions."""

    model: str
    versions: list[str]


class RunCounts(BaseModel):
    """Runs that are under way, and those that wait for a worker."""

    running: int
    waiting: int


class Disk(BaseModel):
    """Where everything is kept."""

    free_bytes: int


class Status(BaseModel):
    """`healthy`: nothing needs anybody. `workers`: whether a worker of this machine takes runs."""

    healthy: bool
    needs: list[Need]
    serving: list[ServedModel]
    runs: RunCounts
    workers: bool
    disk: Disk


@router.get("")
def get_status(control: Controlled, caller: Viewer) -> Status:
    """What is going on, and what needs somebody."""
    found = list(needs(control, admin="admin" in caller.roles))
    counts = control.runs.counts()
    return Status(
        healthy=not found,
        needs=found,
        serving=[ServedModel(model=name, versions=list(versions)) for name, versions in served(control).items()],
        runs=RunCounts(
            running=counts.get("running", 0), waiting=counts.get("queued", 0) + counts.get("interrupted", 0)
        ),
        workers=workers(control),
        disk=Disk(free_bytes=free_bytes(control)),
    )
