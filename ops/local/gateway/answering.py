"""What every server of the gateway shares: quick and quiet answers in JSON, on loopback."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

HOST: Final = "127.0.0.1"

_BACKLOG: Final = 128
_POLL_SECONDS: Final = 0.05
_LONGEST_BODY: Final = 65_536


class Malformed(Exception):
    """Raised where a request is not what it should be: its text says why."""


class Answering(BaseHTTPRequestHandler):
    """Reads JSON and answers in JSON."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together: one packet, and no wait for its acknowledgement
    timeout = 60  # of a connection that is kept open and not used

    def body(self) -> dict[str, Any]:
        """Return the object that was sent. Raises Malformed."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LONGEST_BODY:
            self.close_connection = True
            raise Malformed(f"a body of at most {_LONGEST_BODY} bytes is expected, with its length")
        try:
            found = json.loads(self.rfile.read(int(length)))
        except ValueError:
            raise Malformed("the body is no JSON") from None
        if not isinstance(found, dict):
            raise Malformed("the body is no object")
        return found

    def answer(self, status: int, content: object) -> None:
        """Answer a request."""
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Write no access log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # who is answered slowly does not keep the gateway from ending

    def __init__(self, listening: socket.socket, answering: Callable[..., Answering]) -> None:
        super().__init__((HOST, 0), answering, bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of callers that gave up waiting."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Listener:
    """A port of loopback that is answered, or refuses connections: it is kept either way."""

    def __init__(self, answering: Callable[..., Answering]) -> None:
        self._answering = answering
        self._socket = _bound(0)
        self.port = int(self._socket.getsockname()[1])
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}"

    def listen(self) -> None:
        """Answer from now on."""
        if self._server is not None:
            return
        self._socket.listen(_BACKLOG)
        self._server = _Server(self._socket, self._answering)
        Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections from now on: the port is bound, so that nobody else is given it, and nothing listens."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        self._socket = _bound(self.port)

    def close(self) -> None:
        """Let the port go."""
        self.refuse()
        self._socket.close()


def _bound(port: int) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of before may still be closing
    found.bind((HOST, port))
    return found
