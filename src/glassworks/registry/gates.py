"""Regression gates: sets of examples that a version of a model must not fall on before an alias may name it.

A gate compares with the version that the alias names now, on the same examples. Without a tolerance the version fell
where it is worse by more than chance: the 95 % interval of the difference, for shares McNemar's exact test too; with
one where it is worse by more than that. Results are kept by version, so that each is measured once.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from glassworks.contracts import Difference, Evaluation, ExampleScores, Measurement
from glassworks.errors import Conflict, NotFound
from glassworks.packaging.evaluating import differences
from glassworks.record import Record
from glassworks.registry.connected import OwnTables
from glassworks.registry.records import Version, check_alias
from glassworks.registry.registry import Registry

_TABLES = sa.MetaData()
_GATES = sa.Table(
    "glassworks_gates",
    _TABLES,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("gate", sa.String(63), primary_key=True),
    sa.Column("asked", sa.JSON, nullable=False),
    sa.Column("metric", sa.String(100), nullable=False),
    sa.Column("tolerance", sa.Float),
    sa.Column("at", sa.String(40), nullable=False),
)
_RESULTS = sa.Table(
    "glassworks_gate_results",
    _TABLES,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("gate", sa.String(63), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("measurement", sa.JSON, nullable=False),
    sa.Column("scores", sa.Text, nullable=False),
)
_FORCED = sa.Table(
    "glassworks_gates_forced",
    _TABLES,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("alias", sa.String(63), primary_key=True),
    sa.Column("at", sa.String(40), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("who", sa.String(100), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)
_CHANCE = 0.05
_MEND = "keep the version that stands, or let the new one take its name all the same: --force"


class Gate(Record):
    """A set that versions of a model are held against: `asked` is what an evaluation of it is given (`source`,
    `columns`, `questions`). A `tolerance` is in the unit of the metric; None leaves it to chance."""

    model: str
    gate: str
    asked: dict[str, Any]
    metric: str
    tolerance: float | None = None
    at: str = ""


class Forced(Record):
    """An alias that was set although a version fell, or was not measured; `why` is what was known."""

    model: str
    alias: str
    at: str
    version: int
    who: str
    why: str


class Unmeasured(Conflict):
    """Versions that were not measured on a gate yet, or on other data."""

    def __init__(self, gate: Gate, versions: Sequence[Version]) -> None:
        self.gate, self.versions = gate, tuple(versions)
        names = " and ".join(each.reference for each in versions)
        super().__init__(
            f"{names} {'is' if len(versions) == 1 else 'are'} not measured on '{gate.gate}' as it is now",
            f"measure first: glassworks evaluate {versions[0].reference} --gate {gate.gate}",
        )


class Gates:
    """The gates of all models, in the registry's database. Failures are RegistryError and StorageError."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._own = OwnTables(registry.database, _TABLES)

    def of(self, model: str) -> tuple[Gate, ...]:
        """Those of a model, by their names."""
        query = sa.select(_GATES).where(_GATES.c.model == model).order_by(_GATES.c.gate)
        with self._own.transaction() as connection:
            return tuple(Gate.model_validate(dict(row)) for row in connection.execute(query).mappings())

    def get(self, model: str, gate: str) -> Gate:
        """One of them. Raises NotFound."""
        gates = {each.gate: each for each in self.of(model)}
        if gate not in gates:
            known = ", ".join(gates) or "none"
            mend = f"its gates: {known}; set one: glassworks evaluate {model} --data SOURCE --gate NAME"
            raise NotFound(f"the model '{model}' has no gate '{gate[:63]}'", mend)
        return gates[gate]

    def set(self, gate: Gate) -> Gate:
        """Keep a gate, in place of the one of that name, whose results are forgotten. Raises InputError."""
        check_alias(gate.gate)
        kept = gate.model_copy(update={"at": datetime.now(UTC).isoformat()})
        with self._own.transaction() as connection:
            self._forget(connection, gate.model, gate.gate)
            connection.execute(sa.insert(_GATES).values(kept.model_dump()))
        return kept

    def remove(self, model: str, gate: str) -> None:
        """Forget a gate with its results. Raises NotFound."""
        self.get(model, gate)
        with self._own.transaction() as connection:
            self._forget(connection, model, gate)

    def keep(self, gate: Gate, version: int, found: Evaluation) -> None:
        """Keep what a version has on a gate. Raises NotFound for an evaluation without the gate's metric."""
        measurement = found.metrics.get(gate.metric)
        if measurement is None:
            known = ", ".join(found.metrics)
            raise NotFound(f"the gate '{gate.gate}' has no metric '{gate.metric[:60]}'", f"metrics: {known:.200}")
        row = {
            "model": gate.model,
            "gate": gate.gate,
            "version": version,
            "fingerprint": found.fingerprint,
            "measurement": measurement.model_dump(mode="json"),
            "scores": json.dumps(_written(found.scores.get(gate.metric))),
        }
        same = (_RESULTS.c.model == gate.model, _RESULTS.c.gate == gate.gate, _RESULTS.c.version == version)
        with (
            contextlib.suppress(exc.IntegrityError),
            self._own.transaction() as connection,
        ):  # somebody else's is the same
            connection.execute(sa.delete(_RESULTS).where(*same))
            connection.execute(sa.insert(_RESULTS).values(row))

    def result(self, gate: Gate, version: int) -> Evaluation | None:
        """What was kept of a version: the gate's metric alone."""
        same = (_RESULTS.c.model == gate.model, _RESULTS.c.gate == gate.gate, _RESULTS.c.version == version)
        with self._own.transaction() as connection:
            row = connection.execute(sa.select(_RESULTS).where(*same)).mappings().first()
        if row is None:
            return None
        measurement = Measurement.model_validate(row["measurement"])
        scores = _read(json.loads(row["scores"]))
        return Evaluation(
            measurement.examples,
            {gate.metric: measurement},
            scores={gate.metric: scores} if scores else {},
            fingerprint=row["fingerprint"],
        )

    def require_passed(self, version: Version, alias: str) -> None:
        """Raise Conflict for a version that fell on a gate, against the one that the alias names now, and Unmeasured
        where one of them was not measured on it, or both on other data. The first version of an alias passes.
        """
        named = [each for each in self._registry.versions(version.name) if alias in each.aliases]
        if not named or named[0].version == version.version:
            return
        both = (version, named[0])
        for gate in self.of(version.name):
            results = {each: known for each in both if (known := self.result(gate, each.version)) is not None}
            if len(results) < len(both):
                raise Unmeasured(gate, [each for each in both if each not in results])
            ours, theirs = results[version], results[named[0]]
            if ours.fingerprint != theirs.fingerprint:
                raise Unmeasured(gate, both)
            found = differences(ours, theirs)[gate.metric]
            if fell(gate, found):
                raise refusal(gate, version.reference, named[0].reference, found)

    def force_past(self, version: Version, alias: str, who: str) -> bool:
        """Keep that an alias is set although a version did not pass; whether it did not."""
        try:
            self.require_passed(version, alias)
        except Conflict as error:
            row = Forced(
                model=version.name,
                alias=alias,
                at=datetime.now(UTC).isoformat(),
                version=version.version,
                who=who[:100],
                why=error.problem,
            )
            with self._own.transaction() as connection:
                connection.execute(sa.insert(_FORCED).values(row.model_dump()))
            return True
        return False

    def forced(self, model: str) -> tuple[Forced, ...]:
        """When an alias of a model was set all the same, the newest first."""
        query = sa.select(_FORCED).where(_FORCED.c.model == model).order_by(_FORCED.c.at.desc())
        with self._own.transaction() as connection:
            return tuple(Forced.model_validate(dict(row)) for row in connection.execute(query).mappings())

    def _forget(self, connection: sa.Connection, model: str, gate: str) -> None:
        for of in (_GATES, _RESULTS):
            connection.execute(sa.delete(of).where(of.c.model == model, of.c.gate == gate))


