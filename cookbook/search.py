# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # From a question to a verified answer
#
# One question, several amounts of search. The embedded models are tiny and run anywhere; any Hugging Face causal language model,
# model folder or GGUF file takes their place by name.

# %%
from uniscale_integrations import Budget, Configuration, Request, Sampling, load_model, load_prm, run

model, verifier = load_model("uniscale-0.3m"), load_prm()
question = "Ines has 48 stickers. A friend brings 27 more. Ines gives away 19. How many stickers does Ines have now?"

# %% [markdown]
# A configuration is `(M, QP, CP, BS)`: the model, independent trees, candidates per kept path, and paths kept per tree.

# %%
for shape in ((1, 1, 1), (8, 1, 1), (1, 8, 2), (2, 4, 2)):
    answer = run(Request(question, Configuration(model.name, *shape)), model, verifier)
    print(f"{answer.configuration!s:24} {answer.answer!s:>6}  V={answer.score:.3f}  {answer.ledger.eflops:.2e} eFLOPs")

# %% [markdown]
# Every path is there, with its scores and what became of it.

# %%
for path in answer.paths[:8]:
    print(path.key.tree, path.fate.value, [step.strip() for step in path.steps], path.scores, path.reason)

# %% [markdown]
# The ledger covers everything that was spent: prompts, answers, dropped and duplicate candidates, and the verifier.

# %%
for fate, usage in answer.ledger.by_fate().items():
    print(f"{fate:12} {usage.completion_tokens:5.0f} tokens  {answer.ledger.profile.eflops(usage):.2e} eFLOPs")
print(f"verifier's share: {answer.ledger.verifier_share:.0%}")

# %% [markdown]
# A budget is enforced while the search runs. What is best so far is returned, marked as cut.

# %%
tight = Request(question, Configuration(model.name, 4, 8, 4), Sampling(seed=1), Budget(tokens=400))
answer = run(tight, model, verifier)
print(answer.answer, "|", answer.stop_reason)
