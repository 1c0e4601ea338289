"""The log behind an address."""

from __future__ import annotations

from uniscale_integrations.errors import OutdatedLog
from uniscale_integrations.log.connect import database_engine
from uniscale_integrations.log.postgres import PostgresStore
from uniscale_integrations.log.sql import SQLStore
from uniscale_integrations.log.sqlite import SQLiteStore


def open_log(url: str, *, create: bool = True, read_only: bool = False) -> SQLStore:
    """The log behind an address.

    Args:
        url: as SQLAlchemy has it, "sqlite:///uniscale.db" or "postgresql://user@host/database"; "sqlite://" is in memory.
        create: whether to make one where there is none; otherwise that is an error.
        read_only: whether it is only read: then a file that cannot be written will do, a server that only reads, or a role that may do no
            more. None is made.

    Raises:
        LogError: it cannot be opened, or was written by a later version.
        MissingExtraError: the driver is not installed.

    Example:
        >>> from uniscale_integrations.log.events import DecisionEvent, Feedback
        >>> from uniscale_integrations.space import Configuration
        >>> log = open_log("sqlite://")
        >>> log.append(DecisionEvent("d1", Configuration("small"), (1.0,), "lexical", (0.4, 0.3, 0.3))).count
        1
        >>> log.give_feedback(Feedback("d1", 1.0, source="exact-match"))
        True
        >>> [entry.event.kind for entry in log.since()]
        ['decision', 'feedback']
    """
    engine = database_engine(url, create and not read_only, read_only)
    store = PostgresStore if engine.dialect.name == "postgresql" else SQLiteStore
    try:
        return store(engine, create=create and not read_only, read_only=read_only)
    except OutdatedLog:
        # Whoever may write it brings it up to date; others learn that they may not.
        return open_log(url, create=False)


Log = open_log
"""The name of `open_log` before there were several stores."""
