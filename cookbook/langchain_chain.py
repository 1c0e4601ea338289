# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A LangChain chain whose evaluators teach it
#
# `UniScaleChatModel` stands where `ChatOpenAI(...)` stood. It decides for every request which model answers and how hard it searches; what
# evaluators say of the chain's answers finds its way back to the decisions.
#
# Here the models are the embedded family, so that nothing has to be downloaded. With your own it is
# `UniScaleChatModel(models=[ChatOpenAI(model="gpt-5-mini"), ChatOpenAI(model="gpt-5")], prices={...}, mode="cost-sensitive")`.

# %%
from collections import Counter
from uuid import uuid4

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from uniscale_integrations import Configuration, ConfigurationSpace, UniScale, UniScaleChatModel
from uniscale_integrations.langchain import with_feedback
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.answers import extract_answer, same_answer

names = ["uniscale-0.3m", "uniscale-1m"]
engine = UniScale(models=names, space=ConfigurationSpace.default(names, [(1, 1, 1), (4, 1, 1), (1, 4, 2)]), mode="quality-first")
model = UniScaleChatModel(engine=engine)
prompt = ChatPromptTemplate.from_messages([("system", "You solve small problems."), ("human", "{question}")])
chain = prompt | model | StrOutputParser()

# %% [markdown]
# One call. Whoever watches the chain sees one chat model that took so many tokens, searches and verifier included; what was decided, and
# what it cost, stands on the message.

# %%
message = (prompt | model).invoke({"question": "What is 12 + 30 - 7?"})
print(message.text)
print(message.usage_metadata)
print(message.response_metadata["uniscale"]["configuration"], message.response_metadata["uniscale"]["decision_id"])

# %% [markdown]
# A search streams its steps as soon as all paths that may still win agree on them.

# %%
searching = UniScaleChatModel(
    engine=UniScale(models=["uniscale-1m"], space=ConfigurationSpace([Configuration("uniscale-1m", 1, 4, 2)]))
)
for piece in searching.stream("What is 12 + 30 - 7?"):
    print(repr(piece.text))

# %% [markdown]
# ## Feedback
#
# On whatever is at hand: the decision's id, the message, the chain's run, the state of an agent. It may come from another process, days
# later; given twice it counts once.

# %%
run_id = uuid4()
chain.invoke({"question": "What is 8 * 7?"}, {"run_id": run_id})
engine.feedback(run_id, 1.0, source="thumb")
engine.feedback(message, 0.0, source="thumb")

# %% [markdown]
# Or an evaluator stands in the chain: anything that takes `outputs` and `reference_outputs` and gives a score, such as those of openevals.


# %%
def exact(outputs: str, reference_outputs: str) -> dict[str, object]:
    answer = extract_answer(outputs)
    return {"key": "exact", "score": answer is not None and same_answer(answer, reference_outputs)}


learning = with_feedback(chain, [exact], engine, reference="reference")
for question in questions()[::20]:
    learning.invoke({"question": question.text, "reference": question.reference})

# %% [markdown]
# What it thinks of a question now, and why.

# %%
decision = engine.decide("What is 123 + 456 - 78 + 9?")
for candidate in sorted(decision.explain().candidates, key=lambda each: -each.reward)[:3]:
    print(candidate.configuration, f"expected {candidate.reward:.3f} + {candidate.bonus:.3f} for not knowing better")
print(Counter(str(entry.event.configuration) for entry in engine.log.since() if entry.event.kind == "decision").most_common(3))

# %% [markdown]
# A call may bring its own weights, budget and deadline, by `bind` or in its config.

# %%
cheap = chain.with_config(configurable={"uniscale_mode": "cost-sensitive"})
print(cheap.invoke({"question": "What is 2 + 2?"}))
print(model.bind(weights=(0, 0, 1), budget=5e9).invoke("What is 2 + 2?").response_metadata["uniscale"]["configuration"])
