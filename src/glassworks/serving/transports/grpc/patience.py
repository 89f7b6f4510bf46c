"""How much a client may ask of a connection that brings no call forward."""

from __future__ import annotations

from glassworks.serving.transports.grpc.frames import Broken, Code

_MOST = 1000
_RENEWED = 4


class Patience:
    """Frames that only cost work use it up; calls, messages and time renew it. One that has none left is an attack.

    Among them are calls that are begun only to be cancelled (CVE-2023-44487), empty frames, settings and pings without
    end (CVE-2019-9512 to 9518), and headers in countless pieces (CVE-2024-27316).
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MOST

    def spend(self, reason: str) -> None:
        """Once more. Raises Broken."""
        self.left -= 1
        if self.left < 0:
            raise Broken(Code.ENHANCE_YOUR_CALM, f"too many {reason}")

    def renew(self, by: int = _RENEWED) -> None:
        """Something useful was done, or time has passed."""
        if self.left < _MOST:
            self.left = min(_MOST, self.left + by)
