"""The same tests on SQLite and on a real PostgreSQL server, which comes as a package and runs as long as they do."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.durability import new_database
from uniscale_integrations.log.log import Log


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server's address; `UNISCALE_TEST_POSTGRES` names another one than the packaged."""
    given = os.environ.get("UNISCALE_TEST_POSTGRES")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        # It asks for a folder of the desktop session, which a server machine has none of.
        warnings.simplefilter("ignore")
        import pgserver

        server = pgserver.get_server(  # type: ignore[attr-defined]
            tmp_path_factory.mktemp("postgres"), cleanup_mode="delete"
        )
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}"
    server: str = request.getfixturevalue("postgres")
    return new_database(server)


@pytest.fixture
def log(address: str) -> Iterator[Log]:
    opened = Log(address)
    yield opened
    opened.close()
