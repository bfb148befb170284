"""The tables, as they are after the newest migration."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

graphs = Table(
    "graphs",
    metadata,
    Column("graph_id", String(16), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("name", String(64), nullable=False),
    Column("document", Text, nullable=False, doc="Canonical text of the newest revision."),
    Column("revision", Integer, nullable=False),
    Column("nodes", Integer, nullable=False),
    Column("listed", Boolean, nullable=False, doc="Whether somebody saved, edited or trained it."),
    Column("created_at", Float, nullable=False),
    Column("saved_at", Float, nullable=False),
    Column("held", LargeBinary, doc="Values of its shared variables as safetensors, if trained."),
)

revisions = Table(
    "revisions",
    metadata,
    Column("graph_id", ForeignKey("graphs.graph_id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("patches", Text, nullable=False, doc="JSON list of the patches that led to it."),
    Column("made_at", Float, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(16), primary_key=True),
    Column("graph_id", ForeignKey("graphs.graph_id", ondelete="CASCADE"), nullable=False),
    Column("title", String(200), nullable=False),
    Column("document", Text, nullable=False, doc="Canonical text of what was trained."),
    Column("options", Text, nullable=False, doc="JSON of what it was started with."),
    Column("state", String(16), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("steps", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seed", BigInteger),
    Column("device", String(16), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("cost", Float),
    Column("reason", Text),
    Column("result", Text, nullable=False, doc="JSON of its last values by node id."),
    Index("runs_by_graph", "graph_id", "started_at"),
)

run_events = Table(
    "run_events",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("name", String(200), nullable=False),
    Column("value", Text, nullable=False, doc="JSON."),
)

metric_chunks = Table(
    "metric_chunks",
    metadata,
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("metric", String(64), primary_key=True),
    Column("last_step", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("steps", LargeBinary, doc="Little-endian int64; absent when they are consecutive."),
    Column("points", LargeBinary, nullable=False, doc="Little-endian float64 values."),
)
