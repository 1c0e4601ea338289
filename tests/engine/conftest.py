"""What several tests of the engine begin with."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def log(tmp_path: Path) -> str:
    """The address of a log in a file, which is not there yet."""
    return f"sqlite:///{tmp_path / 'log.db'}"
