"""How the log speaks to SQLite and to PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from uniscale_integrations.errors import LogError, MissingExtraError

BUSY_MILLISECONDS = 30_000
"""How long a SQLite writer waits for another one."""

READING = "uniscale_reading"
"""The execution option of a transaction that only reads."""


def connected(url: str, create: bool = True) -> Engine:
    """An engine for the database behind an address.

    Args:
        url: the address.
        create: whether a file that is not there is made.

    Raises:
        LogError: that is no address of a log, or there is none and none is to be made.
        MissingExtraError: the driver is not installed.
    """
    try:
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise LogError(f"a log is kept in SQLite or PostgreSQL, got {url!r}; give sqlite:///file.db or postgresql://...")
        if address.get_backend_name() == "postgresql":
            return create_engine(address, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise LogError(f"{url!r} is no address of a log ({error}); give sqlite:///file.db or postgresql://user@host/database") from error
    except ModuleNotFoundError as error:
        raise MissingExtraError("a log in PostgreSQL", "postgres") from error
    in_memory = address.database in (None, "", ":memory:")
    if not create and not in_memory and not Path(str(address.database)).exists():
        # SQLite would leave an empty file behind.
        raise LogError(f"there is no log at {url}")
    # In memory there is a database for each connection, so all share one.
    pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if in_memory else {}
    engine = create_engine(address, poolclass=QueuePool, connect_args={"check_same_thread": False}, **pool)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, record: object) -> None:
    # The driver would begin transactions by itself, and without taking the write lock; `_begin` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # What was acknowledged survives a power cut, not only a crash of this process.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer that only took the lock at its first write could find that another one had written since it began to read.
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READING) else "BEGIN IMMEDIATE")
