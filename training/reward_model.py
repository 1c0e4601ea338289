"""Stage 5, `python -m training.reward_model`: the process reward model, resumable.

It starts from a language model of its own, `training.recall.RECALLING`, with a score head in place of the vocabulary, and reads a score at
every step's end: the probability that all steps so far are right.

A language model that can solve a question knows, one position before, what every token of a solution should be. Two layers on top of it
learn to use that: the first holds a token against what was expected in its place, the second gathers the verdicts. They alone are
trained, the body's knowledge stays untouched.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification, PreTrainedTokenizerFast
from transformers.models.llama.modeling_llama import LlamaAttention

from training.corpus import WORK, prompt_text
from training.corruption import corrupt
from training.loop import batches, fit
from training.recall import RECALLING
from training.rollouts import label
from uniscale_integrations.models.catalog import PRM

STEPS = 3000
LEARNING_RATE = 4e-3
BATCH = 64
PRACTICE = 120_000
END_WEIGHT = 4.0
MORE_LAYERS = 2
SAMPLE = 1024
SHARPNESS = 40.0
RESIDUAL = 0.125


def new_model(trained: LlamaForCausalLM, turn: Tensor) -> LlamaForTokenClassification:
    """A token classifier with one output on the body of a trained language model, and two layers on top.

    The first of them begins by looking at the token before, with the body's final norm in front of it, so that it sees what the language
    model expected, turned by `turn`, shape (hidden, hidden), see `out_of_the_way`. Where to look is the one thing that these few steps of
    training do not find by themselves.
    """
    layers = trained.config.num_hidden_layers
    changed = {
        "num_labels": 1,
        "tie_word_embeddings": False,
        "classifier_dropout": 0.0,
        "attention_bias": True,
        "num_hidden_layers": layers + MORE_LAYERS,
        "rms_norm_eps": trained.config.rms_norm_eps * RESIDUAL**2,
    }
    config = LlamaConfig.from_dict(trained.config.to_dict() | changed)
    model = LlamaForTokenClassification(config)
    body = {name: value for name, value in trained.model.state_dict().items() if name != "norm.weight"}
    model.model.load_state_dict(body, strict=False)
    quieten(model, layers)
    comparing = model.model.layers[layers]
    comparing.input_layernorm.load_state_dict(trained.model.norm.state_dict())
    look_back(comparing.self_attn, config)
    with torch.no_grad():
        comparing.self_attn.o_proj.weight.copy_(turn)
    torch.nn.init.zeros_(model.score.weight)
    return model


@torch.no_grad()
def quieten(model: LlamaForTokenClassification, layers: int) -> None:
    """Scale down all that the body writes into the residual stream, which changes nothing for the body, since every layer reads it normed.

    A trained body's stream has grown far above the size that fresh layers write at: what they add would be lost in it.
    """
    model.model.embed_tokens.weight.mul_(RESIDUAL)
    for layer in model.model.layers[:layers]:
        layer.self_attn.o_proj.weight.mul_(RESIDUAL)
        layer.mlp.down_proj.weight.mul_(RESIDUAL)


@torch.no_grad()
def look_back(attention: LlamaAttention, config: LlamaConfig) -> None:
    """Let every head of a layer attend to the token before, whatever the tokens are, and pass on what it finds there.

    Rotary embeddings turn the pair of features f of a key by `f * position`. With equal features as biases, the query's turned back by
    one position, the score at distance D is the sum of `cos(f * (D - 1))`: largest at one.
    """
    width = config.hidden_size // config.num_attention_heads
    theta = (config.rope_parameters or {})["rope_theta"]
    frequencies = torch.tensor(theta) ** (-torch.arange(0, width, 2) / width)
    key = torch.cat([torch.ones(width // 2), torch.zeros(width // 2)])
    query = torch.cat([frequencies.cos(), -frequencies.sin()])
    size = math.sqrt(SHARPNESS)
    torch.nn.init.zeros_(attention.k_proj.weight)
    torch.nn.init.zeros_(attention.q_proj.weight)
    attention.k_proj.bias.copy_((size * key).repeat(config.num_attention_heads))
    attention.q_proj.bias.copy_((size * query).repeat(config.num_attention_heads))
    torch.nn.init.eye_(attention.v_proj.weight)


@torch.inference_mode()
def out_of_the_way(trained: LlamaForCausalLM, batch: Batch) -> Tensor:
    """A rotation, shape (hidden, hidden), of what the model expected to where it hides the least of a token's own state.

    Both are states of the same model: added up as they are, what was expected before and what is expected next cannot be told apart.
    So the directions along which the final states vary most are turned to those along which the states themselves vary least.
    """
    final = trained.model(input_ids=batch.ids).last_hidden_state[batch.weights > 0]
    own = final / trained.model.norm.weight
    most = torch.linalg.eigh(torch.cov(final.T)).eigenvectors.flip(1)
    least = torch.linalg.eigh(torch.cov(own.T)).eigenvectors
    rotation: Tensor = least @ most.T
    return rotation


def token_labels(tokenizer: PreTrainedTokenizerFast, step: str, right: bool, expected: str) -> tuple[list[int], list[int]]:
    """A step's token ids, line break included, and for each whether the solution is still right up to and with it.

    Tokens of a wrong step count as right up to where it leaves the expected one. So every token says something about what is right,
    not only the last of a line, and the model learns to check what it reads digit by digit.
    """
    encoded = tokenizer(f"{step}\n", add_special_tokens=False, return_offsets_mapping=True)
    common = len(step) + 1
    if not right:
        common = next(
            (i for i, (said, meant) in enumerate(zip(step, expected, strict=False)) if said != meant),
            min(len(step), len(expected)),
        )
    return encoded["input_ids"], [int(end <= common) for _, end in encoded["offset_mapping"]]


@dataclass(frozen=True)
class Marked:
    """A solution with marks, whether sampled or made: 1 for every step up to the first wrong one, and what that should have been."""

    question: str
    steps: Sequence[str]
    labels: Sequence[int]
    expected: str


def marked(question: str, steps: Sequence[str], exact: Sequence[str]) -> Marked:
    """A solution held against the exact one."""
    labels = label(steps, exact)
    right = sum(labels)
    return Marked(question, steps, labels, exact[right] if right < min(len(steps), len(exact)) else "")


def sampled(path: Path) -> list[Marked]:
    """The rollouts in a file."""
    records = (json.loads(line) for line in path.open())
    return [Marked(r["question"], r["steps"], r["labels"], r["expected"]) for r in records if r["steps"]]


def practice(path: Path, count: int, seed: int) -> list[Marked]:
    """Exact solutions from a file of training problems, three of four with a slip in them."""
    rng = Random(f"practice {seed}")
    lines = path.read_text().splitlines()
    made = []
    for line in rng.sample(lines, min(count, len(lines))):
        *_, question, exact = json.loads(line)
        steps = corrupt(exact, rng)[0] if rng.random() < 0.75 else exact
        made.append(marked(question, steps, exact))
    return made


@dataclass(frozen=True)
class Batch:
    """Marked solutions as tensors of the shape (rows, longest).

    Attributes:
        ids: token ids, int64, right-padded.
        labels: whether the solution is right up to and with each token.
        weights: of each token in what the reward model is for: 1 for a solution's tokens, more for step ends, 0 elsewhere.
        first: of each token in judging tokens one by one: 1 up to and with the first wrong one, 0 elsewhere.
    """

    ids: Tensor
    labels: Tensor
    weights: Tensor
    first: Tensor


class Solutions:
    """Marked solutions as token rows with a label for every token of a solution and the positions of step ends."""

    def __init__(self, records: Sequence[Marked], tokenizer: PreTrainedTokenizerFast) -> None:
        prompts = tokenizer([prompt_text(record.question) for record in records], add_special_tokens=False)["input_ids"]
        self.rows: list[list[int]] = []
        self.marks: list[list[int]] = []
        self.ends: list[list[int]] = []
        for prompt, record in zip(prompts, records, strict=True):
            row, marks, ends = list(prompt), [0] * len(prompt), []
            for i, (step, right) in enumerate(zip(record.steps, record.labels, strict=True)):
                expected = record.expected if i == sum(record.labels) else ""
                ids, still = token_labels(tokenizer, step, bool(right), expected)
                row, marks = row + ids, marks + still
                ends.append(len(row) - 1)
            self.rows.append(row)
            self.marks.append(marks)
            self.ends.append(ends)
        self.prompts = [len(prompt) for prompt in prompts]
        self.lengths: NDArray[np.int64] = np.array([len(row) for row in self.rows])

    def batch(self, chosen: NDArray[np.int64]) -> Batch:
        ids = torch.zeros((len(chosen), int(self.lengths[chosen].max())), dtype=torch.int64)
        labels, weights, first = torch.zeros(ids.shape), torch.zeros(ids.shape), torch.zeros(ids.shape)
        for i, row in enumerate(chosen):
            length, prompt = len(self.rows[row]), self.prompts[row]
            ids[i, :length] = torch.tensor(self.rows[row])
            labels[i, :length] = torch.tensor(self.marks[row], dtype=torch.float32)
            weights[i, prompt:length] = 1.0
            weights[i, self.ends[row]] = END_WEIGHT
            first[i, prompt : min(length, prompt + sum(self.marks[row]) + 1)] = 1.0
        return Batch(ids, labels, weights, first)


def loss_of(model: LlamaForTokenClassification, batch: Batch) -> Tensor:
    """Cross-entropy of the score at every token, and of the same head one layer earlier on whether the token itself is right."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = model.model(input_ids=batch.ids, output_hidden_states=True).hidden_states
        single = model.model.norm(states[-2])
    so_far = entropy(model.score(states[-1].float())[..., 0], batch.labels, batch.weights)
    return so_far + entropy(model.score(single.float())[..., 0], batch.labels, batch.first)


def entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of the binary cross-entropy."""
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, weights, reduction="sum")
    return losses / weights.sum()


def train(seed: int, threads: int, steps: int) -> Path:
    """Train the reward model; returns its folder."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(WORK / "tokenizer")
    records = sampled(WORK / "rollouts.train.jsonl") + practice(WORK / "problems.jsonl", PRACTICE, seed)
    data = Solutions(records, tokenizer)
    trained = LlamaForCausalLM.from_pretrained(WORK / RECALLING)
    model = new_model(trained, out_of_the_way(trained, data.batch(np.arange(SAMPLE))))
    model.requires_grad_(False)
    for part in (*model.model.layers[-MORE_LAYERS:], model.model.norm, model.score):
        part.requires_grad_(True)

    def loss(rows: NDArray[np.int64]) -> Tensor:
        return loss_of(model, data.batch(rows))

    stream = batches(data.lengths, BATCH, seed)
    recipe = (BATCH, PRACTICE, END_WEIGHT, seed)
    fit(model, stream, loss, steps=steps, learning_rate=LEARNING_RATE, target=WORK / PRM, recipe=recipe)
    return WORK / PRM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    print(train(arguments.seed, arguments.threads, arguments.steps))


if __name__ == "__main__":
    main()
