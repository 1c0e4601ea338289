"""Programs of users, run in processes of their own that have imported what they need already.

Most of what a short program takes is importing torch and the frameworks. Each runs in a fork of a server that has done so once: what it
leaves behind, or changes, ends with it.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PRELOADED = ["tests.preloaded"]


@dataclass(frozen=True)
class Finished:
    """What a program has said, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def run_page(page: Path) -> Finished:
    """Run a file as a program."""
    return _run("page", [str(page)], Path.cwd())


def run_code(code: str, folder: Path) -> Finished:
    """Run a text as a program, in a folder."""
    return _run("code", [code], folder)


def run_command(words: Sequence[str], folder: Path) -> Finished:
    """Run `uniscale` with these words, in a folder."""
    return _run("command", words, folder)


def _run(what: str, words: Sequence[str], folder: Path) -> Finished:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as place:
        said = [Path(place) / "out", Path(place) / "err"]
        process = context.Process(target=_begin, args=(what, list(words), str(folder), [str(each) for each in said]))
        process.start()
        process.join()
        assert process.exitcode is not None
        out, err = (each.read_text(encoding="utf-8") if each.exists() else "" for each in said)
        return Finished(process.exitcode, out, err)


def _begin(what: str, words: list[str], folder: str, said: list[str]) -> None:
    """What the process does that was forked."""
    os.chdir(folder)
    for descriptor, name in enumerate(said, 1):
        file = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    sys.argv = ["uniscale", *words] if what == "command" else words[:1] if what == "page" else ["-c"]
    if what == "page":
        runpy.run_path(words[0], run_name="__main__")
    elif what == "code":
        exec(compile(words[0], "<program>", "exec"), {"__name__": "__main__"})
    else:
        from uniscale_integrations.cli.app import app

        app()
