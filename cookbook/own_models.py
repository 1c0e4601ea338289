# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Your own models and verifiers
#
# Whatever is in the list of models, the engine chooses from. They must count their cost in the same unit: eFLOPs of what is known of a
# model's size, or dollars.
#
# ```python
# UniScale(models=["Qwen/Qwen3-0.6B", "Qwen/Qwen3-4B"])                    # from the hub
# UniScale(models=["/models/my-finetune", "/models/SmolLM2.Q8_0.gguf"])    # folders, GGUF files
# UniScaleChatModel(models=[ChatOpenAI(model="gpt-5-mini"), ChatAnthropic(model="claude-haiku-4-5")],
#                   prices={"gpt-5-mini": (0.25, 2.0), "claude-haiku-4-5": (1.0, 5.0)})
# UniScaleLLM(models=[Ollama(model="qwen3:0.6b"), Ollama(model="qwen3:8b")])
# ```

# %% [markdown]
# ## An OpenAI-compatible server
#
# vLLM, SGLang, llama.cpp, TGI: `ServerClient` speaks to any of them, and the engine finds out how it continues a partial answer, which
# step-level search needs. Here the server is `transformers serve`, on this machine, with an embedded model behind it.

# %%
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from uniscale_integrations import Configuration, ConfigurationSpace, Sampling, UniScale
from uniscale_integrations.models.catalog import locate
from uniscale_integrations.models.chat import ChatStepModel, ServerClient
from uniscale_integrations.search.answers import extract_answer
from uniscale_integrations.verifiers import CallableVerifier, Ensemble, MathVerifier, RegexVerifier

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
program = str(Path(sys.executable).with_name("transformers"))
# Needs: pip install "uniscale-integrations[langchain,local,rules]" fastapi uvicorn
command = [
    program,
    "serve",
    locate("uniscale-3m"),
    "--device",
    "cpu",
    "--dtype",
    "float32",
    "--host",
    "127.0.0.1",
    "--port",
    str(port),
]
server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"HF_HUB_OFFLINE": "1"})
for _ in range(600):
    try:
        if httpx.get(f"http://127.0.0.1:{port}/health").is_success:
            break
    except httpx.TransportError:
        assert server.poll() is None, f"{' '.join(command)} ended with exit code {server.returncode}"
    time.sleep(0.2)

# %% [markdown]
# This server takes a rendered text and goes on with it (`render`), the surest way; without `render` it would be told to continue the last
# message. `parameters` is what a token costs, where the model's name does not say so.

# %%
client = ServerClient(
    f"http://127.0.0.1:{port}/v1", locate("uniscale-3m"), render=lambda turns: f"Question: {turns[-1].text}\nSolution:\n"
)
served = ChatStepModel(client, name="served-3m", parameters=2.8e6)
space = ConfigurationSpace([Configuration("served-3m"), Configuration("served-3m", 1, 4, 2)])
engine = UniScale([served], "arithmetic", space, mode="quality-first", sampling=Sampling(temperature=0.8))
for question in ("What is 12 + 30 - 7?", "What is 8 * 7 + 4?"):
    answer = engine.run(question)
    print(question, "->", extract_answer(answer.text), "by", answer.configuration, f"score {answer.score}")
server.terminate()
server.wait()

# %% [markdown]
# ## Verifiers
#
# A verifier gives every step a score in [0, 1]. A function of your own is one, a regular expression, a JSON schema, arithmetic that is
# recalculated, a reward model by its name, a chat model as a judge (`LLMJudge`); an ensemble mixes them.


# %%
def brief(question: str, before: str, step: str) -> float:
    return 1.0 if len(step) < 40 else 0.5


mixed = Ensemble([(CallableVerifier(brief), 1.0), (MathVerifier(), 2.0), (RegexVerifier(r"Answer: -?\d+"), 1.0)])
checked = UniScale(["uniscale-1m"], mixed, ConfigurationSpace([Configuration("uniscale-1m", 2, 4, 2)]))
answer = checked.run("What is 48 + 27 - 19?")
print(answer.answer, f"score {answer.score:.3f}")

# %% [markdown]
# A model that nothing here knows is a class with a `name` and an `open` (`uniscale_integrations.search.ports.Generator`); a verifier
# likewise (`Verifier`). CONTRIBUTING.md says which tests each needs.
