"""Entry points by which other packages register their models."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from langchain_core.language_models import FakeListChatModel
from llama_index.core.llms import MockLLM

from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.extensions import ADAPTERS, BUILT_IN, PROVIDERS, adapter_of
from uniscale_integrations.engine.model_registry import generators
from uniscale_integrations.errors import ConfigurationError

PACKAGE = """
from benchmarks.instant import InstantGenerator

class Model:
    def __init__(self, label):
        self.label = label

class Finetuned(Model):
    pass

def as_generator(model, **settings):
    return InstantGenerator(name=settings.get("name", model.label))

def as_nothing(model, **settings):
    return model.label

def chat_model(name, api_key):
    return Model(f"{name} with {api_key}")

no_function = 3
"""


class Site:
    """A folder of installed packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, entry_points: str, source: str = "") -> None:
        information = self.folder / f"{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(entry_points)
        if source:
            (self.folder / f"{name}.py").write_text(source)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("acme", "broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return Site(tmp_path)


def acme(kind: str = "Model") -> object:
    from importlib import import_module

    model: object = getattr(import_module("acme"), kind)("acme-7b")
    return model


def names(models: list[object], **settings: object) -> list[str]:
    return [each if isinstance(each, str) else each.name for each in generators(models, **settings)]  # type: ignore[arg-type]


def test_an_installed_package_brings_its_models(site: Site) -> None:
    site.install("acme", f"[{ADAPTERS}]\nacme.Model = acme:as_generator\n\n[{PROVIDERS}]\nacme = acme:chat_model\n", PACKAGE)
    assert names([acme(), acme("Finetuned")]) == ["acme-7b", "acme-7b#2"]
    assert names(["acme:large"], api_key="secret") == ["acme:large"]
    assert UniScale([acme()], None).run("Hi?").text.startswith("step")


def test_broken_packages_break_no_others_and_are_named(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.install("acme", f"[{ADAPTERS}]\nacme.Model = acme:as_generator\n", PACKAGE)
    site.install("garbled", f"[{ADAPTERS}]\nwithout a value\n")
    with caplog.at_level(logging.WARNING, "uniscale_integrations"):
        assert names([acme(), FakeListChatModel(responses=["4"])])[0] == "acme-7b"
        assert adapter_of(MockLLM()) is not None
    assert "garbled" in caplog.text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("missing_package:as_generator", "No module named 'missing_package'"),
        ("broken:as_generator", "it is broken"),
        ("acme:not_there", "not_there"),
        ("acme:no_function", "is no function"),
    ],
)
def test_what_cannot_be_loaded_is_named_and_passed_over(
    site: Site, caplog: pytest.LogCaptureFixture, value: str, message: str
) -> None:
    site.install("broken", "", "raise RuntimeError('it is broken')")
    site.install("acme", f"[{ADAPTERS}]\nacme.Finetuned = {value}\nacme.Model = acme:as_generator\n", PACKAGE)
    with caplog.at_level(logging.WARNING, "uniscale_integrations"):
        assert names([acme("Finetuned")]) == ["acme-7b"]
    assert f"acme.Finetuned = {value} of acme" in caplog.text
    assert message in caplog.text


def test_a_provider_that_cannot_be_loaded_is_looked_for_elsewhere(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.install("acme", f"[{PROVIDERS}]\nacme = acme:not_there\n", PACKAGE)
    with caplog.at_level(logging.WARNING, "uniscale_integrations"), pytest.raises(ConfigurationError, match="acme:large"):
        generators(["acme:large"])
    assert "acme = acme:not_there of acme cannot be loaded" in caplog.text


def test_an_adapter_must_give_a_generator(site: Site) -> None:
    site.install("acme", f"[{ADAPTERS}]\nacme.Model = acme:as_nothing\n", PACKAGE)
    with pytest.raises(ConfigurationError, match=r"as_nothing.* gave 'acme-7b', which is no generator"):
        generators([acme()])


def test_a_name_that_is_taken_is_not_taken_over(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    own = BUILT_IN[0]
    site.install("acme", f"[{ADAPTERS}]\n{own.name} = acme:as_nothing\n", PACKAGE)
    with caplog.at_level(logging.WARNING, "uniscale_integrations"):
        assert adapter_of(FakeListChatModel(responses=["4"])) is own.load()
    assert f"'{own.name}' of acme is ignored" in caplog.text


def test_the_package_s_own_are_found_whatever_its_metadata_says(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    former = f"[{ADAPTERS}]\n{BUILT_IN[0].name} = uniscale_integrations.gone:as_generator\n"
    site.install("uniscale_integrations", former)
    with caplog.at_level(logging.WARNING, "uniscale_integrations"):
        assert names([FakeListChatModel(responses=["4"]), MockLLM()])[1] == "MockLLM"
    assert not caplog.text


def test_pyproject_declares_what_is_built_in() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    declared = {(group, name, value) for group, entries in project["entry-points"].items() for name, value in entries.items()}
    assert declared == {(entry.group, entry.name, entry.value) for entry in BUILT_IN}


@pytest.mark.parametrize(
    ("model", "loads", "spares"),
    [
        ("from langchain_core.language_models import FakeListChatModel as M; m = M(responses=['4'])", "langchain", "llama_index"),
        ("from llama_index.core.llms import MockLLM as M; m = M()", "llama_index", "langchain"),
    ],
)
def test_a_model_loads_its_own_adapter_alone(model: str, loads: str, spares: str) -> None:
    script = (
        f"{model}\nfrom uniscale_integrations.engine.model_registry import generators\ngenerators([m])\n"
        "import json, sys; print(json.dumps([n for n in sys.modules if n.startswith('uniscale_integrations.')]))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = json.loads(run.stdout)
    assert f"uniscale_integrations.{loads}.generator" in modules
    assert f"uniscale_integrations.{spares}" not in modules
