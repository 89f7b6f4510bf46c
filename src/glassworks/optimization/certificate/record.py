"""What a certificate says."""

from __future__ import annotations

from typing import Literal

from glassworks.record import Record

Verdict = Literal["proven", "kept, not proven", "broken"]


class Promise(Record):
    """A limit, and what was measured of it.

    `bound` is what the true value is, with 95 % probability, not worse than; None where the data bound nothing.
    `proven`: the bound keeps the limit too. `kept, not proven`: the measured value keeps it, and the data are too few
    to exclude that the true one does not. `broken`: the measured value does not keep it. `shown` are both for people,
    `samples` how many examples or requests it stands on, `note` what would prove it.
    """

    limit: str
    value: float
    bound: float | None
    shown: str
    verdict: Verdict
    samples: int
    method: str
    note: str = ""


class Figure(Record):
    """A served quantity of both models, in its unit, each with its bounds (95 % on each side; None where there are
    none), and the ratio of the two."""

    name: str
    unit: str
    value: float
    bounds: tuple[float | None, float | None]
    reference: float
    reference_bounds: tuple[float | None, float | None]
    ratio: float
    ratio_bounds: tuple[float | None, float | None]
    requests: int


class Certificate(Record):
    """What holds of a served model, on which machine, and how that was found: `certificate.json` in the bundle.

    `served` says that answers and times came from a real server on this machine, over HTTP and the protocol's binary
    form, candidate and reference in random turns; else they are as the search measured them. `examples` are those that
    both answered, of the split that the model was chosen on.
    """

    candidate: str
    reference: str
    goal: str
    promises: tuple[Promise, ...]
    figures: tuple[Figure, ...] = ()
    served: bool
    requests: int = 0
    examples: int = 0
    seconds: float = 0.0
    instruction_set: tuple[str, ...] = ()
    processor: str = ""
    engine: str = ""
    precision: str = ""
    threads: int = 1
    libraries: dict[str, str] = {}
    data_fingerprint: str = ""
    made_at: str = ""
    notes: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[Promise, ...]:
        """What the model must not be served with."""
        return tuple(each for each in self.promises if each.verdict == "broken")
