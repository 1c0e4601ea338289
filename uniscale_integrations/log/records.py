"""What a log keeps beside its events: snapshots of what was learned, descriptions of what decides, and calibrations of verifiers."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.database import LogDatabase
from uniscale_integrations.log.ports import Position
from uniscale_integrations.log.schema import calibrations, descriptions, snapshots

_log = logging.getLogger(__name__)


class LogRecords(LogDatabase):
    """The records of a log, each by its name."""

    def save_snapshot(self, fold: str, position: Position, state: bytes) -> None:
        """Keep the state of a fold up to a position, in the place of an earlier one; a later one stays.

        Args:
            fold: what tells this fold from others on the log.
            position: up to where the log was folded.
            state: as `load_snapshot` shall give it.
        """
        with self._translate_errors("write to"), self._engine.begin() as connection:
            self._lock_snapshots(connection)
            row = connection.execute(select(snapshots.c.tx, snapshots.c.seq).where(snapshots.c.fold == fold)).first()
            if row is not None:
                if Position(*row) >= position:
                    return
                connection.execute(delete(snapshots).where(snapshots.c.fold == fold))
            values = {"fold": fold, "tx": position.tx, "seq": position.seq, "at": time.time(), "state": state}
            connection.execute(insert(snapshots).values(values))

    def load_snapshot(self, fold: str) -> tuple[Position, bytes] | None:
        """The last snapshot of a fold, if there is one."""
        with self._reading() as connection:
            query = select(snapshots.c.tx, snapshots.c.seq, snapshots.c.state).where(snapshots.c.fold == fold)
            row = connection.execute(query).first()
        return None if row is None else (Position(row.tx, row.seq), row.state)

    def snapshots_of(self, prefix: str) -> list[tuple[str, Position]]:
        """As of `EventStore`."""
        with self._reading() as connection:
            query = select(snapshots.c.fold, snapshots.c.tx, snapshots.c.seq).where(
                snapshots.c.fold.startswith(prefix, autoescape=True)
            )
            rows = connection.execute(query).all()
        return sorted(((row.fold, Position(row.tx, row.seq)) for row in rows), key=lambda each: each[1], reverse=True)

    def snapshot_times(self) -> list[tuple[str, Position, float]]:
        """Names of all folds with snapshots, with the place of each and the Unix time at which it was taken."""
        with self._reading() as connection:
            rows = connection.execute(select(snapshots.c.fold, snapshots.c.tx, snapshots.c.seq, snapshots.c.at)).all()
        return [(row.fold, Position(row.tx, row.seq), row.at) for row in rows]

    def forget_snapshots(self, fold: str | None = None) -> int:
        """As of `EventStore`."""
        which = delete(snapshots) if fold is None else delete(snapshots).where(snapshots.c.fold == fold)
        with self._translate_errors("write to"), self._engine.begin() as connection:
            return connection.execute(which).rowcount

    def save_description(self, key: str, body: Mapping[str, Any]) -> None:
        """As of `EventStore`."""
        if self.load_description(key) is not None:
            return
        try:
            with self._translate_errors("write to"), self._engine.begin() as connection:
                connection.execute(insert(descriptions).values(key=self._name(key), at=time.time(), body=json.dumps(body)))
        except LogError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise

    def load_description(self, key: str) -> dict[str, Any] | None:
        """As of `EventStore`."""
        with self._reading() as connection:
            body = connection.execute(
                select(descriptions.c.body).where(descriptions.c.key == self._name(key))
            ).scalar_one_or_none()
        return None if body is None else self._object(body, f"what {key!r:.80} stands for")

    def descriptions_of(self, prefix: str) -> list[tuple[str, dict[str, Any]]]:
        """As of `EventStore`."""
        query = select(descriptions.c.key, descriptions.c.body).where(
            descriptions.c.key.startswith(self._name(prefix), autoescape=True)
        )
        with self._reading() as connection:
            rows = connection.execute(query.order_by(descriptions.c.at, descriptions.c.key)).all()
        found = [(row.key, self._object(row.body, f"what {row.key!r:.80} stands for")) for row in rows]
        return [(key, body) for key, body in found if body is not None]

    def save_calibration(self, verifier: str, version: int, body: Mapping[str, Any]) -> bool:
        """Keep a version of a verifier's calibration; returns whether there was none of that number."""
        values = {"verifier": self._name(verifier), "version": version, "at": time.time(), "body": json.dumps(body)}
        try:
            with self._translate_errors("write to"), self._engine.begin() as connection:
                connection.execute(insert(calibrations).values(values))
        except LogError as error:
            if isinstance(error.__cause__, IntegrityError):
                return False
            raise
        return True

    def load_calibration(self, verifier: str) -> tuple[int, dict[str, Any]] | None:
        """Number and body of the last version of a verifier's calibration, if there is one."""
        with self._reading() as connection:
            query = select(calibrations.c.version, calibrations.c.body).where(calibrations.c.verifier == self._name(verifier))
            row = connection.execute(query.order_by(calibrations.c.version.desc()).limit(1)).first()
        if row is None:
            return None
        # Also of one that says nothing the number is taken.
        return row.version, self._calibration(verifier, row.version, row.body) or {}

    def calibrations(self) -> list[tuple[str, int, dict[str, Any]]]:
        """As of `EventStore`."""
        query = select(calibrations.c.verifier, calibrations.c.version, calibrations.c.body)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(calibrations.c.verifier, calibrations.c.version)).all()
        found = [(row.verifier, row.version, self._calibration(row.verifier, row.version, row.body)) for row in rows]
        return [(verifier, version, body) for verifier, version, body in found if body is not None]

    def _calibration(self, verifier: str, version: int, body: str) -> dict[str, Any] | None:
        return self._object(body, f"version {version} of the calibration of {verifier!r:.80}")

    def _object(self, text: str, what: str) -> dict[str, Any] | None:
        """A stored JSON object; `None` where it cannot be read, which is told of."""
        try:
            found = json.loads(text)
            if isinstance(found, dict):
                return found
            problem = f"it is no object, but {found!r:.60}"
        except (ValueError, TypeError, RecursionError) as error:
            problem = str(error)
        _log.warning("%s: %s cannot be read, and counts as unknown: %s", self.name, what, problem)
        return None

    def _lock_snapshots(self, connection: Connection) -> None:
        """Have one writer of snapshots at a time."""
