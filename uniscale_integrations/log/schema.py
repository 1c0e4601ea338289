"""The tables of the log, their version, and how an older one becomes a newer one."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    text,
    update,
)

from uniscale_integrations.errors import LogError

VERSION = 1
"""What this code writes; a log of a later version is refused."""

_KEY = BigInteger().with_variant(Integer(), "sqlite")
metadata = MetaData()

meta = Table("uniscale_meta", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False))

events = Table(
    "uniscale_events",
    metadata,
    Column("seq", _KEY, Identity(always=True), primary_key=True, autoincrement=True),
    # The transaction that wrote the row. On PostgreSQL serial numbers become visible out of order, as transactions commit; transactions
    # below the oldest one still running are all there are ever going to be. On SQLite, which has one writer at a time, it is 0.
    Column("tx", BigInteger, nullable=False, server_default=text("0")),
    Column("kind", String(16), nullable=False),
    Column("decision_id", String(64), nullable=False),
    Column("at", Float(53), nullable=False),
    Column("body", Text, nullable=False),
    Index("uniscale_events_order", "tx", "seq").ddl_if(dialect="postgresql"),
    Index("uniscale_events_decision", "decision_id", "kind"),
)

snapshots = Table(
    "uniscale_snapshots",
    metadata,
    Column("fold", String(64), primary_key=True),
    Column("tx", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("state", LargeBinary, nullable=False),
)

descriptions = Table(
    "uniscale_descriptions",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("at", Float(53), nullable=False),
    Column("body", Text, nullable=False),
)

calibrations = Table(
    "uniscale_calibrations",
    metadata,
    Column("verifier", String(200), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False),
    Column("body", Text, nullable=False),
)

TRANSACTION = text("(pg_current_xact_id()::text::bigint)")
"""The default of `tx` on PostgreSQL, where a transaction has a number."""

MIGRATIONS: dict[int, tuple[str, ...]] = {}
"""Statements that turn a log of a version into one of the next."""


def prepare(connection: Connection) -> None:
    """Create the tables where there are none, and bring older ones up to date; within the caller's transaction.

    Raises:
        LogError: the log was written by a later version of this package.
    """
    if connection.dialect.name == "postgresql":
        # Workers that start together would otherwise create the same tables at the same time.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('uniscale_meta'))"))
    metadata.create_all(connection)
    stored_version = connection.execute(select(meta.c.value).where(meta.c.name == "version")).scalar_one_or_none()
    if stored_version is None:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"ALTER TABLE {events.name} ALTER COLUMN tx SET DEFAULT {TRANSACTION.text}"))
        connection.execute(insert(meta).values(name="version", value=str(VERSION)))
        return
    version = int(stored_version)
    if version > VERSION:
        raise LogError(f"the log has the schema version {version}, this package knows {VERSION} at most; install a newer one")
    for step in range(version, VERSION):
        for statement in MIGRATIONS[step]:
            connection.execute(text(statement))
    connection.execute(update(meta).where(meta.c.name == "version").values(value=str(VERSION)))
