"""The instruction sets of this machine, on which the numbers of a bundle depend."""

from __future__ import annotations

from glassworks.machine import instruction_set as instruction_set
