"""Every command and every block of code in the README does what it says."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from llama_index.core import Document, SummaryIndex
from openevals.exact import exact_match

from tests.loopback import served
from tests.openai_server import Server
from uniscale_integrations.models.catalog import load_model, locate
from uniscale_integrations.verifiers.load import load_prm

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


STAND_INS = {
    "Qwen/Qwen3-0.6B": "uniscale-0.3m",
    "/models/my-finetune": locate("uniscale-1m"),
    "/models/SmolLM2-135M.Q8_0.gguf": "uniscale-0.3m",
    "Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B": "uniscale-prm",
    "Qwen/Qwen2.5-Math-PRM-7B": "uniscale-prm",
}
"""What is there instead of what would have to be downloaded."""


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the README takes for granted: a key, a prompt, an index; the provider is a server on this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    with served(Server()) as url:
        for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
            monkeypatch.setenv(name, url)
        yield {
            "prompt": ChatPromptTemplate.from_messages([("human", "{question}")]),
            "parser": StrOutputParser(),
            "run_id": uuid4(),
            "exact_match": exact_match,
            "index": SummaryIndex.from_documents([Document(text="The red house has 3 rooms.")]),
            "load_model": lambda name: load_model(STAND_INS[name]),
            "load_prm": lambda name: load_prm(STAND_INS[name]),
        }


@pytest.mark.filterwarnings("ignore:asyncio_module:DeprecationWarning")
@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.split("\n")[0][:50])
def test_code_runs(block: str, given: dict[str, Any]) -> None:
    # Three dots in a list stand for the reader's own.
    code: CodeType = compile(block.replace("[...]", '["How many rooms?"]'), "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    found = eval(code, given)
    if inspect.iscoroutine(found):
        asyncio.run(found)
    for name in ("engine", "model", "llm"):
        close = getattr(getattr(given.get(name), "engine", given.get(name)), "close", None)
        if close is not None:
            close()


SHORTER = {"--count": "3", "--samples": "1", "--seeds": "2", "--processes": "1"}
"""Of what would take minutes."""


def commands() -> list[str]:
    lines = "\n".join(blocks("console")).replace("\\\n", " ").split("\n")
    fenced = [line[2:].partition(" #")[0].strip() for line in lines if line.startswith("$ ")]
    return fenced + re.findall(r"`(uniscale (?:report|log|demo) [^`]*)`", TEXT)


def test_there_are_commands() -> None:
    assert {words.split()[0] for words in commands()} == {"make", "uniscale", "python"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are run, one after the other: some read what earlier ones have written."""
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize("command", commands())
def test_commands_run(command: str, folder: Path) -> None:
    program, *words = shlex.split(command)
    if program == "make":
        # What it would do; doing it is what runs this very test.
        done = subprocess.run(["make", "-n", *words], capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout.strip()
        return
    if program == "python":
        done = subprocess.run([sys.executable, *words, "--help"], capture_output=True, text=True, check=True, cwd=ROOT)
        assert "usage:" in done.stdout
        return
    if words[0] == "demo":
        words = [each.replace("Qwen/Qwen3-0.6B,Qwen/Qwen3-4B", "uniscale-0.3m,uniscale-1m") for each in words] + ["-n", "4", "--no-others"]
    if words[0] in ("report", "log") and not (folder / "uniscale.db").exists():
        subprocess.run([script(), "demo", "-n", "4", "--no-others"], capture_output=True, check=True, cwd=folder)
    words = [str(ROOT / word) if word.startswith("benchmarks/") else word for word in words]
    words = [SHORTER.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    done = subprocess.run([script(), *words], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def script() -> str:
    return str(Path(sys.executable).with_name("uniscale"))


def test_links_lead_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (ROOT / link).exists(), f"{document.name} links to {link}"
    titles = [line.lstrip("# ").lower() for line in TEXT.split("\n") if line.startswith("#")]
    headings = {re.sub(r"[^a-z0-9 -]", "", title).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings
