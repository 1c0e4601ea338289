"""How the log speaks to SQLite and to PostgreSQL."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from uniscale_integrations.errors import LogError, MissingExtraError
from uniscale_integrations.redaction import MASK, redacted

BUSY_MILLISECONDS = 10_000
"""How long a SQLite writer waits for another one, also who opens a file that is to be made or brought up to date."""

GIVE = "give sqlite:///file.db or postgresql://user@host/database"

_OPTIONS = re.compile(r"(?i)(?<=[?&])(options|[a-z]*key)=[^&\s]+")
"""What may hold secrets in the query of an address, beside what is named so."""

_PASSWORD = re.compile(r"^((?:[A-Za-z][\w+.-]*(?::/{0,2}|//))?[^\s/:@?]*):(?!/).*@")
"""What stands before the password of an address, also of one that lacks a colon or a slash, and the password."""

READING = "uniscale_reading"
"""The execution option of a transaction that only reads."""


_forkable: WeakSet[Engine] = WeakSet()


def _apart() -> None:
    """In a forked process: connections are the parent's, and go on in it; new ones are opened here."""
    for engine in _forkable:
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_apart)


def without_password(url: str) -> str:
    """An address, which need not be one, as it may be shown.

    Example:
        >>> without_password("postgresql://me:hunter2@host/db?password=hunter2")
        'postgresql://me:***@host/db?password=***'
        >>> without_password("postgresql://host/db?dbname=user%3Dme%20password%3Dhunter2")
        'postgresql://host/db?dbname=user=me password=***'
    """
    shown = _masked(url)
    # What is written in percent signs may be an address, or the name of a parameter.
    plain = _unquoted(shown)
    return shown if _masked(plain) == plain else _masked(_unquoted(url))


def _unquoted(text: str) -> str:
    """A text without percent signs, however often it was quoted."""
    while (plain := unquote(text)) != text:
        text = plain
    return text


def _masked(url: str) -> str:
    # A password may hold what should have been written otherwise: it ends with the last @, whatever stands before it.
    return _OPTIONS.sub(rf"\1={MASK}", redacted(_PASSWORD.sub(rf"\1:{MASK}@", url)))


def address_of(url: str) -> URL:
    """The address of a log.

    Raises:
        LogError: it is none.
    """
    try:
        address = make_url(url)
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise LogError(f"a log is kept in SQLite or PostgreSQL, got {without_password(url)!r}; {GIVE}")
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
    except (ArgumentError, NoSuchModuleError, ValueError):
        # What SQLAlchemy says of it quotes it, and with it the password.
        raise LogError(f"{without_password(url)!r} is no address of a log; {GIVE}") from None
    if "@" in (address.host or ""):
        raise LogError(f"{without_password(url)!r} is no address of a log; write an @ in a password as %40")
    return address


def database_engine(url: str, create: bool = True, read_only: bool = False) -> Engine:
    """An engine for the database behind an address.

    Args:
        url: the address.
        create: whether a file that is not there is made.
        read_only: whether it is only read, as a file or in a folder that cannot be written.

    Raises:
        LogError: that is no address of a log, or there is none and none is to be made.
        MissingExtraError: the driver is not installed.
    """
    public_address = without_password(url)
    address = address_of(url)
    try:
        if address.get_backend_name() == "postgresql":
            return _postgres_engine(address)
    except ModuleNotFoundError as error:
        raise MissingExtraError("a log in PostgreSQL", "postgres") from error
    in_memory = is_in_memory(address)
    if not create and not in_memory and not os.path.exists(str(address.database)):
        # SQLite would leave an empty file behind.
        raise LogError(f"there is no log at {public_address}")
    # In memory there is a database for each connection, so all share one.
    pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if in_memory else {}
    if not in_memory and not str(address.database).startswith("file:"):
        # Connections that are opened later, in another folder, are to the same file.
        address = address.set(database=str(absolute_path(str(address.database))))
    if read_only and not in_memory and not str(address.database).startswith("file:"):
        path = Path(str(address.database))
        pool["creator"] = lambda: _reader(path)
    engine = create_engine(address, poolclass=QueuePool, connect_args={"check_same_thread": False}, **pool)
    if not in_memory:
        _forkable.add(engine)
    event.listen(engine, "connect", _set_up if (create or in_memory) and not read_only else _set_up_as_it_is)
    if read_only:
        event.listen(engine, "connect", _set_up_to_read)
        event.listen(engine, "close", _set_up_to_close)
    event.listen(engine, "begin", _begin)
    return engine


def _postgres_engine(address: URL) -> Engine:
    engine = create_engine(address, pool_pre_ping=True)
    from uniscale_integrations.log import psycopg_connection

    @event.listens_for(engine, "do_connect")
    def connect(dialect: object, record: object, arguments: Sequence[Any], settings: dict[str, Any]) -> Any:
        connection = psycopg_connection.BoundedConnection.connect(
            *arguments, **{"connect_timeout": psycopg_connection.CONNECT_SECONDS, **settings}
        )
        try:
            for setting in psycopg_connection.SETTINGS:
                connection.execute(setting.encode())
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    _forkable.add(engine)
    return engine


def absolute_path(database: str) -> Path:
    """The file of a SQLite database, which may be named by a URI.

    Example:
        >>> absolute_path("file:/data/answers.db?mode=rw").as_posix(), absolute_path("answers.db").is_absolute()
        ('/data/answers.db', True)
    """
    name = unquote(urlsplit(database).path) if database.startswith("file:") else database
    return Path(os.path.abspath(name))


def is_in_memory(address: URL) -> bool:
    """Whether a database lives no longer than its process.

    Example:
        >>> is_in_memory(address_of("sqlite://")), is_in_memory(address_of("sqlite:///uniscale.db"))
        (True, False)
    """
    return address.get_backend_name() == "sqlite" and address.database in (None, "", ":memory:")


def _reader(path: Path) -> sqlite3.Connection:
    """A connection to a file that is only read."""
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.OperationalError:
        connection.close()
        ahead = path.with_name(f"{path.name}-wal")
        if ahead.exists() and ahead.stat().st_size:
            raise
        # Readers tell writers of themselves in a file beside it, which cannot be made here; nor is there anybody who writes it.
        connection = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True, check_same_thread=False)
    return connection


def _set_up_to_read(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()


def _set_up_to_close(connection: Any, record: object) -> None:
    # The last one to close a file takes its journal away, if it may write.
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA query_only = OFF")


def _set_up(connection: Any, record: object) -> None:
    _set_up_as_it_is(connection, record)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _set_up_as_it_is(connection: Any, record: object) -> None:
    # A file stays in the mode that it is in: it may turn out to be another application's.
    # The driver would begin transactions by itself, and without taking the write lock; `_begin` does it.
    connection.isolation_level = None
    # A row that is no UTF-8 is one that cannot be read, and must not stop those around it.
    connection.text_factory = _decoded
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    # What was acknowledged survives a power cut, not only a crash of this process.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")


def _begin(connection: Connection) -> None:
    # A writer that only took the lock at its first write could find that another one had written since it began to read.
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READING) else "BEGIN IMMEDIATE")
