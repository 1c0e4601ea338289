# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # The paper's experiment, on your own traffic
#
# Before anything goes live: run every configuration on a sample of your questions once, and replay policies on the table. A table is
# JSON Lines, one object per question, configuration and sample, with whether it was right, its score and its cost; one that you have
# from elsewhere will do. Here the questions come with the package; `--questions mine.jsonl` takes your own, with a `query` and a
# `reference` each.

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

from uniscale_integrations import ConfigurationSpace, UniScale

folder = tempfile.TemporaryDirectory()
table = Path(folder.name) / "table.jsonl.gz"
uniscale = str(Path(sys.executable).with_name("uniscale"))


def run(*words: str) -> str:
    return subprocess.run([uniscale, *words], capture_output=True, text=True, check=True).stdout


# %% [markdown]
# Every configuration on every question; after Ctrl-C the same command goes on where it was.

# %%
shapes = ["--shape", "1,1,1", "--shape", "4,1,1"]
print(run("table", str(table), "--count", "40", "--model", "uniscale-0.3m", "--model", "uniscale-1m", *shapes)[-1200:])

# %% [markdown]
# What would policies have earned on it? `uis` chooses model and search together, `routing` only the model, `tts` only the search of the
# one model that is best in hindsight; the bounds below are the best fixed configuration, and the oracle.

# %%
print(run("replay", str(table), "--mode", "quality-first", "--seeds", "5"))

# %% [markdown]
# What the table says, an engine may know beforehand: it begins with it instead of finding it out at the users' expense.

# %%
names = ["uniscale-0.3m", "uniscale-1m"]
space = ConfigurationSpace.default(names, [(1, 1, 1), (4, 1, 1)])
cold = UniScale(names, space=space, mode="quality-first")
warm = UniScale(names, space=space, mode="quality-first")
print(warm.warm_start(table), "decisions known beforehand")
for name, engine in (("cold", cold), ("warm", warm)):
    chosen = engine.decide("What is 123 + 456 - 78?").explain().choice
    print(name, chosen.configuration, f"expected {chosen.reward:.3f}, {chosen.bonus:.3f} for not knowing better")
