"""A real llama.cpp server on loopback, as the wheel xllamacpp carries it, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

SERVE = """
import json, sys, time
import xllamacpp

settings = json.loads(sys.argv[1])
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.n_parallel = settings["model"], 4
parameters.n_ctx, parameters.cpuparams.n_threads = settings["context"], settings["threads"]
if settings["exact"]:
    # What was read is kept in 16 bits otherwise, and reads otherwise whenever it is put together in another way.
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
parameters.hostnames, parameters.port, parameters.warmup = ["127.0.0.1"], 0, False
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def llama_server(model: Path, *, context: int = 4096, threads: int = 2, exact: bool = False) -> Iterator[str]:
    """The address of a server for a GGUF file, ending in /v1, that runs as long as the block.

    Args:
        model: the file.
        context: tokens of all slots together.
        threads: of the server.
        exact: whether keys and values are kept as 32-bit numbers.
    """
    settings = json.dumps({"model": str(model), "context": context, "threads": threads, "exact": exact})
    command = [sys.executable, "-c", SERVE, settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            address = next((line.strip() for line in server.stdout if line.startswith("http")), "")
            assert address, "the server did not come up"
            deadline = time.monotonic() + 60
            while not httpx.get(f"{address}/health").is_success:
                assert time.monotonic() < deadline, "the server did not load its model"
                time.sleep(0.05)
            yield f"{address}/v1"
        finally:
            server.kill()
