"""Rules as verifiers."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from uniscale_integrations.errors import ConfigurationError, MissingExtraError, VerifierError
from uniscale_integrations.search.paths import Candidate, Path, PathKey
from uniscale_integrations.search.ports import Verifier
from uniscale_integrations.verifiers import CallableVerifier, JSONSchemaVerifier, RegexVerifier

ROOT = Path(PathKey(0, ()))


def scores(verifier: Verifier, *candidates: Candidate, path: Path = ROOT) -> list[tuple[float, ...] | None]:
    session = verifier.open("question")
    replies = asyncio.run(session.score([(path, candidate) for candidate in candidates]))
    session.retain([])
    session.close()
    return [reply for reply, _ in replies]


def test_a_rule_sees_the_question_the_text_before_the_step_and_the_step() -> None:
    seen: list[tuple[str, str, str]] = []
    verifier = CallableVerifier(lambda *call: seen.append(call) or True)  # type: ignore[func-returns-value]
    assert scores(verifier, Candidate(("b\n", "c"), True), path=Path(PathKey(0, (0,)), ("a\n",))) == [(1.0, 1.0)]
    assert seen == [("question", "a\n", "b\n"), ("question", "a\nb\n", "c")]


def test_bools_become_numbers_and_unjudged_steps_get_the_greatest_score() -> None:
    judgements = {"yes": True, "no": False, "half": 0.5, "silent": None}
    verifier = CallableVerifier(lambda question, path_text, step: judgements[step], upper=0.5)
    assert scores(verifier, Candidate(("half", "no", "silent"), False)) == [(0.5, 0.0, 0.5)]
    with pytest.raises(VerifierError, match="upper"):
        scores(verifier, Candidate(("yes",), False))


def test_async_rules_run_side_by_side() -> None:
    arrived = 0

    async def meet(question: str, path_text: str, step: str) -> float:
        nonlocal arrived
        arrived += 1
        while arrived < 3:
            await asyncio.sleep(0)
        return 0.5

    assert scores(CallableVerifier(meet), *[Candidate(("step",), False)] * 3) == [(0.5,)] * 3
    assert CallableVerifier(meet).name == "meet"


def test_a_rule_on_final_answers_judges_only_the_last_step_of_a_complete_path() -> None:
    verifier = CallableVerifier(lambda question, path_text, step: False, final_only=True)
    found = scores(verifier, Candidate(("a", "b"), True), Candidate(("a",), False), Candidate((), True))
    assert found == [(1.0, 0.0), (1.0,), ()]


@pytest.mark.parametrize(("judgement", "named"), [(float("nan"), "nan"), (2.0, "2.0"), ("good", "'good'")])
def test_a_poisoned_judgement_is_refused(judgement: float, named: str) -> None:
    with pytest.raises(VerifierError, match=f"'rule' gave {named} to step 1"):
        scores(CallableVerifier(lambda question, path_text, step: judgement, name="rule"), Candidate(("a",), False))


def test_an_error_in_a_rule_names_the_rule_and_the_step() -> None:
    with pytest.raises(VerifierError, match="'ratio' failed on the step 'a': ZeroDivisionError"):
        scores(CallableVerifier(lambda question, path_text, step: 1 / 0, name="ratio"), Candidate(("a",), False))


@pytest.mark.parametrize("upper", [0.0, 1.5, float("nan")])
def test_an_impossible_bound_is_refused(upper: float) -> None:
    with pytest.raises(ConfigurationError, match="greatest score"):
        CallableVerifier(lambda question, path_text, step: True, upper=upper)


def test_a_pattern_is_searched_in_the_whole_text_of_a_complete_path() -> None:
    verifier = RegexVerifier(re.compile(r"^sum: \d+\ndone$"))
    path = Path(PathKey(0, (0,)), ("sum: 7\n",))
    assert scores(verifier, Candidate(("done",), True), Candidate(("gone",), True), path=path) == [(1.0,), (0.0,)]
    with pytest.raises(ConfigurationError, match="not a regular expression"):
        RegexVerifier("(")


SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"age": 36}', True),
        ('{"age": "36"}', False),
        ('Not {"age": "old"} but\n```json\n{"age": 36}\n```\nas asked.', True),
        ('{"age": 36} or rather {"name": "Ada"}', False),
        ('{"age": NaN}', False),
        ('{"age": 36', False),
        ("[" * 100_000, False),
        ("", False),
    ],
)
def test_the_last_json_value_of_a_complete_path_must_satisfy_the_schema(text: str, valid: bool) -> None:
    assert scores(JSONSchemaVerifier(SCHEMA), Candidate((text,), True)) == [(float(valid),)]


def test_the_extracted_answer_counts_where_there_is_no_object_or_list() -> None:
    found = scores(JSONSchemaVerifier({"type": "integer"}), Candidate(("Answer: 12",), True), Candidate(("Answer: x",), True))
    assert found == [(1.0,), (0.0,)]


def test_an_invalid_schema_is_refused_and_no_document_is_fetched() -> None:
    with pytest.raises(ConfigurationError, match="not a valid JSON Schema"):
        JSONSchemaVerifier({"type": "nonsense"})
    with pytest.raises(VerifierError, match="'json-schema' failed"):
        scores(JSONSchemaVerifier({"$ref": "https://example.invalid/schema.json"}), Candidate(("{}",), True))


def test_without_jsonschema_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(MissingExtraError, match=r"uniscale-integrations\[rules\]"):
        JSONSchemaVerifier(SCHEMA)
