"""Keys and passwords are nowhere but where they are needed: one walk over everything that is shown or kept."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import SecretStr
from rich.table import Table
from typer.testing import CliRunner

from tests.loopback import served
from tests.openai_server import Body, Server
from uniscale_integrations import UniScale, UniScaleChatModel, UniScaleLLM
from uniscale_integrations.cli.app import app
from uniscale_integrations.cli.console import out
from uniscale_integrations.engine import Model
from uniscale_integrations.errors import LogError, UniScaleError
from uniscale_integrations.llama_index import FeedbackEvaluator
from uniscale_integrations.log.connect import without_password
from uniscale_integrations.log.log import open_log
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.models.chat.server import ServerClient
from uniscale_integrations.redaction import MAX_MESSAGE, redacted, redacted_message, secrets_of, secrets_of_server
from uniscale_integrations.space import ConfigurationSpace
from uniscale_integrations.verifiers.judge import LLMJudge

KEY = "kb-7f3a9c1e5d2b4860"
"""Nothing about it says that it is one."""

PROMPT, ANSWER = "What does the heron keep in its cellar?", "Seventeen umbrellas"

Make = Callable[[str], object]


def with_user(address: str) -> str:
    return address.replace("://", f"://me:{KEY}@")


def langchain(address: str, **settings: Any) -> object:
    fields: dict[str, Any] = {"model": "m", "base_url": address, "api_key": SecretStr("none"), "max_retries": 0}
    return ChatOpenAI(**fields | settings)


def llama_index(address: str, **settings: Any) -> object:
    fields = {
        "model": "m",
        "api_base": address,
        "api_key": "none",
        "is_chat_model": True,
        "max_retries": 0,
        "context_window": 4096,
    }
    return OpenAILike(**fields | settings)


def http_clients(**settings: Any) -> tuple[httpx.Client, httpx.AsyncClient]:
    return httpx.Client(**settings), httpx.AsyncClient(**settings)


def own_http(make: Callable[..., object], address: str, names: tuple[str, str], **settings: Any) -> object:
    return make(address, **dict(zip(names, http_clients(**settings), strict=True)))


HEADERS = {"X-Api-Key": KEY, "Authorization": f"Bearer {KEY}"}
OF_LANGCHAIN, OF_LLAMA_INDEX = ("http_client", "http_async_client"), ("http_client", "async_http_client")
CLIENTS: dict[str, Make] = {
    "LangChain": lambda address: langchain(address, api_key=SecretStr(KEY)),
    "LangChain, headers": lambda address: langchain(address, default_headers=HEADERS),
    "LangChain, query": lambda address: langchain(address, default_query={"api-version": "1", "sig": KEY}),
    "LangChain, user": lambda address: langchain(with_user(address)),
    "LangChain, HTTP client": lambda address: own_http(langchain, address, OF_LANGCHAIN, headers=HEADERS),
    "LangChain, HTTP cookies": lambda address: own_http(langchain, address, OF_LANGCHAIN, cookies={"session": KEY}),
    "LangChain, body": lambda address: langchain(address, extra_body={"options": {"access_token": KEY}}),
    "LlamaIndex": lambda address: llama_index(address, api_key=KEY),
    "LlamaIndex, headers": lambda address: llama_index(address, default_headers=HEADERS),
    "LlamaIndex, user": lambda address: llama_index(with_user(address)),
    "LlamaIndex, HTTP client": lambda address: own_http(llama_index, address, OF_LLAMA_INDEX, headers=HEADERS),
    "LlamaIndex, body": lambda address: llama_index(address, additional_kwargs={"extra_body": {"api_key": KEY}}),
    "a server": lambda address: ChatStepModel(ServerClient(address, "m", key=KEY)),
    "a server, user": lambda address: ChatStepModel(ServerClient(with_user(address), "m")),
    "a server, HTTP client": lambda address: ChatStepModel(ServerClient(address, "m", http=http_clients(headers=HEADERS)[1])),
    "a server, HTTP auth": lambda address: ChatStepModel(ServerClient(address, "m", http=http_clients(auth=("me", KEY))[1])),
}


def quoting(status: int) -> Server:
    """A server that quotes what it was sent, keys and all."""

    def behaves(body: Body, number: int) -> httpx.Response | None:
        if number == 0 or status == 200:
            return None
        said = f"no such key {KEY} (Authorization: Bearer {KEY}) in {body['messages']}"
        return httpx.Response(status, json={"error": {"message": said, "type": "x"}})

    return Server(behaves=behaves, says=lambda body, number: f"{ANSWER}.\nAnswer: {ANSWER}")


@pytest.fixture
def kept(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Everything that is shown or kept."""
    caplog.set_level(logging.DEBUG, logger="uniscale_integrations")
    everything = list[str]()
    yield everything
    everything.append(caplog.text)
    for text in everything:
        assert KEY not in text


