"""Energy by the counters of the processor: RAPL, as the Linux kernel shows it under powercap."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")


class Counters:
    """One for each package of processors, in microjoules; each begins again at its range."""

    def __init__(self, powercap: Path = _POWERCAP) -> None:
        # intel-rapl:0 is a package, intel-rapl:0:1 a part of it that would count twice. AMD has the same names.
        self._files = [folder / "energy_uj" for folder in sorted(powercap.glob("intel-rapl:*")) if _whole(folder)]

    def refusal(self) -> str:
        """Why they cannot be read; empty where they can."""
        if not self._files:
            return "the system shows no energy counters (RAPL) of its processors"
        try:
            self.read()
        except PermissionError:
            return f"only the administrator may read {self._files[0]}"
        except (OSError, ValueError) as error:
            return f"{self._files[0]} cannot be read: {error}"
        return ""

    def read(self) -> Mapping[Path, int]:
        """The counters now. Raises OSError and ValueError."""
        return {file: int(file.read_text(encoding="ascii")) for file in self._files}

    def joules_since(self, before: Mapping[Path, int]) -> float:
        """Spent since they were read; a counter may have begun again once."""
        spent = 0
        for file, now in self.read().items():
            lap = int((file.parent / "max_energy_range_uj").read_text(encoding="ascii"))
            spent += now - before[file] if now >= before[file] else lap - before[file] + now
        return spent / 1e6


def _whole(folder: Path) -> bool:
    return folder.name.count(":") == 1
