# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # An agent whose every step is a decision
#
# An agent calls its model several times for one task. Each call is a decision of its own; feedback on the task can go to all of them, to
# the last one, or be shared.
#
# The models here answer from memory, so that the page runs anywhere; put `ChatOpenAI`, `ChatAnthropic` or `ChatOllama` in their place.

# %%
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool

from uniscale_integrations import UniScaleChatModel
from uniscale_integrations.langchain import UniScaleMiddleware


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Calculating(BaseChatModel):
    """Calls the tool, and then says what came of it; the small one adds up wrongly."""

    model_name: str
    wrong: bool = False

    @property
    def _llm_type(self) -> str:
        return "calculating"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self.bind(tools=tools, **kwargs)

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        if isinstance(messages[-1], ToolMessage):
            message = AIMessage(f"It is {messages[-1].text}.")
        else:
            message = AIMessage("", tool_calls=[{"name": "add", "args": {"a": 12, "b": 30 + self.wrong}, "id": str(uuid4())}])
        return ChatResult(generations=[ChatGeneration(message=message)])


small, large = Calculating(model_name="calculating-8b", wrong=True), Calculating(model_name="calculating-70b")
model = UniScaleChatModel(models=[small, large], mode=(1, 0, 0))
agent = create_agent(model, [add])

# %% [markdown]
# Feedback on the agent's run reaches every decision within it. `credit="last"` would only judge the last, `credit="split"` give each its
# share.

# %%
engine = model.engine
assert engine is not None
for _ in range(30):
    run_id = uuid4()
    state = agent.invoke({"messages": [("human", "What is 12 + 30?")]}, {"run_id": run_id, "recursion_limit": 10})
    engine.feedback(run_id, float("42" in state["messages"][-1].text), source="exact")
print(state["messages"][-1].text)

# %%
chosen = [message.response_metadata["uniscale"]["configuration"] for message in state["messages"] if message.type == "ai"]
print(chosen)

# %% [markdown]
# An agent that was made with another model needs no new one: a middleware has its calls answered here.

# %%
other = create_agent(Calculating(model_name="other"), [add], middleware=[UniScaleMiddleware(model)])
answered = other.invoke({"messages": [("human", "What is 12 + 30?")]}, {"recursion_limit": 10})
print(answered["messages"][-1].text, answered["messages"][-1].response_metadata["uniscale"]["decision_id"])
