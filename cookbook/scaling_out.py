# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Several workers, one log
#
# Workers share nothing but the log: every one folds the same events in the same order and so comes to the same policy. With PostgreSQL
# they may run on several hosts, all in front of one inference server; `UniScaleChatModel(..., log="postgresql://user@host/database")`
# is all that is different. Nothing that was acknowledged is lost when a worker dies.
#
# Here a PostgreSQL comes along in a package, and two workers are processes of this machine.

# %%
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pgserver  # a PostgreSQL for this page: pip install pgserver "uniscale-integrations[local,postgres]"

from uniscale_integrations import ConfigurationSpace, UniScale

folder = tempfile.TemporaryDirectory()
postgres = pgserver.get_server(Path(folder.name) / "postgres", cleanup_mode="delete")
log = postgres.get_uri()
print(log.split("@")[0] + "@...")

# %% [markdown]
# What every worker runs: an engine on the log, its own part of the traffic, feedback as it comes.

# %%
WORKER = """
import json, sys
from uniscale_integrations import ConfigurationSpace, UniScale
from uniscale_integrations.models.questions import questions

log, part = sys.argv[1], int(sys.argv[2])
names = ["uniscale-0.3m", "uniscale-1m"]
space = ConfigurationSpace.default(names, [(1, 1, 1), (4, 1, 1)])
engine = UniScale(names, space=space, mode="quality-first", log=log, sync_interval=0.2)
for question in questions()[part:40:2]:
    answer = engine.run(question.text)
    engine.feedback(answer.decision_id, float(question.correct(answer.answer)), source="exact match")
engine.sync()
print(json.dumps({"worker": part, "judged": engine.log.counts()["feedback"]}))
engine.close()
"""
workers = [
    subprocess.Popen([sys.executable, "-c", WORKER, log, str(part)], stdout=subprocess.PIPE, text=True) for part in range(2)
]
for worker in workers:
    said, _ = worker.communicate()
    print(json.loads(said.strip().splitlines()[-1]))

# %% [markdown]
# Whoever comes later knows what all of them have learned. (A worker that was done first has not seen the other's last events.)

# %%
names = ["uniscale-0.3m", "uniscale-1m"]
engine = UniScale(names, space=ConfigurationSpace.default(names, [(1, 1, 1), (4, 1, 1)]), mode="quality-first", log=log)
print("learned from", engine.log.counts()["feedback"], "judged answers")
print(Counter(str(entry.event.configuration) for entry in engine.log.since() if entry.event.kind == "decision").most_common(2))

# %% [markdown]
# `uniscale log verify` reads every event and checks it, `uniscale report` draws it, and both take the same address. A snapshot in the
# log now and then spares a new worker the folding from the beginning; it is only a shortcut, and `uniscale log rebuild` drops it.

# %%
for command in (["log", "verify", log], ["report", log, "-o", str(Path(folder.name) / "report.html")]):
    done = subprocess.run([str(Path(sys.executable).with_name("uniscale")), *command], capture_output=True, text=True, check=True)
    print(done.stdout.strip().splitlines()[-1].replace(folder.name, "..."))
engine.close()
postgres.cleanup()
