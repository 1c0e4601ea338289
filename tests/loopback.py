"""The server in memory on a port of this machine, for clients that are made where nobody can hand them a transport."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

from tests.openai_server import Server


@contextmanager
def served(server: Server) -> Iterator[str]:
    """The address of a server, as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            response = server.answer(httpx.Request("POST", f"http://server{self.path}", content=body))
            self.send_response(response.status_code)
            self.send_header("content-type", response.headers["content-type"])
            if "retry-after" in response.headers:
                self.send_header("retry-after", response.headers["retry-after"])
            self.send_header("content-length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            pass

    class Patient(ThreadingHTTPServer):
        request_queue_size = 512

    with Patient(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}/v1"
        finally:
            running.shutdown()
            thread.join()
