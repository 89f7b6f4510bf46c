"""The tables of runs, in the registry's database."""

from __future__ import annotations

import sqlalchemy as sa

TABLES = sa.MetaData()
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
RUNS = sa.Table(
    "glassworks_runs",
    TABLES,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(20), nullable=False, unique=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("about", sa.String(200), nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("stage", sa.String(200), nullable=False, default=""),
    sa.Column("step", sa.BigInteger, nullable=False, default=0),
    sa.Column("total", sa.BigInteger),
    sa.Column("values", sa.JSON, nullable=False, default=dict),
    sa.Column("priority", sa.Integer, nullable=False, default=0),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("who", sa.String(100), nullable=False, default=""),
    sa.Column("parent", sa.String(20), nullable=False, default=""),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("cancelling", sa.Boolean, nullable=False, default=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("result", sa.JSON, nullable=False, default=dict),
    # What follows is between workers.
    sa.Column("idempotency", sa.String(200), unique=True),
    sa.Column("asked", sa.String(64), nullable=False),
    sa.Column("worker", sa.String(120), nullable=False, default=""),
    sa.Column("lease", sa.Double, nullable=False, default=0.0),
    sa.Column("reached", sa.BigInteger, nullable=False, default=0),
    sa.Column("reached_before", sa.BigInteger, nullable=False, default=0),
    sa.Column("deaths", sa.Integer, nullable=False, default=0),
    sa.Column("not_before", sa.Double, nullable=False, default=0.0),
    sa.Column("published", sa.String(80), nullable=False, default=""),
    sa.Index("glassworks_runs_waiting", "state", "priority", "number"),
)
EVENTS = sa.Table(
    "glassworks_run_events",
    TABLES,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("run", sa.String(20), nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Index("glassworks_run_events_of_run", "run", "number"),
)
