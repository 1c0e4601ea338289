"""Agreement between candidates as a verifier: what more of them say is more likely right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from operator import truediv
from statistics import fmean

from uniscale_integrations.answers.algebra import groups_by_algebra
from uniscale_integrations.answers.extract import extract_answer, without_drafts
from uniscale_integrations.concurrency.threads import read_aside
from uniscale_integrations.cost.usage import NOTHING
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.search.ports import Verdict
from uniscale_integrations.search.votes import stopped_share
from uniscale_integrations.verifiers.embeddings import Embed, cosines, embedder
from uniscale_integrations.verifiers.session import Item, StatelessSession

Statement = tuple[str | int, str | int]
"""What a step says: its place among the new steps and its words, or that it is the end and which answer that is."""


class Agreement:
    """The share of the candidates, of those scored together at the same depth, that say the same (self-consistency, Wang et al. 2023).

    Two steps say the same when they stand in the same place and differ at most in case, spacing and closing punctuation. Two
    final steps say the same when the answers of their paths do, however they were reached. Of an answer that was sampled whole only the
    answer counts: each of its steps has the share of candidates that give the same one, so that `V` is that share (of four, 2:2 is 0.5
    and 3:1 is 0.75), whatever else their texts have in common. Candidates that give no answer that can be read agree with none, so that
    one beside three of them has 0.25. A candidate that is alone at its depth
    has nothing to agree with: its steps get the mean of its path's scores, which leaves `V` where it was, or no opinion where the
    path has no scores yet.

    Prose holds no answer that could be the same as another: a final candidate without one has no score. With a `similarity` it counts the
    others by how close they come to what it says, each by its cosine (semantic self-consistency, Knappe et al. 2024).

    The score depends on which other candidates there are, so a search with it does not stop paths early (`path_local` is false).
    It needs all the candidates that were sampled, repeated ones included. A vote among whole answers stops once it is decided
    (`Sampling.votes`), except with a `similarity`; of a vote that was stopped with n of k candidates for an answer, the share is
    (n + 1/2) / (k + 1).

    Args:
        similarity: an embedding model, `Embeddings` of LangChain or `BaseEmbedding` of LlamaIndex. What it costs is not on the ledger. One
            that fails gives no score, and the answer a note.

    Raises:
        ConfigurationError: something else as the similarity.

    Example:
        >>> import asyncio
        >>> from uniscale_integrations.search.paths import Candidate, Path, PathKey
        >>> path = Path(PathKey(0, ()))
        >>> items = [(path, Candidate((step,), True)) for step in ("3 + 4 is 7", "Answer: 7", "Answer: 8")]
        >>> [round(scores[0], 2) for scores, usage in asyncio.run(Agreement().open("3 + 4?").score(items))]
        [0.67, 0.67, 0.33]
    """

    name = "agreement"
    upper = 1.0
    path_local = False
    loop_free = True
    """A `similarity` is asked on a thread."""

    def __init__(self, similarity: object = None) -> None:
        self._embed: Embed | None = None if similarity is None else embedder(similarity)
        self.vote_share = 1.0 if similarity is None else 0.0

    def open(self, question: str) -> AgreementSession:
        notes: list[str] = []
        return AgreementSession(partial(self._score, question, notes), notes)

    async def _score(self, question: str, notes: list[str], items: Sequence[Item], *, stopped: bool = False) -> Sequence[Verdict]:
        answers = [await _answer(question, path, candidate) for path, candidate in items]
        numbers = iter(await groups_by_algebra([answer for answer in answers if answer is not None], question, notes))
        statements = [
            _statements(candidate, None if answer is None else next(numbers))
            for (_, candidate), answer in zip(items, answers, strict=True)
        ]
        sizes = Counter(path.depth for path, candidate in items if candidate.error is None)
        counts = Counter(
            (path.depth, each)
            for (path, candidate), own_statements in zip(items, statements, strict=True)
            if candidate.error is None
            for each in own_statements
        )
        close = await self._close(notes, items, answers) if self._embed else {}
        share = stopped_share if stopped else truediv
        return [
            (_shares(path, candidate, own_statements, sizes, counts, close.get(place), share), NOTHING)
            for place, ((path, candidate), own_statements) in enumerate(zip(items, statements, strict=True))
        ]

    async def _close(self, notes: list[str], items: Sequence[Item], answers: Sequence[str | None]) -> Mapping[int, float]:
        """For each final candidate without an answer, how many of those at its depth say what it says, itself included."""
        prose = {
            place: without_drafts(path.text + "".join(candidate.steps)).strip()
            for place, ((path, candidate), answer) in enumerate(zip(items, answers, strict=True))
            if candidate.final and answer is None and candidate.error is None
        }
        prose = {place: text for place, text in prose.items() if text}
        if len(prose) < 2 or self._embed is None:
            return {}
        try:
            vectors = await self._embed(list(prose.values()))
            alike = cosines(vectors, len(prose))
        except Exception as error:
            # An embedding model that cannot be reached has no opinion; the answers are there all the same.
            notes.append(
                f"verifier {self.name}: prose has no score, for the embedding model failed: {type(error).__name__}: {error}"
            )
            return {}
        depths = [items[place][0].depth for place in prose]
        return {
            place: 1.0 + sum(alike[row][column] for column, depth in enumerate(depths) if column != row and depth == depths[row])
            for row, place in enumerate(prose)
        }


class AgreementSession(StatelessSession):
    """One question at `Agreement`."""

    def __init__(self, score: Callable[..., Awaitable[Sequence[Verdict]]], notes: Sequence[str]) -> None:
        super().__init__(score, notes)
        self._score_vote = score

    async def score_vote(self, items: Sequence[Item], *, stopped: bool) -> Sequence[Verdict]:
        """The share of each answer among all that there are, or what is expected of it where the vote was stopped."""
        return await self._score_vote(items, stopped=stopped)


def _shares(
    path: Path,
    candidate: Candidate,
    statements: tuple[Statement, ...],
    sizes: Counter[int],
    counts: Counter[tuple[int, Statement]],
    close: float | None,
    share_of: Callable[[int, int], float],
) -> tuple[float, ...] | None:
    if not candidate.steps:
        return ()
    if candidate.error is not None:
        return None
    size = sizes[path.depth]
    if size == 1:
        return (fmean(path.scores),) * len(candidate.steps) if path.scores else None
    scores = tuple(share_of(counts[path.depth, each], size) for each in statements[: len(candidate.steps)])
    if not candidate.final:
        return scores
    share = share_of(counts[path.depth, statements[-1]], size)
    if statements[-1][0] == "end":
        if close is None:
            return None
        share = min(1.0, close / size)
    return (share,) * len(scores) if path.depth == 0 else (*scores[:-1], share)


async def _answer(question: str, path: Path, candidate: Candidate) -> str | None:
    if not candidate.final:
        return None
    return await read_aside(partial(extract_answer, question=question), path.text + "".join(candidate.steps))


def _statements(candidate: Candidate, answer: int | None) -> tuple[Statement, ...]:
    """One per new step; a candidate that only ends the text still states its path's answer, which is told by its number."""
    statements: list[Statement] = [(place, _words(step)) for place, step in enumerate(candidate.steps)]
    if candidate.final:
        words = statements.pop()[1] if statements else ""
        statements.append(("end", words) if answer is None else ("answer", answer))
    return tuple(statements)


def _words(step: str) -> str:
    return " ".join(step.casefold().split()).rstrip(" .,;:!")
