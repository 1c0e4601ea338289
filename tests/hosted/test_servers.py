import re
from collections.abc import Iterator

import httpx
import numpy as np
import openai
import pytest

from benchmarks.hosted.fast import Task, run
from benchmarks.hosted.kind import Kind
from benchmarks.hosted.kinds import KINDS
from benchmarks.hosted.live import live_order
from benchmarks.hosted.models import Model
from benchmarks.hosted.replies import is_right
from benchmarks.hosted.sampling import RIGHT
from benchmarks.hosted.servers import Provider, serving
from benchmarks.hosted.traffic import Traffic
from uniscale_integrations.search.answers import extract_answer

KIND = Kind(
    "kind of the test", "", (Model("mini", 0.25, 2.0, failure_rate=0.1), Model("large", 1.25, 10.0, otherwise=0.9)), differs=False
)


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return KIND.draw(0, 60)


@pytest.fixture
def provider(traffic: Traffic) -> Provider:
    return Provider(KIND, traffic)


@pytest.fixture
def client(provider: Provider) -> Iterator[openai.OpenAI]:
    with serving(provider) as address, openai.OpenAI(base_url=address, api_key="none", max_retries=1) as client:
        yield client


def ask(client: openai.OpenAI, text: str, model: str = "large", n: int = 1) -> openai.types.chat.ChatCompletion:
    return client.chat.completions.create(model=model, n=n, messages=[{"role": "user", "content": text}])


def test_samples_are_those_of_the_traffic_one_after_the_other(
    client: openai.OpenAI, provider: Provider, traffic: Traffic
) -> None:
    for place, text in enumerate(traffic.texts[:10]):
        first, more = ask(client, text), ask(client, text, n=3)
        texts = [choice.message.content or "" for choice in (*first.choices, *more.choices)]
        rights = [is_right(text, each) for each in texts]
        assert rights == (traffic.samples.values[place, 1, :4] == RIGHT).tolist()
        usages = [each.usage for each in (first, more)]
        assert [usage.completion_tokens for usage in usages if usage] == [
            traffic.samples.tokens[place, 1, 0],
            traffic.samples.tokens[place, 1, 1:4].sum(),
        ]
        assert first.usage is not None
        assert first.usage.prompt_tokens == traffic.input_tokens[place]
        assert provider.dollars[text] == pytest.approx(
            sum(KIND.models[1].dollars(usage.prompt_tokens, usage.completion_tokens) for usage in usages if usage)
        )


def test_the_package_reads_the_answers_as_they_are_meant(client: openai.OpenAI, traffic: Traffic) -> None:
    for text in traffic.texts[10:30]:
        reply = ask(client, text).choices[0].message.content or ""
        assert extract_answer(reply, text) == reply.rpartition("Answer: ")[2]


def test_a_stream_says_the_same_with_usage_at_its_end(client: openai.OpenAI, traffic: Traffic) -> None:
    text = traffic.texts[31]
    stream = client.chat.completions.create(
        model="large", messages=[{"role": "user", "content": text}], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert is_right(text, said) == (traffic.samples.values[31, 1, 0] == RIGHT)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == traffic.samples.tokens[31, 1, 0]


def test_failures_stay_however_often_they_are_tried(client: openai.OpenAI, traffic: Traffic) -> None:
    failing = np.flatnonzero(traffic.failed[:, 0]).tolist()
    assert failing
    for place in failing:
        with pytest.raises(openai.RateLimitError if place % 2 else openai.InternalServerError):
            ask(client, traffic.texts[place], "mini")
        assert ask(client, traffic.texts[place], "large").choices


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"continue_final_message": True}, 400, "Unrecognized request argument supplied: continue_final_message"),
        ({"n": 129}, 400, "Invalid 'n'"),
        ({"temperature": 3}, 400, "Invalid 'temperature'"),
        ({"messages": []}, 400, "Invalid 'messages'"),
        ({"messages": None}, 400, "Invalid 'messages'"),
        ({"messages": [{"role": "boss", "content": "hi"}]}, 400, r"'messages\[0\].role'"),
        ({"stop": list("abcde")}, 400, "Invalid 'stop'"),
        ({"stream_options": {"include_usage": True}}, 400, "only allowed when 'stream' is enabled"),
        ({"model": "gone"}, 404, "does not exist"),
    ],
)
def test_what_openai_refuses_is_refused(provider: Provider, change: dict[str, object], status: int, message: str) -> None:
    body = {"model": "mini", "messages": [{"role": "user", "content": "hi"}]} | change
    with serving(provider) as address:
        response = httpx.post(f"{address}/chat/completions", json=body)
    assert response.status_code == status
    error = response.json()["error"]
    assert re.search(message, error["message"])
    assert not provider.dollars


def test_a_request_without_messages_is_refused(provider: Provider) -> None:
    with serving(provider) as address:
        response = httpx.post(f"{address}/chat/completions", json={"model": "mini"})
        broken = httpx.post(f"{address}/chat/completions", content=b"{")
    assert response.status_code == broken.status_code == 400
    assert response.json()["error"]["param"] == "messages"


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_behind_a_server_comes_what_comes_without_one(framework: str) -> None:
    order = live_order(KINDS["pair"], framework, "balanced", 0, 40)
    without = run(Task("pair", 0, 40, ("balanced",)))["balanced"]
    (reward, accuracy, dollars), (fast_reward, fast_accuracy, fast_dollars) = order.policy[0], without.policy[0]
    # Samples of a vote arrive in any order, and an engine has one more search.
    assert reward == pytest.approx(fast_reward, abs=0.06)
    assert accuracy == pytest.approx(fast_accuracy, abs=0.15)
    assert fast_dollars / 2 < dollars < 2 * fast_dollars


def test_a_model_that_arrives_is_asked_behind_a_server_too() -> None:
    kind = KINDS["arrival"]
    soon = Kind(
        "arrival of the test",
        "",
        tuple(
            Model(m.name, m.input_price, m.output_price, otherwise=m.otherwise, arrives=min(m.arrives, 10)) for m in kind.models
        ),
        differs=False,
    )
    order = live_order(soon, "langchain", "cost-sensitive", 0, 40)
    assert order.policy[0, 1] > 0.3
    assert any("then (new" in name for name in order.names)