def fell(gate: Gate, found: Difference) -> bool:
    """Whether a version is worse than a gate allows."""
    _, rise, most = found.rise
    if gate.tolerance is not None:
        return rise < -gate.tolerance
    return most < 0 and (not found.exact or found.p_value is None or found.p_value < _CHANCE)


def refusal(gate: Gate, version: str, before: str, found: Difference) -> Conflict:
    """Why an alias cannot name a version."""
    low, high = found.interval
    allowed = "chance" if gate.tolerance is None else f"{gate.tolerance:g}"
    values = f"{gate.metric:.40} {found.other + found.value:.4g}, {found.other:.4g} of {before}"
    interval = f"{found.value:+.4g} [{low:+.4g}, {high:+.4g}] on {found.examples:,} examples"
    return Conflict(f"{version} fell on '{gate.gate}' by more than {allowed}: {values}; {interval}", _MEND)


def _written(scores: ExampleScores | None) -> Any:
    if scores is None:
        return None
    return {
        "values": [None if value != value else float(value) for value in scores.values.tolist()],
        "weights": None if scores.weights is None else list(map(float, scores.weights.tolist())),
        "exponential": scores.exponential,
        "higher_is_better": scores.higher_is_better,
    }


def _read(found: Mapping[str, Any] | None) -> ExampleScores | None:
    import numpy as np

    if found is None:
        return None
    values = np.array([np.nan if value is None else value for value in found["values"]], np.float64)
    weights = None if found["weights"] is None else np.array(found["weights"], np.float64)
    return ExampleScores(
        values=values,
        weights=weights,
        exponential=found["exponential"],
        higher_is_better=found["higher_is_better"],
    )
