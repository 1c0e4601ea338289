# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A LlamaIndex query engine whose evaluators teach it
#
# `UniScaleLLM` stands where `OpenAI(...)` stood. It decides for every request which model answers and how hard it searches; what evaluators
# say of the engine's responses finds its way back to the decisions.
#
# Here the models are the embedded family, so that nothing has to be downloaded. With your own it is
# `UniScaleLLM(models=[OpenAI(model="gpt-5-mini"), OpenAI(model="gpt-5")], prices={...}, mode="cost-sensitive")`.

# %%
import asyncio
from collections import Counter

from llama_index.core import Document, PromptTemplate, Settings, SimpleKeywordTableIndex
from llama_index.core.evaluation import BaseEvaluator, BatchEvalRunner, EvaluationResult
from llama_index_instrumentation.dispatcher import instrument_tags

from uniscale_integrations import Configuration, ConfigurationSpace, UniScale, UniScaleLLM
from uniscale_integrations.llama_index import FeedbackEvaluator
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.answers import extract_answer, same_answer

names = ["uniscale-0.3m", "uniscale-3m"]
engine = UniScale(models=names, space=ConfigurationSpace.default(names, [(1, 1, 1), (4, 1, 1), (1, 4, 2)]), mode="quality-first")
llm = UniScaleLLM(engine=engine)
Settings.llm = llm

# %% [markdown]
# The documents are short notes, "Jonas buys 3 pencils at 7 dollars each and 19 eggs at 4 dollars each.", of which a question needs the
# right one. Small models that know nothing but sums take it and the question without any words around them.

# %%
notes: dict[str, tuple[str, str]] = {}
for question in questions():
    story, _, asked = question.text.rpartition(". ")
    if story and asked not in notes and asked.startswith("How many dollars"):
        notes[asked] = (f"{story}.", question.reference)
index = SimpleKeywordTableIndex.from_documents([Document(text=story) for story, _ in notes.values()])
how = {"text_qa_template": PromptTemplate("{context_str} {query_str}"), "retriever_mode": "simple", "num_chunks_per_query": 1}
queries = index.as_query_engine(**how)
print(len(notes), "notes, among them:", next(iter(notes.values()))[0])

# %% [markdown]
# One query. Whoever watches sees one LLM call that took so many tokens, searches and verifier included; the decisions behind a response
# stand in its metadata. What the policy has seen is the question alone, not the prompt that wraps it.

# %%
asked = next(iter(notes))
response = queries.query(asked)
print(asked, "->", response.source_nodes[0].text, "->", str(response).strip().splitlines()[-1])
print(response.metadata["uniscale_decision_ids"])

# %% [markdown]
# ## Feedback
#
# On whatever is at hand: a response, also one that streams once it is drained; a chat response; an agent's output; the decision's id; the
# id of a span; a tag. It may come from another process, days later, by the decision's id; given twice it counts once.

# %%
engine.feedback(response, 1.0, source="thumb")
with instrument_tags({"request": "r-17"}):
    queries.query(asked)
engine.feedback({"request": "r-17"}, 1.0, source="thumb")
streamed = index.as_query_engine(streaming=True, **how).query(asked)
print("".join(streamed.response_gen).strip().splitlines()[-1], streamed.metadata["uniscale_decision_ids"])

# %% [markdown]
# Or an evaluator says it. `FeedbackEvaluator` wraps any of LlamaIndex's, or one of your own, and judges as it does, also inside a
# `BatchEvalRunner`.


# %%
class Right(BaseEvaluator):
    """Whether a response comes to what the note says."""

    async def aevaluate(self, query=None, response=None, contexts=None, **kwargs):
        answer = extract_answer(response)
        right = answer is not None and same_answer(answer, notes[query][1])
        return EvaluationResult(query=query, response=response, passing=right, score=float(right))

    def _get_prompts(self):
        return {}

    def _update_prompts(self, prompts):
        pass


runner = BatchEvalRunner({"right": FeedbackEvaluator(Right(), engine)})


async def rounds(count):
    for _ in range(count):
        results = await runner.aevaluate_queries(queries, queries=list(notes))
        print("right:", sum(result.passing for result in results["right"]), "of", len(notes))


asyncio.run(rounds(3))

# %% [markdown]
# A judge needs an LLM of its own: one that decides through the same engine would judge itself, so that nothing is learned from it.
# `FeedbackEvaluator(FaithfulnessEvaluator(llm=OpenAI(model="gpt-5")), engine)` needs a key and is not run here.
#
# What it thinks of a question now, and why.

# %%
decision = engine.decide(asked)
for candidate in sorted(decision.explain().candidates, key=lambda each: -each.reward)[:3]:
    print(candidate.configuration, f"expected {candidate.reward:.3f} + {candidate.bonus:.3f} for not knowing better")
print(Counter(str(entry.event.configuration) for entry in engine.log.since() if entry.event.kind == "decision").most_common(3))

# %% [markdown]
# A call may bring its own weights, budget and deadline; and the same engine may stand behind a `UniScaleChatModel` of LangChain, which then
# learns from what is said here, and the other way round.

# %%
cheap = llm.complete("What is 2 + 2?", weights=(0, 0, 1), deadline=30.0)
print(cheap.additional_kwargs["uniscale"]["configuration"], cheap.text.strip())
one = UniScaleLLM(engine=UniScale(models=["uniscale-3m"], space=ConfigurationSpace([Configuration("uniscale-3m", 1, 4, 2)])))
for piece in one.stream_complete("What is 12 + 30 - 7?"):
    print(repr(piece.delta))
