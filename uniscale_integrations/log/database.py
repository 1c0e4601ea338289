"""A log's database: its address, transactions that read it or write it, and its errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeoutError

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.connect import READING, is_in_memory, without_password
from uniscale_integrations.redaction import redacted_message
from uniscale_integrations.texts import first_line, utf8_safe


class LogDatabase:
    """What a log needs of a database that SQLAlchemy speaks to; what differs between databases is in subclasses of `SQLStore`.

    Args:
        engine: connects to it.
    """

    _holds_all_texts = True
    """Whether it can hold characters of all scripts; otherwise names and bodies are written as ASCII can say them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        driver = engine.dialect.loaded_dbapi
        self._error: type[Exception] = driver.Error
        self._passing: type[Exception] = driver.OperationalError
        self._collision: type[Exception] = driver.IntegrityError

    def _name(self, text: str) -> str:
        """A name as the database can hold it."""
        return text if self._holds_all_texts or text.isascii() else text.encode("ascii", "backslashreplace").decode()

    def _can_hold(self, text: str) -> bool:
        """Whether a text may be there as it is."""
        writable = utf8_safe(text) == text if self._holds_all_texts else text.isascii()
        return writable and "\0" not in text

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def spare(self, target: Path) -> None:
        """Nothing may be written over the log's own file.

        Raises:
            LogError: the target is that.
        """
        file = self.file
        if file is not None and target.resolve() == file.resolve():
            raise LogError(f"{target} is the log itself; give another file to write")

    @property
    def in_memory(self) -> bool:
        """Whether it is nowhere but in this process, so that nothing written to it waits for a disk."""
        return is_in_memory(self._engine.url)

    @property
    def url(self) -> str:
        """The address, with its password."""
        return self._engine.url.render_as_string(hide_password=False)

    @property
    def name(self) -> str:
        """The address without its password."""
        return without_password(self._engine.url.render_as_string(hide_password=True))

    @property
    def identity(self) -> str:
        """What tells it from every other log, whoever opens it and with which settings."""
        url = self._engine.url
        query = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
        host, port = url.host or query.get("host", ""), url.port or query.get("port") or 5432
        database = url.database or query.get("dbname") or url.username or ""
        return f"{url.get_backend_name()}://{host}:{port}/{database}"

    @property
    def former_identity(self) -> str:
        """What did so to earlier versions of this package: an address in full but for the password, which may not be shown."""
        return self._engine.url.set(password=None).render_as_string(hide_password=False)

    @property
    def file(self) -> Path | None:
        """Where the log is one file, that."""
        return None

    @property
    def dialect(self) -> str:
        """What the database is, "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._reading() as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection of its own without a transaction, which is closed in the end, and with it all that it holds."""
        with self._translate_errors("lock"), self._engine.connect() as connection:
            try:
                yield connection.execution_options(isolation_level="AUTOCOMMIT")
            finally:
                connection.invalidate()

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A transaction that nobody else writes, or looks up what to write, beside.

        Raises:
            LogError: passing, where somebody is at it for longer than others may be held up.
        """
        self._check_presence()
        with self._translate_errors("write to"), self._engine.begin() as connection:
            self._shut_out(connection)
            yield connection

    def compact(self) -> None:
        """Rewrite the database without what was deleted.

        Raises:
            LogError: it cannot be, for now or for want of room.
        """
        with self._translate_errors("rewrite"), closing(self._engine.raw_connection()) as connection:
            self._compact(connection)

    def _may_pass(self, cause: BaseException) -> bool:
        """Whether the same may be written another time; otherwise it is what was to be written that is at fault."""
        return isinstance(cause, (self._passing, SQLAlchemyTimeoutError))

    def _after_error(self, cause: BaseException) -> None:
        """Let go of connections that an error has made useless."""

    def _check_presence(self) -> None:
        """That the log is still where it was, so that what is written to it can be found again.

        Raises:
            LogError: it is not; what is written next begins another one.
        """

    def _begin(self, cursor: Any) -> None:
        """What a transaction that writes begins with."""

    @contextmanager
    def _unhurried(self, connection: Connection) -> Iterator[None]:
        """Let statements of a connection take as long as they must."""
        yield

    def _shut_out(self, connection: Connection) -> None:
        """Have nobody read or write the events until a transaction ends, where that is not so by itself."""

    def _compact(self, connection: Any) -> None:
        """The same on a connection of the pool."""
        raise NotImplementedError

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """A cursor of the driver, in a transaction that is committed where the block ends without an error."""
        self._check_presence()
        with self._translate_errors("write to"), self._borrowed() as connection, closing(connection.cursor()) as cursor:
            self._begin(cursor)
            try:
                yield cursor
            except BaseException:
                self._roll_back(connection)
                raise
            try:
                connection.commit()
            except self._error:
                self._roll_back(connection)
                raise
        self._check_presence()

    def _roll_back(self, connection: PoolProxiedConnection) -> None:
        """Leave a connection as it was, or none where it is broken, which is of no more use to anybody."""
        try:
            connection.rollback()
        except self._error:
            connection.invalidate()

    @contextmanager
    def _borrowed(self) -> Iterator[PoolProxiedConnection]:
        pool = self._engine.pool
        with closing(self._engine.raw_connection()) as connection:
            try:
                yield connection
            finally:
                if self._engine.pool is not pool and connection.is_valid:
                    # The log has been closed meanwhile, so that nobody would close this one.
                    connection.invalidate()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._check_presence()
        pool = self._engine.pool
        with self._translate_errors("read"), self._engine.connect() as connection:
            try:
                yield connection.execution_options(**{READING: True})
            finally:
                if self._engine.pool is not pool and not connection.invalidated:
                    # As above.
                    connection.invalidate()

    @contextmanager
    def _translate_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, UnicodeError, OverflowError, self._error) as error:
            cause = getattr(error, "orig", None) or error
            told = redacted_message(first_line(cause), [str(self._engine.url.password or "")])
            failure = LogError(f"cannot {what} the log {self.name}: {told}")
            failure.passing = self._may_pass(cause)
            self._after_error(cause)
            raise failure from error
