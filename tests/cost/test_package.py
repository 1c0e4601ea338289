"""The public names of the cost package."""

from __future__ import annotations

import subprocess
import sys

import uniscale_integrations.cost as cost


def test_every_public_name_is_there() -> None:
    assert sorted(cost.__all__) == sorted(set(cost.__all__))
    assert all(hasattr(cost, name) for name in cost.__all__)


def test_import_pulls_in_no_numerical_library() -> None:
    code = "import sys, uniscale_integrations.cost; print({'torch', 'numpy', 'transformers'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
