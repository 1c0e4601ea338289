"""A Hugging Face causal language model as a generator: all paths of all trees in one batch, no token computed twice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import torch
from transformers import PreTrainedModel

from uniscale_integrations.cost.eflops import decode_usage, forward_usage
from uniscale_integrations.cost.lengths import TYPICAL, Lengths
from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.errors import ConfigurationError, ContextLengthError
from uniscale_integrations.models.local.batching import SharedBatches
from uniscale_integrations.models.local.decode import Decoder, Row, Start, decode_in_parts
from uniscale_integrations.models.local.forest import batches_for
from uniscale_integrations.models.local.read import Reading, read_in_parts
from uniscale_integrations.models.local.state import PathState, context_length, empty_state
from uniscale_integrations.models.local.vocabulary import Spelling, Vocabulary, prompt_ids
from uniscale_integrations.models.task import Task
from uniscale_integrations.search.conversation import Conversation, Emit, Turn
from uniscale_integrations.search.paths import Candidate, Expansion, Path, PathKey
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration

USUAL_STEPS = 6
"""Of an answer, before any was seen."""


class TransformersModel:
    """A local causal language model.

    Concurrent searches share batches: what is asked while a batch runs goes into the next one together.

    Args:
        model: any transformers causal language model with attention layers.
        tokenizer: its tokenizer; a chat template is applied where it has one.
        name: M of its configurations.
        task: how to ask it, and where its steps and answers end; by default it reads the user's messages through its chat template and
            nothing else, and its answers end where it ends them.
        max_rows: most rows in one batch; halved by itself when memory runs out.
        lengths: of a typical question and answer, for what it is expected to cost.

    Raises:
        GenerationError: a model whose state cannot be kept per path (recurrent layers).

    Example:
        >>> from uniscale_integrations.models.catalog import load_model
        >>> model = load_model("uniscale-0.3m")
        >>> model.name, model.context
        ('uniscale-0.3m', 1024)
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Any,
        name: str,
        *,
        task: Task = Task(),
        max_rows: int = 256,
        lengths: Lengths = TYPICAL,
    ) -> None:
        self.lengths = lengths
        self.root = empty_state(model)
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self.task = task
        self.max_rows = max_rows
        config = model.config.get_text_config()
        self.context = context_length(model)
        self.shape = ModelShape.from_config(
            config,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            bytes_per_weight=next(model.parameters()).element_size(),
        )
        more = model.generation_config.eos_token_id if model.generation_config else None
        ends = more if isinstance(more, list) else [] if more is None else [more]
        vocabulary = Vocabulary(tokenizer, int(config.vocab_size), task.segmenter.delimiter, ends)
        pattern = re.compile(task.final_step) if task.final_step else None
        self.decoder = Decoder(self.model, batches_for(self.model), self.shape, vocabulary, task.segmenter, pattern, self.context)
        self.batches = SharedBatches(self._serve)

    capabilities: frozenset[str] = frozenset()
    """Of what conversations may need: nothing beside text."""

    @property
    def horizon(self) -> int | None:
        """The most steps that its answers have."""
        return self.task.horizon

    def plain_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        """What one sample of `answer_tokens` after a prompt of `prompt_tokens` takes."""
        prompt_usage = forward_usage(self.shape, [prompt_tokens], [0], prompt=[prompt_tokens])
        return prompt_usage.plus(decode_usage(self.shape, prompt_tokens, answer_tokens))

    def open(self, question: str, sampling: Sampling) -> TransformersSession:
        """Begin a question.

        Raises:
            ConfigurationError: the question is empty.
            ContextLengthError: it leaves no room for a step; says by how many tokens it is too long.
        """
        if not question.strip():
            raise ConfigurationError("the question is empty; give it at least one word")
        return self._session([{"role": "user", "content": question}], sampling)

    def open_conversation(
        self, conversation: Conversation, sampling: Sampling, configuration: Configuration, emit: Emit | None = None
    ) -> TransformersSession:
        """Begin a conversation, as the model's chat template says it; a message of the assistant that stands last is gone on with.

        One plain sample is drawn as the model is set up to, unless the request says how; candidates that compete, as `sampling` says.

        Raises:
            ContextLengthError: as of `open`.
        """
        # An empty one says something as well: that there are no instructions, for which templates would put some of their own.
        messages = [_message(turn) for turn in conversation.turns]
        if configuration.plain and sampling.temperature is None and not self.task.sampled:
            sampling = replace(sampling, temperature=self._own_temperature())
        return self._session(messages, sampling, conversation.stop, emit)

    def _own_temperature(self) -> float:
        own = self.model.generation_config
        return float(own.temperature or 1.0) if own is not None and own.do_sample else 0.0

    def _session(
        self,
        messages: Sequence[Mapping[str, Any]],
        sampling: Sampling,
        stop: Sequence[str] = (),
        emit: Emit | None = None,
    ) -> TransformersSession:
        if self.task.step_tokens is not None:
            sampling = replace(sampling, max_step_tokens=min(sampling.max_step_tokens, self.task.step_tokens))
        ids = prompt_ids(self.tokenizer, messages, self.task.instruction)
        room = self.context - min(sampling.max_step_tokens, self.context // 2)
        if len(ids) > room:
            raise ContextLengthError(
                f"the question takes {len(ids)} tokens, {len(ids) - room} more than {self.name} can read and still answer "
                f"(context {self.context}, a step of up to {sampling.max_step_tokens}); shorten it or use a longer context"
            )
        return TransformersSession(self, ids, sampling, stop, emit)

    def _serve(self, requests: Sequence[tuple[TransformersSession, list[Expansion]]]) -> list[list[list[Candidate]]]:
        """Answer the expansions of many sessions with one batch."""

        def note(size: int, next_try: int) -> None:
            for session, _ in requests:
                session.notes.append(f"out of memory with {size} rows in a batch, going on with {next_try}")

        with torch.inference_mode():
            readings = [session.question for session, expansions in requests if session.begins(expansions)]
            self.max_rows = read_in_parts(self.model, self.decoder.open_batch, self.shape, readings, self.max_rows, note)
            rows = [session.rows(expansions) for session, expansions in requests]
            going = [row for part in rows for row in part if row.error is None]
            self.max_rows = decode_in_parts(self.decoder, going, self.max_rows, note)
        return [session.candidates(expansions, part) for (session, expansions), part in zip(requests, rows, strict=True)]


def _message(turn: Turn) -> dict[str, Any]:
    """A turn as chat templates read it."""
    message: dict[str, Any] = {"role": turn.role, "content": turn.text}
    if turn.calls:
        functions = ({"name": call.name, "arguments": dict(call.arguments)} for call in turn.calls)
        message["tool_calls"] = [{"type": "function", "function": function} for function in functions]
    return message


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """What a session keeps of a text: its cache without the last token, the tokens of the answer so far, and what of them is spelled."""

    state: PathState
    answer: list[int]
    spelling: Spelling


class TransformersSession:
    """One question at a `TransformersModel`; holds the caches of the paths that may still be continued.

    Attributes:
        question: read with the first expansion.
        notes: what went wrong without ending anything.
    """

    together = True

    def __init__(
        self, owner: TransformersModel, prompt: list[int], sampling: Sampling, stop: Sequence[str] = (), emit: Emit | None = None
    ) -> None:
        self._owner, self._sampling, self._stop = owner, sampling, tuple(filter(None, stop))
        self._streamer = None if emit is None else Telling(emit)
        self._closing = Event()
        self._nodes: dict[PathKey, _Node] = {}
        self._texts: dict[tuple[int, ...], _Node] = {}
        self._tokens_per_step = 8.0
        self.question = Reading(owner.root, prompt, hurried=emit is not None)
        self.notes: list[str] = []

    @property
    def shared_usage(self) -> Usage:
        """What reading the question took."""
        return self.question.usage

    def samples_whole(self, *, asked: bool) -> bool:
        """Whether every expansion is a whole answer: where all steps are asked for at once."""
        return asked

    def estimate(self, expansion: Expansion) -> Usage:
        """The question where it is still unread, and steps of the usual length for each candidate."""
        node = self._nodes.get(expansion.path.key)
        prompt = len(self.question.tokens)
        context = node.state.length if node else prompt
        steps = max(1, min(expansion.steps, USUAL_STEPS))
        total = decode_usage(self._owner.shape, context, max(1, round(self._tokens_per_step * steps))).scaled(expansion.count)
        if self.question.after is None:
            return total.plus(forward_usage(self._owner.shape, [prompt], [0], prompt=[prompt]))
        return total

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        """Sample all candidates of all expansions in one batch, off the event loop."""
        if self._streamer is not None:
            self._streamer.loop = asyncio.get_running_loop()
        return await self._owner.batches.submit((self, list(expansions)))

    def retain(self, paths: Collection[Path]) -> None:
        """Free the caches of all paths but these."""
        keys = {path.key for path in paths}
        self._nodes = {key: node for key, node in self._nodes.items() if key in keys}
        self._texts = {tuple(node.answer): node for node in self._nodes.values()}

    def close(self) -> None:
        """Free every cache, and stop rows that are still running."""
        self._closing.set()
        self._nodes, self._texts = {}, {}
        self.question = replace(self.question, after=None, first=None)

    def begins(self, expansions: Sequence[Expansion]) -> bool:
        """Whether any of the expansions needs the question."""
        return any(not expansion.path.key.lineage for expansion in expansions)

    def rows(self, expansions: Sequence[Expansion]) -> list[Row]:
        """The rows to sample: each path as often as it has candidates. Trees that have said the same go on from the same start."""
        starts: dict[tuple[_Node | None, tuple[str, ...], int, bool], Start | str] = {}
        rows: list[Row] = []
        for expansion in expansions:
            path, tree = expansion.path, expansion.path.key.tree
            same = (self._nodes.get(path.key), path.steps, expansion.steps, expansion.rest)
            if same not in starts:
                starts[same] = self._start(expansion)
            start = starts[same]
            rows.extend(
                Row(None, tree, index, error=start) if isinstance(start, str) else Row(start, tree, index)
                for index in range(expansion.count)
            )
        return rows

    def _start(self, expansion: Expansion) -> Start | str:
        """Where an expansion's candidates begin, or why they cannot."""
        path, question = expansion.path, self.question
        node = self._nodes.get(path.key)
        if not path.key.lineage:
            if question.after is None:
                return question.error or "the session is closed"
            node = _Node(question.after, [], Spelling())
            last = question.tokens[-1]
        elif node is not None:
            last = node.answer[-1]
        else:
            return "the session is closed" if self._closing.is_set() else f"the context of {self._owner.context} tokens is full"
        return Start(
            node.state,
            last,
            node.answer,
            path.text,
            node.spelling,
            expansion.steps,
            expansion.rest,
            self._sampling,
            self._closing,
            self._stop,
            None if self._streamer is None else self._streamer.show,
            None if path.key.lineage else question.first,
        )

    def candidates(self, expansions: Sequence[Expansion], rows: Sequence[Row]) -> list[list[Candidate]]:
        """The sampled rows as candidates, with the caches of those that can go on kept."""
        remaining = iter(rows)
        return [[self._candidate(expansion.path, next(remaining)) for _ in range(expansion.count)] for expansion in expansions]

    def _candidate(self, path: Path, row: Row) -> Candidate:
        strand = row.strand
        if strand is None:
            return Candidate((), False, row.usage, (), row.error)
        if row.after is not None and not self._closing.is_set():
            node = self._texts.setdefault(tuple(strand.answer), _Node(row.after, strand.answer, strand.spelling))
            self._nodes[path.key.child(row.index)] = node
        if strand.steps:
            self._tokens_per_step += 0.1 * (strand.draws / len(strand.steps) - self._tokens_per_step)
        return Candidate(
            tuple(strand.steps), strand.final, row.usage, tuple(strand.log_probabilities), row.error, incomplete=strand.incomplete
        )


class Telling:
    """Passes an answer on to where it is waited for, as it is drawn on another thread.

    A part that is drawn again, after memory ran out, is told once. White space waits for what comes after it, since an answer does not
    end with it.

    Args:
        emit: takes the pieces, on its own loop.

    Attributes:
        loop: of `emit`.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit, self._streamer, self._buffer = emit, 0, ""
        self.loop: asyncio.AbstractEventLoop | None = None

    def show(self, before: int, text: str) -> None:
        """Tell a text that stands after so many characters of the answer."""
        new = text[max(0, self._streamer - before) :]
        if not new or self.loop is None:
            return
        self._streamer = before + len(text)
        whole = self._buffer + new
        piece = whole.rstrip()
        self._buffer = whole[len(piece) :]
        if piece:
            self.loop.call_soon_threadsafe(self._emit, piece)
