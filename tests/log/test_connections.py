"""What connections are in for: files that cannot be written for a while, processes that are stopped, roles that may not do all."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest
from sqlalchemy import make_url, text

from benchmarks.durability import new_database
from uniscale_integrations.engine.retention import forget
from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.sql import SQLStore
from uniscale_integrations.space import Configuration


def test_a_connection_that_may_only_read_is_not_kept(tmp_path: object) -> None:
    with closing(open_log(f"sqlite:///{tmp_path}/log.db")) as log:
        assert isinstance(log, SQLStore)
        # What SQLite says on a connection that was made while the file was read-only, whatever has become of the file.
        with closing(log._engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA query_only = ON")
        with pytest.raises(LogError, match="readonly") as raised:
            log.append(Outcome("a", 0.5))
        assert raised.value.passing
        assert log.append(Outcome("a", 0.5)).count == 1


def test_a_process_that_is_stopped_before_its_commit_holds_nobody_for_long(postgres: str) -> None:
    address = new_database(postgres)
    with closing(open_log(address)) as stopped, closing(open_log(address)) as other:
        assert isinstance(stopped, SQLStore)
        new = [Outcome(f"stopped-{number}", 0.5) for number in range(3)]

        def write() -> None:
            with stopped._writing() as cursor:
                cursor.execute("SET idle_in_transaction_session_timeout = '300ms'")
                stopped._write(cursor, new, [stopped._row(each) for each in new])
                # Somebody else would wait for ten seconds, and then give up.
                other.append(Outcome("other", 0.5))

        with pytest.raises(LogError, match="cannot write to"):
            write()
        assert other.counts() == {"outcome": 1}
        # It goes on with another connection.
        assert stopped.append(*new).count == 3


def test_many_rows_are_written_as_few_are(address: str) -> None:
    with closing(open_log(address)) as log:
        new = [Outcome(f"d{number}", 0.5) for number in range(2_345)]
        assert log.append(*new, new[0]).count == 2_346
        assert [entry.event.decision_id for entry in log.everything()] == [each.decision_id for each in new]


def test_who_may_not_rewrite_a_table_is_told(postgres: str) -> None:
    address = new_database(postgres)
    decision = DecisionEvent("d", Configuration("m"), (1.0,), "e", (1.0, 0.0, 0.0))
    with closing(open_log(address)) as log:
        assert isinstance(log, SQLStore)
        log.append(decision, Feedback("d", 1.0, "judge", comment="to be forgotten"))
        with log._engine.begin() as connection:
            connection.execute(text("DROP ROLE IF EXISTS writer"))
            connection.execute(text("CREATE ROLE writer LOGIN"))
            connection.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA public TO writer"))
            connection.execute(text("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO writer"))
    try:
        with closing(open_log(str(make_url(address).set(username="writer")))) as log:
            assert isinstance(log, SQLStore)
            with pytest.raises(LogError, match="as the owner"):
                forget(log, source="judge")
            assert "feedback" not in log.counts()
        with closing(open_log(address)) as log:
            assert isinstance(log, SQLStore)
            # Who repeats it finishes it.
            assert forget(log, source="judge").events == 0
            with log.reading() as connection:
                assert connection.execute(text("SELECT count(*) FROM uniscale_meta WHERE name = 'unclean'")).scalar_one() == 0
    finally:
        with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("DROP OWNED BY writer")
            connection.execute("DROP ROLE writer")
