"""What a search comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.deprecation import former_attribute, former_keywords
from uniscale_integrations.search.paths import Path, PathKey
from uniscale_integrations.space import Configuration


@dataclass(frozen=True, slots=True)
class Round:
    """One of the attempts at a request that was decided on again once an answer was seen.

    Attributes:
        decision_id: its decision.
        configuration: what was run.
        score: of what came of it; `None` where nothing scored it.
        belief: how right that was believed to be once its score was seen, in [0, 1].
        eflops: what it has taken.
        usd: likewise.
        seconds: likewise.
        failed: why nothing came of it; empty where something did.
        kept: whether its answer is the request's.
    """

    decision_id: str
    configuration: Configuration
    score: float | None
    belief: float
    eflops: float = 0.0
    usd: float = 0.0
    seconds: float = 0.0
    failed: str = ""
    kept: bool = False


@former_keywords(cut="stop_reason", notes="warnings", waited="wait_seconds")
@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Attributes:
        text: the whole winning path.
        answer: the answer read off it; `None` where nothing in it looks like one.
        score: `V` of the winning path; `None` where nothing could score it.
        best_text: the path with the best value, which early stopping never changes.
        best_score: that value.
        configuration: what was run.
        ledger: everything that was spent.
        paths: every path with its steps, scores and fate.
        answers: read off the paths that took part in the vote.
        stop_reason: why the search ended early, empty if it did not.
        warnings: what went wrong on the way without ending it.
        payload: what the generator put on the winning path.
        decision_id: the decision that chose the configuration, where one did.
        wait_seconds: seconds of `ledger.seconds` in which its requests waited for others to end.
        vote: why the vote among its candidates stopped before all were drawn; empty where it did not. Nothing is missing without them.
        finish_reason: why the text ends, in OpenAI's words: "stop" where its model ended it, "length" where a limit did.
        rounds: the attempts that were made, the first one first, where the engine decides again; the ledger is of all of them.
    """

    text: str
    answer: str | None
    score: float | None
    best_text: str
    best_score: float | None
    configuration: Configuration
    ledger: Ledger
    paths: tuple[Path, ...]
    answers: Mapping[PathKey, str | None] = field(default_factory=dict)
    stop_reason: str = ""
    warnings: tuple[str, ...] = ()
    payload: object = None
    decision_id: str | None = None
    wait_seconds: float = 0.0
    finish_reason: str = "stop"
    vote: str = ""
    rounds: tuple[Round, ...] = ()

    cut = former_attribute("stop_reason")
    notes = former_attribute("warnings")
    waited = former_attribute("wait_seconds")
