"""Sampling the candidates of any number of paths, of any number of questions, in one batch.

Candidates of one path are the same text until they draw different tokens. As long as they are, they share one node of the batch and
its forward pass; each draws with its own number, and where they differ the node branches.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

import torch
from transformers import PreTrainedModel

from uniscale_integrations.cost.eflops import NO_SHARE, Share, tokens_usage
from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.local.batch import Batch, OpenBatch
from uniscale_integrations.models.local.draw import draw
from uniscale_integrations.models.local.oom_retry import in_parts
from uniscale_integrations.models.local.read import First
from uniscale_integrations.models.local.state import PathState
from uniscale_integrations.models.local.vocabulary import Spelling, Vocabulary
from uniscale_integrations.search.ports import TEMPERATURE, Sampling
from uniscale_integrations.search.segmenter import Segmenter, Unit
from uniscale_integrations.search.streams import uniforms

Show = Callable[[int, str], None]
"""(characters before it, text): takes a piece of an answer as it is drawn."""

ROOM = 64
"""Tokens for which a batch makes room at once."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """What decoding needs to know of a model."""

    model: PreTrainedModel
    open_batch: OpenBatch
    shape: ModelShape
    vocabulary: Vocabulary
    segmenter: Segmenter
    final_step: re.Pattern[str] | None
    context: int


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where candidates begin; those with the same start are the same text until they draw different tokens.

    Attributes:
        state: the cache of the path without its last token.
        last: that token, which is fed first.
        answer: ids of all tokens after the question.
        text: of the path.
        spelling: which of the tokens the text is made of.
        steps: most steps to sample.
        rest: whether the last of them is the rest of the answer.
        sampling: temperature, lengths, seed.
        stop_event: set when the caller no longer wants it.
        stop: texts that end the answer and are not part of it.
        show: takes what is drawn, piece by piece.
        first: what follows the last token, where that is known and need not be fed.
    """

    state: PathState
    last: int
    answer: Sequence[int]
    text: str
    spelling: Spelling
    steps: int
    rest: bool
    sampling: Sampling
    stop_event: Event
    stop: Sequence[str] = ()
    show: Show | None = None
    first: First | None = None


@dataclass(slots=True, eq=False)
class Strand:
    """What was drawn after a start, while candidates agree on it.

    Attributes:
        text: of the path and the finished steps.
        answer: ids of the path and all that was drawn.
        spelling: which of them the text and `step_text` are made of.
        unit: the step being drawn, as the segmenter reads it.
        draws: how many tokens were.
        steps: the finished ones.
        step: ids of the one being drawn.
        step_text: its text so far.
        piece: the part of that after its last delimiter.
        mark: where in it the unit begins; in the last step there are several.
        spelling_before: what was spelled at its beginning.
        log_probabilities: mean log-probability of the tokens of each step.
        step_log_probability: sum over the tokens of the step being drawn.
        final: whether the answer is over.
        incomplete: why it is, where the model had not ended it.
        poisoned: whether the model's output was not a number.
        blank: tokens at its end that say nothing and are not part of any step.
    """

    text: str
    answer: list[int]
    spelling: Spelling
    unit: Unit
    draws: int = 0
    steps: list[str] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    step_text: str = ""
    piece: str = ""
    mark: int = 0
    spelling_before: Spelling = Spelling()
    log_probabilities: list[float] = field(default_factory=list)
    step_log_probability: float = 0.0
    final: bool = False
    incomplete: str = ""
    poisoned: bool = False
    blank: int = 0

    def fork(self) -> Strand:
        """The same again, to draw something else."""
        return replace(
            self,
            answer=self.answer.copy(),
            steps=self.steps.copy(),
            step=self.step.copy(),
            log_probabilities=self.log_probabilities.copy(),
        )

    def take(self, token: int, log_probability: float, start: Start, decoder: Decoder) -> bool:
        """Add a drawn token; returns whether nothing more is to be drawn."""
        vocabulary, sampling = decoder.vocabulary, start.sampling
        self.draws += 1
        self.poisoned = self.poisoned or math.isnan(log_probability)
        if token in vocabulary.ends:
            self.final = True
            return True
        self.answer.append(token)
        self.step.append(token)
        self.step_log_probability += log_probability
        last = start.rest and len(self.steps) == start.steps - 1
        broke = False
        if vocabulary.may_break(token) or start.show or start.stop:
            broke = self._spell(decoder, start)
        if broke and last:
            broke = self._next_unit(decoder)
        if self.final:
            return True
        if sampling.max_tokens is not None and len(self.answer) >= sampling.max_tokens:
            self.cut_off("length")
            return True
        if not broke and (len(self.step) < sampling.max_step_tokens or (last and self._speaks(decoder, start))):
            return False
        self.end_step(decoder)
        return self.final or bool(self.blank) or len(self.steps) >= start.steps

    def cut_off(self, reason: str) -> None:
        """End the answer where its model had not ended it."""
        self.final, self.incomplete = True, reason

    def end_step(self, decoder: Decoder) -> None:
        """Turn the tokens since the last step's end into a step; a character still incomplete is left to the next one."""
        self._spell(decoder)
        if self.step_text.strip():
            self.steps.append(self.step_text)
            self.log_probabilities.append(self.step_log_probability / len(self.step))
            self.text += self.step_text
            self.spelling_before = self.spelling
            if decoder.final_step is not None and decoder.final_step.search(self.step_text):
                self.final = True
        else:
            self.blank = len(self.step)
        self.step, self.step_log_probability = [], 0.0
        self.step_text, self.piece, self.unit, self.mark = "", "", decoder.segmenter.begin(), 0

    def _next_unit(self, decoder: Decoder) -> bool:
        """Read on in the last step, which holds all units that are left; returns whether the answer is over."""
        self.final = decoder.final_step is not None and decoder.final_step.search(self.step_text[self.mark :]) is not None
        self.unit, self.mark = decoder.segmenter.begin(), len(self.step_text)
        return self.final

    def _speaks(self, decoder: Decoder, start: Start) -> bool:
        """Whether the step being drawn says anything yet."""
        if not self.step_text.strip():
            self._spell(decoder, start)
        return bool(self.step_text.strip())

    def _spell(self, decoder: Decoder, start: Start | None = None) -> bool:
        """Take up the text of what was drawn last; returns whether a step is complete with it."""
        addition, self.spelling = decoder.vocabulary.spell(self.answer, self.spelling)
        before = len(self.text) + len(self.step_text)
        self.step_text += addition
        if start is not None and start.stop:
            longest = max(map(len, start.stop))
            ends = [
                place
                for end in start.stop
                if (place := self.step_text.find(end, max(0, len(self.step_text) - len(addition) - longest))) >= 0
            ]
            if ends:
                self.step_text, self.final = self.step_text[: min(ends)], True
                addition = self.step_text[before - len(self.text) :]
        if start is not None and start.show is not None and addition:
            start.show(before, addition)
        self.piece += addition
        delimiter = decoder.segmenter.delimiter
        while not self.unit.complete and delimiter in self.piece:
            piece, _, self.piece = self.piece.partition(delimiter)
            self.unit = self.unit.after(piece + delimiter)
        return self.unit.complete

    def complaint(self) -> str | None:
        """Why this is not a candidate, where it is none."""
        if self.poisoned:
            return "the model's output is not a number; load it with a wider dtype"
        if not self.final and not self.steps:
            return f"the model drew {self.draws} tokens and none of them says anything"
        return None


