"""The registry: names, versions, aliases and lineage of bundles. SQLAlchemy loads when a database is needed."""

from glassworks.registry.records import Resolved, Version
from glassworks.registry.registry import Registry

__all__ = ["Registry", "Resolved", "Version"]
