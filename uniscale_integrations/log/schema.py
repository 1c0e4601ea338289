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
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)

from uniscale_integrations.errors import LogError

MAX_NUMBER = 2**63 - 1
"""Of a row, in either database."""

VERSION = 1
"""Of what every reader must know; a log of a later version is refused."""

REVISION = 3
"""Of what a log has beside that, of which earlier versions of this package need to know nothing: they go on beside this one."""

READABLE = 2
"""The first revision that can be read without being brought up to date."""

EPOCH, PRUNED, FIRST, BEGUN, UNCLEAN, ORIGIN, REMOVER = "epoch", "pruned", "first", "begun", "unclean", "origin", "remover"
"""Names of notes in `meta` of what the log does not have any more: those of `Retention`; the number of the first row that is left after
rows went with what they had taught; that this was begun and not brought to its end; that the file may still hold some of it;
the export that this log is a copy of, where that had lost its beginning; and whose turn it is to take rows out."""

_KEY = BigInteger().with_variant(Integer(), "sqlite")
metadata = MetaData()

meta = Table("uniscale_meta", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False))

events = Table(
    "uniscale_events",
    metadata,
    Column("seq", _KEY, Identity(always=True), primary_key=True, autoincrement=True),
    # An age of the log, which the order begins with. Rows of the log's first revision on PostgreSQL have the numbers of their transactions;
    # all later ones have one number, greater than those, and are in the order of `seq`, since there is one writer at a time.
    Column("tx", BigInteger, nullable=False, server_default=text("0")),
    Column("kind", String(16), nullable=False),
    Column("decision_id", String(64), nullable=False),
    Column("at", Float(53), nullable=False),
    Column("body", Text, nullable=False),
    # Who writes an event again, not knowing whether it has arrived, writes nothing then.
    Column("event_id", String(64), nullable=True),
    # Of feedback, a hash of source and key, to find what was said last.
    Column("about", String(32), nullable=True),
    Index("uniscale_events_order", "tx", "seq").ddl_if(dialect="postgresql"),
)
# Its last column tells what a source has said last by its own time, however often it has revised it.
BY_DECISION = Index("uniscale_events_said", events.c.decision_id, events.c.kind, events.c.about, events.c.at)
BY_ID = Index("uniscale_events_id", events.c.event_id, unique=True)

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

AGE = f"SELECT GREATEST(COALESCE(MAX(tx), 0) + 1, pg_current_xact_id()::text::bigint) FROM {events.name}"
"""A number greater than those of all rows so far, which readers of the log's first revision take for a transaction that has ended."""

LAST_NUMBER = f"SELECT pg_sequence_last_value(pg_get_serial_sequence('{events.name}', 'seq')::regclass)"

RENUMBER = f"""SELECT setval(s.name, s.last) FROM (
    SELECT pg_get_serial_sequence('{events.name}', 'seq') AS name, (SELECT MAX(seq) FROM {events.name}) AS last) AS s
    WHERE s.last > (SELECT COALESCE(pg_sequence_last_value(s.name::regclass), 0))"""
"""Have rows be numbered after the last one that is there, where they are not."""

ONE_WRITER = (
    """CREATE OR REPLACE FUNCTION uniscale_one_writer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('uniscale_events'), TG_RELID::int);
        RETURN NULL;
    END $$""",
    f"DROP TRIGGER IF EXISTS uniscale_one_writer ON {events.name}",
    f"""CREATE TRIGGER uniscale_one_writer BEFORE INSERT ON {events.name}
    FOR EACH STATEMENT EXECUTE FUNCTION uniscale_one_writer()""",
)
"""PostgreSQL hands out serial numbers in another order than transactions end in. Here who writes takes a lock before it gets one, and
keeps it until its rows are to be seen: they become visible in the order of their numbers, whoever writes them, wherever the log moves."""


def is_of_before(connection: Connection) -> bool:
    """Whether there is a log of an earlier revision, which takes its time to be brought up to date."""
    return inspect(connection).has_table(events.name) and _number(connection, "revision", 1) < REVISION


def is_readable(connection: Connection) -> bool:
    """Whether there is a log that can be read as it is, without being brought up to date before.

    Raises:
        LogError: the log was written by a later version of this package.
    """
    if not inspect(connection).has_table(events.name):
        return False
    _check_version(connection)
    return _number(connection, "revision", 1) >= READABLE


def is_up_to_date(connection: Connection) -> bool:
    """Whether there is a log to which `prepare` would do nothing.

    Raises:
        LogError: as of `is_readable`.
    """
    if not is_readable(connection) or is_of_before(connection):
        return False
    return connection.dialect.name != "postgresql" or not any(_copied_rows(connection))