@dataclass(slots=True, eq=False)
class Row:
    """A candidate while it is being sampled.

    Attributes:
        start: where it begins; `None` where its path cannot be continued, see `error`.
        tree: of its path.
        index: among the candidates of its path.
        usage: spent by attempts that were lost.
        error: why it failed.
        strand: what was drawn, once it is done.
        after: its cache once it is done, without its last token; `None` where it cannot go on.
        numbers: the uniform numbers of the step being drawn.
        share: its part of the passes so far.
        context_tokens: tokens that all those it needed saw, in sum.
        draws: tokens drawn so far, one for every pass that it needed.
    """

    start: Start | None
    tree: int
    index: int
    usage: Usage = NOTHING
    error: str | None = None
    strand: Strand | None = None
    after: PathState | None = None
    numbers: Sequence[float] = ()
    share: Share = NO_SHARE
    context_tokens: int = 0
    draws: int = 0

    def begin_step(self, sampling: Sampling, text: str, count: int = 0) -> None:
        """Take up the random stream of the step to come, or more of it."""
        count = count or sampling.max_step_tokens
        self.numbers = uniforms(sampling.seed, self.tree, text, self.index, count).tolist()

    def number(self, strand: Strand, sampling: Sampling) -> float:
        """What the next token is drawn with; the rest of an answer may take more numbers than a step."""
        place = len(strand.step)
        if place >= len(self.numbers):
            self.begin_step(sampling, strand.text, 2 * place)
        return self.numbers[place]

    def settle(self, shape: ModelShape) -> None:
        """Put what was spent on the bill, and start counting anew."""
        self.usage = self.usage.plus(tokens_usage(shape, self.share, samples=self.draws, context_tokens=self.context_tokens))
        self.share, self.context_tokens, self.draws = NO_SHARE, 0, 0


@dataclass(slots=True, eq=False)
class _Node:
    """Candidates that have drawn the same tokens so far, the last of which is to be fed next."""

    start: Start
    strand: Strand
    token: int
    rows: list[Row]


def decode_in_parts(decoder: Decoder, rows: Sequence[Row], max_rows: int, note: Callable[[int, int], None]) -> int:
    """Decode rows in batches of at most `max_rows`; a batch that does not fit is halved, a single row that does not fit fails.

    Args:
        note: told the rows of a batch that ran out of memory, and those of the next.

    Returns:
        the most rows that fit.
    """

    def retry(part: list[Row]) -> list[Row]:
        remaining = [row for row in part if row.strand is None]
        for row in remaining:
            row.settle(decoder.shape)
        return remaining

    def fail(row: Row, error: str) -> None:
        row.settle(decoder.shape)
        row.error = error

    return in_parts(rows, max_rows, lambda part: decode(decoder, part), retry=retry, fail=fail, note=note)


