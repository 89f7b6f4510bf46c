"""Whether versions of a model can share its requests: what one of them answers, the others have to answer too."""

from __future__ import annotations

from glassworks.control.deploying import Split
from glassworks.control.state import Control
from glassworks.errors import Conflict
from glassworks.registry.succession import difference

_MEND = "let clients ask for the version that they want, or serve it under another name; 'force' splits all the same"


def require_alike(control: Control, name: str, wanted: Split) -> None:
    """Raises Conflict where versions with a share, or the shadow, take other inputs or answer with other labels."""
    versions = sorted({*map(int, wanted.shares or {}), *([wanted.shadow] if wanted.shadow else ())})
    if len(versions) < 2:
        return
    first, *others = versions
    base = control.registry.manifest(control.registry.find(f"{name}@{first}"))
    for each in others:
        if found := difference(base, control.registry.manifest(control.registry.find(f"{name}@{each}"))):
            raise Conflict(f"versions {first} and {each} of '{name}' cannot share requests: {found}", _MEND)
