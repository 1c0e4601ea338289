"""What importing the package brings in, and that its public names are there."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import uniscale_integrations

HEAVY = {"langchain_core", "llama_index", "numpy", "sqlalchemy", "torch", "transformers"}


def modules_after(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after running `code`."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


def test_root_import_pulls_in_neither_a_framework_nor_a_numerical_library() -> None:
    loaded = modules_after("import uniscale_integrations")
    assert "uniscale_integrations" in loaded
    assert not loaded & HEAVY


def test_configurations_need_no_heavy_library() -> None:
    loaded = modules_after("from uniscale_integrations import Configuration\nConfiguration('small', qp=2)")
    assert "uniscale_integrations.space" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    ("adapter", "framework", "other"),
    [("langchain", "langchain_core", "llama_index"), ("llama_index", "llama_index", "langchain_core")],
)
def test_an_adapter_pulls_in_its_framework_alone(adapter: str, framework: str, other: str) -> None:
    loaded = modules_after(f"import uniscale_integrations.{adapter}")
    assert framework in loaded
    assert not loaded & {other, "torch", "transformers"}


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("UniScaleChatModel", "langchain_core", "langchain"), ("UniScaleLLM", "llama_index.core", "llama-index")],
)
def test_a_missing_framework_is_named_with_what_installs_it(name: str, package: str, extra: str) -> None:
    # A module that is None in sys.modules is one that cannot be found.
    script = (
        f"import sys\nsys.modules[{package!r}] = None\nimport uniscale_integrations\n"
        f"try:\n    uniscale_integrations.{name}\nexcept ImportError as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f'pip install "uniscale-integrations[{extra}]"' in run.stdout


@pytest.mark.parametrize("name", uniscale_integrations.__all__)
def test_public_name_resolves_and_is_listed(name: str) -> None:
    assert getattr(uniscale_integrations, name) is getattr(uniscale_integrations, name)
    assert name in dir(uniscale_integrations)


def test_type_checkers_see_the_names_that_load_on_first_use() -> None:
    tree = ast.parse(Path(uniscale_integrations.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    declared = {alias.name: node.module for node in imports for alias in node.names}
    assert declared == uniscale_integrations._MODULES
    assert {"__version__", *declared} == set(uniscale_integrations.__all__)


def test_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="'Configuraton'"):
        uniscale_integrations.Configuraton  # noqa: B018
