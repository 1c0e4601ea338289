"""What the first revision of the log said to its database, word for word, for tests of what it wrote and of both beside each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from benchmarks.faults import database_of
from uniscale_integrations.log.events import Event, event_of

TABLES = {
    "sqlite": (
        "CREATE TABLE uniscale_meta (name VARCHAR(64) NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name))",
        """CREATE TABLE uniscale_events (seq INTEGER NOT NULL, tx BIGINT DEFAULT 0 NOT NULL, kind VARCHAR(16) NOT NULL,
        decision_id VARCHAR(64) NOT NULL, at FLOAT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (seq))""",
        "CREATE TABLE uniscale_snapshots (fold VARCHAR(64) NOT NULL, tx BIGINT NOT NULL, seq BIGINT NOT NULL, at FLOAT NOT NULL,"
        " state BLOB NOT NULL, PRIMARY KEY (fold))",
    ),
    "postgresql": (
        "CREATE TABLE uniscale_meta (name VARCHAR(64) NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name))",
        """CREATE TABLE uniscale_events (seq BIGINT GENERATED ALWAYS AS IDENTITY, tx BIGINT DEFAULT 0 NOT NULL, kind VARCHAR(16) NOT NULL,
        decision_id VARCHAR(64) NOT NULL, at FLOAT(53) NOT NULL, body TEXT NOT NULL, PRIMARY KEY (seq))""",
        "CREATE INDEX uniscale_events_order ON uniscale_events (tx, seq)",
        "CREATE TABLE uniscale_snapshots (fold VARCHAR(64) NOT NULL, tx BIGINT NOT NULL, seq BIGINT NOT NULL, at FLOAT(53) NOT NULL,"
        " state BYTEA NOT NULL, PRIMARY KEY (fold))",
        "ALTER TABLE uniscale_events ALTER COLUMN tx SET DEFAULT (pg_current_xact_id()::text::bigint)",
    ),
}
BESIDE = (
    "CREATE INDEX uniscale_events_decision ON uniscale_events (decision_id, kind)",
    "CREATE TABLE uniscale_descriptions (key VARCHAR(200) NOT NULL, at FLOAT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (key))",
    "CREATE TABLE uniscale_calibrations (verifier VARCHAR(200) NOT NULL, version INTEGER NOT NULL, at FLOAT NOT NULL, body TEXT NOT NULL,"
    " PRIMARY KEY (verifier, version))",
    "INSERT INTO uniscale_meta (name, value) VALUES ('version', '1')",
)
INSERT = "INSERT INTO uniscale_events (kind, decision_id, at, body) VALUES (:kind, :decision_id, :at, :body)"
SINCE = {
    "sqlite": "SELECT tx, seq, kind, decision_id, at, body FROM uniscale_events WHERE seq > :seq ORDER BY seq",
    "postgresql": """SELECT tx, seq, kind, decision_id, at, body FROM uniscale_events
    WHERE (tx > :tx OR (tx = :tx AND seq > :seq)) AND tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY tx, seq""",
}


class FirstRevision:
    """A worker of that time.

    Attributes:
        seen: the events that it has read, in its order.
    """

    def __init__(self, address: str, *, create: bool = False) -> None:
        self._database: Engine = database_of(address)
        self._kind, self._place, self.seen = self._database.dialect.name, (-1, -1), list[Event]()
        if create:
            with self._database.begin() as connection:
                for statement in (*TABLES[self._kind], *BESIDE):
                    connection.execute(text(statement))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._database.begin() as connection:
            yield connection

    def append(self, *events: Event) -> None:
        with self.transaction() as connection:
            for each in events:
                self.insert(connection, each)

    def insert(self, connection: Connection, event: Event) -> None:
        row = {"kind": event.kind, "decision_id": event.decision_id, "at": event.at, "body": json.dumps(event.body())}
        connection.execute(text(INSERT), row)

    def read(self) -> None:
        with self._database.connect() as connection:
            tx, seq = self._place
            values = {"tx": tx, "seq": seq} if self._kind == "postgresql" else {"seq": seq}
            for tx, seq, kind, decision_id, at, body in connection.execute(text(SINCE[self._kind]), values):
                self._place = (tx, seq)
                self.seen.append(event_of(kind, decision_id, body, at))

    def close(self) -> None:
        self._database.dispose()
