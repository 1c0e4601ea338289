"""Which of the answers that take part in a vote are equal as mathematics."""

from __future__ import annotations

import asyncio
from functools import partial

from uniscale_integrations.answers.algebra import equalities
from uniscale_integrations.answers.extract import extract_answer
from uniscale_integrations.answers.values import read_values
from uniscale_integrations.concurrency.threads import read_aside
from uniscale_integrations.search.beam import BeamSearch
from uniscale_integrations.search.result import champions


async def compare_answers(search: BeamSearch, question: str, seconds: float | None) -> None:
    """Read the answers of a search that is over, and find out which of them are equal; both is kept on the search.

    Args:
        search: its answers and their equality are set.
        question: what the answers are read by.
        seconds: that it may take; where they pass, expressions that are written differently count as different, and a note says so.
    """
    try:
        async with asyncio.timeout(seconds):
            voting, read = champions(search.paths), partial(extract_answer, question=question)
            for path in voting:
                search.answers[path.key] = await read_aside(read, path.text)
            answers = [answer for path in voting if (answer := search.answers[path.key]) is not None]
            search.equal = await equalities(read_values(answers, question), search.notes)
    except TimeoutError:
        search.notes.append("expressions that are written differently count as different: no time was left to compare them")
