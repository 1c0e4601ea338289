"""`python -m benchmarks.hostile [--texts N] [--json]`: whether a text that a stranger wrote can hold up a process.

- Readers: texts of 5,000 and of 50,000 characters, made of fragments that parsers stumble over, go through everything that reads what a
  model or a user wrote. Time of the long one over that of the short one, at worst; linear is 10.
- The event loop: such texts come back as the candidates of whole searches, one verifier after the other. The longest time in which nothing
  else could run.
- Deadlines: the same with half a second to answer in, and texts that keep a verifier or algebra busy for ever. Seconds over the deadline.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import repeat
from random import Random
from typing import Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from rich.console import Console
from rich.table import Table

from uniscale_integrations import Budget, Configuration, ConfigurationSpace, UniScale
from uniscale_integrations.adapters.forms import calls_in, fits_schema
from uniscale_integrations.answers.normal_form import normalise_answer
from uniscale_integrations.answers.question import about
from uniscale_integrations.answers.sameness import groups
from uniscale_integrations.answers.values import read_value
from uniscale_integrations.policy.lexical import lexical_features
from uniscale_integrations.search.answers import extract_answer, same_answer
from uniscale_integrations.search.medoid import medoid
from uniscale_integrations.search.segmenter import Lines, Units, cut
from uniscale_integrations.texts import utf8_safe
from uniscale_integrations.verifiers import Agreement, JSONSchemaVerifier, MathVerifier, RegexVerifier
from uniscale_integrations.verifiers.arithmetic import judge_arithmetic
from uniscale_integrations.verifiers.equalities import claimed_equalities
from uniscale_integrations.verifiers.judge import verdict

FRAGMENTS = (
    "\\boxed{", "\\text{", "\\frac{", "\\frac", "\\sqrt{", "\\left(", "\\begin{a}", "{", "}", "[", "]", "(", ")",
    "<think>", "</think>", "<", "answer is ", "the answer is\n", "Answer:", "Answer: 4\n", "answer", "答案是", "Ответ: ",
    "#### ", "# ", "#", "because ", ", not ", "is ", "Sources:\n", "Would you? ", "**", "*", "__", "_", "`", "```",
    "```\n", "```python\n", "~~~", "$", "$$", "\\(", "\\[", "|", "- ", "1. ", "1) ", "a. ", "A) ", "(B) ", "1", "12",
    "0", "9^", "1+1=", "1+", "1=", "2 x ", "1,", "1,000", ",000", "1.", ".5", "1/", "/2", "-", "--", "%", "!", "?",
    "=", "a=", "x = 1, ", "+-", "^{", "_", "e9", "e", "1 may 2020 ", "12:30 ", "1-2-3 ", "192.168.", "http://",
    "a@a.", "'", '"', '"a":', '{"a":', "[1,", "[[", "'a',", "\\", "\\\\", "\\\"", " ", "  ", "\t", "\n", "\n\n",
    "\r\n", "\u2028", "\u3000", "\u200b", "é", "日", "½", "⁹", "°", "€", "1 km ", "or ", " and ", " u ", "x in ", "<=",
    "sqrt(", "log ", "the ", "The a is ", "page 3 ", "[1]", "【1】", "x", "ab ",
)  # fmt: skip

SHORT, LONG = 5_000, 50_000
MAX_GROWTH = 12.0
"""Of the time: ten times as long a text may take a little more than ten times as long, because it no longer fits into caches."""

Text = Callable[[int], str]
"""Makes a text of about that many characters."""

SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}, "required": ["a"]}


def hostile(random: Random) -> tuple[str, Text]:
    """What a text is made of, and what makes it: something in front, a few fragments over and over, something behind."""
    before = "".join(random.choices(FRAGMENTS, k=random.choice((0, 0, 1, 2))))
    unit = "".join(random.choices(FRAGMENTS, k=random.choice((1, 1, 1, 2, 3))))
    after = "".join(random.choices(FRAGMENTS, k=random.choice((0, 0, 1, 2))))
    if random.random() < 0.3:
        before = f"Answer: {before}"
    return f"{before!r} + {unit!r} * n + {after!r}", lambda size: before + unit * (size // len(unit)) + after


def form(text: str) -> object:
    """The check of a form, run to its end."""

    async def checked() -> bool:
        return await fits_schema({"type": "object", "required": ["a"]})(text)

    return asyncio.run(checked())


READERS: Mapping[str, Callable[[str], object]] = {
    "extract_answer": extract_answer,
    "extract_answer of a question": lambda text: extract_answer(text, "What is the capital, large or small, and since when?"),
    "normalise_answer": normalise_answer,
    "read_value": read_value,
    "same_answer": lambda text: same_answer(text, text + "1"),
    "groups": lambda text: groups([text, text + "1", text + "2", "4"]),
    "about": about,
    "claimed_equalities": claimed_equalities,
    "arithmetic": lambda text: asyncio.run(judge_arithmetic(text)),
    "medoid": lambda text: medoid([text, text + " b", "a"]),
    "calls_in": calls_in,
    "form": form,
    "verdict": lambda text: verdict(text, 10),
    "lexical_features": lexical_features,
    "sayable": utf8_safe,
    "steps": lambda text: (cut(text, Lines()), cut(text, Units())),
}


def readers(texts: int, seed: int) -> dict[str, dict[str, Any]]:
    """For each reader the greatest ratio of the times, where the long text takes a millisecond at least, and the longest time."""
    random = Random(seed)
    made = [hostile(random) for _ in range(texts)]
    return {name: _worst(read, made) for name, read in READERS.items()}


def _worst(read: Callable[[str], object], made: list[tuple[str, Text]]) -> dict[str, Any]:
    worst: dict[str, Any] = {"ratio": 0.0, "text": "", "ms": 0.0, "slowest": ""}
    for name, text in made:
        ratio, long = growth(read, text)
        if ratio > worst["ratio"]:
            worst |= {"ratio": ratio, "text": name}
        if 1e3 * long > worst["ms"]:
            worst |= {"ms": 1e3 * long, "slowest": name}
    return worst


def growth(read: Callable[[str], object], text: Text) -> tuple[float, float]:
    """Time of the long text over that of the short one, 0 where it takes less than a millisecond; and its seconds."""
    short, long = _seconds(read, text(SHORT)), _seconds(read, text(LONG))
    if long < 1e-3:
        return 0.0, long
    if long > MAX_GROWTH * short:
        # A pause of the machine is no property of the text.
        short, long = _seconds(read, text(SHORT), 7), _seconds(read, text(LONG), 7)
    return long / short, long


def _seconds(read: Callable[[str], object], text: str, times: int = 1) -> float:
    taken = []
    for again in range(times):
        # Nothing is remembered of a text that differs.
        each = text + "\n" * again
        began = time.thread_time()
        read(each)
        taken.append(time.thread_time() - began)
    return min(taken)


VERIFIERS: Mapping[str, Callable[[], Any]] = {
    "agreement": Agreement,
    "math": MathVerifier,
    "regex": lambda: RegexVerifier(r"(\w+\s?)+$"),
    "json schema": lambda: JSONSchemaVerifier(SCHEMA),
}

BUSY = (
    "Answer: $\\binom{999999999}{499999999}$",
    "Answer: $\\gamma(999999)$",
    "so 1.5^0.5^0.5 = 7^0.3^0.4 = 3, 2^0.5 = 1.41421",
    "a" * 60 + "!",
    '{"a": "' + "a" * 60 + '!"}',
)
"""Texts over which algebra or a regular expression may sit for ever."""


def engine(text: str, verifier: Any) -> UniScale:
    """One that samples eight candidates from a model that answers at once, each a little different."""
    replies = (AIMessage(f"{text}{' ' * (place % 8)}x{place % 8}") for place, _ in enumerate(repeat(None)))
    inner = GenericFakeChatModel(messages=replies)
    space = ConfigurationSpace([Configuration("generic-fake-chat-model", qp=8)])
    return UniScale([inner], verifier, space)


async def loop_gaps(texts: int, seed: int) -> dict[str, float]:
    """The longest time in which the event loop could do nothing else, in milliseconds, by verifier."""
    random, found = Random(seed), dict[str, float]()
    made = [hostile(random) for _ in range(texts)]
    for name, verifier in VERIFIERS.items():
        # What is imported late is imported now.
        await engine("4", verifier()).arun("What is 2 + 2?")
        # Looking for garbage among a million objects of frameworks takes a tenth of a second, whatever the text; servers do this too.
        gc.collect()
        gc.freeze()
        for _, text in made:
            answering = engine(text(LONG), verifier())
            async with watched(found, name):
                await answering.arun("What is 2 + 2?")
    return found


@asynccontextmanager
async def watched(found: dict[str, float], name: str) -> AsyncIterator[None]:
    """Keeps the longest time, in milliseconds, between two turns of the event loop while the block runs, beyond what was found before."""

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            found[name] = max(found.get(name, 0.0), 1e3 * (now - last))
            last = now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        yield
        await asyncio.sleep(0)
    finally:
        ticking.cancel()


async def deadlines(seconds: float = 0.5) -> dict[str, float]:
    """Seconds over a deadline, at worst, by verifier."""
    found: dict[str, float] = {}
    for name, verifier in VERIFIERS.items():
        for text in BUSY:
            answering = engine(text, verifier())
            began = time.perf_counter()
            await answering.arun("What is 2 + 2?", budget=Budget(seconds=seconds))
            found[name] = max(found.get(name, 0.0), time.perf_counter() - began - seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--texts", type=int, default=150, help="that go through every reader; a fifth of them through whole searches"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    gc.freeze()
    found: dict[str, Any] = {
        "readers": readers(given.texts, given.seed),
        "gap_ms": asyncio.run(loop_gaps(max(1, given.texts // 5), given.seed)),
        "over_deadline_s": asyncio.run(deadlines()),
    }
    table = Table(title=f"{given.texts} texts", title_justify="left")
    for heading in ("reader", "50,000 over 5,000", "of", "ms at most", "with"):
        table.add_column(heading)
    for name, worst in found["readers"].items():
        table.add_row(name, f"{worst['ratio']:.1f}", worst["text"], f"{worst['ms']:.1f}", worst["slowest"])
    out = Console()
    out.print(table)
    out.print(f"longest gap of the event loop, ms: {found['gap_ms']}")
    out.print(f"over a deadline, s: {found['over_deadline_s']}")
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
