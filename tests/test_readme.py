"""Every command and every block of code in the README and in docs/ does what it says."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any
from uuid import uuid4

import pytest
import typer
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from llama_index.core import Document, SummaryIndex
from openevals.exact import exact_match

from tests.loopback import served
from tests.openai_server import Server
from uniscale_integrations.cli.app import app
from uniscale_integrations.models.catalog import load_model, locate
from uniscale_integrations.verifiers.load import load_prm

ROOT = Path(__file__).parent.parent
FILES = (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
ALL = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in FILES}
ELSEWHERE = {"docs/walk.md", "docs/answers.md"}
"""Run from the first block to the last by `test_walk.py`, and as doctests by `answers/test_docs.py`."""
PAGES = {name: text for name, text in ALL.items() if name not in ELSEWHERE}


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def inline(text: str, start: str) -> list[str]:
    """Commands within sentences, which may run over the end of a line."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [" ".join(found.split()) for found in re.findall(rf"`({start} [^`]*)`", prose)]


CODE = {block: name for name, text in PAGES.items() for block in blocks("python", text)}

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
    """What the pages take for granted: a key, a prompt, an index; the provider is a server on this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    # LlamaIndex takes the thread's event loop for its token counts; one that it had to make it would leave open.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    with served(Server()) as url, closing(loop):
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
    asyncio.set_event_loop(None)


def test_there_is_code() -> None:
    assert {"README.md", "docs/quickstart.md", "docs/langchain.md", "docs/llama-index.md", "docs/search.md"} <= set(CODE.values())


@pytest.mark.filterwarnings("ignore:asyncio_module:DeprecationWarning")
@pytest.mark.parametrize("block", CODE, ids=lambda block: f"{CODE[block]}: {block.split(chr(10))[0][:50]}")
def test_code_runs(block: str, given: dict[str, Any]) -> None:
    # Three dots in a list stand for the reader's own.
    code: CodeType = compile(block.replace("[...]", '["How many rooms?"]'), CODE[block], "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
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
    """Each once, whatever pages it is on; what writes a log before what reads one."""
    found: list[str] = []
    for text in PAGES.values():
        lines = "\n".join(blocks("console", text)).replace("\\\n", " ").split("\n")
        found += [" ".join(line[2:].partition(" #")[0].split()) for line in lines if line.startswith("$ ")]
        found += inline(text, "uniscale (?:report|log|demo)") + inline(text, "pip install")
    return sorted(dict.fromkeys(found), key=lambda command: not command.startswith("uniscale demo"))


def test_there_are_commands() -> None:
    assert {words.split()[0] for words in commands()} == {"make", "uniscale", "python", "pip"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are run, one after the other: some read what earlier ones have written."""
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize("command", commands())
def test_commands_run(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    program, *words = shlex.split(command)
    if program == "make":
        # What it would do; doing it is what runs this very test.
        done = subprocess.run(["make", "-n", *words], capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout.strip()
        return
    if program == "python":
        assert words[0] == "-m"
        # As in a new process, also where another test has imported it.
        for module in (words[1], f"{words[1]}.__main__"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        assert exit_code(lambda: runpy.run_module(words[1], run_name="__main__"), [*words[1:], "--help"], monkeypatch) == 0
        assert "usage:" in capsys.readouterr().out
        return
    if program == "pip":
        check_requirements(words[1:])
        return
    monkeypatch.chdir(folder)
    if words[0] == "demo":
        words = [each.replace("Qwen/Qwen3-0.6B,Qwen/Qwen3-4B", "uniscale-0.3m,uniscale-1m") for each in words] + [
            "-n",
            "4",
            "--no-others",
        ]
    if words[0] in ("report", "log") and not Path("uniscale.db").exists():
        assert exit_code(uniscale(), ["uniscale", "demo", "-n", "4", "--no-others"], monkeypatch) == 0
    words = [str(ROOT / word) if word.startswith("benchmarks/") else word for word in words]
    words = [SHORTER.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    assert exit_code(uniscale(), ["uniscale", *words], monkeypatch) == 0, "".join(capsys.readouterr())


def exit_code(program: Callable[[], object], words: list[str], monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Run a program in this process, where everything that it imports is there already; what it would end a process with."""
    monkeypatch.setattr(sys, "argv", words)
    try:
        program()
    except SystemExit as ended:
        return 0 if ended.code is None else ended.code
    return 0


def uniscale() -> Callable[[], object]:
    """What the command `uniscale` runs."""
    [entry] = [each for each in distribution("uniscale-integrations").entry_points if each.name == "uniscale"]
    found: Callable[[], object] = entry.load()
    return found


def test_the_command_is_there(folder: Path) -> None:
    done = subprocess.run([script(), "--help"], capture_output=True, text=True, check=True, cwd=folder)
    assert "replay" in done.stdout


def script() -> str:
    return str(Path(sys.executable).with_name("uniscale"))


def check_requirements(words: list[str]) -> None:
    """That this package has the extras that are named, and that the tests run with every other package that is."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for word in words:
        name, _, named = word.rstrip("]").partition("[")
        if name in (".", "uniscale-integrations"):
            assert set(named.split(",")) <= set(extras), word
        else:
            assert distribution(name).version


MENTIONED = sorted({command for text in ALL.values() for command in inline(text, "uniscale")})


@pytest.mark.parametrize("command", MENTIONED)
def test_commands_that_are_mentioned_have_their_options(command: str) -> None:
    found: Any = typer.main.get_command(app)
    _, *words = shlex.split(command)
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]
    assert not hasattr(found, "commands") or not words, f"no such command: {command}"
    known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("module", sorted({command.split()[2] for text in ALL.values() for command in inline(text, "python -m")}))
def test_modules_that_are_mentioned_are_there(module: str) -> None:
    assert find_spec(module)
