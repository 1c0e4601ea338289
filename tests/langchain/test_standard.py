"""LangChain's own tests of chat models, over the real ChatOpenAI on a transport in memory, plain and with a search."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumpd, load
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import SecretStr

from tests.langchain.conftest import openai
from tests.openai_server import Server
from tests.parity.providers.openai import OpenAI
from tests.parity.providers.wire import Wire
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.space import Configuration, ConfigurationSpace

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_it_can_be_stored_and_loaded_with_its_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    model = UniScaleChatModel(
        models=[ChatOpenAI(model="gpt-test"), ChatOpenAI(model="gpt-other")], mode="cost-sensitive", temperature=0.5
    )
    allowed: Any = [UniScaleChatModel, ChatOpenAI]
    loaded = load(dumpd(model), allowed_objects=allowed, secrets_from_env=True, valid_namespaces=["uniscale_integrations"])
    assert isinstance(loaded, UniScaleChatModel)
    assert loaded._identifying_params == model._identifying_params


@pytest.fixture
def media(monkeypatch: pytest.MonkeyPatch) -> None:
    """The media tests fetch a picture, a sound and a document from the net."""

    def get(url: str, **_: Any) -> httpx.Response:
        return httpx.Response(200, content=PIXEL, request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "uniscale-integrations")


class TestUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return UniScaleChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"models": [openai(Server())]}

    @pytest.mark.xfail(reason="langchain loads only classes of a fixed list of packages", strict=True)
    def test_serdes(self, model: BaseChatModel, snapshot: Any) -> None:
        super().test_serdes(model, snapshot)


@pytest.mark.filterwarnings("ignore:OpenAI may require a filename")
@pytest.mark.usefixtures("media")
class TestPlain(ChatModelIntegrationTests):
    shape = (1, 1, 1)

    @pytest.fixture(autouse=True)
    def server(self) -> Server:
        self._server = Server()
        return self._server

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return UniScaleChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        server = getattr(self, "_server", None) or Server()
        models = [as_generator(openai(server, name, stream_usage=True)) for name in ("gpt-test", "gpt-other")]
        space = ConfigurationSpace(Configuration(name, *self.shape) for name in ("gpt-test", "gpt-other"))
        return {"engine": UniScale(models, "agreement", space)}

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "gpt-other"


class TestSearching(TestPlain):
    shape = (2, 2, 1)


class TestResponses(TestPlain):
    """Over OpenAI's Responses API, whose provider refuses what the real one refuses."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        names = ("gpt-4.1-mini", "gpt-4.1")
        models = [as_generator(_responding(name)) for name in names]
        return {"engine": UniScale(models, "agreement", ConfigurationSpace(Configuration(name, *self.shape) for name in names))}

    @property
    def model_override_value(self) -> str:
        return "gpt-4.1"

    @property
    def supports_audio_inputs(self) -> bool:
        return False


class TestSearchingResponses(TestResponses):
    shape = (2, 2, 1)


def _responding(name: str) -> ChatOpenAI:
    wire = Wire(OpenAI())
    clients: dict[str, Any] = {"http_client": wire.client(), "http_async_client": wire.async_client()}
    return ChatOpenAI(model=name, api_key=SecretStr("test"), max_retries=0, use_responses_api=True, **clients)
