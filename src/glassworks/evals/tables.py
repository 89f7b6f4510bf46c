"""The tables of evals, in the registry's database."""

from __future__ import annotations

import sqlalchemy as sa

TABLES = sa.MetaData()
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
EVALS = sa.Table(
    "glassworks_evals",
    TABLES,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("owner", sa.String(9), nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Index("glassworks_evals_of_owner", "owner", "number"),
)
EVAL_RUNS = sa.Table(
    "glassworks_eval_runs",
    TABLES,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    # Also the idempotency key of its run in the queue of all runs, which nobody else can choose.
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("eval", sa.String(40), nullable=False),
    sa.Column("owner", sa.String(9), nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("tally", sa.Text, nullable=False),
    sa.Index("glassworks_eval_runs_of_eval", "eval", "number"),
)
EVAL_ITEMS = sa.Table(
    "glassworks_eval_items",
    TABLES,
    sa.Column("run", sa.String(40), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("status", sa.String(5), nullable=False),
    sa.Column("record", sa.Text, nullable=False),
)
