"""Rules: verifiers that are a function of the text.

A search needs a score for every step of a path, or none at all. A step that a rule does not judge therefore gets the rule's
greatest score, `upper`: it is not held against the path, and the early-stopping bound, which assumes `upper` for every step to
come, stays valid. It also means that the mean of a long path hides one failed check, (1 + 1 + 1 + 0) / 4 = 0.75. Where a failed
check must sink the path, let the search aggregate by "min" or "product".

A rule on final answers judges the last step of a final candidate. A final candidate without new steps (the model only ended the
text) has no step to judge.

How long a rule takes hangs on what a model has written. Those here compute in a process of their own (`processes`) wherever that is not
bounded by the length of the text: a candidate that could not be judged in time has no score, and the answer a note that says so.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from importlib import import_module
from inspect import isawaitable

from uniscale_integrations.answers import checks
from uniscale_integrations.concurrency.processes import in_process
from uniscale_integrations.cost.usage import NOTHING
from uniscale_integrations.errors import ConfigurationError, MissingExtraError, NotInTime, UniScaleError, VerifierError
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.search.ports import Verdict
from uniscale_integrations.search.scores import check_scores
from uniscale_integrations.verifiers.session import Item, StatelessSession

SECONDS = 1.0
"""In which one candidate is judged."""

Judgement = float | bool | None
"""A score, whether the step is right, or `None` where the rule does not judge the step."""

Rule = Callable[[str, str, str], Judgement | Awaitable[Judgement]]
"""Called with the question, the path's text before the step, and the step; sync or async."""


class CallableVerifier:
    """A verifier from a function.

    Args:
        rule: `rule(question, path_text, step)`: `path_text` is the text before the step, so that `path_text + step` is all
            there is so far. It gives a score, a bool or `None` for a step that it does not judge. A sync one blocks the event
            loop: it should be quick. One that gives up raises `NotInTime`, and its candidate has no score.
        name: for messages and the log.
        final_only: judge only the last step of a complete path.
        upper: the greatest score it gives.

    Example:
        >>> from uniscale_integrations.search.paths import PathKey
        >>> brief = CallableVerifier(lambda question, path_text, step: len(step) < 80, name="brief")
        >>> path, candidate = Path(PathKey(0, ())), Candidate(("3 + 4 = 7", "so 7"), final=True)
        >>> asyncio.run(brief.open("3 + 4?").score([(path, candidate)]))[0][0]
        (1.0, 1.0)
    """

    path_local = True
    _in_processes = False
    """Whether its candidates are judged one after the other, and none after one that took too long, since a request must not keep others
    from the processes."""

    def __init__(self, rule: Rule, *, name: str | None = None, final_only: bool = False, upper: float = 1.0) -> None:
        if not 0.0 < upper <= 1.0:
            raise ConfigurationError(f"the greatest score of a verifier must be in (0, 1], got {upper!r}")
        self.name = name or str(getattr(rule, "__name__", "rule"))
        self.upper = upper
        self._rule = rule
        self._final_only = final_only

    def open(self, question: str) -> StatelessSession:
        notes: list[str] = []
        turn = asyncio.Semaphore(1) if self._in_processes else nullcontext()

        async def verdict(path: Path, candidate: Candidate) -> Verdict:
            async with turn:
                if notes and self._in_processes:
                    return None, NOTHING
                try:
                    return await self._scores(question, path, candidate), NOTHING
                except NotInTime as error:
                    notes.append(f"verifier {self.name}: {error}; what it could not judge has no score")
                    return None, NOTHING

        async def score(items: Sequence[Item]) -> Sequence[Verdict]:
            return await asyncio.gather(*(verdict(path, candidate) for path, candidate in items))

        return StatelessSession(score, notes)

    async def _scores(self, question: str, path: Path, candidate: Candidate) -> tuple[float, ...]:
        last = len(candidate.steps) - 1
        text, scores = path.text, []
        for position, step in enumerate(candidate.steps):
            applies = not self._final_only or (candidate.final and position == last)
            judgement = await self._judge(question, text, step) if applies else None
            scores.append(self.upper if judgement is None else judgement)
            text += step
        return check_scores(self.name, candidate.steps, tuple(scores), self.upper)

    async def _judge(self, question: str, text: str, step: str) -> float | None:
        try:
            judgement = self._rule(question, text, step)
            if isawaitable(judgement):
                judgement = await judgement
        except UniScaleError:
            raise
        except Exception as error:
            raise VerifierError(f"verifier {self.name!r} failed on the step {step!r}: {type(error).__name__}: {error}") from error
        return float(judgement) if isinstance(judgement, bool) else judgement


class RegexVerifier(CallableVerifier):
    r"""1 for a complete path whose text the pattern is found in, 0 for any other.

    Args:
        pattern: searched in the whole text; anchor it as needed. One that backtracks for longer than `SECONDS` gives no score.

    Example:
        >>> from uniscale_integrations.search.paths import PathKey
        >>> dated = RegexVerifier(r"Answer: \d{4}-\d{2}-\d{2}\s*$")
        >>> items = [(Path(PathKey(0, ())), Candidate((step,), final=True)) for step in ("Answer: 2026-05-30", "Answer: in May")]
        >>> [scores for scores, usage in asyncio.run(dated.open("When?").score(items))]
        [(1.0,), (0.0,)]
    """

    _in_processes = True

    def __init__(self, pattern: str | re.Pattern[str], *, name: str = "regex") -> None:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise ConfigurationError(f"{pattern!r} is not a regular expression: {error}") from error

        async def found(question: str, text: str, step: str) -> bool:
            return bool(
                await in_process(checks.__name__, "found", expression.pattern, expression.flags, text + step, seconds=SECONDS)
            )

        super().__init__(found, name=name, final_only=True)


class JSONSchemaVerifier(CallableVerifier):
    """1 for a complete path whose last JSON value satisfies the schema, 0 for any other.

    That is the whole text, or else the last object or list in it, in a code fence or not, or else its extracted answer.
    References to other documents are not fetched. What takes longer than `SECONDS` to check has no score.

    Args:
        schema: a JSON Schema.

    Raises:
        MissingExtraError: jsonschema is not installed.
        ConfigurationError: the schema is no valid schema.

    Example:
        >>> from uniscale_integrations.search.paths import PathKey
        >>> person = JSONSchemaVerifier({"type": "object", "required": ["name"]})
        >>> items = [(Path(PathKey(0, ())), Candidate((step,), final=True)) for step in ('{"name": "Ada"}', '{"age": 36}', "Ada")]
        >>> [scores for scores, usage in asyncio.run(person.open("Who?").score(items))]
        [(1.0,), (0.0,), (0.0,)]
    """

    _in_processes = True

    def __init__(self, schema: Mapping[str, object], *, name: str = "json-schema") -> None:
        try:
            jsonschema = import_module("jsonschema")
        except ImportError as error:
            raise MissingExtraError("JSONSchemaVerifier", "rules") from error
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        try:
            kind.check_schema(schema)
            document = json.dumps(schema)
        except jsonschema.SchemaError as error:
            raise ConfigurationError(f"not a valid JSON Schema at {error.json_path}: {error.message}") from error
        except TypeError as error:
            raise ConfigurationError(f"a JSON Schema must be JSON: {error}") from error

        async def valid(question: str, text: str, step: str) -> bool:
            return bool(await in_process(checks.__name__, "valid", document, text + step, seconds=SECONDS))

        super().__init__(valid, name=name, final_only=True)