def decode(decoder: Decoder, rows: Sequence[Row]) -> None:
    """Sample all rows to their ends; a token that several of them have drawn after the same text is one forward pass."""
    nodes = _nodes(decoder, rows)
    firsts = [node.start.first for node in nodes if node.start.first is not None]
    known = len(firsts) == len(nodes)
    states = [first.state for first in firsts] if known else [node.start.state for node in nodes]
    batch = decoder.open_batch(decoder.model, states, max(min(ROOM, node.start.sampling.max_step_tokens) for node in nodes))
    logits = torch.stack([first.logits for first in firsts]) if known else None
    while nodes:
        if logits is None:
            traffic = batch.traffic_tokens()
            logits = batch.step([node.token for node in nodes])
            _pay(nodes, traffic)
        else:
            # What its pass took was counted with the question.
            for row in rows:
                row.draws += 1
        places = torch.tensor([place for place, node in enumerate(nodes) for _ in node.rows])
        tokens, log_probabilities = draw(
            logits,
            places,
            torch.tensor(
                [row.number(node.strand, node.start.sampling) for node in nodes for row in node.rows], dtype=torch.float64
            ),
            torch.tensor([_temperature(node.start.sampling) for node in nodes], dtype=torch.float64),
            torch.tensor([node.start.sampling.top_p for node in nodes], dtype=torch.float64),
        )
        logits = None
        samples = iter(zip(tokens.tolist(), log_probabilities.tolist(), strict=True))
        parents: list[int] = []
        going: list[_Node] = []
        for place, node in enumerate(nodes):
            for child, log_probability in _branches(node, [next(samples) for _ in node.rows]):
                start, strand = child.start, child.strand
                full = start.state.length + strand.draws + 3 > decoder.context
                if strand.take(child.token, log_probability, start, decoder) or full or start.stop_event.is_set():
                    _leave(decoder, child, batch, place, full)
                    continue
                if not strand.step:
                    for row in child.rows:
                        row.begin_step(start.sampling, strand.text)
                parents.append(place)
                going.append(child)
        nodes = going
        if nodes:
            batch.branch(parents)


def _temperature(sampling: Sampling) -> float:
    return TEMPERATURE if sampling.temperature is None else sampling.temperature


def _nodes(decoder: Decoder, rows: Sequence[Row]) -> list[_Node]:
    """The rows by their starts, each with its first random numbers."""
    nodes: dict[int, _Node] = {}
    for row in rows:
        start = row.start
        assert start is not None
        if id(start) not in nodes:
            strand = Strand(
                start.text, list(start.answer), start.spelling, decoder.segmenter.begin(), spelling_before=start.spelling
            )
            nodes[id(start)] = _Node(start, strand, start.last, [])
        nodes[id(start)].rows.append(row)
        row.begin_step(start.sampling, start.text)
    return list(nodes.values())


def _pay(nodes: Sequence[_Node], traffic: Sequence[float]) -> None:
    """Share out one pass: among its nodes, and a node's part among the candidates that it stands for."""
    for node, cached_tokens in zip(nodes, traffic, strict=True):
        part = 1 / len(node.rows)
        context_tokens = node.start.state.length + 1 + node.strand.draws
        for row in node.rows:
            share = row.share
            row.share = Share(
                share.tokens + part,
                share.context_tokens + part * context_tokens,
                share.passes + part / len(nodes),
                share.traffic_tokens + part * (cached_tokens + 1),
            )
            row.context_tokens += context_tokens
            row.draws += 1


def _branches(node: _Node, samples: Sequence[tuple[int, float]]) -> list[tuple[_Node, float]]:
    """A node's candidates by the token that they drew, with its log-probability."""
    groups: dict[int, tuple[list[Row], float]] = {}
    for row, (token, log_probability) in zip(node.rows, samples, strict=True):
        groups.setdefault(token, ([], log_probability))[0].append(row)
    strands = [node.strand, *(node.strand.fork() for _ in range(len(groups) - 1))]
    return [
        (_Node(node.start, strand, token, rows), log_probability)
        for strand, (token, (rows, log_probability)) in zip(strands, groups.items(), strict=True)
    ]


def _leave(decoder: Decoder, node: _Node, batch: Batch, place: int, full: bool) -> None:
    """Finish the candidates of a node, and keep its cache if their path can go on."""
    strand, start = node.strand, node.start
    if strand.step:
        strand.end_step(decoder)
    if full and not strand.final and not start.stop_event.is_set():
        strand.cut_off("length")
    error, after = strand.complaint(), None
    if error is None and not strand.final and not full:
        # What was drawn after the last step says nothing: whoever continues the path draws it again.
        if strand.blank:
            del strand.answer[-strand.blank :]
        after = batch.state(place, strand.blank)
    for row in node.rows:
        row.settle(decoder.shape)
        row.strand, row.after, row.error = strand, after, error
