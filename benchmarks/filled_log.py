"""A log as long as one likes, for what reads logs."""

from __future__ import annotations

import random
from typing import Any

from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.encoders import WithNumbers, query_encoder
from uniscale_integrations.search.conversation import NUMBERS
from uniscale_integrations.space import Configuration

SCRIPT = (
    "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\"> & \u2028 What is 2 + 2?"
)
"""A question that would run, if it were markup."""

CONFIGURATIONS = [Configuration("small"), Configuration("small", 4), Configuration("large"), Configuration("large", 1, 4, 2)]


def filled(address: str, count: int, seed: int = 0) -> EventStore:
    """A log of decisions, of which most are judged, some fail, some are open, and the last say what their search did."""
    log, draw = open_log(address), random.Random(seed)
    encode = WithNumbers(query_encoder(None), NUMBERS, "conversation-1")
    features = tuple(encode("What is 2 + 2?").tolist())
    for place in range(count):
        configuration = CONFIGURATIONS[draw.randrange(4)]
        query = SCRIPT if place == count - 1 else f"What is {place} + {draw.randrange(100)}?"
        decision = DecisionEvent(
            f"d{place:06d}", configuration, features, encode.name, (0.4, 0.3, 0.3), query=query, at=1e9 + place
        )
        failed = "state 500" if draw.random() < 0.03 else ""
        cost = 1e9 * (3 if configuration.model == "large" else 1) * configuration.most_paths * draw.uniform(0.5, 1.5)
        extra: dict[str, Any] = (
            {"record": _record(configuration), "notes": ["a note"], "ledger": LEDGER} if place >= count - 60 else {}
        )
        score = None if failed else draw.random()
        outcome = Outcome(decision.decision_id, score, cost, seconds=0.1, failed=failed, extra=extra, at=decision.at)
        events: list[Any] = [decision, outcome]
        if not failed and draw.random() < 0.9:
            right = float(draw.random() < (0.8 if configuration.model == "large" else 0.4))
            events.append(Feedback(decision.decision_id, right, "exact match", comment="<b>so it is</b>", at=decision.at + 1))
        log.append(*events)
    return log


SPENT = {"eflops": 1e9, "usd": 0.0, "prompt_tokens": 11, "completion_tokens": 7}
LEDGER = {"by_role": {"generator": SPENT, "verifier": SPENT}, "by_fate": {"finished": SPENT, "pruned": SPENT}}


def _record(configuration: Configuration) -> dict[str, Any]:
    step = {"scores": [0.9], "value": 0.9, "reason": "", "count": 1}
    paths: list[dict[str, Any]] = [
        {"tree": 0, "lineage": [], "steps": [], "scores": [], "value": None, "fate": "expanded", "reason": "", "count": 1},
        {"tree": 0, "lineage": [0], "steps": ["First this.\n"], "fate": "expanded", **step},
        {"tree": 0, "lineage": [0, 0], "steps": ["Answer: 4"], "fate": "finished", **step},
        {"tree": 0, "lineage": [1], "steps": ["<b>Or that.</b>\n"], "fate": "pruned", **step, "reason": "can reach 0.5 at most"},
        {
            "tree": 1,
            "lineage": [],
            "steps": [],
            "scores": [],
            "value": None,
            "fate": "pruned",
            "reason": "0.9 is out of reach",
            "count": 1,
        },
    ]
    return {"chosen": [0, 0, 0], "answer": "4", "votes": [{"tree": 0, "answer": "4", "value": 0.9}], "paths": paths}