@pytest.mark.parametrize("client", CLIENTS)
def test_a_key_is_in_no_repr_and_no_error_of_what_is_built_from_a_client(client: str, kept: list[str]) -> None:
    given: Any = CLIENTS[client]("http://127.0.0.1:9/v1")
    made = UniScale([Model(given, parameters=1e9)], LLMJudge(given) if "server" not in client else "agreement")
    outer: list[Any] = [UniScaleChatModel(engine=made), UniScaleLLM(engine=made), UniScaleChatModel(models=[given])]
    outer += [UniScaleLLM(models=[given]), Model(given, name="named")]
    models = made.brain.models.values()
    everything = [made, made.brain, made.brain.design, made.brain.verifier, made.space, *models, *outer]
    everything += [getattr(each, "client", None) for each in models]
    kept += [text(each) for each in everything for text in (repr, str)]
    kept += [
        repr(made.decide(PROMPT)),
        str(made.decide(PROMPT).explain()),
        repr(outer[1].metadata),
        repr(outer[0]._identifying_params),
    ]
    odd: dict[str, Any] = {"colour": "red"}
    wrong: list[Callable[[], object]] = [
        lambda: UniScale(given),
        lambda: UniScale([[given]]),
        lambda: UniScale([given, given]),
        lambda: UniScale([(given,)]),
        lambda: UniScale(["uniscale-0.3m"], given),
        lambda: UniScale([given], prices={"other": (1.0, 1.0)}),
        lambda: UniScaleChatModel(models=given),
        lambda: UniScaleChatModel(models=[given], mode="best"),
        lambda: UniScaleChatModel(models=[given], **odd),
        lambda: UniScaleLLM(models=given),
        lambda: UniScaleLLM(models=[given], mode="best"),
        lambda: UniScaleLLM(models=[given], **odd),
        lambda: LLMJudge([given]),
        lambda: made.update(models=[given, (given,)]),
        lambda: FeedbackEvaluator(given, made),
    ]
    for attempt in wrong:
        kept += errors_of(attempt)


def errors_of(attempt: Callable[[], object]) -> list[str]:
    """What is said of something that cannot be, with all that lies behind it; nothing where it can."""
    try:
        attempt()
    except Exception as raised:
        said, error = list[str](), raised
        while error is not None:
            said += [str(error), repr(error)]
            error = error.__cause__ or error.__context__  # type: ignore[assignment]
        return said
    return []


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_key_is_in_no_log_error_repr_or_report_and_no_prompt_in_the_log(
    client: str, status: int, tmp_path: Path, kept: list[str]
) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    with served(quoting(status)) as at:
        made = UniScale(
            [CLIENTS[client](at)], "agreement", ConfigurationSpace.default(["m"], [(1, 1, 1), (2, 1, 1)]), log=address
        )
        outer = [UniScaleChatModel(engine=made), UniScaleLLM(engine=made)]
        for _ in range(4):
            try:
                answer = made.run(PROMPT)
            except UniScaleError as error:
                kept += [str(error), repr(error), *map(str, getattr(error, "causes", ()))]
            else:
                kept += [repr(answer), *answer.warnings]
                made.feedback(answer, 1.0, comment="well")
        kept += [repr(made), repr(made.brain), str(made.log.name), *map(repr, outer), *map(str, made.models.values())]
        made.close()
    runner = CliRunner()
    report = tmp_path / "report.html"
    for command in (["log", "info", address], ["log", "verify", address], ["report", address, "-o", str(report)]):
        kept.append(runner.invoke(app, command).output)
    kept.append(report.read_text() if report.exists() else "")
    rows = "".join(file.read_bytes().decode("latin-1") for file in tmp_path.glob("log.db*"))
    kept.append(rows)
    assert "umbrella" not in rows
    assert "heron" not in rows


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://me:{KEY}@127.0.0.1:1/db",
        f"postgresql://me:x@{KEY}@127.0.0.1:1/db",
        f"postgresql://me@127.0.0.1:1/db?password={KEY}",
        f"postgresql://127.0.0.1:1/db?user=me&sslpassword={KEY}&sslmode=disable",
        f"postgresql://127.0.0.1:1/db?options=-c%20my.secret%3D{KEY}",
        f"host=127.0.0.1 port=1 password='{KEY}' dbname=db",
        f"host=127.0.0.1 password={KEY}",
        f"mysql://me:{KEY}@host/db",
        f"postgresql://me:{KEY}@host:port/db",
    ],
)
def test_a_password_is_in_no_error_of_an_address(address: str, kept: list[str]) -> None:
    with pytest.raises(LogError) as raised:
        open_log(address)
    error: BaseException | None = raised.value
    while error is not None:
        kept += [str(error), repr(error)]
        error = error.__cause__
    kept += [without_password(address), CliRunner().invoke(app, ["log", "info", address]).output]
    gc.collect()


