"""An engine that opens artifacts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from glassworks.contracts.records import Device, Opened, Precision
    from glassworks.contracts.session import Layer, Session


class Runtime(ABC):
    """Opens artifacts of the formats it accepts and runs them."""

    name: ClassVar[str]
    accepts: ClassVar[frozenset[str]]
    precisions: ClassVar[Mapping[Precision, str]]
    """Precision -> empty, or the reason why this runtime does not compute in it. One that is not here it computes in
    where a pass made the artifact for this runtime."""
    devices: ClassVar[tuple[Device, ...]] = ("cpu",)
    needs: ClassVar[tuple[str, ...]] = ()
    own_process: ClassVar[bool] = False
    """Whether a server opens its artifacts in a process of their own, wherever it computes otherwise."""

    @abstractmethod
    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        """Open an artifact. Raises BundleError when the file is not what it says."""

    def space(self, opened: Opened) -> Mapping[str, tuple[str, ...]]:
        """Settings that are worth trying for that artifact on this processor, with their values, what it does without
        the setting first; nothing, as here, where there are none.

        `open` applies those in `Artifact.settings`, and leaves alone what it does not know.
        """
        return {}

    def layers(self, opened: Opened) -> tuple[Layer, ...]:
        """The layers of products as the engine really computes them; nothing, as here, where it does not tell. Opens
        the artifact once more; raises BundleError as `open` does.
        """
        return ()