def prepare(connection: Connection) -> None:
    """Create the tables where there are none, and bring older ones up to date; within the caller's transaction.

    Raises:
        LogError: the log was written by a later version of this package.
    """
    if connection.dialect.name == "postgresql":
        # Workers that start together would otherwise create the same tables at the same time.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('uniscale_meta'))"))
    if not inspect(connection).has_table(events.name):
        metadata.create_all(connection)
        connection.execute(insert(meta).values(name="version", value=str(VERSION)))
        _one_writer(connection)
        _note_revision(connection)
        return
    _check_version(connection)
    revision = _number(connection, "revision", 1)
    if revision < 2:
        _add_ids(connection)
        _one_writer(connection)
    elif connection.dialect.name == "postgresql":
        _follow_copied_rows(connection)
    if revision < REVISION:
        # The first logs had fewer tables.
        metadata.create_all(connection)
        _add_indices(connection)
        _note_revision(connection)


WRITABLE = update(meta).where(meta.c.name == "version").values(value=str(VERSION))
"""Changes nothing; whoever cannot write a log learns so by it."""


def _check_version(connection: Connection) -> None:
    version = _number(connection, "version", VERSION)
    if version > VERSION:
        raise LogError(f"the log has the schema version {version}, this package knows {VERSION} at most; install a newer one")


def _add_ids(connection: Connection) -> None:
    """From the first revision to the second."""
    present = {column["name"] for column in inspect(connection).get_columns(events.name)}
    for column in (events.c.event_id, events.c.about):
        if column.name not in present:
            kind = column.type.compile(connection.dialect)
            connection.execute(text(f"ALTER TABLE {events.name} ADD COLUMN {column.name} {kind}"))


def _add_indices(connection: Connection) -> None:
    """To the third revision."""
    for index in (BY_ID, BY_DECISION):
        index.create(connection, checkfirst=True)
    for name in ("uniscale_events_decision", "uniscale_events_about"):
        connection.execute(text(f"DROP INDEX IF EXISTS {name}"))


def _follow_copied_rows(connection: Connection) -> None:
    """Where rows have been copied here from another server, without what follows from them: their age, and where their numbers end."""
    of_later_age, beyond_numbers = _copied_rows(connection)
    if of_later_age:
        _one_writer(connection)
    if beyond_numbers:
        connection.execute(text(f"LOCK TABLE {events.name} IN SHARE ROW EXCLUSIVE MODE"))
        connection.execute(text(RENUMBER))


def _copied_rows(connection: Connection) -> tuple[bool, bool]:
    """Whether there are rows of an age, and with numbers, that are still to come here."""
    last = connection.execute(select(func.max(events.c.tx), func.max(events.c.seq))).one()
    default = next(each["default"] for each in inspect(connection).get_columns(events.name) if each["name"] == "tx")
    of_later_age = last[0] is not None and str(default).isdigit() and last[0] > int(str(default))
    return of_later_age, last[1] is not None and last[1] > (connection.execute(text(LAST_NUMBER)).scalar_one() or 0)


def _one_writer(connection: Connection) -> None:
    """On PostgreSQL, begin an age of rows that are written one transaction after the other."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(text(f"LOCK TABLE {events.name} IN ACCESS EXCLUSIVE MODE"))
    age = int(connection.execute(text(AGE)).scalar_one())
    for statement in (*ONE_WRITER, f"ALTER TABLE {events.name} ALTER COLUMN tx SET DEFAULT {age}"):
        connection.execute(text(statement))


def noted(connection: Connection, *names: str) -> dict[str, str]:
    """Those of some notes of the log that there are."""
    rows = connection.execute(select(meta.c.name, meta.c.value).where(meta.c.name.in_(names)))
    return {row.name: row.value for row in rows}


def note(connection: Connection, name: str, value: object) -> None:
    """Keep a note of the log in the place of an earlier one."""
    connection.execute(delete(meta).where(meta.c.name == name))
    connection.execute(insert(meta).values(name=name, value=str(value)))


def _noted(connection: Connection, name: str, default: str) -> str:
    return noted(connection, name).get(name) or default


def _note_revision(connection: Connection) -> None:
    note(connection, "revision", REVISION)


def _number(connection: Connection, name: str, default: int) -> int:
    [number] = numbers_in(name, _noted(connection, name, str(default)))
    return number


def numbers_in(name: str, value: str, count: int = 1) -> tuple[int, ...]:
    """The whole numbers of a note, which anybody may have written.

    Raises:
        LogError: it holds something else, or others than a database could number its rows with.

    Example:
        >>> numbers_in("pruned", "0 17", 2)
        (0, 17)
    """
    try:
        # Python reads digits of any length, of a length beyond some it says that it does not.
        found = tuple(map(int, value.split()))
    except ValueError:
        found = ()
    if len(found) != count or not all(abs(each) <= MAX_NUMBER for each in found):
        expected = "a whole number" if count == 1 else f"{count} whole numbers"
        raise LogError(f"{meta.name} holds {value!r:.40} as {name!r}, where {expected} should stand; restore it from a backup")
    return found