FORMS = (
    "postgresql://me:{}@host/db",
    "https://me:{}@host/v1?x=1",
    "password={} host=x",
    "?password={}&x=1",
    "Authorization: Bearer {}",
    "api_key={}",
)


@pytest.mark.parametrize(
    "mistyped",
    [
        "postgresql//me:{}@h",
        "postgresql:me:{}@h",
        "me:{}@h/db",
        "postgresql://h/db?pgpassword={}",
        "me:a@b/{}@h",
        "postgresql://me:{}@x@h/db",
        "host=h password = {} dbname=d",
        r"host=h password='a\'b {}' dbname=d",
        r"host=h password=a\ {} dbname=d",
        "mysql://h/db?%70assword={}",
        "mysql://h/db?%2570assword={}",
    ],
)
def test_a_password_is_not_shown_of_an_address_that_is_mistyped(mistyped: str) -> None:
    assert KEY not in without_password(mistyped.format(KEY))
    with pytest.raises(LogError) as raised:
        open_log(mistyped.format(KEY))
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    "nested",
    [
        "postgresql://h/db?dbname=host%3Dh%20password%3D{}",
        "postgresql://h/db?dbname=postgresql%3A%2F%2Fme%3A{}%40h",
        "postgresql://h/postgresql%3A%2F%2Fme%3A{}%40h",
        "postgresql://me%3A{}@h/db",
    ],
)
def test_a_password_is_not_shown_where_the_address_is_written_in_percent_signs(nested: str) -> None:
    assert KEY not in without_password(nested.format(KEY))
    assert without_password("postgresql://me@h/a%20b") == "postgresql://me@h/a%20b"


@pytest.mark.parametrize(
    "form",
    ["https://{}@host/v1", "https://{}:@host/v1", "https://host/v1?code={}", "https://host/#{}", "https://me:a/{}@host/v1"],
)
def test_what_an_address_holds_is_a_secret(form: str) -> None:
    assert KEY not in redacted(f"nobody is at {form.format(KEY)}", secrets_of_server(form.format(KEY)))
    assert secrets_of_server("https://host/v1@x?api-version=2026-01-01") == ()


class Signing(httpx.Auth):
    """Keeps its key where only it looks."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts = {"key": KEY}


@pytest.mark.parametrize(
    "auth", [Signing(), httpx.BasicAuth(KEY, ""), httpx.BasicAuth("me", KEY)], ids=["own", "name", "password"]
)
def test_what_signs_requests_holds_secrets(auth: httpx.Auth) -> None:
    assert KEY in secrets_of_server("https://host/v1", httpx.Client(auth=auth))


def test_headers_within_other_settings_are_secrets() -> None:
    for inner in (
        ChatOpenAI(model="m", api_key=SecretStr("none"), model_kwargs={"extra_headers": {"x-who": KEY}}),
        OpenAILike(model="m", api_key="none", additional_kwargs={"extra_headers": {"x-who": KEY}, "options": [{"token": KEY}]}),
    ):
        assert KEY in secrets_of(inner)


@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=30), st.sampled_from(FORMS))
def test_whatever_the_secret_is(secret: str, form: str) -> None:
    assert secret not in redacted(form.format(secret)).replace(form.format(""), "")
    assert secret not in redacted(f"they said {secret} to us", [secret])


def test_what_is_shown_moves_no_cursor(tmp_path: Path) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b31m"
    with out.capture() as capture:
        table = Table(title=hostile)
        table.add_column(hostile)
        table.add_row(hostile)
        out.print(table)
        out.print(hostile)
    assert not any(each in capture.get() for each in ("\x1b]0", "\x07", "\x1b[2J", "\x9b"))
    address = f"sqlite:///{tmp_path / 'log.db'}"
    with closing(UniScale(["uniscale-0.3m"], log=address)) as made:
        answer = made.run("What is 2 + 2?")
        made.feedback(answer, 1.0, source=f"user {hostile}")
        made.feedback(answer, 0.0, source="other")
    shown: Any = CliRunner().invoke(app, ["log", "info", address])
    assert "\x1b]0" not in shown.output
    assert "\x07" not in shown.output


@pytest.mark.parametrize("before", range(MAX_MESSAGE - len(KEY) - 2, MAX_MESSAGE + 2))
def test_of_a_long_message_no_part_of_a_secret_is_left(before: int) -> None:
    said = redacted_message("x" * (before - 2) + ": " + KEY + " and more" * 1_000, [KEY])
    assert KEY[:6] not in said
    assert len(said) <= MAX_MESSAGE + 10
