"""A web service on this machine that takes notices: what it was sent, and what it answers, as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One request that came in."""

    path: str
    document: dict[str, Any]


@dataclass
class Receiver:
    """Takes POST requests of JSON. It answers 200 `ok`, but where a test says otherwise."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    """What a path answers, one call after the other; the last one stays."""
    hanging: set[str] = field(default_factory=set)
    """The paths that answer nothing."""
    is_closed: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        """Return the address of a path, for Apprise's own kind of webhook."""
        return f"json://127.0.0.1:{self.port}/{path}"

    def at(self, path: str) -> list[dict[str, Any]]:
        """Return what was sent to a path."""
        return [request.document for request in self.requests if request.path == f"/{path}"]

    def status(self, path: str) -> int:
        """Return what a path answers now."""
        statuses = self.statuses.get(path.lstrip("/"), [200])
        return statuses.pop(0) if len(statuses) > 1 else statuses[0]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a receiver on a port of its own."""
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.requests.append(Request(self.path, json.loads(body)))
            if self.path.lstrip("/") in made.hanging:
                made.is_closed.wait(timeout=30)
                return
            self.send_response(made.status(self.path))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.is_closed.set()
        server.shutdown()
        server.server_close()
        thread.join()
