"""Durable records of work: a queue in the registry's database, and workers that take from it."""

from glassworks.runs.records import Event as Event, Run as Run, RunError as RunError
from glassworks.runs.store import Runs as Runs
