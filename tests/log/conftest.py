"""The same tests on SQLite and on a real PostgreSQL server, which comes as a package and runs as long as they do."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.durability import new_database, server
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A server's address; `UNISCALE_TEST_POSTGRES` names another one than the packaged."""
    with warnings.catch_warnings():
        # It asks for a folder of the desktop session, which a server machine has none of.
        warnings.simplefilter("ignore")
        with server(os.environ.get("UNISCALE_TEST_POSTGRES")) as address:
            assert address, "pgserver, of the dev extra, is not installed"
            yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}"
    postgres: str = request.getfixturevalue("postgres")
    return new_database(postgres)


@pytest.fixture
def log(address: str) -> Iterator[EventStore]:
    opened = open_log(address)
    yield opened
    opened.close()
