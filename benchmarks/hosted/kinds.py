"""The kinds of hosted traffic that the benchmark plays."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.hosted.kind import Kind, Prompts
from benchmarks.hosted.models import Model
from benchmarks.hosted.traffic import Judging

MINI = Model("mini", 0.25, 2.0, otherwise=0.63, latency=0.8)
LARGE = Model("large", 1.25, 10.0, otherwise=0.9, latency=1.6)
"""The pair of which a learner must find out that the dearer one is better."""

PAIR = (MINI, LARGE)

SPECIALISTS = (
    Model("coder", 0.6, 2.4, {"code": 0.92, "extraction": 0.9, "puzzle": 0.5}, otherwise=0.55),
    Model("scholar", 0.5, 2.5, {"trivia": 0.9, "common sense": 0.93, "translation": 0.92, "summary": 0.9}, otherwise=0.45),
    Model("solver", 0.7, 2.6, {"arithmetic": 0.94, "puzzle": 0.85}, otherwise=0.5, verbosity=1.2),
)
"""Each is best on topics of its own, at prices that differ little."""

EIGHT = (
    Model("nano", 0.05, 0.4, {"extraction": 0.85, "common sense": 0.8}, otherwise=0.5),
    Model("small", 0.1, 0.4, {"trivia": 0.66}, otherwise=0.58),
    Model("flash", 0.3, 2.5, {"summary": 0.88, "translation": 0.9}, otherwise=0.66),
    Model("haiku", 0.8, 4.0, {"extraction": 0.9}, otherwise=0.7),
    Model("chat", 0.6, 3.0, {"trivia": 0.8}, otherwise=0.68, verbosity=0.8),
    Model("reasoner", 0.55, 2.2, {"arithmetic": 0.95, "puzzle": 0.9, "code": 0.8}, otherwise=0.7, thinking=1200.0, spread=0.5),
    Model("coder", 1.0, 5.0, {"code": 0.93}, otherwise=0.66),
    Model("frontier", 3.0, 15.0, {"code": 0.9, "trivia": 0.9, "puzzle": 0.8}, otherwise=0.85, latency=2.5),
)
"""From the cheapest to one that costs forty times as much, some of them good at something."""

LATE_AND_WRONG = Judging(share=0.3, delay=50, wrong=0.1)

SAME = (
    Kind("pair", "63 % at 0.25/2 USD, 90 % at 1.25/10, all judged", PAIR, differs=False),
    Kind("pair-tenth-judged", "the pair", PAIR, differs=False, judging=Judging(share=0.1)),
    Kind("pair-500-tokens", "the pair with longer prompts", PAIR, differs=False, prompts=Prompts(500)),
    Kind("pair-late-wrong", "judged 200 requests later, a tenth wrongly", PAIR, differs=False, judging=Judging(1.0, 200, 0.1)),
    Kind("pair-thumbs-down", "only bad answers are judged", PAIR, differs=False, judging=Judging(thumbs="down")),
    Kind("pair-thumbs-up", "only good answers are judged, half of them", PAIR, differs=False, judging=Judging(0.5, thumbs="up")),
    Kind(
        "pair-failures",
        "5 % of each model's requests fail",
        (replace(MINI, failure_rate=0.05), replace(LARGE, failure_rate=0.05)),
        differs=False,
    ),
    Kind(
        "equal-5x",
        "equal skill, prices 5 times apart",
        (Model("mini", 0.25, 2.0, otherwise=0.8), Model("large", 1.25, 10.0, otherwise=0.8)),
        differs=False,
    ),
    Kind(
        "equal-50x",
        "equal skill, prices 50 times apart",
        (Model("nano", 0.1, 0.4, otherwise=0.85), Model("huge", 5.0, 20.0, otherwise=0.85)),
        differs=False,
    ),
    Kind(
        "cheapest-best",
        "the cheapest of four is right most often",
        (
            Model("mini", 0.15, 0.6, otherwise=0.86),
            Model("old", 0.5, 1.5, otherwise=0.7),
            Model("older", 1.0, 4.0, otherwise=0.76),
            Model("oldest", 2.5, 10.0, otherwise=0.8),
        ),
        differs=False,
    ),
    Kind(
        "twins",
        "two models of one skill and price, and a worse one",
        (
            Model("east", 0.5, 2.0, otherwise=0.82),
            Model("west", 0.5, 2.0, otherwise=0.82),
            Model("mini", 0.2, 0.8, otherwise=0.62),
        ),
        differs=False,
    ),
    Kind(
        "tenth-apart",
        "two models, the better 10 % dearer",
        (Model("plain", 1.0, 4.0, otherwise=0.72), Model("better", 1.1, 4.4, otherwise=0.8)),
        differs=False,
    ),
    Kind(
        "tenth-apart-equal",
        "two models of one skill, one 10 % dearer",
        (Model("plain", 1.0, 4.0, otherwise=0.8), Model("dearer", 1.1, 4.4, otherwise=0.8)),
        differs=False,
    ),
    Kind(
        "three-tiers",
        "better at every step of the price; a third judged",
        (
            Model("small", 0.1, 0.4, otherwise=0.6),
            Model("medium", 0.4, 1.6, otherwise=0.78),
            Model("big", 2.0, 8.0, otherwise=0.9),
        ),
        differs=False,
        judging=Judging(0.3),
    ),
    Kind(
        "input-dominates",
        "4,000 tokens before short questions",
        (Model("mini", 0.25, 1.0, otherwise=0.66), Model("large", 1.25, 5.0, otherwise=0.85)),
        differs=False,
        shares={"trivia": 2.0, "common sense": 1.0, "extraction": 1.0},
        prompts=Prompts(4000),
    ),
    Kind(
        "too-hard",
        "wrong more often than right, so that votes do harm",
        (Model("mini", 0.25, 2.0, otherwise=0.2), Model("large", 1.0, 6.0, otherwise=0.36)),
        differs=False,
    ),
    Kind(
        "arrival",
        "a better and cheaper model comes at request 300",
        (*PAIR, Model("new", 0.5, 3.0, otherwise=0.92, arrives=300)),
        differs=False,
    ),
)
"""Of these one model is best on every topic."""

DIFFERENT = (
    Kind(
        "dear-for-code",
        "the dear one is better on code only",
        (Model("mini", 0.3, 1.2, {"code": 0.5}, otherwise=0.84), Model("large", 3.0, 12.0, {"code": 0.92}, otherwise=0.85)),
        differs=True,
    ),
    Kind(
        "dear-for-rare-code",
        "the same with one request of ten on code",
        (Model("mini", 0.3, 1.2, {"code": 0.4}, otherwise=0.84), Model("large", 3.0, 12.0, {"code": 0.92}, otherwise=0.85)),
        differs=True,
        shares={"code": 1.0, "trivia": 4.0, "summary": 2.0, "common sense": 3.0},
    ),
    Kind("specialists", "each of three is best on its own topics", SPECIALISTS, differs=True),
    Kind(
        "specialists-late-wrong",
        "a third judged, 50 later, a tenth wrongly",
        SPECIALISTS,
        differs=True,
        judging=LATE_AND_WRONG,
    ),
    Kind("specialists-thumbs-down", "only bad answers are judged", SPECIALISTS, differs=True, judging=Judging(thumbs="down")),
    Kind(
        "specialists-500-tokens",
        "with a document in the question",
        SPECIALISTS,
        differs=True,
        prompts=Prompts(500, 0.5, "question"),
    ),
    Kind(
        "reasoner",
        "thinks for 2,000 tokens, which pays on puzzles and arithmetic",
        (
            Model("chat", 0.25, 2.0, {"puzzle": 0.3, "arithmetic": 0.55}, otherwise=0.84),
            Model(
                "reasoner",
                0.25,
                2.0,
                {"puzzle": 0.9, "arithmetic": 0.95},
                otherwise=0.86,
                thinking=2000.0,
                spread=0.5,
                latency=20.0,
            ),
        ),
        differs=True,
    ),
    Kind("eight-models", "from 0.05/0.4 to 3/15 USD, all judged", EIGHT, differs=True),
    Kind("eight-models-third-judged", "the same, 50 requests later", EIGHT, differs=True, judging=Judging(0.3, 50)),
    Kind(
        "documents-4000-tokens",
        "in the question; input dominates",
        (
            Model("reader", 0.3, 1.2, {"summary": 0.88, "trivia": 0.6}, otherwise=0.6),
            Model("finder", 0.4, 1.6, {"trivia": 0.86, "extraction": 0.9}, otherwise=0.55),
            Model("large", 2.0, 8.0, otherwise=0.88),
        ),
        differs=True,
        shares={"summary": 1.0, "trivia": 1.0, "extraction": 1.0},
        prompts=Prompts(4000, 0.4, "question"),
    ),
    Kind(
        "specialist-arrives",
        "one for code comes at request 300",
        (*PAIR, Model("coder", 0.3, 1.5, {"code": 0.93}, otherwise=0.5, arrives=300)),
        differs=True,
        shares={"code": 2.0, "trivia": 1.0, "summary": 1.0, "common sense": 1.0},
    ),
)
"""Of these the best model differs by topic."""

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*SAME, *DIFFERENT)}
"""All kinds by name."""
