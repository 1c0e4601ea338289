# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Feedback: who says how right an answer was, and how it gets there
#
# What pays off is learned from feedback. It may be an exact match, an evaluator of openevals, a judge, or a user's thumb; now or days
# later, from this process or another one. Each source counts once for every decision, with the last thing it said; several are
# averaged.
#
# Needs: `pip install "uniscale-integrations[langchain,local]" openevals`.

# %%
import tempfile
from pathlib import Path

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from openevals.exact import exact_match

from uniscale_integrations import ConfigurationSpace, UniScale, UniScaleChatModel
from uniscale_integrations.langchain import with_feedback
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.answers import extract_answer

folder = tempfile.TemporaryDirectory()
log = f"sqlite:///{Path(folder.name) / 'uniscale.db'}"
names = ["uniscale-0.3m", "uniscale-1m"]
engine = UniScale(names, space=ConfigurationSpace.default(names, [(1, 1, 1), (4, 1, 1)]), mode="quality-first", log=log)
model = UniScaleChatModel(engine=engine)
answer_of = StrOutputParser() | (lambda text: extract_answer(text) or "")
chain = ChatPromptTemplate.from_messages([("human", "{question}")]) | model | answer_of

# %% [markdown]
# ## Evaluators in the chain
#
# `with_feedback` runs them on every answer and tells the engine. An evaluator takes what it needs of `inputs`, `outputs` and
# `reference_outputs` and gives `{"key", "score", "comment"}`, a number, or a list of those: openevals' and agentevals' are such, and so
# is a function of your own. One that fails costs nobody the answer.


# %%
def short(outputs: str) -> float:
    return float(len(outputs) <= 6)


judged = with_feedback(chain, [exact_match, short], engine, reference="reference")
for question in questions()[::100]:
    judged.invoke({"question": question.text, "reference": question.reference})
for entry in engine.log.since():
    if entry.event.kind == "feedback":
        print(entry.event.source, entry.event.correct)
        break

# %% [markdown]
# ## Thumbs from users
#
# The decision's id goes along with the answer, as far as it has to: through an API, into a web page, and back, perhaps to another worker.

# %%
message = model.invoke("What is 12 + 30 - 7?")
shown = {"text": message.text, "feedback": message.response_metadata["uniscale"]["decision_id"]}
print(shown)

elsewhere = UniScale(names, space=engine.space, log=log)
print(elsewhere.feedback(shown["feedback"], 1.0, source="user 17", comment="thumb up"))
print(elsewhere.feedback(shown["feedback"], 1.0, source="user 17", comment="thumb up"), "(said before)")
print(elsewhere.feedback(shown["feedback"], 0.0, source="user 17", comment="on second thought"), "(revised)")

# %% [markdown]
# ## Several decisions behind one result
#
# An agent, or a chain that asks twice, took several. Each is told the same, or only the last one, or each counts a share.

# %%
twice = chain | (lambda answer: {"question": f"What is {answer} + 1?"}) | chain
result = with_feedback(twice, [lambda outputs: outputs == "36"], engine, credit="split")
print(result.invoke({"question": "What is 12 + 30 - 7?"}))

# %% [markdown]
# ## Judges
#
# A judge is a chat model, which costs; it can score the steps while they are searched, or the answer afterwards. Neither is run here,
# since a judge needs a key:
#
# ```python
# from uniscale_integrations.verifiers import LLMJudge
#
# engine = UniScale(models, verifier=LLMJudge(ChatOpenAI(model="gpt-5"), price=(1.25, 10.0)))   # while it is searched, at its price
#
# from openevals.llm import create_llm_as_judge
# from openevals.prompts import CORRECTNESS_PROMPT
#
# judge = create_llm_as_judge(prompt=CORRECTNESS_PROMPT, model="openai:gpt-5", feedback_key="correctness", continuous=True)
# judged = with_feedback(chain, [judge], engine, reference="reference")             # afterwards
# ```
#
# How far a verifier can be trusted shows in what feedback says of the same answers: `uniscale log info sqlite:///uniscale.db`, and
# `UniScale(recalibrate=True)` brings its scores in line.
