# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # An engine that learns which model and how much search pays off
#
# `UniScale` chooses a configuration for each request, runs it, and keeps decision and outcome in a log. Feedback comes whenever it
# comes, and changes the next choices.

# %%
import tempfile
from collections import Counter
from pathlib import Path

from uniscale_integrations import ConfigurationSpace, UniScale
from uniscale_integrations.models.questions import questions

folder = tempfile.TemporaryDirectory()
log = f"sqlite:///{Path(folder.name) / 'uniscale.db'}"
names = ["uniscale-0.3m", "uniscale-1m"]
space = ConfigurationSpace.default(names, [(1, 1, 1), (4, 1, 1), (1, 4, 2)])
engine = UniScale(models=names, space=space, mode="quality-first", log=log)

# %% [markdown]
# The questions come with the package, with their answers. Here the exact answer is the feedback; it could be a user's thumb, a test suite
# or an evaluator, and come days later from another process that opens the same log.

# %%
chosen: Counter[str] = Counter()
right = 0
for question in questions()[:32]:
    answer = engine.run(question.text)
    correct = question.correct(answer.answer)
    engine.feedback(answer.decision_id, correct, source="exact-match")
    chosen[str(answer.configuration)] += 1
    right += correct
print(f"{right} of 32 right; chosen: {dict(chosen)}")

# %% [markdown]
# Every choice can be explained: what was expected of each configuration, what trying it was worth, and at which weight of cost it would
# have been chosen.

# %%
decision = engine.decide(questions()[40].text)
for candidate in decision.explain().candidates:
    flips = "" if candidate.flips_at is None else f"  chosen from a weight of cost of {candidate.flips_at:.2f}"
    print(
        f"{candidate.configuration!s:24} correct {candidate.correct:.2f}  cost {candidate.cost:.2f}  bonus {candidate.bonus:.2f}{flips}"
    )

# %% [markdown]
# A request may weigh things otherwise, without anything being learned anew.

# %%
print(engine.decide(questions()[40].text, mode="cost-sensitive").configuration)

# %% [markdown]
# The state is a fold over the log, so another worker that opens it knows the same.

# %%
other = UniScale(models=names, space=space, mode="quality-first", log=log)
print(other.decide(questions()[40].text).configuration == engine.decide(questions()[40].text).configuration)
other.close()
engine.close()
folder.cleanup()
